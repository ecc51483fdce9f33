import { expect, test } from "vitest"
import { ne43, scaled } from "../../../rules/kinds/out-of-range.ts"

test("the currents are those of NAMUR NE 43", () => {
  expect(ne43.failsAt).toEqual([3.6, 21])
  expect(ne43.measures).toEqual([3.8, 20.5])
})

test("a current is a share of the span from 4 to 20 mA", () => {
  expect([4, 12, 20].map((current) => scaled(current, [0, 100]))).toEqual([0, 50, 100])
  expect([3.6, 3.8, 20.5, 21].map((current) => scaled(current, [4, 20]))).toEqual([3.6, 3.8, 20.5, 21])
  // A Pt100 transmitter from -50 to 150 degC.
  expect([3.6, 3.8, 20.5, 21].map((current) => scaled(current, [-50, 150]))).toEqual([
    -55, -52.5, 156.25, 162.5,
  ])
})
