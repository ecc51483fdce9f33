import fc from "fast-check"
import { expect, test } from "vitest"
import { dailyUse, forecastDue } from "../../../core/daily-use.ts"

const day = 86_400_000

/** Monthly airline passengers in thousands, 1949 to 1960: Box & Jenkins, Time Series Analysis, series G. */
const passengers = [
  112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158,
  133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218,
  230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235,
  227, 234, 264, 302, 293, 259, 229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
  284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404,
  347, 305, 336, 340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472,
  548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
]

function historyOf(readings: readonly number[]) {
  const amounts = readings.slice(1).map((value, at) => value - (readings[at] ?? 0))
  return { spans: amounts.map(() => day), amounts }
}

test("with steps of one day the daily use is the drift of the drift method: 432 goes on with 434.2378 and 436.4755", () => {
  // The forecasts that the test suite of statsforecast states for this series.
  const use = dailyUse(historyOf(passengers))
  expect(432 + 1 * (use?.perDay ?? 0)).toBeCloseTo(434.2378, 4)
  expect(432 + 2 * (use?.perDay ?? 0)).toBeCloseTo(436.4755, 4)
  expect(use?.days).toBe(143)
})

test("the earliest and latest dates are where the drift method's 80 % interval reaches the limit", () => {
  const use = dailyUse(historyOf(passengers)) ?? { perDay: 0, spread: 0, days: 0 }
  // With only this spread the forecasts are certain enough to have a latest date.
  const calmer = { ...use, spread: use.spread / 20 }
  const remaining = 60
  const forecast = forecastDue(calmer, remaining, 0)
  // Hyndman & Athanasopoulos (3rd ed.): 1.28 by table 5.1, σ √(h (1 + h ÷ (T − 1))) by table 5.2, T = 144.
  const end = (h: number, side: number) =>
    h * calmer.perDay + side * 1.28 * calmer.spread * Math.sqrt(h * (1 + h / 143))
  expect(end((forecast?.earliestMs ?? 0) / day, 1)).toBeCloseTo(remaining, 1)
  expect(end((forecast?.latestMs ?? 0) / day, -1)).toBeCloseTo(remaining, 1)
  expect((forecast?.dueMs ?? 0) / day).toBeCloseTo(remaining / 2.2377622, 4)
})

test("the error of the daily use itself is spread ÷ √days: 0.941636 over 80 steps leaves 0.105278", () => {
  // Report of a random walk with drift in R. Nau's course (Duke University, Decision 411, 2007): 80 steps, standard
  // deviation 0.941636, standard error of the mean 0.105278. Far ahead that error is all there is: h × 0.105278.
  const farAhead = 1e6
  const deviation = 0.941636 * Math.sqrt(farAhead * (1 + farAhead / 80))
  expect(deviation / farAhead).toBeCloseTo(0.105278, 5)
  const use = { perDay: 100, spread: 0.941636, days: 80 }
  const forecast = forecastDue(use, 100 * 3000, 0)
  const h = (forecast?.earliestMs ?? 0) / day
  expect(h * 100 + 1.2816 * 0.941636 * Math.sqrt(h * (1 + h / 80))).toBeCloseTo(300_000, 3)
})

test("days without use count, and a stretch of several days counts as so many", () => {
  // By hand: 5 days of 8 h, a weekend of one step without use, and again: 80 h in 14 days.
  const spans = [1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2].map((days) => days * day)
  const amounts = [8, 8, 8, 8, 8, 0, 8, 8, 8, 8, 8, 0]
  const use = dailyUse({ spans, amounts })
  expect(use?.perDay).toBeCloseTo(80 / 14, 10)
  // Σ (x − drift τ)² ÷ τ: ten times (8 − 5.714)² and twice (11.43)² ÷ 2, over eleven.
  expect(use?.spread).toBeCloseTo(Math.sqrt((10 * (8 - 80 / 14) ** 2 + 2 * ((160 / 14) ** 2 / 2)) / 11), 10)
})

test("a steady meter has one date", () => {
  const use = dailyUse({ spans: Array(10).fill(day), amounts: Array(10).fill(24) })
  expect(use).toEqual({ perDay: 24, spread: 0, days: 10 })
  expect(use && forecastDue(use, 240, 5 * day)).toEqual({
    dueMs: 15 * day,
    earliestMs: 15 * day,
    latestMs: 15 * day,
    perDay: 24,
  })
})

test("less than a week, no use at all, or more than ten years give no date", () => {
  expect(dailyUse({ spans: Array(6).fill(day), amounts: Array(6).fill(24) })).toBeUndefined()
  expect(dailyUse({ spans: Array(7).fill(day), amounts: Array(7).fill(0) })).toBeUndefined()
  expect(forecastDue({ perDay: 1, spread: 0, days: 30 }, 3651, 0)).toBeUndefined()
})

test("one wrong jump of the meter is counted with no more than days of heavy use have", () => {
  const amounts = [40, 42, 38, 0, 0, 44, 41, 40, 39, 43]
  const spans = amounts.map(() => day)
  const right = dailyUse({ spans, amounts })?.perDay ?? 0
  const wrong = dailyUse({ spans, amounts: amounts.with(5, 90_000) })?.perDay ?? 0
  expect(wrong).toBeLessThan(right * 1.1)
})

test("the earliest date is never after the expected one, the latest never before it", () => {
  const positive = fc.double({ min: 0.001, max: 1e6, noNaN: true })
  fc.assert(
    fc.property(
      positive,
      positive,
      fc.integer({ min: 7, max: 60 }),
      positive,
      (perDay, spread, days, left) => {
        const forecast = forecastDue({ perDay, spread, days }, left, 0)
        if (forecast === undefined) return
        expect(forecast.earliestMs).toBeLessThanOrEqual(forecast.dueMs)
        expect(forecast.latestMs).toBeGreaterThanOrEqual(forecast.dueMs)
        expect(Object.values(forecast).every(Number.isFinite)).toBe(true)
      },
    ),
  )
})
