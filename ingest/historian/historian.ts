import { type Clock, every } from "../../core/clock.ts"
import { Claims } from "../../core/db/claims.ts"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import type { Consumer, Log, LogRecord, Position, Subscription } from "../../core/log/log.ts"
import type { PlantClock, Stage, StageContext } from "../../core/service.ts"
import type { TelemetryStore } from "../../core/telemetry.ts"
import { topics } from "../../core/topics.ts"
import type { TelemetryRecord } from "../../core/vocabulary.ts"
import { Batch } from "./batch.ts"
import { type HistorianMetrics, historianMetrics } from "./metrics.ts"

const group = "historian"
const firstRetryMs = 500
const longestRetryMs = 30_000

type HistorianSettings = {
  /** The longest that a record waits for others to be written with. */
  readonly flushMs: number
  /** So many samples are written at once, and as many again are collected meanwhile: the bound on memory. */
  readonly flushSamples: number
  /** Samples and events this much older than the newest one are forgotten. */
  readonly retentionMs: number
  readonly retainEveryMs: number
}

/** What a store could not hold it leaves out and counts. */
type HistorianStore = TelemetryStore & { readonly entriesSetAside?: number }

const defaults: HistorianSettings = {
  flushMs: 500,
  flushSamples: 50_000,
  retentionMs: 400 * 86_400_000,
  retainEveryMs: 3_600_000,
}

/**
 * Writes telemetry from the log to the store, in batches. The position moves once a batch is durable, so a restart
 * repeats and never skips. While the store can't be written to, nothing is dropped: the records wait in the log.
 */
export function createHistorian(
  context: StageContext & {
    readonly store: HistorianStore
    readonly settings?: Partial<HistorianSettings>
  },
): Stage {
  return new Historian(context, { ...defaults, ...context.settings })
}

class Historian implements Stage, Consumer<TelemetryRecord> {
  readonly done: Promise<void>
  private readonly log: Log
  private readonly clock: Clock
  private readonly plantClock: PlantClock
  private readonly logger: StageContext["logger"]
  private readonly store: TelemetryStore
  private readonly settings: HistorianSettings
  private readonly metrics: HistorianMetrics
  private readonly claims: Claims
  private readonly stop = new AbortController()
  private subscribed: Promise<Subscription> | undefined
  private retained: Promise<void> = Promise.resolve()
  private batch: Batch
  private collectingSinceMs = 0
  private isTiming = false
  private writing: Promise<void> | undefined
  private newestMs = Number.NEGATIVE_INFINITY
  private failure: { readonly error: unknown } | undefined
  private end!: { resolve(): void; reject(error: unknown): void }

  constructor(context: StageContext & { readonly store: HistorianStore }, settings: HistorianSettings) {
    const { log, clock, plantClock, logger, metrics, store } = context
    this.log = log
    this.clock = clock
    this.plantClock = plantClock
    this.batch = new Batch(plantClock)
    this.logger = logger
    this.store = store
    this.settings = settings
    this.metrics = historianMetrics(metrics, () => store.entriesSetAside ?? 0)
    this.claims = new Claims(context, { consumer: group, topic: topics.telemetry.name, of: group })
    this.done = new Promise((resolve, reject) => {
      this.end = { resolve, reject }
    })
    // Whoever started the service decides what a failure means; until then it must not end the process.
    this.done.catch(() => {})
  }

  prepare(): Promise<void> {
    return this.claims.positions.migrate()
  }

  async start(): Promise<void> {
    this.subscribed = this.log.subscribe(topics.telemetry, group, this)
    const { done } = await this.subscribed
    done.catch((error) => this.fail(error))
    const { retainEveryMs } = this.settings
    this.retained = every(this.clock, retainEveryMs, this.stop.signal, () => this.retain())
  }

  async close(): Promise<void> {
    this.stop.abort()
    try {
      const subscription = await this.subscribed
      await subscription?.close()
    } catch (error) {
      this.fail(error)
    }
    await this.retained
    this.end.resolve()
  }

  async load(partition: number): Promise<Position> {
    // What is in hand was read under an older claim: it must not be saved under this one.
    await this.flush()
    return (await this.claims.take(partition)).position
  }

