import { Counter, Gauge, type Registry } from "prom-client"
import type { OrderRequest } from "../core/orders.ts"

export type SchedulerMetrics = {
  /** To be called once the requests are durable. */
  asked(requests: readonly OrderRequest[]): void
}

export function schedulerMetrics(registry: Registry, nextMs: () => number | undefined): SchedulerMetrics {
  const requested = new Counter({
    name: "millwright_scheduler_requests_total",
    help: "Requests made to the work orders, by kind and, for new orders, type.",
    labelNames: ["kind", "type"] as const,
    registers: [registry],
  })
  new Gauge({
    name: "millwright_scheduler_next_plan_seconds",
    help: "When, by the plant's clock, the next plan asks for an order: seconds since 1970, NaN when none will.",
    registers: [registry],
    collect() {
      this.set((nextMs() ?? Number.NaN) / 1000)
    },
  })
  return {
    asked(requests) {
      for (const request of requests) {
        requested.inc({ kind: request.kind, type: request.kind === "open" ? request.type : "" })
      }
    },
  }
}
