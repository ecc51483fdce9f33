import { expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import { checkRules } from "../../rules/index.ts"
import { ruleKinds } from "../../rules/kinds.ts"
import { rulebooks } from "../../rules/rulebook.ts"
import { plantSource, revisionOf, type Signals } from "./setup.ts"
import { rules, signals } from "./streams.ts"

const one = (rule: object, of: Signals = signals) => checkRules(parsePlant(plantSource(of, [rule])))
const base = { id: "r", kind: "threshold", signal: "vibration" }

test("a plant whose rules can be used has no problems", () => {
  expect(checkRules(parsePlant(plantSource(signals, rules)))).toEqual([])
})

test.each<[string, object, string]>([
  [
    "an unknown kind",
    { ...base, kind: "treshold" },
    `rule "r": kind: expected one of ${Object.keys(ruleKinds).join(", ")}, got "treshold"`,
  ],
  [
    "no limit",
    { ...base, params: {} },
    'rule "r": params.(top level): expected either levels or exactly one of above, below, outside',
  ],
  [
    "two limits",
    { ...base, params: { above: 1, below: 0 } },
    'rule "r": params.(top level): expected either levels or exactly one of above, below, outside',
  ],
  [
    "a parameter that is not there",
    { ...base, params: { above: 1, onDelai: "5m" } },
    'rule "r": params.(top level): Unrecognized key: "onDelai"',
  ],
  [
    "a number for a duration",
    { ...base, params: { above: 1, onDelay: "5 minutes" } },
    'rule "r": params.onDelay: expected a duration such as 90s, 15m, 12h or 30d, got "5 minutes"',
  ],
  [
    "a band that can't return",
    { ...base, params: { outside: [1, 2], deadBand: 1 } },
    'rule "r": params.(top level): outside: expected low < high, at least two dead bands apart, got [1, 2]',
  ],
  [
    "no signal",
    { id: "r", kind: "threshold", params: { above: 1 } },
    'rule "r": signal: a rule of kind threshold needs one',
  ],
  [
    "a signal that is not there",
    { ...base, signal: "vibratoin", params: { above: 1 } },
    'rule "r": signal: no class that the rule is for declares "vibratoin"',
  ],
  [
    "a component that is not there",
    { ...base, component: "gear", params: { above: 1 } },
    'rule "r": component: no class that the rule is for has the component "gear"',
  ],
  [
    "a gauge for a meter",
    { ...base, kind: "usage", params: { every: 5 } },
    'rule "r": signal: expected one that is declared with kind: meter, got "vibration"',
  ],
  [
    "a baseline too short",
    { ...base, kind: "deviation", params: { window: "12h", baseline: "2d", z: 3 } },
    'rule "r": params.baseline: expected 8 to 2000 windows, got 4',
  ],
  [
    "a return above the limit",
    { ...base, kind: "deviation", params: { window: "12h", baseline: "30d", z: 3, clearBelow: 3 } },
    'rule "r": params.clearBelow: expected less than the lowest z (3)',
  ],
  [
    "a severity that falls as z rises",
    {
      ...base,
      kind: "deviation",
      params: {
        window: "12h",
        baseline: "30d",
        levels: [
          { severity: "alarm", z: 3 },
          { severity: "watch", z: 4 },
        ],
      },
    },
    'rule "r": params.levels: expected a higher z for each more severe level, got watch at 4',
  ],
  [
    "a signal where none belongs",
    { ...base, kind: "events", params: { codes: ["a"], window: "1h" } },
    'rule "r": signal: a rule of kind events has none',
  ],
  [
    "a companion that is not there",
    { id: "r", kind: "events", params: { codes: ["a"], window: "1h", with: { rule: "gone", within: "1h" } } },
    'rule "r": params: there is no rule "gone" in this file',
  ],
])("%s is told with the rule, the parameter and what is expected", (_, rule, problem) => {
  expect(one(rule)).toEqual([problem])
})

test("rules that wait for each other, or for another component's, are told", () => {
  const waits = (id: string, rule: string) => ({
    id,
    kind: "events",
    params: { codes: ["c"], window: "1h", with: { rule, within: "1h" } },
  })
  expect(checkRules(parsePlant(plantSource(signals, [waits("a", "b"), waits("b", "a")])))).toEqual([
    'rule "a": params: rules wait for each other: a -> b -> a',
    'rule "b": params: rules wait for each other: b -> a -> b',
  ])
  const bearing = { ...base, id: "high", component: "bearing", params: { above: 1 } }
  const seal = { ...waits("leak", "high"), component: "seal" }
  expect(checkRules(parsePlant(plantSource(signals, [bearing, seal])))).toEqual([
    'rule "leak": params: "high" is about bearing, this rule about seal',
  ])
})

test("a rule that counts, over all signals, is over all meters", () => {
  const rule = { id: "service", kind: "usage", signals: "all", params: { every: 500 } }
  const { plant, assets } = revisionOf(plantSource(signals, [rule]))
  const book = rulebooks(() => {})(revisionOf(plantSource(signals, [rule])))
  const [asset] = assets.values()
  const watched = asset === undefined ? [] : book.rulesFor(asset).map(({ spec }) => spec.signal)
  expect(checkRules(plant)).toEqual([])
  expect(watched).toEqual(["mileage"])
})

test("rules that go by rules that go by rules are checked once each, however many ways lead to one", () => {
  const leaf = { ...base, params: { above: 1 } }
  const layers = Array.from({ length: 12 }, (_, depth) =>
    ["a", "b", "c", "d", "e", "f"].map((letter) => ({
      ...(depth === 0 ? leaf : { kind: "any-of", params: { rules: membersAt(depth - 1) } }),
      id: `${letter}${depth}`,
    })),
  )
  expect(checkRules(parsePlant(plantSource(signals, layers.flat())))).toEqual([])
})

function membersAt(depth: number): string[] {
  return ["a", "b", "c", "d", "e", "f"].map((letter) => `${letter}${depth}`)
}
