import { z } from "zod"
import { holdReason, type WorkOrder } from "../../core/orders.ts"
import { permitsToGrant, withoutClocks } from "../readiness.ts"
import { ended } from "../spans.ts"
import { assignedTo } from "../workers.ts"
import { command, refuse, withNote } from "./command.ts"
import { mustBeFit, withSlotsOf } from "./planning.ts"

const note = z.string().max(2000).default("")

export const acknowledge = command({
  summary: "take the order on",
  roles: ["technician", "contractor", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: ["dispatched"],
  to: ["acknowledged"],
  input: z.strictObject({ note }),
  run(order, { note: said }, { actor }) {
    return {
      order: { ...order, state: "acknowledged" },
      event: "acknowledged",
      note: said || `taken on by ${actor}`,
    }
  },
})

export const decline = command({
  summary: "give the order back, with the reason",
  roles: ["technician", "contractor", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: ["assigned", "dispatched", "acknowledged"],
  to: ["planned", "approved"],
  input: z.strictObject({ reason: z.string().min(1).max(2000) }),
  run(order, { reason }, { atMs }) {
    const state = order.planned === null ? "approved" : "planned"
    return {
      order: { ...withSlotsOf(withoutClocks(order, atMs), []), state, assignees: [] },
      event: "declined",
      note: reason,
    }
  },
})

export const start = command({
  summary: "begin the work",
  roles: ["technician", "contractor", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: ["acknowledged", "reopened"],
  to: ["in-progress"],
  input: z.strictObject({ note }),
  run(order, { note: said }, context) {
    const { actor, atMs } = context
    mustHoldPermits(order)
    // A certificate may have run out since they were assigned.
    for (const id of assignedTo(order)) mustBeFit(id, order, context)
    const attempts = [...order.work.attempts, { startMs: atMs, endMs: null, outcome: null, note: "" }]
    return {
      order: { ...order, state: "in-progress", work: { ...order.work, attempts } },
      event: "started",
      note: said || `begun by ${actor}`,
    }
  },
})

export const hold = command({
  summary: "stop for a while, with the reason: parts, access, safety or weather",
  roles: ["technician", "contractor", "planner", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: ["in-progress"],
  to: ["on-hold"],
  input: z.strictObject({ reason: holdReason, note }),
  run(order, { reason, note: said }, { actor, atMs }) {
    const holds = [...order.work.holds, { reason, note: said, by: actor, startMs: atMs, endMs: null }]
    return {
      order: {
        ...order,
        state: "on-hold",
        work: { ...order.work, labour: ended(order.work.labour, atMs), holds },
      },
      event: "held",
      note: withNote(reason, said),
    }
  },
})

export const resume = command({
  summary: "go on after a hold",
  roles: ["technician", "contractor", "planner", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: ["on-hold"],
  to: ["in-progress"],
  input: z.strictObject({ note }),
  run(order, { note: said }, { actor, atMs }) {
    mustHoldPermits(order)
    return {
      order: {
        ...order,
        state: "in-progress",
        work: { ...order.work, holds: ended(order.work.holds, atMs) },
      },
      event: "resumed",
      note: said || `gone on by ${actor}`,
    }
  },
})

function mustHoldPermits(order: WorkOrder): void {
  const wanted = permitsToGrant(order)
  if (wanted.length > 0)
    refuse(
      `${order.number} takes the permit ${wanted.join(", ")} before anybody works on it: a supervisor or engineer grants it with grant-permit`,
    )
}
