import fc from "fast-check"
import { expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import type { Engine } from "../../rules/engine.ts"
import { checkRules } from "../../rules/index.ts"
import { engineOf, plantSource, resumed, revisionOf, startMs, stateOf } from "./setup.ts"

const signals = { power: { unit: "kW" }, load: { unit: "%" } }
const context = { signal: "load", edges: [40, 70] }
const hour = 3_600_000

const rules = [
  {
    id: "rate",
    kind: "rate-of-change",
    params: { window: "6h", above: 1, below: -1, onDelay: "20m", limit: 150 },
  },
  { id: "usual", kind: "deviation", params: { window: "2h", baseline: "2d", z: 3, context } },
  {
    id: "daily",
    kind: "deviation",
    params: {
      window: "4h",
      baseline: "4d",
      minBaseline: 3,
      z: 3,
      method: "quantile",
      seasonality: "hour-of-day",
    },
  },
  { id: "ewma", kind: "control-chart", params: { chart: "ewma", learn: 20, subgroup: "1h" } },
  {
    id: "cusum",
    kind: "control-chart",
    params: {
      chart: "cusum",
      learn: 20,
      clip: 4,
      levels: [
        { severity: "watch", h: 4 },
        { severity: "alarm", h: 8 },
      ],
    },
  },
].map((rule) => ({ ...rule, signal: "power", component: "bearing" }))

const record = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      afterMs: fc.nat(2 * hour),
      power: fc.option(fc.integer({ min: -30, max: 30 })),
      load: fc.option(fc.integer({ min: 0, max: 100 })),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ afterMs: fc.nat(hour), code: fc.constantFrom("down", "running", "installed") }),
  },
)

/** Power about 100, with a shift that comes and goes every two days. */
const stream = fc.array(record, { minLength: 50, maxLength: 250, size: "max" }).map((records) => {
  let atMs = startMs
  return records.map((one) => {
    atMs += one.afterMs
    const base = { site: "north", asset: "P1", atMs, arrivedMs: atMs }
    if ("code" in one) {
      return one.code === "installed"
        ? {
            kind: "event" as const,
            ...base,
            code: "component-installed",
            attributes: { component: "bearing" },
          }
        : { kind: "event" as const, ...base, code: "state", attributes: { state: one.code } }
    }
    const shift = Math.floor((atMs - startMs) / (48 * hour)) % 2 === 1 ? 60 : 0
    const values: Record<string, number> = {}
    if (one.load !== null) values.load = one.load
    if (one.power !== null) values.power = 100 + shift + one.power
    return { kind: "reading" as const, ...base, values }
  })
})

function engine(written: readonly object[] = rules): Engine {
  return engineOf([revisionOf(plantSource(signals, written))]).engine
}

test("saving and resuming between any two records changes nothing", () => {
  let steps = 0
  fc.assert(
    fc.property(stream, fc.array(fc.nat(250), { maxLength: 6 }), (inputs, stops) => {
      const undisturbed = engine()
      const expected = inputs.flatMap((input) => undisturbed.apply(input))
      let stopped = engine()
      const found = inputs.flatMap((input, at) => {
        if (stops.includes(at)) stopped = resumed(stopped, engine())
        return stopped.apply(input)
      })
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected))
      expect(stateOf(stopped)).toBe(stateOf(undisturbed))
      steps += found.length
    }),
    { numRuns: 20 },
  )
  expect(steps).toBeGreaterThan(40)
})

test("in which order a reading names its signals does not matter", () => {
  fc.assert(
    fc.property(stream, (inputs) => {
      const [one, other] = [engine(), engine()]
      const turned = inputs.map((input) =>
        input.kind === "reading"
          ? { ...input, values: Object.fromEntries(Object.entries(input.values).toReversed()) }
          : input,
      )
      const said = (of: Engine, given: typeof inputs) =>
        given
          .flatMap((input) => of.apply(input))
          .map(({ rule, kind, atMs, reason }) => ({ rule, kind, atMs, reason }))
      expect(said(other, turned)).toEqual(said(one, inputs))
    }),
    { numRuns: 20 },
  )
})

