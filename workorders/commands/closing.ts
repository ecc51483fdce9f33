import { z } from "zod"
import type { WorkOrder } from "../../core/orders.ts"
import { beforeTheEnd } from "../../core/orders.ts"
import { type Settled, settleBudget } from "../budgets.ts"
import { actualCost, money } from "../money.ts"
import { finishedWork, missingToComplete, permitsOut } from "../readiness.ts"
import { releaseStock } from "../stock.ts"
import { assignedTo, handsOf } from "../workers.ts"
import { withdrawn } from "./approval.ts"
import { type Context, command, refuse } from "./command.ts"

const note = z.string().max(2000).default("")
const reason = z.string().min(1).max(2000)

export const complete = command({
  summary: "say that the work is done",
  roles: ["technician", "contractor", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: ["in-progress"],
  to: ["completed"],
  input: z.strictObject({
    outcome: z
      .enum(["fixed", "partly", "not-fixed"])
      .default("fixed")
      .describe("of a repair: whether the fault is gone (default: fixed)"),
    note,
  }),
  run(order, { outcome, note: said }, { actor, atMs }) {
    const missing = missingToComplete(order)
    if (missing.length > 0) refuse(`${order.number} is not done: ${missing.join("; ")}`)
    const closing = { ...order.closing, completed: { by: actor, atMs } }
    return {
      order: { ...finishedWork(order, atMs, outcome), state: "completed", finishedMs: atMs, closing },
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
    if (order.job.verification && [...assignedTo(order), ...handsOf(order)].includes(actor))
      refuse(
        `${order.number} is verified by somebody else than who did it, and "${actor}" was one of them: ask another person`,
      )
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
  to: ["reopened", "triaged"],
  input: z.strictObject({ reason }),
  run(order, { reason: why }, { sameNeed }) {
    if (sameNeed !== undefined) refuse(`${sameNeed} is open for the same need: go on there`)
    // What was said of work that is not done counts no more; what was found still does.
    const closing = { ...order.closing, completed: null, verified: null, signOff: null }
    const open: WorkOrder = { ...order, state: "reopened", finishedMs: null, closing }
    if (isApproved(order)) return { order: open, event: "reopened", note: why }
    return { ...withdrawn(open), event: "reopened", note: `${why}; never approved: to be submitted` }
  },
})

export const close = command({
  summary: "end it: nothing more is to be done or said",
  roles: ["planner", "supervisor", "admin"],
  from: ["completed", "verified"],
  to: ["closed"],
  input: z.strictObject({ note }),
  run(order, { note: said }, { revision, atMs }) {
    const missing = missingToClose(order)
    if (missing.length > 0) refuse(`${order.number} can't be closed yet, it lacks: ${missing.join("; ")}`)
    const cost = actualCost(order)
    const { order: released, effects } = releaseStock(order)
    const { order: settled, effects: paid } = settleBudget(released, { atMs }, "closed")
    return {
      order: { ...settled, state: "closed", closing: { ...order.closing, cost } },
      event: "closed",
      note: `cost ${money(cost.total, revision.plant)}${said === "" ? "" : `: ${said}`}`,
      effects: [...effects, ...paid],
    }
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
  run(order, { reason: why }, context) {
    return { ...cancelled(order, context), event: "cancelled", note: why }
  },
})

/** Ended without the work; what went into it so far is paid. Throws `NOT_POSSIBLE` while a permit is out. */
export function cancelled(order: WorkOrder, { atMs }: Pick<Context, "atMs">): Settled {
  const out = permitsOut(order)
  if (out.length > 0) refuse(`${order.number} can't end yet: ${out.join("; ")}`)
  const { order: released, effects } = releaseStock(finishedWork(order, atMs))
  const { order: settled, effects: paid } = settleBudget(released, { atMs }, "cancelled")
  return {
    order: { ...settled, state: "cancelled", finishedMs: atMs },
    effects: [...effects, ...paid],
  }
}

/** The plant itself may complete what was only asked for. */
function isApproved({ approval }: WorkOrder): boolean {
  return approval !== null && approval.decisions.length === approval.levels.length
}

/** One line for each thing that stands in the way of closing it, with the command that adds it. */
function missingToClose({ type, trigger, job, work, closing, attachments }: WorkOrder): string[] {
  const isCorrective = trigger.kind === "rule" || type === "reactive" || type === "predictive"
  const attached = new Set(attachments.map(({ name }) => name))
  return [
    ...(isCorrective && closing.finding === null ? ['what was found ("finding")'] : []),
    ...(trigger.kind === "rule" && closing.verdict === null
      ? ['whether the rule was right ("verdict")']
      : []),
    ...(job.verification && closing.verified === null
      ? ['a look at it by somebody else than who did it ("verify")']
      : []),
    ...(job.signOff && closing.signOff === null ? ['the word of who asked for it ("sign-off")'] : []),
    ...permitsOut({ work }),
    ...job.documents.filter((name) => !attached.has(name)).map((name) => `the document ${name} ("attach")`),
  ]
}
