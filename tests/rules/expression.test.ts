import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import type { Detection } from "../../core/vocabulary.ts"
import { compile, placeOf } from "../../rules/cel.ts"
import type { Engine } from "../../rules/engine.ts"
import { checkRules } from "../../rules/index.ts"
import { engineOf, plantSource, resumed, revisionOf } from "./setup.ts"
import { signals, stream } from "./streams.ts"

function problemOf(source: string, wanted: "bool" | "number" = "bool"): string {
  const made = compile(source, wanted)
  return "run" in made ? "none" : `${placeOf(source, made.at)}: ${made.message}`
}

describe("an expression that can't be used is refused, with the place", () => {
  test.each([
    ["vibration >", "line 1, column 12: unexpected end"],
    ["vibration > 4 and load > 5", "line 1, column 15: Unexpected character: 'd'"],
    ["vibration > 4 &&\n  load > 'high'", "line 2, column 3: there is no number > text"],
    ["vibration + 4", "line 1, column 1: expected true or false as the result, got number"],
    [
      "asset.attributes.critical",
      "line 1, column 1: expected true or false as the result, got an attribute of any type",
    ],
    [
      'vibration > 4 || mean(load, "1h") > 5',
      'line 1, column 23: expected mean("SIGNAL", "1h"), names and times in quotes',
    ],
    [
      'mean("load", "1 hour") > 5',
      'line 1, column 14: expected a window such as "15m" or "12h", at most 30 d, got "1 hour"',
    ],
    [
      'mean("load", "31d") > 5',
      'line 1, column 14: expected a window such as "15m" or "12h", at most 30 d, got "31d"',
    ],
    [
      'mean("load", "31ms") > 5',
      'line 1, column 14: expected a window such as "15m" or "12h", at most 30 d, got "31ms"',
    ],
    [
      "1 < 2 && average(load) > 5",
      "line 1, column 10: there is no function average; expected one of value, mean, min, max, std, slope, delta, count, abs, sqrt, pow, has",
    ],
    [
      "[1, 2].exists(x, x > vibration)",
      "line 1, column 1: there is no .exists(); expected one of .startsWith(), .endsWith(), .contains()",
    ],
    [
      'asset.id.matches("(a+)+$")',
      "line 1, column 1: there is no .matches(); expected one of .startsWith(), .endsWith(), .contains()",
    ],
    ["load % 2 == 0", "line 1, column 1: expected no %"],
    ["load / asset.id > 2", "line 1, column 1: there is no 'number / text'"],
    [
      "load > 5 && asset.owner == 'x'",
      'line 1, column 13: expected asset.id, asset.class, asset.site, asset.criticality or asset.attributes.NAME; a signal whose name has a dot is value("NAME")',
    ],
    ["load > 5u", "line 1, column 8: expected a number such as 4 or 7.1, a text, true or false"],
    ["load > 5 && has(load)", "line 1, column 13: expected has(asset.attributes.NAME)"],
    [
      "timestamp('2026-01-01T00:00:00Z') < load",
      "line 1, column 1: there is no function timestamp; expected one of value, mean, min, max, std, slope, delta, count, abs, sqrt, pow, has",
    ],
  ])("%s", (source, problem) => {
    expect(problemOf(source)).toBe(problem)
  })

  test("beyond the limits of its size", () => {
    expect(problemOf(`load > ${"1 + ".repeat(120)}1`)).toBe("line 1, column 408: Exceeded maxAstNodes (200)")
    expect(problemOf(`${"(".repeat(40)}load${")".repeat(40)} > 1`)).toBe(
      "line 1, column 33: Exceeded maxDepth (32)",
    )
    expect(problemOf("load > 1 ".padEnd(1001))).toBe(
      "line 1, column 1: expected at most 1000 characters, got 1001",
    )
  })

  test("a number is wanted where a truth value stands", () => {
    expect(problemOf("load > 1", "number")).toBe(
      "line 1, column 1: expected a number as the result, got true or false",
    )
  })
})