test("an edit of the limits keeps what was learned, and judges by the new ones", () => {
  const rule = (z: number) => ({
    id: "usual",
    kind: "deviation",
    signal: "power",
    params: { window: "1h", baseline: "1d", z },
  })
  const changeMs = startMs + 20 * hour
  const plants = [
    revisionOf(plantSource(signals, [rule(50)])),
    revisionOf(plantSource(signals, [rule(5)]), 2, changeMs),
  ]
  const { engine } = engineOf(plants)
  const found = Array.from({ length: 24 * 6 }, (_, at) => at).flatMap((at) => {
    const atMs = startMs + at * 600_000
    const values = { power: at < 18 * 6 ? 100 : 110 }
    return engine.apply({ kind: "reading", site: "north", asset: "P1", atMs, arrivedMs: atMs, values })
  })
  expect(found.map(({ kind, atMs, revision }) => [kind, (atMs - startMs) / hour, revision])).toEqual([
    ["opened", 20, 2],
  ])
  expect(found[0]?.evidence.baseline).toEqual({ centre: 100, spread: 1, means: 19 })
})

test("a forecast tells when the limit is reached, and between when", () => {
  const params = { window: "4h", above: 0.5, limit: 130 }
  const rise = engine([{ id: "rise", kind: "rate-of-change", signal: "power", params }])
  const found = Array.from({ length: 48 }, (_, at) => at).flatMap((at) => {
    const atMs = startMs + at * 600_000
    // One a rise of 1 per 10 min, on which a swing of ±0.5 lies.
    const values = { power: at < 24 ? 100 : 100 + (at - 24) + (at % 2) - 0.5 }
    return rise.apply({ kind: "reading", site: "north", asset: "P1", atMs, arrivedMs: atMs, values })
  })
  const { forecast, atMs = 0 } = found[0] ?? {}
  expect(forecast?.earliestMs).toBeGreaterThan(atMs)
  expect(forecast?.earliestMs).toBeLessThanOrEqual(forecast?.dueMs ?? 0)
  expect(forecast?.latestMs).toBeGreaterThanOrEqual(forecast?.dueMs ?? 0)
  expect(forecast?.perDay).toBeCloseTo((found[0]?.value ?? 0) * 24, 9)
})

test.each<[string, object, string]>([
  ["rate-of-change", { window: "1h" }, "params.(top level): expected either levels, or above, below or both"],
  [
    "rate-of-change",
    { window: "1h", levels: [{ severity: "watch", above: 1, below: 0 }] },
    "params.levels[0]: expected exactly one of above, below",
  ],
  [
    "rate-of-change",
    { window: "1h", above: 1, below: 0.5, deadBand: 0.3 },
    "params.above: expected at least two dead bands more than below, got 1 and 0.5",
  ],
  [
    "deviation",
    { window: "1h", baseline: "7d", z: 4, seasonality: "hour-of-week" },
    "params.baseline: expected 1344 to 2000 windows, 8 for each of 168 times of 1 operating states, got 168",
  ],
  [
    "deviation",
    { window: "1h", baseline: "70d", z: 4, seasonality: "hour-of-week", context },
    "params.baseline: expected at most 2000 windows: 168 times of 3 operating states need 4032",
  ],
  [
    "deviation",
    { window: "13h", baseline: "70d", z: 4, seasonality: "hour-of-day" },
    "params.window: expected at most 12 h with seasonality hour-of-day",
  ],
  [
    "deviation",
    { window: "1h", baseline: "7d", z: 4, context: { signal: "load", edges: [2, 1] } },
    "params.context: expected edges that rise, got [2, 1]",
  ],
  [
    "deviation",
    { window: "1h", baseline: "7d", z: 4, context: { signal: "speed", edges: [2] } },
    'params: no class that the rule is for declares the signal "speed"',
  ],
  [
    "control-chart",
    { chart: "ewma", target: 5 },
    "params.target: expected target and sigma together, or neither: then both are learned",
  ],
  [
    "control-chart",
    { chart: "cusum", h: 5, levels: [{ severity: "watch", h: 4 }] },
    "params.h: expected either h or levels",
  ],
  [
    "control-chart",
    {
      chart: "ewma",
      levels: [
        { severity: "alarm", L: 2 },
        { severity: "watch", L: 3 },
      ],
    },
    "params.levels: expected a higher L for each more severe level, got watch at 3",
  ],
])("a %s with %j is refused: %s", (kind, params, problem) => {
  const rule = { id: "r", kind, signal: "power", params }
  expect(checkRules(parsePlant(plantSource(signals, [rule])))).toEqual([`rule "r": ${problem}`])
})
