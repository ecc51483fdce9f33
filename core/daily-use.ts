import { quantileSorted } from "simple-statistics"

const day = 86_400_000
/** A week, so that each weekday has been seen: with less there is no estimate. */
export const leastIntervals = 7
/** 80 % of the forecasts lie between the 10th and the 90th percentile of the normal distribution. */
const quantile90 = 1.2816
/** Beyond this a date says nothing. */
const farthest = 3650 * day

/** How a meter ran: oldest first, for each stretch between two readings how long it was (ms) and what was used in it. */
export type MeterHistory = { readonly spans: readonly number[]; readonly amounts: readonly number[] }

/** What is used in a day, days without use included. */
export type DailyUse = {
  /** In the meter's unit per day. */
  readonly perDay: number
  /** Standard deviation of one day's use, in the meter's unit; that of n days is √n times as much. */
  readonly spread: number
  /** How many days it was learned from. */
  readonly days: number
}

export type Forecast = {
  readonly dueMs: number
  readonly earliestMs: number
  readonly latestMs: number
  readonly perDay: number
}

/**
 * The daily use by a meter's history; undefined with less than a week of it, and where nothing was used.
 *
 * The meter is a random walk with drift, read at unequal steps of τ days in which it ran x: the drift is Σx ÷ Στ, the
 * variance of a day Σ (x − drift τ)² ÷ τ ÷ (n − 1); with steps of one day this is the drift method (Hyndman &
 * Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., sections 5.2 and 5.5). A stretch is counted with no more
 * than the outer fence of those with use, Q3 + 3 (Q3 − Q1) per day (Tukey 1977, Exploratory Data Analysis): one wrong
 * jump of the meter must not bring every date forward.
 */
export function dailyUse({ spans, amounts }: MeterHistory): DailyUse | undefined {
  if (spans.length < leastIntervals) return undefined
  const rates = spans.map((span, at) => ((amounts[at] ?? 0) / span) * day)
  const most = outerFence(rates.filter((rate) => rate > 0))
  let days = 0
  let total = 0
  spans.forEach((span, at) => {
    days += span / day
    total += (Math.min(rates[at] ?? 0, most) * span) / day
  })
  if (total <= 0) return undefined
  const perDay = total / days
  let squares = 0
  spans.forEach((span, at) => {
    squares += ((Math.min(rates[at] ?? 0, most) - perDay) ** 2 * span) / day
  })
  return { perDay, spread: Math.sqrt(squares / (spans.length - 1)), days }
}

function outerFence(rates: readonly number[]): number {
  if (rates.length < leastIntervals) return Number.MAX_VALUE
  const sorted = rates.toSorted((a, b) => a - b)
  const [lower, upper] = [quantileSorted(sorted, 0.25), quantileSorted(sorted, 0.75)]
  return upper + 3 * (upper - lower)
}

/**
 * When a meter that was read at `readMs` will have run another `remaining` units; undefined where that is more than ten
 * years off.
 *
 * After h days it is expected to have run h × perDay, with the standard deviation spread × √(h (1 + h ÷ days)): the
 * drift method's, table 5.2 of the book above with T − 1 = days. The earliest and the latest date are where the upper
 * and the lower end of the 80 % interval reach `remaining`; a latest date later than ten years, or never, is given as
 * ten years.
 */
export function forecastDue(use: DailyUse, remaining: number, readMs: number): Forecast | undefined {
  const { perDay, spread, days } = use
  const expected = remaining / perDay
  if (!(expected * day <= farthest)) return undefined
  // Both ends in one: (remaining − h perDay)² = s (h + h² ÷ days), of which the smaller h is the upper end's.
  const s = (quantile90 * spread) ** 2
  const half = remaining * perDay + s / 2
  const root = Math.sqrt(s * (half - s / 4 + remaining ** 2 / days))
  const square = perDay ** 2 - s / days
  const earliest = remaining === 0 ? 0 : remaining ** 2 / (half + root)
  const latest = square > 0 ? (half + root) / square : Number.MAX_VALUE
  return {
    dueMs: readMs + Math.round(expected * day),
    earliestMs: readMs + Math.round(earliest * day),
    latestMs: readMs + Math.round(Math.min(latest * day, farthest)),
    perDay,
  }
}
