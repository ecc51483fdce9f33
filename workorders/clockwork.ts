/** What happens to orders by the clock, without anybody's word. */
import type { Revision } from "../core/catalogue.ts"
import type { WorkOrder } from "../core/orders.ts"
import { ageing } from "./ageing.ts"
import { wording } from "./approval-rules.ts"
import type { Step } from "./commands/command.ts"
import { escalation } from "./sla.ts"
import { expiryOf, timerOf } from "./timers.ts"

/** A step with its own time: the deadline's, however late somebody looks. */
type TimedStep = Step & { readonly atMs: number }

/** The earliest that is due to an order by now; undefined when nothing is. */
export function byTheClock(order: WorkOrder, nowMs: number, revision: Revision): TimedStep | undefined {
  const atMs = timerOf(order)
  const aged = ageing(order, revision)
  if (aged !== undefined && aged.atMs <= nowMs && (atMs === null || aged.atMs < atMs)) return aged
  if (atMs === null || atMs > nowMs) return undefined
  return atMs === expiryOf(order) ? { ...expired(order), atMs } : escalation(order, nowMs, revision)
}

/** What was decided so far is in the history; whoever submits it again begins anew. */
function expired(order: WorkOrder): Step {
  const { levels = [], decisions = [] } = order.approval ?? {}
  const level = levels[decisions.length]
  const who = level === undefined ? "" : ` of ${wording(level.by)}`
  return {
    order: { ...order, state: "triaged", approval: null },
    event: "approval-expired",
    note: `no decision${who} on level ${decisions.length + 1} of ${levels.length} in time: to be submitted again`,
  }
}
