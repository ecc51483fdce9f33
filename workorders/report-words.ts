/** Who did what to an order, as reports put it. */
import type { WorkOrder } from "../core/orders.ts"
import { handsOf } from "./workers.ts"

/** 2026-03-01T06:00:00Z; empty for none. */
export function iso(ms: number | null): string {
  return ms === null ? "" : new Date(ms).toISOString().replace(".000Z", "Z")
}

/** Who worked on it, and else whoever it is assigned to. */
export function workersOf(order: WorkOrder): readonly string[] {
  const hands = handsOf(order)
  return hands.size > 0 ? [...hands] : order.assignees
}

export function decidersOf({ approval }: WorkOrder): readonly string[] {
  const approved = approval?.decisions.filter(({ decision }) => decision === "approved") ?? []
  return approved.map(({ by, onBehalfOf }) => (onBehalfOf === null ? by : `${by} for ${onBehalfOf}`))
}
