import type { Logger } from "pino"
import type { Clock } from "../../core/clock.ts"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import { Reach } from "../../core/reach.ts"
import type { Bucket, Series, Span, TelemetryStore } from "../../core/telemetry.ts"
import type { AssetEvent, Reading, Sample } from "../../core/vocabulary.ts"
import { type Columns, qualities } from "./columns.ts"
import { downsample } from "./downsample.ts"
import { type ConnectionOptions, InfluxConnection, NotFiniteError, type Piece } from "./influx-connection.ts"
import { firstMs, type Lines, requestsOf, SetAside } from "./influx-lines.ts"
import {
  bucketOf,
  bucketsWithin,
  columnsOf,
  countWithin,
  eventsOf,
  eventsWithin,
  everySeries,
  everythingBefore,
  heldSpan,
  isFoldable,
  newestSample,
  type Row,
  samplesWithin,
  seriesOf,
} from "./influx-queries.ts"
import {
  beyondRetention,
  type Destination,
  InfluxTrouble,
  influxTrouble,
  isRefusal,
  refusesWrites,
} from "./influx-trouble.ts"

type InfluxTelemetryOptions = ConnectionOptions & {
  readonly clock: Clock
  readonly logger: Logger
  /** A command tells its user at once; a server waits until InfluxDB answers. Default true. */
  readonly waits?: boolean
  /** Looks from the start whether InfluxDB answers and may be used. Default true. */
  readonly probes?: boolean
  /** Told of the server where it is looked for. */
  readonly meets?: (server: Reach) => void
}

/** Requests under way together: while InfluxDB makes one durable it reads the next. */
const requestsAtOnce = 2
/** With fewer samples to a bucket InfluxDB takes longer to fold them than to send them. */
const foldedSamples = 16

/**
 * The telemetry store in a bucket of InfluxDB 2. Samples are the measurement `sample` (tags `asset`, `signal`; fields
 * `value`, `quality`, `arrived`), events are `event` (tags `asset`, `code`, `part`; fields `site`, `attributes`,
 * `arrived`, `untimed`). Resolves at once: whether InfluxDB answers is found out in the background, and until it does
 * every call rejects with `SERVER_UNREACHABLE`.
 */
export async function openInfluxTelemetry(options: InfluxTelemetryOptions): Promise<InfluxTelemetry> {
  const store = new InfluxTelemetry(options)
  if (options.probes ?? true) {
    options.meets?.(store.reach)
    store.watch()
  }
  return store
}

export class InfluxTelemetry implements TelemetryStore {
  readonly reach: Reach
  private readonly connection: InfluxConnection
  private readonly logger: Logger
  private readonly destination: Destination
  private readonly stop = new AbortController()
  private watching: Promise<void> | undefined
  private writing: Promise<void> = Promise.resolve()
  private toldRetentionSeconds = 0
  private setAside = 0
  /** Why nothing can be written though InfluxDB answers; until the next write that it takes. */
  private refusal: InfluxTrouble | undefined

  constructor({ url, org, bucket, token, clock, logger, waits = true }: InfluxTelemetryOptions) {
    this.connection = new InfluxConnection({ url, org, bucket, token })
    this.logger = logger
    this.destination = { org, bucket }
    this.reach = new Reach({
      name: "InfluxDB",
      where: this.connection.where,
      clock,
      logger,
      waits,
      explain: (error) => influxTrouble(error, { org, bucket }),
    })
  }

  /** Samples and events that InfluxDB can't hold, since this store was opened; each write with any says so in the log. */
  get entriesSetAside(): number {
    return this.setAside
  }

  /** Asks InfluxDB until it may be used, in the background. */
  watch(): void {
    if (!this.reach.waits || this.watching !== undefined || this.stop.signal.aborted) return
    this.watching = this.reach
      .until(
        () => this.probe(),
        this.stop.signal,
        () => !this.stop.signal.aborted,
      )
      // It rejects only when the store is closed meanwhile.
      .catch(() => {})
      .finally(() => {
        this.watching = undefined
      })
  }

