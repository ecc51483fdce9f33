import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import { readQuality } from "../../ingest/decode/quality.ts"
import { readTime } from "../../ingest/decode/time.ts"
import { checkUnits, createUnits } from "../../ingest/decode/units.ts"

describe("times", () => {
  const atMs = Date.parse("2024-05-01T12:34:56.789Z")

  test.each([
    ["2024-05-01T12:34:56.789Z"],
    ["2024-05-01T14:34:56.789+02:00"],
    ["2024-05-01T14:34:56.789+0200"],
    ["2024-05-01T07:04:56.789-05:30"],
    ["2024-05-01T12:34:56.789"],
    ["2024-05-01 12:34:56,789"],
    ["2024-05-01t12:34:56.789000z"],
    [atMs],
    [atMs / 1000],
    [atMs * 1000],
    [atMs * 1e6],
    [String(atMs)],
    [String(atMs / 1000)],
    [`${atMs}000000`],
  ])("%s is read as that instant", (given) => {
    expect(readTime(given)).toBe(atMs)
  })

  test.each([
    ["2024-05-01", "2024-05-01T00:00:00Z"],
    ["2024-05-01T12:30", "2024-05-01T12:30:00Z"],
    ["2024-05-01T12:30:15", "2024-05-01T12:30:15Z"],
    ["2024-05-01T14:00+02", "2024-05-01T12:00:00Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
    ["1970-01-01T00:00:01Z", "1970-01-01T00:00:01Z"],
  ])("%s is read as %s", (given, instant) => {
    expect(readTime(given)).toBe(Date.parse(instant))
  })

  test.each([
    ["yesterday"],
    [""],
    ["2023-02-29T00:00:00Z"],
    ["2024-13-01"],
    ["2024-04-31"],
    ["2024-05-01T24:00:00Z"],
    ["2024-05-01T12:60:00Z"],
    ["2024-05-01T12:00:00+99:00"],
    ["05/01/2024"],
    ["2024-05-01T14+02"],
    ["0001-01-01T00:00:00Z"],
    ["1969-12-31T23:59:59Z"],
    ["20240501123456"],
    [" 1714564800"],
    ["-1714564800"],
    [0],
    [-1],
    [12_345],
    [20_240_501],
    [20_240_501_123_456],
    [5e10],
    [5e13],
    [5e16],
    [1e20],
    [Number.POSITIVE_INFINITY],
    [true],
    [{}],
  ])("%s is no time", (given) => {
    expect(readTime(given)).toBeUndefined()
  })

  test("an instant from 1973-03-03 to 2286-11-20 is the same in every unit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1e11, max: 1e13 - 1 }), (ms) => {
        expect(readTime(ms)).toBe(ms)
        expect(readTime(ms / 1000)).toBe(ms)
        expect(readTime(ms * 1000)).toBe(ms)
        expect(readTime(ms * 1e6)).toBe(ms)
        expect(readTime(new Date(ms).toISOString())).toBe(ms)
      }),
    )
  })
})

describe("qualities", () => {
  test.each([
    [undefined, "good"],
    [null, "good"],
    ["GOOD", "good"],
    ["Uncertain", "uncertain"],
    ["bad", "bad"],
    [true, "good"],
    [false, "bad"],
    [192, "good"],
    [216, "good"],
    [64, "uncertain"],
    [0, "bad"],
    [24, "bad"],
    [0x4000_0000, "uncertain"],
    [0x8031_0000, "bad"],
  ])("%s is %s", (given, quality) => {
    expect(readQuality(given)).toBe(quality)
  })

  test.each([["fine"], ["constructor"], [128], [256], [-1], [1.5], [0xc000_0000], [{}]])(
    "%s is none",
    (given) => {
      expect(readQuality(given)).toBeUndefined()
    },
  )
})

describe("units", () => {
  test.each([
    [212, "°F", "degC", 100],
    [20, "C", "K", 293.15],
    [300, "degK", "degC", 26.85],
    [-400, "°F", "degC", -240],
    [1, "in/s", "mm/s", 25.4],
    [100, "psi", "bar", 6.89476],
    [1, "bar", "kPa", 100],
    [6, "m3/h", "l/min", 100],
    [6, "m³/h", "m^3/h", 6],
    [1, "gpm", "l/min", 3.7854118],
    [1, "RPM", "rpm", 1],
    [3000, "1/min", "Hz", 50],
    [50, "%", "1", 0.5],
    [1, "mi", "km", 1.609344],
    [90, "min", "h", 1.5],
    [1, "hp", "kW", 0.745699872],
    [1500, "mA", "A", 1.5],
    [400, "mV", "V", 0.4],
    [2, "g", "m/s^2", 19.6133],
    [2000, "g", "kg", 2],
    [5, "Nm", "N*m", 5],
  ])("%d %s in %s is %d", (value, from, to, expected) => {
    expect(createUnits().converter(from, to)?.(value)).toBeCloseTo(expected, 9)
  })

  test.each([
    ["bar", "degC"],
    ["rpm", "Hz"],
    ["mK", "degC"],
    ["degC/min", "degC"],
    ["5 bar", "bar"],
    ["-bar", "bar"],
    ["barg", "bar"],
    ["Nm3/h", "m3/h"],
    ["", "bar"],
    ["__proto__", "bar"],
    ["constructor", "bar"],
    ["m".repeat(40), "m"],
  ])("%s can't be converted to %s", (from, to) => {
    expect(createUnits().converter(from, to)).toBeUndefined()
  })

  test("a converted value is not a hair above the limit that it should equal", () => {
    expect(createUnits().converter("°F", "degC")?.(500)).toBe(260)
  })

  test("there and back again is the same value", () => {
    const units = createUnits()
    const pairs = [
      ["degF", "degC"],
      ["psi", "bar"],
      ["in/s", "mm/s"],
      ["gpm", "m3/h"],
    ] as const
    fc.assert(
      fc.property(
        fc.constantFrom(...pairs),
        fc.double({ min: -1e4, max: 1e4, noNaN: true }),
        ([a, b], value) => {
          const there = units.converter(a, b)?.(value) ?? Number.NaN
          expect(units.converter(b, a)?.(there)).toBeCloseTo(value, 6)
        },
      ),
    )
  })

  test("units made up by a publisher don't stay in memory without end", () => {
    const units = createUnits()
    const known = units.converter("psi", "bar")
    for (let at = 0; at < 2000; at++) units.converter(`made-up-${at}`, "bar")
    expect(units.converter("kPa", "bar")).toBeUndefined()
    expect(units.converter("psi", "bar")).toBe(known)
  })

  test("a plant is told of units that can't be converted", () => {
    const plant = parsePlant(
      `{plant: p, sites: [{id: s}], classes: [{id: pump, signals: {a: {unit: degC}, b: {unit: barg}, c: {}, d: {unit: m3/h}, e: {unit: "%"}}}]}`,
    )
    expect(checkUnits(plant)).toEqual([expect.stringContaining('classes.pump.signals.b.unit: "barg"')])
  })
})
