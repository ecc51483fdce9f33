import type { Quality } from "../../core/vocabulary.ts"

/** Samples of one series as columns; the same index is the same sample. Times are in milliseconds since 1970. */
export type Columns = {
  readonly times: Float64Array
  readonly values: Float64Array
  readonly arrivals: Float64Array
  /** Index into `qualities`. */
  readonly qualities: Uint8Array
}

/** In the order of the numbers that stand for them on the disk. */
export const qualities = ["good", "uncertain", "bad"] as const satisfies readonly Quality[]
export const goodQuality = 0
export const uncertainQuality = 1
export const badQuality = 2

export function emptyColumns(length: number): Columns {
  return {
    times: new Float64Array(length),
    values: new Float64Array(length),
    arrivals: new Float64Array(length),
    qualities: new Uint8Array(length),
  }
}

/** A view, not a copy: from `start` inclusive to `end` exclusive. */
export function part({ times, values, arrivals, qualities }: Columns, start: number, end: number): Columns {
  return {
    times: times.subarray(start, end),
    values: values.subarray(start, end),
    arrivals: arrivals.subarray(start, end),
    qualities: qualities.subarray(start, end),
  }
}

/** Pieces of even size, none larger than `limit`. */
export function pieces(columns: Columns, limit: number): Columns[] {
  const { length } = columns.times
  if (length <= limit) return [columns]
  const count = Math.ceil(length / limit)
  return Array.from({ length: count }, (_, at) =>
    part(columns, Math.floor((at * length) / count), Math.floor(((at + 1) * length) / count)),
  )
}

/** Index of the first of these ascending times that is at `atMs` or later. */
export function firstFrom(times: Float64Array, atMs: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (Number(times[middle]) < atMs) low = middle + 1
    else high = middle
  }
  return low
}

/** What lies from `fromMs` inclusive to `toMs` exclusive; the columns are settled. */
export function between(columns: Columns, fromMs: number, toMs: number): Columns {
  return part(columns, firstFrom(columns.times, fromMs), firstFrom(columns.times, toMs))
}

/** One settled series out of parts in the order in which they were written: ascending in time, of each time the one written last. */
export function settle(parts: readonly Columns[]): Columns {
  const all = joined(parts)
  return ascends(all.times) ? all : picked(all, lastOfEachTime(all.times))
}

function joined(parts: readonly Columns[]): Columns {
  const [only] = parts
  if (only !== undefined && parts.length === 1) return only
  const all = emptyColumns(parts.reduce((sum, { times }) => sum + times.length, 0))
  let at = 0
  for (const { times, values, arrivals, qualities } of parts) {
    all.times.set(times, at)
    all.values.set(values, at)
    all.arrivals.set(arrivals, at)
    all.qualities.set(qualities, at)
    at += times.length
  }
  return all
}

function ascends(times: Float64Array): boolean {
  for (let at = 1; at < times.length; at++) {
    if (Number(times[at]) <= Number(times[at - 1])) return false
  }
  return true
}

function lastOfEachTime(times: Float64Array): number[] {
  const order = Array.from(times.keys())
  // The sort is stable, so of equal times the one written last stays last; ascending runs make it nearly a merge.
  order.sort((a, b) => Number(times[a]) - Number(times[b]))
  return order.filter((index, at) => times[index] !== times[order[at + 1] ?? -1])
}

function picked(from: Columns, order: readonly number[]): Columns {
  const to = emptyColumns(order.length)
  order.forEach((index, at) => {
    to.times[at] = Number(from.times[index])
    to.values[at] = Number(from.values[index])
    to.arrivals[at] = Number(from.arrivals[index])
    to.qualities[at] = Number(from.qualities[index])
  })
  return to
}