  /** One write after the other, because where two have the same sample the later one's is read. */
  async write(batch: readonly (Reading | AssetEvent)[]): Promise<void> {
    this.check()
    const written = this.writing.then(() => this.writeNow(batch))
    this.writing = written.catch(() => {})
    return written
  }

  async *range(series: Series, span: Span): AsyncGenerator<Sample, void> {
    for await (const columns of this.stretches(series, span)) yield* samplesOf(series, columns)
  }

  async last(series: Series): Promise<Sample | undefined> {
    const [newest] = samplesOf(series, columnsOf(await this.rows(newestSample(series))))
    return newest
  }

  async downsample(series: Series, span: Span, bucketMs: number): Promise<readonly Bucket[]> {
    this.check()
    const held = heldSpan(span)
    if (held === undefined) return []
    if (isFoldable(bucketMs)) {
      const [row] = await this.rows(countWithin(series, held))
      const buckets = Math.ceil((held.toMs - held.fromMs) / bucketMs) + 1
      if (Number(row?.[1] ?? 0) >= foldedSamples * buckets) {
        const folded = await this.folded(series, held, bucketMs)
        if (folded !== undefined) return folded
      }
    }
    return downsample(this.stretches(series, held), bucketMs)
  }

  async events(asset: string, span: Span): Promise<readonly AssetEvent[]> {
    this.check()
    const held = heldSpan(span)
    return held === undefined ? [] : eventsOf(asset, await this.rows(eventsWithin(asset, held)))
  }

  async series(): Promise<readonly Series[]> {
    const tags: Piece["tags"][] = []
    for await (const piece of this.ask(everySeries)) tags.push(piece.tags)
    return seriesOf(tags)
  }

  async forgetBefore(atMs: number): Promise<void> {
    this.check()
    if (atMs <= firstMs) return
    try {
      await this.connection.delete(everythingBefore("sample", atMs))
      await this.connection.delete(everythingBefore("event", atMs))
    } catch (error) {
      throw this.failed(error)
    }
  }

  async close(): Promise<void> {
    this.stop.abort()
    await this.writing
    this.connection.close()
    await this.watching
  }

  private check(): void {
    if (this.stop.signal.aborted) throw new MillwrightError("STORE_FAILED", "the telemetry store is closed")
  }

  private async probe(): Promise<void> {
    const bucket = await this.connection.bucket()
    if (bucket === undefined) {
      await this.connection.makeBucket()
      const { bucket: made } = this.destination
      this.logger.info({ bucket: made }, `made the bucket "${made}" in InfluxDB, to keep everything`)
    } else this.tellRetention(bucket.retentionSeconds)
    // No line at all: refused all the same where the token may not write.
    await this.connection.write("")
    // It takes no line also where its disk is full.
    if (this.refusal !== undefined) throw this.refusal
  }

  private tellRetention(seconds: number): void {
    if (seconds === this.toldRetentionSeconds) return
    this.toldRetentionSeconds = seconds
    if (seconds === 0) return
    const { bucket } = this.destination
    this.logger.warn(
      { server: "InfluxDB", where: this.connection.where, bucket, retentionSeconds: seconds },
      `InfluxDB deletes what is older than ${Math.round(seconds / 3600)} h from the bucket "${bucket}", and takes ` +
        "no older telemetry: recordings that are replayed would be lost. Set its retention to 0 (influx bucket " +
        "update --id ID --retention 0): Millwright itself forgets what is past historian.retention",
    )
  }

  private async writeNow(batch: readonly (Reading | AssetEvent)[]): Promise<void> {
    const setAside = new SetAside()
    const requests = requestsOf(batch, setAside)
    const sendAll = async () => {
      // Where one fails it ends the requests for the others too.
      for (const request of requests) await this.send(request, setAside)
    }
    const sent = await Promise.allSettled(Array.from({ length: requestsAtOnce }, sendAll))
    for (const result of sent) if (result.status === "rejected") throw result.reason
    if (this.refusal !== undefined) {
      this.refusal = undefined
      this.reach.succeeded()
    }
    if (setAside.count === 0) return
    this.setAside += setAside.count
    this.logger.error(
      {
        server: "InfluxDB",
        where: this.connection.where,
        entries: setAside.count,
        sinceStart: this.setAside,
      },
      `${setAside.count} samples or events were not written, because InfluxDB can't hold them. The first: ${setAside.first}`,
    )
  }