describe("what a plant file gets wrong about expressions", () => {
  const of = (params: object, more: object = {}) =>
    checkRules(parsePlant(plantSource(signals, [{ id: "r", kind: "expression", params, ...more }])))

  test.each<[string, object, string]>([
    [
      "an unknown name",
      { when: "power > 5 && vibratoin > 4" },
      'rule "r": params.when: line 1, column 14: unknown name vibratoin (vibration?); signals of class machine: vibration, power, temperature, mileage',
    ],
    [
      "an unknown name in a level",
      { levels: [{ severity: "alarm", when: "power > 5", clearWhen: 'max("pwr", "1h") < 4' }] },
      'rule "r": params.levels[0].clearWhen: line 1, column 1: unknown name pwr; signals of class machine: vibration, power, temperature, mileage',
    ],
    [
      "an attribute that no asset has",
      { when: "power > asset.attributes.rated_kw" },
      'rule "r": params.when: line 1, column 9: no asset that the rule is for has the attribute "rated_kw"; has(asset.attributes.NAME) asks for one that only some have',
    ],
    ["bad syntax", { when: "power >" }, 'rule "r": params.when: line 1, column 8: unexpected end'],
    [
      "bad syntax in a level",
      { levels: [{ severity: "alarm", when: "power >" }] },
      'rule "r": params.levels[0].when: line 1, column 8: unexpected end',
    ],
    ["nothing to hold", {}, 'rule "r": params.when: expected either when or levels'],
    ["no signal", { when: "1 < 2" }, 'rule "r": params.when: expected at least one signal'],
    [
      "a message without its figure",
      { when: "power > 5", message: "power {value}" },
      'rule "r": params.message: {value} needs the parameter value',
    ],
    [
      "an unknown figure",
      { when: "power > 5", message: "power {power}" },
      'rule "r": params.message: expected {value} or {limit}, got {power}',
    ],
    [
      "levels with a condition beside them",
      { levels: [{ severity: "alarm", when: "power > 5" }], clearWhen: "power < 4" },
      'rule "r": params.levels: expected clearWhen and limit in each level, not beside levels',
    ],
    [
      "too many windows",
      { when: Array.from({ length: 9 }, (_, at) => `mean("power", "${at + 1}h") > 5`).join(" || ") },
      'rule "r": params.when: expected at most 8 windows of signals in all, got 9',
    ],
  ])("%s", (_, params, problem) => {
    expect(of(params)).toContain(problem)
  })

  test("an unknown name in an override", () => {
    const overrides = [{ for: { asset: "P1" }, params: { when: "powr > 6" } }]
    expect(of({ when: "power > 5" }, { overrides })).toEqual([
      'rule "r": overrides[0].params.when: line 1, column 1: unknown name powr (power?); signals of class machine: vibration, power, temperature, mileage',
    ])
  })

  test("what can be used has no problems", () => {
    const when =
      'vibration > 4 && mean("power", "1h") > 50.5 && has(asset.attributes.x) && asset.attributes.x > 1'
    expect(of({ when, value: "power / 2", limit: "asset.criticality == 'A' ? 1 : 2" })).toEqual([])
  })
})

describe("running an expression", () => {
  /** Expressions of every kind of part, over `a`, `b` and an attribute `x` that may be anything. */
  const { expression } = fc.letrec<{ number: string; expression: string }>((tie) => ({
    number: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom("a", "b", "0", "1", "2.5", "asset.attributes.x", 'mean("a", "1h")'),
      fc
        .tuple(tie("number"), fc.constantFrom("+", "-", "*", "/"), tie("number"))
        .map(([l, op, r]) => `(${l} ${op} ${r})`),
      tie("number").map((one) => `-${one}`),
      fc.tuple(fc.constantFrom("abs", "sqrt"), tie("number")).map(([name, one]) => `${name}(${one})`),
      fc.tuple(tie("number"), tie("number")).map(([l, r]) => `pow(${l}, ${r})`),
      fc.tuple(tie("expression"), tie("number"), tie("number")).map(([c, l, r]) => `(${c} ? ${l} : ${r})`),
    ),
    expression: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom("true", "has(asset.attributes.x)", "asset.attributes.x == true", 'asset.id == "P1"'),
      fc
        .tuple(tie("number"), fc.constantFrom("<", "<=", ">", ">=", "==", "!="), tie("number"))
        .map(([l, op, r]) => `(${l} ${op} ${r})`),
      fc
        .tuple(tie("expression"), fc.constantFrom("&&", "||"), tie("expression"))
        .map(([l, op, r]) => `(${l} ${op} ${r})`),
      tie("expression").map((one) => `!${one}`),
      fc.tuple(tie("number"), tie("number")).map(([l, r]) => `(${l} in [${r}, 3])`),
    ),
  }))
  const number = fc.oneof(fc.double(), fc.constantFrom(0, 1, 4), fc.constant(Number.NaN))
  const attribute = fc.option(fc.oneof(number, fc.boolean(), fc.constantFrom("", "yes", "4")), {
    nil: undefined,
  })

  test("never throws, whatever is not known and whatever type an attribute has", () => {
    fc.assert(
      fc.property(
        expression,
        fc.array(number, { minLength: 3, maxLength: 3 }),
        attribute,
        (source, values, x) => {
          const made = compile(source, "bool")
          if (!("run" in made)) return
          const found = made.run(values, { id: "P1", attributes: x === undefined ? {} : { x } })
          expect([true, false, undefined]).toContain(found)
        },
      ),
      { numRuns: 500 },
    )
  })

  test("is decided by what is known, as far as that goes", () => {
    const run = (source: string, ...values: number[]) => {
      const made = compile(source, "bool")
      return "run" in made ? made.run(values, { attributes: {} }) : made
    }
    expect(run("a > 1 || b > 1", Number.NaN, 2)).toBe(true)
    expect(run("a > 1 || b > 1", Number.NaN, 0)).toBeUndefined()
    expect(run("a > 1 && b > 1", Number.NaN, 0)).toBe(false)
    expect(run("a > 1 && b > 1", Number.NaN, 2)).toBeUndefined()
    expect(run("!(a > 1)", Number.NaN)).toBeUndefined()
    expect(run("a / b > 1", 1, 0)).toBeUndefined()
    expect(run("sqrt(a) > 1", -1)).toBeUndefined()
    expect(run("pow(a, 400) > 1", 10)).toBeUndefined()
    expect(run("1 / 2 == 0.5 && a == 4 && 7 > a", 4)).toBe(true)
  })
})

