import { expect, test } from "vitest"
import { cusumStep, ewmaSpread, ewmaStep, shiftEstimate } from "../../../rules/formulas/control-charts.ts"

test("the EWMA example of the e-Handbook, 6.3.2.4", () => {
  const values = [
    52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5, 49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6,
    52.4, 53.6, 52.1,
  ]
  const published = [
    50.6, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05, 49.38,
    49.92, 50.73, 51.23, 51.94, 51.99,
  ]
  const found: number[] = []
  for (const value of values) found.push(ewmaStep(found.at(-1) ?? 50, value, 0.3))
  expect(found.map((one) => Math.round(one * 100) / 100)).toEqual(published)
  expect(50 + 3 * 2.0539 * ewmaSpread(0.3, 0)).toBeCloseTo(52.5884, 4)
  expect(50 - 3 * 2.0539 * ewmaSpread(0.3, 0)).toBeCloseTo(47.4115, 3)
})

test("the limits of the first points are closer: the first is λ L σ wide", () => {
  expect(ewmaSpread(0.3, 0.7 ** 2)).toBeCloseTo(0.3, 12)
})

test("the CUSUM example of the e-Handbook, 6.3.2.3", () => {
  const values = [
    324.925, 324.675, 324.725, 324.35, 325.35, 325.225, 324.125, 324.525, 325.225, 324.6, 324.625, 325.15,
    328.325, 327.25, 327.825, 328.5, 326.675, 327.775, 326.875, 328.35,
  ]
  const upper = [0, 0, 0, 0, 0.03, 0, 0, 0, 0, 0, 0, 0, 3.01, 4.94, 7.45, 10.63, 11.99, 14.44, 16.0, 19.04]
  const lower = [0, 0.01, 0, 0.33, 0, 0, 0.56, 0.72, 0.17, 0.25, 0.31, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  const k = 0.3175
  let high = 0
  let low = 0
  const found = values.map((value) => {
    high = cusumStep(high, value - 325, k)
    low = cusumStep(low, 325 - value, k)
    return { high, low }
  })
  found.forEach((one, at) => {
    expect(Math.abs(one.high - (upper[at] ?? Number.NaN))).toBeLessThan(0.0075)
    expect(Math.abs(one.low - (lower[at] ?? Number.NaN))).toBeLessThan(0.0075)
  })
  // With h = 4.1959 the fourteenth point is the first out of control.
  expect(found.findIndex((one) => one.high > 4.1959)).toBe(13)
  // Points 13 and 14 were 3.325 and 2.25 above the target.
  expect(shiftEstimate(found[13]?.high ?? 0, 2, k)).toBeCloseTo((3.325 + 2.25) / 2, 9)
})
