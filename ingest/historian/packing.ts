import type { Logger } from "pino"
import { messageOf } from "../../core/errors.ts"
import type { SqliteThread, Statement } from "../../core/sqlite/thread.ts"
import { compaction } from "./compaction.ts"
import type { FreshBlocks } from "./fresh-blocks.ts"

type PackingOptions = {
  readonly database: SqliteThread
  readonly fresh: FreshBlocks
  readonly logger: Logger
  /** The most samples in a packed block, and enough fresh ones of a series to pack them. */
  readonly blockSamples: number
  /** So many fresh blocks of a series are packed, however few samples they hold. */
  readonly freshBlocks: number
}

/** Series packed in one transaction, for fewer fsyncs, and fresh blocks of each: bounds on memory. */
const seriesAtOnce = 32
const freshAtOnce = 256

/** Packs the series that have gathered enough fresh blocks, round by round in the background. */
export class Packing {
  private readonly options: PackingOptions
  private readonly due = new Set<number>()
  private isQueued = false
  private isClosing = false
  private turn: Promise<void> = Promise.resolve()

  constructor(options: PackingOptions) {
    this.options = options
  }

  /** Tells that a series has new fresh blocks. */
  added(series: number): void {
    const { fresh, freshBlocks, blockSamples } = this.options
    const { ids, samples } = fresh.of(series)
    if (ids.length >= freshBlocks || samples >= blockSamples) this.due.add(series)
  }

  /** Packs what is due, after what is under way. */
  start(): void {
    if (this.isQueued || this.isClosing || this.due.size === 0) return
    this.isQueued = true
    this.turn = this.turn.then(() => this.round())
  }

  /** Runs `work` while nothing is being packed: both take blocks away. */
  exclusively(work: () => Promise<unknown>): Promise<void> {
    const result = this.turn.then(async () => {
      await work()
    })
    // Whoever asked for the work hears of its failure; the next in turn does not.
    this.turn = result.catch(() => {})
    return result
  }

  /** Waits for the round under way; what is still due is found again when the file is next opened. */
  async close(): Promise<void> {
    this.isClosing = true
    await this.turn
  }

  private async round(): Promise<void> {
    this.isQueued = false
    if (this.isClosing) return
    const { database, fresh, blockSamples, logger } = this.options
    const round = [...this.due].slice(0, seriesAtOnce).map((series) => {
      // Always the oldest: what is left fresh has to be newer than all that is packed.
      return { series, ids: fresh.of(series).ids.slice(0, freshAtOnce) }
    })
    try {
      const statements: Statement[] = []
      for (const { series, ids } of round) {
        statements.push(...(await compaction(database, series, ids, blockSamples)))
      }
      await database.transaction(statements)
      for (const { series, ids } of round) {
        fresh.remove(series, ids)
        this.due.delete(series)
        this.added(series)
      }
      this.start()
    } catch (error) {
      // The fresh blocks are still there, read, and due. The next write tries again.
      logger.error({ err: error }, `packing telemetry failed, it will be tried again: ${messageOf(error)}`)
    }
  }
}