describe("rules over several signals and over other rules", () => {
  const rules = [
    {
      id: "high",
      kind: "threshold",
      signal: "vibration",
      component: "bearing",
      severity: "watch",
      params: { above: 6, onDelay: "20m" },
    },
    {
      id: "trend",
      kind: "expression",
      component: "bearing",
      params: {
        levels: [
          {
            severity: "warning",
            when: 'slope("vibration", "2h") > 1 || mean("power", "1h") > 55',
            onDelay: "30m",
          },
          {
            severity: "alarm",
            when: "vibration > 6 && power > 50",
            clearWhen: 'max("vibration", "90m") < 5',
            limit: 6,
          },
        ],
        offDelay: "20m",
        value: 'std("power", "3h")',
        maxAge: "2h",
        minFill: 0.25,
      },
    },
    {
      id: "all",
      kind: "all-of",
      component: "bearing",
      severity: "alarm",
      params: { rules: ["high", "trend"], within: "1h" },
    },
    { id: "any", kind: "any-of", params: { rules: ["high", "all"], within: "30m" } },
  ]
  const engine = () => engineOf([revisionOf(plantSource(signals, rules))]).engine

  /** All that the kinds decide; how a finding can be recomputed is the engine's. */
  const told = (steps: readonly Detection[]) =>
    JSON.stringify(steps, (key, value) => (key === "replay" ? undefined : value))
  const kept = (from: Engine) =>
    [...from.assets()].flatMap(({ lanes }) => lanes.map(({ core }) => JSON.stringify(core)))

  test("go on as if nothing had been when they are stopped, saved and resumed", () => {
    let found = 0
    fc.assert(
      fc.property(stream, fc.array(fc.nat(150), { maxLength: 5 }), (inputs, stops) => {
        const undisturbed = engine()
        const expected = inputs.flatMap((input) => undisturbed.apply(input))
        let stopped = engine()
        const steps = inputs.flatMap((input, at) => {
          if (stops.includes(at)) stopped = resumed(stopped, engine())
          return stopped.apply(input)
        })
        found += steps.filter(({ ruleKind }) => ruleKind !== "threshold").length
        expect(told(steps)).toBe(told(expected))
        expect(kept(stopped)).toEqual(kept(undisturbed))
      }),
      { numRuns: 30 },
    )
    expect(found).toBeGreaterThan(0)
  })

  test("say the same whenever the clock is told", () => {
    fc.assert(
      fc.property(stream, fc.infiniteStream(fc.nat(100)), (inputs, shares) => {
        const one = engine()
        const other = engine()
        let nowMs = inputs[0]?.atMs ?? 0
        const found = inputs.flatMap((input) => {
          const share = (shares.next().value ?? 0) / 100
          const tickMs = Math.floor(nowMs + share * Math.max(0, input.atMs - nowMs))
          nowMs = Math.max(nowMs, input.atMs)
          return [...other.advance(tickMs), ...other.apply(input)]
        })
        expect(told(found)).toBe(told(inputs.flatMap((input) => one.apply(input))))
      }),
      { numRuns: 30 },
    )
  })

  test("a new limit keeps what is open and what windows hold", () => {
    const rule = (when: string) => plantSource(signals, [{ id: "r", kind: "expression", params: { when } }])
    const startMs = Date.UTC(2026, 0, 1)
    const { engine: edited } = engineOf([
      revisionOf(rule('mean("power", "1h") > 50'), 1),
      revisionOf(rule('mean("power", "1h") > 70'), 2, startMs + 3_600_000),
    ])
    const steps = Array.from({ length: 8 }, (_, at) => {
      const atMs = startMs + at * 600_000
      return edited.apply({
        kind: "reading",
        site: "north",
        asset: "P1",
        atMs,
        arrivedMs: atMs,
        values: { power: 60 },
      })
    }).flat()
    expect(steps.map(({ kind, cause, atMs }) => [kind, cause, (atMs - startMs) / 60_000])).toEqual([
      ["opened", undefined, 30],
      ["cleared", "condition", 60],
    ])
  })
})
