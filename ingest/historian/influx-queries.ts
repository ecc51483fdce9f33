/** Every query that is asked of InfluxDB, in InfluxQL: faster here than Flux, and read by InfluxDB 3 as well. */
import { z } from "zod"
import type { Bucket, Series, Span } from "../../core/telemetry.ts"
import { type AssetEvent, assetEvent, partOf } from "../../core/vocabulary.ts"
import { badQuality, type Columns, emptyColumns, goodQuality, part } from "./columns.ts"
import { firstMs, lastMs } from "./influx-lines.ts"
import { queryTag, textOfTag } from "./influx-tags.ts"

/** What was selected, in that order, after the time in milliseconds. */
export type Row = readonly unknown[]

/** Well within the nanoseconds that InfluxQL counts in. */
const longestBucketMs = 1e12

/** The whole milliseconds of a span that InfluxDB can hold. Undefined where there are none. */
export function heldSpan({ fromMs, toMs }: Span): Span | undefined {
  const held = { fromMs: Math.max(Math.ceil(fromMs), firstMs), toMs: Math.min(Math.ceil(toMs), lastMs + 1) }
  return held.fromMs < held.toMs ? held : undefined
}

function within({ fromMs, toMs }: Span): string {
  return `time >= ${fromMs}ms AND time <= ${toMs - 1}ms`
}

function samplesOf({ asset, signal }: Series): string {
  return `FROM sample WHERE asset = ${queryTag(asset)} AND signal = ${queryTag(signal)}`
}

const always = within({ fromMs: firstMs, toMs: lastMs + 1 })

export function samplesWithin(series: Series, span: Span): string {
  return `SELECT value, quality, arrived ${samplesOf(series)} AND ${within(span)}`
}

export function newestSample(series: Series): string {
  return `SELECT last(value), quality, arrived ${samplesOf(series)} AND ${always}`
}

/** Rows of the two queries above. Who writes by hand may leave out quality and arrival, but not the value. */
export function columnsOf(rows: readonly Row[]): Columns {
  const columns = emptyColumns(rows.length)
  let count = 0
  for (const [time, value, quality, arrived] of rows) {
    if (typeof value !== "number") continue
    columns.times[count] = Number(time)
    columns.values[count] = value
    columns.qualities[count] = Number(quality ?? goodQuality)
    columns.arrivals[count] = Number(arrived ?? time)
    count++
  }
  return part(columns, 0, count)
}

export function countWithin(series: Series, span: Span): string {
  return `SELECT count(value) ${samplesOf(series)} AND ${within(span)}`
}

/** Whether `bucketsWithin` may be asked for buckets of this length. */
export function isFoldable(bucketMs: number): boolean {
  return Number.isInteger(bucketMs) && bucketMs >= 1 && bucketMs <= longestBucketMs
}

export function bucketsWithin(series: Series, span: Span, bucketMs: number): string {
  return `SELECT count(value), min(value), max(value), mean(value) ${samplesOf(series)}
    AND quality < ${badQuality} AND ${within(span)} GROUP BY time(${bucketMs}ms) fill(none)`
}

export function bucketOf([fromMs, count, min, max, mean]: Row): Bucket {
  return {
    fromMs: Number(fromMs),
    count: Number(count),
    min: Number(min),
    max: Number(max),
    mean: Number(mean),
  }
}

export function eventsWithin(asset: string, span: Span): string {
  return `SELECT code, site, attributes, arrived, untimed FROM event
    WHERE asset = ${queryTag(asset)} AND ${within(span)}`
}

const eventRow = z.tuple([z.number(), z.string(), z.string(), z.string(), z.number(), z.boolean()])

/** Rows of `eventsWithin`, in order of time, code and part. */
export function eventsOf(asset: string, rows: readonly Row[]): readonly AssetEvent[] {
  const events = rows.map((row) => {
    const [atMs, code, site, attributes, arrivedMs, untimed] = eventRow.parse(row)
    return assetEvent.parse({
      kind: "event",
      site,
      asset,
      code: textOfTag(code),
      atMs,
      arrivedMs,
      attributes: JSON.parse(attributes) as unknown,
      ...(untimed ? { untimed } : {}),
    })
  })
  return events.sort(
    (a, b) => a.atMs - b.atMs || compareText(a.code, b.code) || compareText(partOf(a), partOf(b)),
  )
}

/** A row for each series, with its names as tags. `SHOW SERIES` is quicker, but InfluxDB 3 doesn't know it. */
export const everySeries = `SELECT last(value) FROM sample WHERE ${always} GROUP BY asset, signal`

export function seriesOf(tags: readonly Readonly<Record<string, string>>[]): readonly Series[] {
  return tags
    .map(({ asset = "", signal = "" }) => ({ asset: textOfTag(asset), signal: textOfTag(signal) }))
    .sort((a, b) => compareText(a.asset, b.asset) || compareText(a.signal, b.signal))
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export type Deletion = { readonly start: string; readonly stop: string; readonly predicate: string }

/** What to delete to forget what was before a time: from the first instant to the last, both included. */
export function everythingBefore(measurement: "sample" | "event", atMs: number): Deletion {
  const stopMs = Math.min(Math.ceil(atMs) - 1, lastMs)
  return {
    // One nanosecond earlier is refused.
    start: "1677-09-21T00:12:43.145224194Z",
    stop: new Date(stopMs).toISOString(),
    predicate: `_measurement="${measurement}"`,
  }
}
