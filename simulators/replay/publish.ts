import type { Logger } from "pino"
import type { Clock } from "../../core/clock.ts"
import type { Publisher } from "../publisher.ts"
import { mergeByTime } from "./merge.ts"
import { readRun, type Scan } from "./runs.ts"
import type { Recorded, ReplaySource } from "./sources.ts"

/** Often enough for a progress bar, seldom enough to cost nothing. */
const progressEveryMs = 100

export type ReplayOptions = {
  /** At equal times a source named earlier goes first. */
  readonly sources: readonly ReplaySource[]
  /** mqtt://[user:password@]host:port */
  readonly url: string
  /** {site} and {asset} are filled in, {site} with `site`. */
  readonly topics: { readonly telemetry: string; readonly events: string }
  readonly site: string
  /** Seconds of the recording in a second; `Infinity`: as fast as acknowledged. */
  readonly speed: number
  readonly inFlight: number
  /** How far ahead of UTC times without an offset are. */
  readonly offsetMinutes: number
  /** Leave rows that can't be read out, and count them, instead of stopping before anything is sent. */
  readonly skipBadRows: boolean
  readonly clock: Clock
  readonly logger: Logger
}

export type ReplayProgress = {
  /** Rows handed to the connection, of how many. */
  readonly records: number
  readonly totalRecords: number
  readonly bytes: number
  readonly totalBytes: number
  /** Rows that couldn't be read and were left out. */
  readonly badRows: number
  /** Messages sent (rows of one asset at one time may share one) and acknowledged. */
  readonly messages: number
  readonly acknowledged: number
  /** The recording's own time; undefined before the first row. */
  readonly eventMs: number | undefined
}

/** Sends all that was scanned and waits for the acknowledgements, until `signal` aborts or the publisher is closed. */
export async function publishRecording(
  scans: readonly Scan[],
  publisher: Publisher,
  { clock, speed, topics, site }: ReplayOptions,
  onProgress: (progress: ReplayProgress) => void,
  signal: AbortSignal,
): Promise<ReplayProgress> {
  const total = (count: (one: Scan) => number) => scans.reduce((sum, one) => sum + count(one), 0)
  const [totalRecords, totalBytes, badRows] = [
    total((one) => one.records),
    total((one) => one.bytes),
    total((one) => one.bad),
  ]
  let [records, bytes, messages] = [0, 0, 0]
  let eventMs: number | undefined
  let reportedMs = clock.now()
  const progress = (): ReplayProgress => ({
    records,
    totalRecords,
    bytes,
    totalBytes,
    badRows,
    messages,
    acknowledged: publisher.acknowledged(),
    eventMs,
  })

  const wallMs = clock.now()
  let firstMs: number | undefined
  const merged = mergeByTime(scans.flatMap((one) => one.runs.map((run) => readRun(one, run))))
  for await (const { rows, ...recorded } of sharingMessages(merged)) {
    firstMs ??= recorded.atMs
    const waitMs = wallMs + (recorded.atMs - firstMs) / speed - clock.now()
    if (waitMs > 0) await clock.sleep(waitMs, signal)
    if (signal.aborted) break
    if (saysSomething(recorded)) {
      const pattern = recorded.kind === "event" ? topics.events : topics.telemetry
      const topic = pattern.replaceAll("{site}", site).replaceAll("{asset}", recorded.asset)
      await publisher.send(topic, payload(recorded))
      messages++
    }
    records += rows.length
    bytes += rows.reduce((sum, row) => sum + row, 0)
    eventMs = recorded.atMs
    if (clock.now() - reportedMs >= progressEveryMs) {
      reportedMs = clock.now()
      onProgress(progress())
    }
  }
  await publisher.settled()
  onProgress(progress())
  return progress()
}

type Shared = Recorded & { readonly rows: readonly number[] }

/** Samples of one asset at one time that follow on each other travel in one message, unless they contradict. */
async function* sharingMessages(rows: AsyncIterable<Recorded & { bytes: number }>): AsyncGenerator<Shared> {
  let held: Shared | undefined
  for await (const { bytes, ...recorded } of rows) {
    const joined = held && joinedWith(held, recorded, bytes)
    if (joined) held = joined
    else {
      if (held) yield held
      held = { ...recorded, rows: [bytes] }
    }
  }
  if (held) yield held
}

function joinedWith(held: Shared, recorded: Recorded, bytes: number): Shared | undefined {
  if (held.kind !== "reading" || recorded.kind !== "reading") return undefined
  if (held.asset !== recorded.asset || held.atMs !== recorded.atMs) return undefined
  if (Object.keys(recorded.values).some((signal) => Object.hasOwn(held.values, signal))) return undefined
  return { ...held, values: { ...held.values, ...recorded.values }, rows: [...held.rows, bytes] }
}

/** A row of a wide file may be empty but for its time and asset. */
function saysSomething(recorded: Recorded): boolean {
  return recorded.kind === "event" || Object.keys(recorded.values).length > 0
}

/** Signals stand under `values`, so that a column called "time" or "id" is still a signal. */
function payload(recorded: Recorded): string {
  const ts = new Date(recorded.atMs).toISOString()
  return JSON.stringify(
    recorded.kind === "event"
      ? { ...recorded.attributes, code: recorded.code, ts }
      : { ts, values: recorded.values },
  )
}
