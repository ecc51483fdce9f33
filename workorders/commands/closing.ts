import { z } from "zod"
import { beforeTheEnd, command, refuse } from "./command.ts"

const note = z.string().max(2000).default("")
const reason = z.string().min(1).max(2000)

export const complete = command({
  summary: "say that the work is done",
  roles: ["technician", "contractor", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: ["in-progress"],
  to: ["completed"],
  input: z.strictObject({ note }),
  run(order, { note: said }, { actor, atMs }) {
    const attempts = order.work.attempts.map((one) => (one.endMs === null ? { ...one, endMs: atMs } : one))
    return {
      order: { ...order, state: "completed", finishedMs: atMs, work: { ...order.work, attempts } },
      event: "completed",
      note: said || `done by ${actor}`,
    }
  },
})

export const verify = command({
  summary: "confirm that the work was done well",
  roles: ["technician", "engineer", "planner", "supervisor", "admin"],
  from: ["completed"],
  to: ["verified"],
  input: z.strictObject({ comment: note }),
  run(order, { comment }, { actor, atMs }) {
    if (order.job.verification && order.assignees.includes(actor))
      refuse(`${order.number} is verified by somebody else than who did it`)
    const verified = { by: actor, comment, atMs }
    return {
      order: { ...order, state: "verified", closing: { ...order.closing, verified } },
      event: "verified",
      note: comment || `by ${actor}`,
    }
  },
})

export const reopen = command({
  summary: "the work is not done after all",
  roles: ["engineer", "planner", "supervisor", "admin"],
  from: ["completed", "verified"],
  to: ["reopened"],
  input: z.strictObject({ reason }),
  run(order, { reason: why }, { sameNeed }) {
    if (sameNeed !== undefined) refuse(`${sameNeed} is open for the same need: go on there`)
    return {
      order: { ...order, state: "reopened", finishedMs: null, closing: { ...order.closing, verified: null } },
      event: "reopened",
      note: why,
    }
  },
})

export const close = command({
  summary: "end it: nothing more is to be done or said",
  roles: ["planner", "supervisor", "admin"],
  from: ["completed", "verified"],
  to: ["closed"],
  input: z.strictObject({ note }),
  run(order, { note: said }) {
    if (order.job.verification && order.closing.verified === null)
      refuse(`${order.number} has to be verified first`)
    return { order: { ...order, state: "closed" }, event: "closed", note: said || "closed" }
  },
})

export const cancel = command({
  summary: "end it without the work, with the reason",
  roles: ["planner", "supervisor", "admin"],
  from: beforeTheEnd.filter(
    (state) => state !== "completed" && state !== "verified" && state !== "in-progress",
  ),
  to: ["cancelled"],
  input: z.strictObject({ reason }),
  run(order, { reason: why }, { atMs }) {
    return { order: { ...order, state: "cancelled", finishedMs: atMs }, event: "cancelled", note: why }
  },
})
