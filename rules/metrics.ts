import { Counter, Gauge, Histogram, type Registry } from "prom-client"
import type { Detection } from "../core/vocabulary.ts"
import { type Counts, noCounts } from "./lane.ts"

export type RuleMetrics = {
  /** Adds what was counted since the last call. */
  counted(counts: Readonly<Counts>): void
  found(detections: readonly Detection[]): void
  saved(seconds: number): void
}

const outcomes = ["samples", "duplicates", "late", "tooLate", "unusable"] as const

export function ruleMetrics(registry: Registry, openEpisodes: () => number): RuleMetrics {
  const registers = [registry]
  const records = new Counter({
    name: "millwright_rules_records_total",
    help: "Samples evaluated; late ones, evaluated together with what came before them; and what is left out: duplicates, tooLate, unusable (bad quality or absurd)",
    labelNames: ["outcome"],
    registers,
  })
  const detections = new Counter({
    name: "millwright_rules_detections_total",
    help: "Steps of episodes",
    labelNames: ["kind", "severity"],
    registers,
  })
  const checkpoints = new Histogram({
    name: "millwright_rules_checkpoint_seconds",
    help: "Time to save one partition's state",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers,
  })
  new Gauge({
    name: "millwright_rules_episodes_open",
    help: "Episodes open now",
    registers,
    collect() {
      this.set(openEpisodes())
    },
  })
  const before = noCounts()
  return {
    counted(counts) {
      for (const outcome of outcomes) {
        records.inc({ outcome }, counts[outcome] - before[outcome])
        before[outcome] = counts[outcome]
      }
    },
    found(steps) {
      for (const { kind, severity } of steps) detections.inc({ kind, severity })
    },
    saved: (seconds) => checkpoints.observe(seconds),
  }
}
