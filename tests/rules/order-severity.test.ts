import { expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import { checkOrderSeverities } from "../../rules/order-severity.ts"
import { plantSource } from "./setup.ts"
import { rules, signals } from "./streams.ts"

const warned = (rule: object) =>
  checkOrderSeverities(parsePlant(plantSource(signals, [{ id: "r", signal: "vibration", ...rule }])))
const threshold = { kind: "threshold", params: { above: 7 } }
const levels = (key: string, ...of: (readonly [severity: string, limit: number])[]) => ({
  levels: of.map(([severity, limit]) => ({ severity, [key]: limit })),
})

test("an order that no finding of its rule can make is told, with what would do", () => {
  expect(warned({ ...threshold, severity: "watch", order: {} })).toEqual([
    'rule "r": order: makes no order, since it finds watch at most, and orders are from warning on: state order.from: watch, or another severity',
  ])
  expect(warned({ ...threshold, order: { from: "trip" } })).toEqual([
    'rule "r": order: makes no order, since it finds warning at most, and orders are from trip on: state order.from: warning, or another severity',
  ])
})

test.each<[string, object]>([
  ["without an order", { ...threshold, severity: "watch" }],
  ["with one from watch on", { ...threshold, severity: "watch", order: { from: "watch" } }],
  ["severe enough by itself", { ...threshold, order: {} }],
  ["that can't be used at all", { kind: "threshold", severity: "watch", params: {}, order: {} }],
  [
    "one of whose levels is severe enough",
    { kind: "threshold", severity: "watch", params: levels("above", ["watch", 5], ["alarm", 7]), order: {} },
  ],
  [
    "severe enough on some of its assets",
    {
      kind: "iso20816",
      params: { group: 1, support: "rigid", zones: { C: "watch", D: "none" } },
      overrides: [{ for: { asset: "P1" }, params: { zones: { C: "warning" } } }],
      order: {},
    },
  ],
  [
    "that is raised when its meter is there",
    { kind: "usage", signal: "mileage", severity: "watch", params: { every: 500, lead: "7d" }, order: {} },
  ],
])("a rule %s is no matter for a warning", (_, rule) => {
  expect(warned(rule)).toEqual([])
})

test.each<[string, object]>([
  ["threshold", levels("above", ["watch", 7])],
  ["rate-of-change", { window: "4h", ...levels("above", ["watch", 7]) }],
  ["deviation", { window: "12h", baseline: "10d", ...levels("z", ["watch", 4]) }],
  ["control-chart", { chart: "cusum", ...levels("h", ["watch", 5]) }],
  ["expression", { levels: [{ severity: "watch", when: "vibration > 7.0" }] }],
  ["iso20816", { group: 1, support: "rigid", zones: { C: "none", D: "watch" } }],
])("the levels of %s count, not the severity of the rule", (kind, params) => {
  const signal = kind === "expression" ? undefined : "vibration"
  expect(warned({ kind, signal, severity: "trip", params, order: {} })).toHaveLength(1)
})

test("each kind without levels finds what its rule states", () => {
  const others = [{ id: "range", kind: "out-of-range", signal: "power", params: { low: 0 } }]
  const plain = ["usage", "events", "stale", "flatline", "all-of", "out-of-range"]
  const chosen = [...rules, ...others].filter(({ kind }) => plain.includes(kind))
  expect(new Set(chosen.map(({ kind }) => kind))).toEqual(new Set(plain))
  for (const rule of chosen)
    expect(warned({ ...rule, severity: "watch", order: {} }), rule.id).toHaveLength(1)
})
