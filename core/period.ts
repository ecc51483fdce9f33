/** Lengths of time as a maintenance plan states them: exact ones, and calendar months and years. */
import { z } from "zod"
import { formatDuration, parseDuration } from "./duration.ts"
import { siteClock } from "./site-clock.ts"

/** `months` are calendar months, 28 to 31 days long; a year is twelve of them. Both are whole numbers. */
export type Period = { readonly ms: number } | { readonly months: number }

const day = 86_400_000
/** The mean of the Gregorian calendar: 146097 days in 4800 months. */
const meanMonth = 30.436875 * day
const mostMonths = 1200

const calendarPattern = /^(\d+)(mo|y)$/

/** "12h", "90d", "2w", "3mo", "1y"; undefined for anything else, and beyond a hundred years. */
export function parsePeriod(text: string): Period | undefined {
  const [, amount, unit] = calendarPattern.exec(text) ?? []
  if (amount === undefined) {
    const ms = parseDuration(text)
    return ms === undefined ? undefined : { ms }
  }
  const months = Number(amount) * (unit === "y" ? 12 : 1)
  return months <= mostMonths ? { months } : undefined
}

/** A period as people write it ("12h", "90d", "2w", "3mo", "1y"). */
export const period = z
  .string({ error: ({ input }) => expected(input) })
  // Refined before it is transformed: a union then knows which of its kinds was meant, and reports this.
  .refine((text) => parsePeriod(text) !== undefined, { error: ({ input }) => expected(input) })
  .transform((text): Period => parsePeriod(text) ?? z.NEVER)

function expected(input: unknown): string {
  const got = input === undefined ? "nothing" : JSON.stringify(input)
  return `expected a period such as 12h, 90d, 2w, 3mo or 1y, got ${got}`
}

/**
 * The instant `count` periods after this one, in milliseconds. Whole days and months keep the time of day of the
 * site's clock, in the hour that a change of it skips as much later; in a month that is too short it is the last day.
 * Series count from their beginning each time: 31 January + 2 months is 31 March, though + 1 month was 28 February.
 */
export function addPeriod(ms: number, period: Period, timeZone: string, count = 1): number {
  if (count === 0) return ms
  const clock = siteClock(timeZone)
  if ("months" in period) return clock.instantOf(addMonths(clock.shownAt(ms), count * period.months), "later")
  if (period.ms % day !== 0) return ms + count * period.ms
  return clock.instantOf(clock.shownAt(ms) + count * period.ms, "later")
}

function addMonths(shownMs: number, months: number): number {
  const shown = new Date(shownMs)
  const firstMs = Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth() + months)
  const lastMs = Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth() + months + 1, 0)
  const timeOfDay = ((shownMs % day) + day) % day
  return Math.min(firstMs + (shown.getUTCDate() - 1) * day, lastMs) + timeOfDay
}

/** How long a period is on average, in milliseconds. */
export function periodLengthMs(period: Period): number {
  return "ms" in period ? period.ms : period.months * meanMonth
}

/** In words: "90 d", "3 months", "1 year". */
export function formatPeriod(period: Period): string {
  if ("ms" in period) return formatDuration(period.ms)
  const [amount, unit] = period.months % 12 === 0 ? [period.months / 12, "year"] : [period.months, "month"]
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`
}
