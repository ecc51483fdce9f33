/** What contractors ask for a job, side by side. */
import type { Bid, WorkOrder } from "../core/orders.ts"
import { toCents } from "./money.ts"

export type ComparedBid = Bid & {
  /** More (or, below nothing, less) than the job expects of services; null where it expects none. */
  readonly difference: number | null
}

/** Cheapest first, of equal ones the earlier first; with those that were declined or replaced. */
export function comparedBids({ bids, job }: Pick<WorkOrder, "bids" | "job">): readonly ComparedBid[] {
  return bids
    .map((one) => ({ ...one, difference: job.services === 0 ? null : toCents(one.amount - job.services) }))
    .toSorted((a, b) => a.amount - b.amount || a.atMs - b.atMs)
}
