import type { WorkOrder } from "../../core/orders.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"

const minute = 60_000

/** An input for each command that fits an order as it is; whether the order's state allows it is another matter. */
export function inputs(order: WorkOrder, atMs: number): Record<CommandName, unknown> {
  const task = order.job.tasks.find(({ id }) => order.work.tasks[id] === undefined)?.id ?? "1"
  const check = order.job.checklist.find(({ id }) => order.work.checks[id] === undefined)?.id ?? "1"
  const begun = order.work.labour.at(-1)?.startMs ?? atMs - minute
  return {
    triage: { priority: 2, note: "looked over" },
    duplicate: { of: order.number === "WO-000001" ? "WO-000002" : "WO-000001" },
    edit: { title: "Bearing of P-101 runs very hot", reason: "told by the shift" },
    postpone: { dueMs: order.dueMs + 60 * minute, reason: "no window this week" },
    attach: {
      name: `photo-${order.attachments.length}.png`,
      mediaType: "image/png",
      content: "iVBORw0KGgo=",
    },
    link: { title: "Manual", url: "https://example.org/manual" },
    bid: { amount: 400, contractor: "carl" },
    "accept-bid": { bid: order.bids.at(-1)?.id ?? "none" },
    submit: {},
    approve: {},
    reject: { comment: "not this year" },
    withdraw: { reason: "needs another look" },
    plan: { startMs: atMs, finishMs: atMs + 60 * minute },
    reserve: {},
    release: {},
    "edit-task": { task: "1", title: "Check the grease twice" },
    "assign-task": { task: "2", to: "theo" },
    "grant-permit": { permit: "lock-out", number: "L-7" },
    assign: { to: ["tina"] },
    dispatch: {},
    acknowledge: {},
    decline: { reason: "on leave" },
    "start-downtime": {},
    start: {},
    "start-labour": {},
    "stop-labour": {},
    "add-labour": { startMs: begun - 2 * minute, endMs: begun - minute, reason: "forgot the clock" },
    task: { task: [task] },
    check: { check, value: "yes" },
    "use-part": { part: "seal-40" },
    "return-part": { part: "seal-40" },
    reading: { signal: "vibration", value: 2.1 },
    note: { text: "hot to the touch" },
    attempt: { outcome: "partly" },
    "follow-up": { title: "Paint the guard" },
    hold: { reason: "parts" },
    resume: {},
    "stop-downtime": {},
    "return-permit": { permit: "lock-out" },
    complete: { outcome: "fixed" },
    finding: { problem: "VIB" },
    verdict: { verdict: "confirmed" },
    warranty: { claim: "no" },
    verify: {},
    reopen: { reason: "still leaks" },
    "sign-off": { satisfaction: 5 },
    close: {},
    cancel: { reason: "asset was sold" },
  }
}
