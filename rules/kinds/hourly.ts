import { median } from "simple-statistics"
import { z } from "zod"
import { never } from "../watch.ts"

export const hour = 3_600_000

/** The means of a signal's hours (whole hours since 1970), and the median of the first of them. */
export const hourly = z.object({
  /** The hour being filled, counted from 1970, with its samples. */
  hour: z.number().int(),
  sum: z.number(),
  count: z.number().int(),
  /** Of the last hour that was completed. */
  mean: z.number().nullable(),
  /** When learning began. */
  fromMs: z.number(),
  /** What has been learned from so far; empty once the baseline is known. */
  means: z.array(z.number()),
  /** The median of the hourly means. */
  baseline: z.number().nullable(),
})
export type Hourly = z.infer<typeof hourly>

export function freshHours(): Hourly {
  return { hour: never, sum: 0, count: 0, mean: null, fromMs: never, means: [], baseline: null }
}

/** The hour being filled has a gap, and its mean would be that of a part. */
export function dropHour(hours: Hourly): void {
  hours.hour = never
  hours.sum = 0
  hours.count = 0
}

/**
 * Takes a sample. At a new hour, the one before is complete; it is learned from until `learnMs` have passed since the
 * first sample, and a quarter of that time's hours have a mean: a machine that runs one shift of three learns as long.
 */
export function takeSample(hours: Hourly, atMs: number, value: number, learnMs: number | undefined): void {
  const now = Math.floor(atMs / hour)
  if (now !== hours.hour) {
    if (hours.count > 0) {
      hours.mean = hours.sum / hours.count
      if (learnMs !== undefined && hours.baseline === null) learn(hours, hours.mean, atMs, learnMs)
    }
    dropHour(hours)
    hours.hour = now
  }
  if (hours.fromMs === never) hours.fromMs = atMs
  hours.sum += value
  hours.count += 1
}

function learn(hours: Hourly, mean: number, atMs: number, learnMs: number): void {
  hours.means.push(mean)
  if (atMs - hours.fromMs < learnMs || hours.means.length * 4 < learnMs / hour) return
  hours.baseline = median(hours.means)
  hours.means = []
}