  private async send({ text, count }: Lines, setAside: SetAside): Promise<void> {
    try {
      await this.connection.write(text)
    } catch (error) {
      const dropped = beyondRetention(error)
      // Repeating it would hold up everything behind it, and InfluxDB would have deleted these by now.
      if (dropped !== undefined) setAside.add(dropped, messageOf(error))
      else throw this.failedToWrite(error, count)
    }
  }

  private failedToWrite(error: unknown, count: number): MillwrightError {
    if (!isRefusal(error)) return this.failed(error)
    const { statusCode, message } = error
    const dropped = /\bdropped=(\d+)/.exec(message)?.[1] ?? count
    const trouble = refusesWrites(error, this.destination)
    this.refusal = new InfluxTrouble(trouble)
    this.reach.failed(this.refusal)
    return new MillwrightError(
      "STORE_FAILED",
      `InfluxDB at ${this.connection.where} did not take ${dropped} of ${count} lines (${statusCode}): ${message}. ${trouble.todo}`,
      { cause: error },
    )
  }

  /**
   * The samples within a span as they come. Where the connection breaks, because InfluxDB restarts or whoever reads
   * takes long, it goes on after the last one that came; a server that gives nothing more is an error.
   */
  private async *stretches(series: Series, span: Span): AsyncGenerator<Columns, void> {
    this.check()
    for (let rest = heldSpan(span); rest !== undefined; ) {
      const begin = rest
      try {
        for await (const { rows } of this.connection.query(samplesWithin(series, begin))) {
          const columns = columnsOf(rows)
          const lastMs = columns.times.at(-1)
          if (lastMs === undefined) continue
          rest = heldSpan({ fromMs: lastMs + 1, toMs: begin.toMs })
          yield columns
        }
        return
      } catch (error) {
        if (rest === begin) throw this.failed(error)
      }
    }
  }

  /** Undefined where InfluxDB can't fold them: the sum of very large values overflows there. */
  private async folded(series: Series, span: Span, bucketMs: number): Promise<readonly Bucket[] | undefined> {
    try {
      const buckets: Bucket[] = []
      for await (const { rows } of this.connection.query(bucketsWithin(series, span, bucketMs))) {
        for (const row of rows) buckets.push(bucketOf(row))
      }
      return buckets
    } catch (error) {
      if (error instanceof NotFiniteError) return undefined
      throw this.failed(error)
    }
  }

  private async rows(query: string): Promise<readonly Row[]> {
    const all: Row[] = []
    for await (const { rows } of this.ask(query)) for (const row of rows) all.push(row)
    return all
  }

  private async *ask(query: string): AsyncGenerator<Piece, void> {
    this.check()
    try {
      yield* this.connection.query(query)
    } catch (error) {
      throw this.failed(error)
    }
  }

  private failed(error: unknown): MillwrightError {
    if (error instanceof MillwrightError) return error
    if (this.stop.signal.aborted) {
      return new MillwrightError("STORE_FAILED", "the telemetry store was closed meanwhile", { cause: error })
    }
    if (isRefusal(error)) {
      const message = `InfluxDB at ${this.connection.where} refused a request: ${error.message}`
      return new MillwrightError("STORE_FAILED", message, { cause: error })
    }
    const failure = this.reach.failed(error)
    this.watch()
    return failure
  }
}

function* samplesOf({ asset, signal }: Series, columns: Columns): Generator<Sample, void> {
  const { times, values, qualities: numbers, arrivals } = columns
  for (let at = 0; at < times.length; at++) {
    yield {
      asset,
      signal,
      atMs: times[at] as number,
      value: values[at] as number,
      quality: qualities[numbers[at] as number] ?? "bad",
      arrivedMs: arrivals[at] as number,
    }
  }
}