  async process(records: readonly LogRecord<TelemetryRecord>[]): Promise<void> {
    this.check()
    this.claims.check()
    for (const record of records) {
      if (!this.claims.holds(record.partition)) continue
      if (this.batch.isEmpty) this.collectingSinceMs = this.clock.now()
      this.batch.add(record)
      if (this.batch.size >= this.settings.flushSamples) await this.beginWrite()
    }
    if (this.isTiming || this.batch.isEmpty) return
    this.isTiming = true
    this.writeInTime().catch((error) => this.fail(error))
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    await this.flush()
    this.claims.release(partitions)
  }

  private async flush(): Promise<void> {
    await this.beginWrite()
    await this.writing
    this.check()
  }

  /** Writes what has been collected for `flushMs`, until nothing is. */
  private async writeInTime(): Promise<void> {
    while (!this.batch.isEmpty) {
      const { batch } = this
      const restMs = this.collectingSinceMs + this.settings.flushMs - this.clock.now()
      await this.clock.sleep(restMs, this.stop.signal)
      if (this.batch === batch) await this.beginWrite()
    }
    this.isTiming = false
  }

  /** Begins to write what is collected. Waits for the write before it: that is the back-pressure on the log. */
  private async beginWrite(): Promise<void> {
    while (this.writing !== undefined) await this.writing
    this.check()
    if (this.batch.isEmpty) return
    const { batch } = this
    this.batch = new Batch(this.plantClock)
    this.writing = this.write(batch)
      .catch((error) => this.fail(error))
      .finally(() => {
        this.writing = undefined
      })
  }

  private async write(batch: Batch): Promise<void> {
    const startMs = this.clock.now()
    await this.untilDone(() => this.store.write(batch.entries))
    // Only now: a position that ran ahead of the store would skip samples after a crash.
    const owned = await this.untilDone(() => this.claims.save(this.claims.reached(batch.positions)))
    const subscription = await this.subscribed
    for (const { claim, position } of owned) subscription?.commit(claim.partition, position)
    this.newestMs = Math.max(this.newestMs, batch.newestMs)
    const nowMs = this.clock.now()
    this.metrics.samples.inc(batch.samples)
    this.metrics.batchSamples.observe(batch.samples)
    this.metrics.writeSeconds.observe((nowMs - startMs) / 1000)
    this.metrics.lagSeconds.set((nowMs - batch.oldestAppendedMs) / 1000)
  }

  /** Tries again for as long as trying again may help and nobody wants to stop. */
  private async untilDone<R>(work: () => Promise<R>): Promise<R> {
    let waitMs = firstRetryMs
    for (let failures = 0; ; failures++) {
      try {
        const result = await work()
        if (failures > 0) this.logger.info({ failures }, "telemetry is written again")
        return result
      } catch (error) {
        if (!mayHelp(error) || this.stop.signal.aborted) throw error
        if (failures === 0) {
          this.logger.error(
            { err: error },
            `telemetry can't be written and waits in the log: ${messageOf(error)}`,
          )
        }
      }
      await this.clock.sleep(waitMs, this.stop.signal)
      waitMs = Math.min(2 * waitMs, longestRetryMs)
    }
  }

  private async retain(): Promise<void> {
    if (this.newestMs === Number.NEGATIVE_INFINITY) return
    try {
      await this.store.forgetBefore(this.newestMs - this.settings.retentionMs)
    } catch (error) {
      this.logger.error({ err: error }, `old telemetry was not forgotten: ${messageOf(error)}`)
    }
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined) return
    this.failure = { error }
    if (this.stop.signal.aborted && mayHelp(error)) {
      // Nothing is lost and nobody has to do anything: the next start writes it.
      this.logger.info(`telemetry that is not yet written waits in the log: ${messageOf(error)}`)
      return
    }
    this.logger.error(
      { err: error },
      `the historian has stopped, the log keeps the rest: ${messageOf(error)}`,
    )
    this.end.reject(error)
  }

  private check(): void {
    if (this.failure !== undefined) throw this.failure.error
  }
}

/** Whether trying again may help. */
function mayHelp(error: unknown): boolean {
  return error instanceof MillwrightError && error.canRetry
}
