import { expect, test } from "vitest"
import { centreOf, deviationSpread, quartileSpread } from "../../../rules/formulas/spread.ts"

test("the example of Iglewicz and Hoaglin has its two outliers at 25.86 and 26.31", () => {
  // How to Detect and Handle Outliers (1993): modified z-scores 0.6745 (x − median) ÷ MAD.
  const values = [2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3]
  const centre = centreOf(values)
  expect(centre).toBeCloseTo(2.45, 12)
  const scores = values.map((value) => Math.abs(value - centre) / deviationSpread(values))
  const published = [1.574, 0.6745, 0.2248, 0.2248, 0.6745, 1.574, 0.6745, 0.6745, 25.856, 26.306]
  scores.forEach((score, at) => {
    // 1.4826 is 1 ÷ 0.6745 rounded.
    expect(score).toBeCloseTo(published[at] ?? Number.NaN, 2)
  })
})

test("quartiles of 1 to 9 are 3 and 7, a spread of 4 ÷ 1.349", () => {
  expect(quartileSpread([9, 1, 8, 2, 7, 3, 6, 4, 5])).toBeCloseTo(4 / 1.349, 12)
})

test("both spreads estimate the standard deviation of normal data", () => {
  // The normal distribution's least of 5, quartiles, median and largest of 5.
  const normal = [-1.16296, -0.67449, 0, 0.67449, 1.16296]
  expect(deviationSpread(normal)).toBeCloseTo(1, 4)
  expect(quartileSpread(normal)).toBeCloseTo(1, 3)
})

test("equal values have no spread", () => {
  expect(deviationSpread([5, 5, 5, 9])).toBe(0)
  expect(quartileSpread([5, 5, 5, 5, 9])).toBe(0)
})
