import fc from "fast-check"
import { expect, test } from "vitest"
import { levelAt, theilSen } from "../../../rules/formulas/theil-sen.ts"

test("Sen's own example gives the slope 4", () => {
  // Sen (1968), section 6; the printed list of slopes has mistakes, so the bounds are those of the 21 true slopes,
  // 26/7 and 35/8, at 93 % confidence as in the paper.
  const t = [1, 2, 3, 4, 10, 12, 18]
  const y = [9, 15, 19, 20, 45, 55, 78]
  const { slope, low, high } = theilSen(t, y, 1.8119)
  expect(slope).toBe(4)
  expect(low).toBeCloseTo(26 / 7, 12)
  expect(high).toBeCloseTo(35 / 8, 12)
  // Conover's intercept: the median of y − 4 t.
  expect(levelAt(t, y, slope, 0)).toBe(6)
})

test("an even number of slopes has the mean of the middle two", () => {
  // Slopes 1, 2, 3, 4, 5.5 and 8.
  expect(theilSen([0, 1, 2, 3], [0, 1, 4, 12], 1.645).slope).toBe((3 + 4) / 2)
})

test("a fifth of wild values changes nothing on a straight line", () => {
  const t = Array.from({ length: 30 }, (_, at) => at)
  const y = t.map((one) => (one % 5 === 2 ? 1000 : 3 * one + 7))
  const { slope } = theilSen(t, y, 1.645)
  expect(slope).toBe(3)
  expect(levelAt(t, y, slope, 30)).toBe(97)
})

test("the slope lies within its bounds, and turns over with the values", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 32 }),
      (y) => {
        const t = y.map((_, at) => at)
        const up = theilSen(t, y, 1.645)
        const down = theilSen(
          t,
          y.map((one) => -one),
          1.645,
        )
        expect(up.low).toBeLessThanOrEqual(up.slope)
        expect(up.high).toBeGreaterThanOrEqual(up.slope)
        expect(down.slope + up.slope).toBeCloseTo(0, 6)
        expect(down.low + up.high).toBeCloseTo(0, 6)
      },
    ),
  )
})
