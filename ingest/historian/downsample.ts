import type { Bucket } from "../../core/telemetry.ts"
import { badQuality, type Columns } from "./columns.ts"

type Open = { fromMs: number; count: number; min: number; max: number; mean: number }

/** Buckets out of stretches that are in order of time. */
export async function downsample(
  stretches: AsyncIterable<Columns>,
  bucketMs: number,
): Promise<readonly Bucket[]> {
  const buckets: Open[] = []
  let open: Open | undefined
  for await (const { times, values, qualities } of stretches) {
    for (let at = 0; at < times.length; at++) {
      if (qualities[at] === badQuality) continue
      const fromMs = bucketStart(times[at] as number, bucketMs)
      const value = values[at] as number
      if (open?.fromMs !== fromMs) {
        open = { fromMs, count: 0, min: value, max: value, mean: 0 }
        buckets.push(open)
      }
      open.count++
      open.min = Math.min(open.min, value)
      open.max = Math.max(open.max, value)
      // Divided first: a sum of very large values would overflow.
      open.mean += value / open.count - open.mean / open.count
    }
  }
  return buckets
}

/** The multiple of `bucketMs` at or before this time, also before 1970; the remainder is exact where a quotient is not. */
function bucketStart(atMs: number, bucketMs: number): number {
  const into = atMs % bucketMs
  return atMs - (into < 0 ? into + bucketMs : into)
}
