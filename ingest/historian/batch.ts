import type { LogRecord, Position } from "../../core/log/log.ts"
import type { PlantClock } from "../../core/service.ts"
import type { AssetEvent, Reading, TelemetryRecord } from "../../core/vocabulary.ts"
import { tellsTime } from "../plant-time.ts"

/** Records on their way to the store, and up to where in each partition they reach. */
export class Batch {
  private readonly plantClock: PlantClock
  readonly entries: (Reading | AssetEvent)[] = []
  /** For each partition the position after its last record. */
  readonly positions = new Map<number, Position>()
  samples = 0
  /** Samples, events and ticks: what fills the memory. */
  size = 0
  /** The newest time of the plant. */
  newestMs = Number.NEGATIVE_INFINITY
  oldestAppendedMs = Number.POSITIVE_INFINITY

  constructor(plantClock: PlantClock) {
    this.plantClock = plantClock
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  add({ partition, position, appendedMs, value }: LogRecord<TelemetryRecord>): void {
    this.positions.set(partition, position + 1)
    this.oldestAppendedMs = Math.min(this.oldestAppendedMs, appendedMs)
    this.size++
    // Ticks and people's decisions are no telemetry; their positions count all the same.
    if (value.kind === "tick" || value.kind === "action") return
    this.entries.push(value)
    if (tellsTime(value, this.plantClock)) this.newestMs = Math.max(this.newestMs, value.atMs)
    if (value.kind === "event") return
    const samples = Object.keys(value.values).length
    this.samples += samples
    this.size += samples
  }
}
