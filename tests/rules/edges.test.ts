import { describe, expect, test } from "vitest"
import { parseDuration } from "../../core/duration.ts"
import { parsePlant } from "../../core/plant.ts"
import { checkRules } from "../../rules/index.ts"
import { engineOf, plantSource, revisionOf, type Signals, startMs } from "./setup.ts"

const minute = 60_000
const signals: Signals = { vibration: { unit: "mm/s" }, energy: { unit: "Wh" } }

/** What is found when `after` takes the place of `before` at half past midnight, as "minute kind". */
function found(
  [before, after]: readonly [object, object],
  samples: readonly (readonly [atMinute: number, value: number])[],
  signal = "vibration",
): string[] {
  const revisions = [before, after].map((rule, at) =>
    revisionOf(plantSource(signals, [rule]), at + 1, at * (startMs + 30 * minute)),
  )
  const { engine } = engineOf(revisions)
  return samples
    .flatMap(([atMinute, value]) => {
      const atMs = startMs + atMinute * minute
      const values = { [signal]: value }
      return engine.apply({ kind: "reading", site: "north", asset: "P1", atMs, arrivedMs: atMs, values })
    })
    .map(({ atMs, kind }) => `${(atMs - startMs) / minute} ${kind}`)
}

const problemsOf = (rule: object) =>
  checkRules(parsePlant(plantSource(signals, [{ id: "r", signal: "vibration", ...rule }])))

test("a limit of more digits than a decimal is rounded to ends its episode once, and only below the limit", () => {
  const rule = { id: "r", kind: "threshold", signal: "energy", params: { above: 1234567890126 } }
  const values = [1234567890128, 1234567890129, 1234567890128, 1234567890126, 1234567890125]
  const samples = values.map((value, at) => [at, value] as const)
  expect(found([rule, rule], samples, "energy")).toEqual(["0 opened", "3 cleared"])
})

test("an expression's delay that an edit has shortened has passed when the next sample comes", () => {
  const rule = (onDelay: string) => ({
    id: "r",
    kind: "expression",
    params: { when: "vibration > 7", onDelay },
  })
  const samples = [
    [0, 8],
    [40, 8],
    [50, 8],
  ] as const
  expect(found([rule("3h"), rule("20m")], samples)).toEqual(["40 opened"])
})

test("a sum that was not looked at for a while does not speak when both directions are looked at again", () => {
  const rule = (direction: string) => ({
    id: "r",
    kind: "control-chart",
    signal: "vibration",
    params: { chart: "cusum", target: 5, sigma: 1, h: 5, direction },
  })
  // Down by 3, which sums up to 2.5 sigma below; then up alone is looked at, and all is well until after the edit.
  const [both, up] = [rule("both"), rule("up")]
  const revisions = [both, up, both].map((one, at) =>
    revisionOf(plantSource(signals, [one]), at + 1, startMs + (at * 30 - 1) * minute),
  )
  const { engine } = engineOf(revisions)
  const samples = [
    [0, 2],
    [10, 4],
    [40, 5],
    [50, 5],
    [70, 2],
    [80, 5],
  ] as const
  const steps = samples.flatMap(([at, vibration]) => {
    const atMs = startMs + at * minute
    return engine.apply({
      kind: "reading",
      site: "north",
      asset: "P1",
      atMs,
      arrivedMs: atMs,
      values: { vibration },
    })
  })
  expect(steps).toEqual([])
})

describe("parameters by which a rule could never open, or never end, are refused", () => {
  const cusum = { chart: "cusum", target: 5, sigma: 1 }
  test.each([
    [
      { kind: "control-chart", params: { ...cusum, clearShare: 0 } },
      "params.clearShare: expected more than 0, since no sum is below 0",
    ],
    [
      { kind: "control-chart", params: { chart: "ewma", clearShare: 0 } },
      "params.clearShare: expected more than 0, unless direction is up or down",
    ],
    [
      { kind: "control-chart", params: { chart: "ewma", lambda: 1e-17 } },
      "params.lambda: expected 0.001 to 1, got 1e-17",
    ],
    [
      { kind: "deviation", params: { window: "1h", baseline: "1d", z: 3, clearBelow: 0 } },
      "params.clearBelow: expected more than 0, unless direction is up or down",
    ],
    [
      { kind: "expression", signal: undefined, params: { when: 'mean("vibration", "1h") > 5', minFill: 1 } },
      "params.minFill: expected 0 to 0.9, got 1",
    ],
    [
      { kind: "threshold", params: { outside: [5, 5] } },
      "params.(top level): outside: expected low < high, at least two dead bands apart, got [5, 5]",
    ],
  ])("%j", (rule, problem) => {
    expect(problemsOf(rule)).toEqual([`rule "r": ${problem}`])
  })

  test("what can end is taken", () => {
    expect(
      problemsOf({ kind: "control-chart", params: { chart: "ewma", clearShare: 0, direction: "up" } }),
    ).toEqual([])
    expect(
      problemsOf({
        kind: "deviation",
        params: { window: "1h", baseline: "1d", z: 3, clearBelow: 0, direction: "down" },
      }),
    ).toEqual([])
  })
})

test("iso20816 asks nothing of assets that it does not watch", () => {
  const plant = (rule: object) =>
    parsePlant(`
plant: test
sites: [{ id: north }]
classes:
  - { id: fan, signals: { vibration: { unit: mm/s } }, components: [bearing] }
  - { id: truck, signals: { mileage: { unit: km, kind: meter } } }
  - { id: press, signals: { vibration: { unit: g } } }
assets:
  - { id: F1, site: north, class: fan, attributes: { power_kw: 75, support: rigid } }
  - { id: T1, site: north, class: truck }
  - { id: S1, site: north, class: press }
rules: [${JSON.stringify({ id: "iso", kind: "iso20816", signal: "vibration", params: {}, ...rule })}]
`)
  expect(checkRules(plant({ component: "bearing" }))).toEqual([])
  expect(checkRules(plant({}))).toEqual([
    'rule "iso": signal: expected "vibration" of class press with unit "mm/s", got "g"',
    'rule "iso": group: not stated, and asset "S1" does not tell: it has neither an attribute power_kw nor shaft_height_mm',
    'rule "iso": support: not stated, and asset "S1" does not tell: it has no attribute support',
  ])
})

test("a duration is whole milliseconds, and no longer than a hundred years", () => {
  expect(parseDuration("1.1h")).toBe(3_960_000)
  expect(parseDuration("1.0004s")).toBe(1000)
  expect(parseDuration("36500d")).toBe(36500 * 86_400_000)
  expect(parseDuration("36501d")).toBeUndefined()
  expect(parseDuration(`${"9".repeat(400)}d`)).toBeUndefined()
})
