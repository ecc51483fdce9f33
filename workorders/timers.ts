import type { Kysely } from "kysely"
import type { WorkOrder } from "../core/orders.ts"
import type { WorkOrderTables } from "./tables.ts"

/** When something happens to an order by itself: a request for approval expires, somebody is told that it is late. */
export function timerOf(order: WorkOrder): number | null {
  const expires = expiryOf(order)
  const next = order.sla?.nextMs ?? null
  if (expires === null || next === null) return expires ?? next
  return Math.min(expires, next)
}

/** When the request for approval that the order waits on is no longer good. */
export function expiryOf({ state, approval }: WorkOrder): number | null {
  return state === "awaiting-approval" ? (approval?.expiresMs ?? null) : null
}

/** Where a list of what is due goes on. */
type Place = { readonly id: string; readonly timer_ms: number | null }

/** Orders to which something is due by now, the longest overdue first. */
export function selectDue(
  db: Kysely<WorkOrderTables>,
  nowMs: number,
  limit: number,
  after: Place = { id: "", timer_ms: Number.MIN_SAFE_INTEGER },
) {
  return (
    db
      .selectFrom("work_order")
      .select(["id", "timer_ms"])
      // Also says what the line below implies: only so is the index entered at the right place.
      .where("timer_ms", ">=", after.timer_ms)
      .where("timer_ms", "<=", nowMs)
      .where((row) => row.or([row("timer_ms", ">", after.timer_ms), row("id", ">", after.id)]))
      .orderBy("timer_ms")
      .orderBy("id")
      .limit(limit)
  )
}
