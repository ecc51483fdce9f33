import { Counter, Histogram, type Registry } from "prom-client"
import type { OrderRequest } from "../core/orders.ts"
import type { Outcome } from "./book.ts"

type WorkOrderMetrics = {
  /** To be called once the outcome is committed. */
  taken(request: OrderRequest, outcome: Outcome, lagMs: number): void
}

export function workOrderMetrics(registry: Registry): WorkOrderMetrics {
  const opened = new Counter({
    name: "millwright_orders_opened_total",
    help: "Work orders made, by type.",
    labelNames: ["type"] as const,
    registers: [registry],
  })
  const requests = new Counter({
    name: "millwright_order_requests_total",
    help: "Requests for work orders, by what became of them.",
    labelNames: ["outcome"] as const,
    registers: [registry],
  })
  const lag = new Histogram({
    name: "millwright_order_request_seconds",
    help: "From the append of a request to the log until its order is committed.",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
    registers: [registry],
  })
  return {
    taken(request, outcome, lagMs) {
      requests.inc({ outcome })
      lag.observe(Math.max(0, lagMs) / 1000)
      if (request.kind === "open" && outcome === "opened") opened.inc({ type: request.type })
    },
  }
}
