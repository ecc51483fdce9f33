import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { emptyWindow, type Moments, newestMs, push, read, statistics, window } from "../../../rules/window.ts"

const hour = 3_600_000
type Sample = readonly [atMs: number, value: number]

function windowOf(samples: readonly Sample[], lengthMs: number) {
  const filled = emptyWindow()
  for (const [atMs, value] of samples) push(filled, lengthMs, atMs, value)
  return filled
}

function readAll(samples: readonly Sample[], lengthMs: number): Moments {
  const found = read(windowOf(samples, lengthMs), lengthMs, samples.at(-1)?.[0] ?? 0)
  if (found === undefined) throw new Error("expected a window with samples")
  return found
}

/** NIST Statistical Reference Datasets, linear regression, Norris: pairs of y and x. */
const norris: readonly Sample[] = [
  [0.1, 0.2],
  [338.8, 337.4],
  [118.1, 118.2],
  [888.0, 884.6],
  [9.2, 10.1],
  [228.1, 226.5],
  [668.5, 666.3],
  [998.5, 996.3],
  [449.1, 448.6],
  [778.9, 777.0],
  [559.2, 558.2],
  [0.3, 0.4],
  [0.1, 0.6],
  [778.1, 775.5],
  [668.8, 666.9],
  [339.3, 338.0],
  [448.9, 447.5],
  [10.8, 11.6],
  [557.7, 556.0],
  [228.3, 228.1],
  [998.0, 995.8],
  [888.8, 887.6],
  [119.6, 120.2],
  [0.3, 0.3],
  [0.6, 0.3],
  [557.6, 556.8],
  [339.3, 339.1],
  [888.0, 887.2],
  [998.5, 999.0],
  [778.9, 779.0],
  [10.2, 11.1],
  [117.6, 118.3],
  [228.9, 229.2],
  [668.4, 669.1],
  [449.2, 448.9],
  [0.2, 0.5],
]

/** NIST Statistical Reference Datasets, univariate: NumAcc2 to 4 go up and down by .1 about a large number. */
function numAcc(centre: number, low: number, high: number): Sample[] {
  return Array.from({ length: 1001 }, (_, at) => [at * 1000, at === 0 ? centre : at % 2 === 1 ? low : high])
}

describe("statistics of a window against certified values", () => {
  test("the slope of NIST's Norris data is 1.00211681802045", () => {
    // x as seconds of the time of day: a slope per second is 1/3600 of one per hour.
    const inOrder = norris.map(([y, x]): Sample => [Math.round(x * 1000), y]).sort((a, b) => a[0] - b[0])
    expect(statistics.slope(readAll(inOrder, hour)) / 3600).toBeCloseTo(1.00211681802045, 12)
    // The same in today's milliseconds, where squares of times would have no digits left.
    const today = inOrder.map(([atMs, y]): Sample => [1_800_000_000_000 + atMs, y])
    expect(statistics.slope(readAll(today, hour)) / 3600).toBeCloseTo(1.00211681802045, 11)
  })

  test.each([
    ["NumAcc1", [10_000_001, 10_000_003, 10_000_002].map((x, at): Sample => [at * 1000, x]), 10_000_002, 1],
    ["NumAcc2", numAcc(1.2, 1.1, 1.3), 1.2, 0.1],
    ["NumAcc3", numAcc(1_000_000.2, 1_000_000.1, 1_000_000.3), 1_000_000.2, 0.1],
    ["NumAcc4", numAcc(10_000_000.2, 10_000_000.1, 10_000_000.3), 10_000_000.2, 0.1],
  ] as const)("mean and standard deviation of NIST's %s", (_, samples, mean, std) => {
    const found = readAll(samples, hour)
    expect(statistics.count(found)).toBe(samples.length)
    expect(statistics.mean(found)).toBeCloseTo(mean, 8)
    expect(statistics.std(found)).toBeCloseTo(std, 8)
  })
})

describe("a window", () => {
  const samples = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 400_000 }), fc.integer({ min: -1000, max: 1000 })), {
      minLength: 1,
      maxLength: 200,
    })
    .map((steps) => {
      let atMs = 1_700_000_000_000
      return steps.map(([gap, value]): Sample => {
        atMs += gap
        return [atMs, value]
      })
    })

  test("holds what is younger than 31/32 of its length, and nothing as old as its length", () => {
    fc.assert(
      fc.property(samples, fc.integer({ min: 0, max: 2 * hour }), (all, waitMs) => {
        const atMs = (all.at(-1)?.[0] ?? 0) + waitMs
        const found = read(windowOf(all, hour), hour, atMs)
        const count = found?.count ?? 0
        expect(count).toBeLessThanOrEqual(all.filter(([one]) => one > atMs - hour).length)
        expect(count).toBeGreaterThanOrEqual(all.filter(([one]) => one > atMs - (hour * 31) / 32).length)
      }),
    )
  })

  test("says of its samples what the textbook formulas say of them", () => {
    fc.assert(
      fc.property(samples, (all) => {
        const found = readAll(all, hour)
        const held = all
          .slice(-found.count)
          .map(([atMs, value]) => [(atMs - found.firstMs) / hour, value] as const)
        const times = held.map(([t]) => t)
        const values = held.map(([, x]) => x)
        const mean = (list: number[]) => list.reduce((sum, one) => sum + one, 0) / list.length
        const [t, x] = [mean(times), mean(values)]
        const squares = values.reduce((sum, one) => sum + (one - x) ** 2, 0)
        const squaresT = times.reduce((sum, one) => sum + (one - t) ** 2, 0)
        const products = held.reduce((sum, [a, b]) => sum + (a - t) * (b - x), 0)
        expect(statistics.mean(found)).toBeCloseTo(x, 6)
        expect(statistics.min(found)).toBe(Math.min(...values))
        expect(statistics.max(found)).toBe(Math.max(...values))
        expect(statistics.delta(found)).toBe((values.at(-1) ?? 0) - (values[0] ?? 0))
        if (held.length < 2) {
          expect(statistics.std(found)).toBeNaN()
          expect(statistics.slope(found)).toBeNaN()
          return
        }
        expect(statistics.std(found)).toBeCloseTo(Math.sqrt(squares / (held.length - 1)), 6)
        const slope = products / squaresT
        expect(Math.abs(statistics.slope(found) - slope)).toBeLessThan(1e-6 * Math.max(1, Math.abs(slope)))
      }),
    )
  })

  test("goes on bit for bit after it was written as JSON and read back", () => {
    fc.assert(
      fc.property(samples, samples, (before, after) => {
        const one = windowOf(before, hour)
        const other = window.parse(JSON.parse(JSON.stringify(one)))
        const shift = newestMs(one) - (after[0]?.[0] ?? 0)
        for (const [atMs, value] of after) {
          push(one, hour, atMs + shift, value)
          push(other, hour, atMs + shift, value)
        }
        expect(other).toEqual(one)
      }),
    )
  })

  test("that is empty or has passed says nothing", () => {
    expect(read(emptyWindow(), hour, 0)).toBeUndefined()
    expect(read(windowOf([[0, 1]], hour), hour, hour)).toBeUndefined()
  })
})
