import { Counter, Gauge, type Registry } from "prom-client"
import type { Announcement } from "../../core/vocabulary.ts"
import type { SiteState } from "./flood.ts"

export type AlarmMetrics = {
  /** To be called once these are durable. */
  announced(told: readonly Announcement[]): void
}

export function alarmMetrics(registry: Registry, sites: () => Iterable<SiteState>): AlarmMetrics {
  const announced = new Counter({
    name: "millwright_alarms_announced_total",
    help: "What operators were told, by kind.",
    labelNames: ["kind"] as const,
    registers: [registry],
  })
  new Gauge({
    name: "millwright_alarms_floods",
    help: "Sites in an alarm flood.",
    registers: [registry],
    collect() {
      this.set([...sites()].filter(({ flood }) => flood !== null).length)
    },
  })
  return {
    announced(told) {
      for (const { kind } of told) announced.inc({ kind })
    },
  }
}
