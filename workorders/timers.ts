import type { WorkOrder } from "../core/orders.ts"

/** When something happens to an order by itself: a request for approval expires, somebody is told that it is late. */
export function timerOf({ state, approval, sla }: WorkOrder): number | null {
  const expires = state === "awaiting-approval" ? (approval?.expiresMs ?? null) : null
  const next = sla?.nextMs ?? null
  if (expires === null || next === null) return expires ?? next
  return Math.min(expires, next)
}
