import type { NewRecord } from "../core/log/log.ts"
import { partitionOf } from "../core/log/partition.ts"
import type { AssetEvent, Reading, Tick } from "../core/vocabulary.ts"

/** How far the plant's clock moves between two ticks: an hour of event time. */
const stepMs = 3_600_000

/**
 * With the clock `event` time is what the telemetry says, so a partition whose assets say nothing would stand still
 * and its calendar plans with it. When the newest event time enters a new hour, the partitions that had no record
 * in the hour before are given a tick; those with records of their own move by themselves, in their own order.
 */
export class SilentPartitions {
  private readonly partitions: number
  private readonly newestStep: number[]
  private step = Number.NEGATIVE_INFINITY

  constructor(partitions: number) {
    this.partitions = partitions
    this.newestStep = new Array<number>(partitions).fill(Number.NEGATIVE_INFINITY)
  }

  /** The ticks that follow from this record. */
  after({ asset, atMs }: Reading | AssetEvent): readonly NewRecord<Tick>[] {
    const step = Math.floor(atMs / stepMs)
    const own = partitionOf(asset, this.partitions)
    this.newestStep[own] = Math.max(this.newestStep[own] ?? step, step)
    if (step <= this.step) return []
    const started = this.step === Number.NEGATIVE_INFINITY
    this.step = step
    // Who had records before a restart is not known: every partition gets an hour to show itself.
    if (started) this.newestStep.fill(step)
    return this.newestStep.flatMap((newest, partition) =>
      newest < step - 1 ? [{ key: "tick", partition, value: { kind: "tick", atMs: step * stepMs } }] : [],
    )
  }
}
