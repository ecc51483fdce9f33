import type { LogRecord, Position, Subscription } from "../log.ts"
import type { Reader } from "./reader.ts"

/** Hands over everything of a topic, record by record, to one who keeps no position. */
export class Follower<T> implements Subscription {
  readonly done: Promise<void>
  /** Resolves when what was there at the beginning was handed over; rejects with what stopped this before. */
  readonly caughtUp: Promise<void>
  private readonly reader: Reader<T>
  private readonly each: (record: LogRecord<T>) => void | Promise<void>
  private readonly handled: Map<number, Position>
  private catchUp!: { resolve(): void; reject(error: unknown): void }

  /** `ends`: for each partition where it ended at the beginning. */
  constructor(
    reader: Reader<T>,
    ends: readonly Position[],
    each: (record: LogRecord<T>) => void | Promise<void>,
  ) {
    this.reader = reader
    this.each = each
    this.handled = new Map(reader.positions)
    this.caughtUp = new Promise((resolve, reject) => {
      this.catchUp = { resolve, reject }
    })
    this.done = this.run(ends)
    // Whoever follows decides what a failure means; until then it must not end the process.
    this.caughtUp.catch(() => {})
    this.done.catch(() => {})
  }

  /** There is no group whose position anybody would ask for. */
  commit(): void {}

  position(partition: number): Position {
    return this.handled.get(partition) ?? 0
  }

  close(): Promise<void> {
    this.reader.close()
    return this.done
  }

  private async run(ends: readonly Position[]): Promise<void> {
    try {
      while (!this.reader.isClosed) {
        if (ends.every((end, partition) => this.position(partition) >= end)) this.catchUp.resolve()
        const fetched = await this.reader.next()
        for (const { partition, records, next } of fetched) {
          for (const record of records) {
            if (this.reader.isClosed) return
            await this.each(record)
          }
          this.handled.set(partition, next)
        }
        // Retention may have moved the reader on.
        for (const [partition, position] of this.reader.positions) this.handled.set(partition, position)
      }
    } catch (error) {
      // Closing breaks off what was being asked for.
      if (this.reader.isClosed) return
      this.reader.close()
      this.catchUp.reject(error)
      throw error
    } finally {
      this.catchUp.reject(new Error("closed before everything was handed over"))
    }
  }
}
