import type { Clock } from "../clock.ts"
import { MillwrightError } from "../errors.ts"

/** The log tells a member that was replaced in a moment. So long, ms, it may take. */
const toldWithinMs = 30_000

/**
 * Partitions that another process has claimed, until the log takes them from this one as well. It never does where
 * that claim came too late, of a process that the log had left out already: nobody would go on with them then.
 */
export class Replaced {
  private readonly consumer: string
  private readonly topic: string
  private readonly clock: Clock
  private readonly sinceMs = new Map<number, number>()

  constructor(consumer: string, topic: string, clock: Clock) {
    this.consumer = consumer
    this.topic = topic
    this.clock = clock
  }

  add(partition: number): void {
    this.sinceMs.set(partition, this.clock.now())
  }

  /** The log has taken them away, or this process has claimed them anew. */
  remove(partitions: readonly number[]): void {
    for (const partition of partitions) this.sinceMs.delete(partition)
  }

  /**
   * To be called about each second. Throws `OWNER_REPLACED` where the log leaves a partition with a process that no
   * longer owns it: started again it claims its partitions anew, and skips nothing.
   */
  check(): void {
    const latestMs = this.clock.now() - toldWithinMs
    for (const [partition, sinceMs] of this.sinceMs) {
      if (sinceMs > latestMs) continue
      throw new MillwrightError(
        "OWNER_REPLACED",
        `${this.consumer} no longer owns partition ${partition} of ${this.topic}: another process claimed it, but the log still gives it to this one. Start this process again: it then goes on from what was saved`,
      )
    }
  }
}
