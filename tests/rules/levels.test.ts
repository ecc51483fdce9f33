import { describe, expect, test } from "vitest"
import { parse, stringify } from "yaml"
import { parsePlant } from "../../core/plant.ts"
import type { Reading } from "../../core/vocabulary.ts"
import { checkRules } from "../../rules/index.ts"
import { engineOf, plantSource, revisionOf, type Signals, startMs } from "./setup.ts"

const minute = 60_000
const signals: Signals = { vibration: { unit: "mm/s" }, power: { unit: "kW" } }

function reading(atMinute: number, vibration: number): Reading {
  const atMs = startMs + atMinute * minute
  return { kind: "reading", site: "north", asset: "P1", atMs, arrivedMs: atMs, values: { vibration } }
}

/** What is found when `after` takes the place of `before` at half past midnight, as "minute kind severity". */
function found(before: object, after: object, samples: readonly (readonly [number, number])[]): string[] {
  const revisions = [before, after].map((rule, at) =>
    revisionOf(plantSource(signals, [rule]), at + 1, at * (startMs + 30 * minute)),
  )
  const { engine } = engineOf(revisions)
  return samples
    .flatMap(([atMinute, value]) => engine.apply(reading(atMinute, value)))
    .map(({ atMs, kind, severity }) => `${(atMs - startMs) / minute} ${kind} ${severity}`)
}

describe("an edit of a rule that keeps its state", () => {
  const rule = { id: "high", kind: "threshold", signal: "vibration" }
  const with_ = (params: object, more: object = {}) => ({ ...rule, ...more, params })

  test("a limit that is raised above the value ends the episode with the next sample", () => {
    expect(
      found(with_({ above: 7 }), with_({ above: 9 }), [
        [0, 8],
        [40, 8],
      ]),
    ).toEqual(["0 opened warning", "40 cleared warning"])
  })

  test("a limit that is lowered keeps the episode open", () => {
    expect(
      found(with_({ above: 7 }), with_({ above: 5 }), [
        [0, 8],
        [40, 6],
        [50, 5],
      ]),
    ).toEqual(["0 opened warning", "50 cleared warning"])
  })

  test("an on-delay that is shortened has passed already when the next sample comes", () => {
    const samples = [
      [0, 8],
      [40, 8],
    ] as const
    expect(found(with_({ above: 7, onDelay: "3h" }), with_({ above: 7, onDelay: "20m" }), samples)).toEqual([
      "40 opened warning",
    ])
  })

  test("an on-delay that is lengthened goes on from where it began", () => {
    const samples = [
      [0, 8],
      [50, 8],
      [100, 8],
    ] as const
    expect(found(with_({ above: 7, onDelay: "40m" }), with_({ above: 7, onDelay: "90m" }), samples)).toEqual([
      "90 opened warning",
    ])
  })

  test("another severity is told with the next sample", () => {
    const severe = with_({ above: 7 }, { severity: "alarm" })
    expect(
      found(with_({ above: 7 }), severe, [
        [0, 8],
        [40, 8],
      ]),
    ).toEqual(["0 opened warning", "40 raised alarm"])
  })

  test("reminders that are asked for later are counted from the opening, and not made for the past", () => {
    const samples = [
      [0, 8],
      [100, 8],
      [119, 8],
      [161, 8],
    ] as const
    expect(found(with_({ above: 7 }), with_({ above: 7, reAlarmAfter: "1h" }), samples)).toEqual([
      "0 opened warning",
      "100 re-alarmed warning",
      "160 re-alarmed warning",
    ])
  })

  test("another number of levels begins anew", () => {
    const levels = [
      { severity: "warning", above: 7 },
      { severity: "alarm", above: 9 },
    ]
    expect(
      found(with_({ above: 7 }), with_({ levels }), [
        [0, 8],
        [40, 8],
      ]),
    ).toEqual(["0 opened warning", "30 cleared warning", "40 opened warning"])
  })

  test("a sensor's limits and its reminders may change as well", () => {
    const range = (high: number) => ({ ...rule, kind: "out-of-range", params: { high } })
    expect(
      found(range(7), range(9), [
        [0, 8],
        [40, 8],
      ]),
    ).toEqual(["0 opened warning", "40 cleared warning"])
  })

  test("what iso20816 has learned stays when zones and delays change", () => {
    const iso = (params: object) => ({
      ...rule,
      kind: "iso20816",
      params: { group: 1, support: "rigid", baseline: { learn: "1d" }, ...params },
    })
    const usual = Array.from({ length: 26 }, (_, hour) => [hour * 60, 1] as const)
    const revisions = [iso({}), iso({ support: "flexible" })].map((one, at) =>
      revisionOf(plantSource(signals, [one]), at + 1, at * (startMs + 26 * 60 * minute)),
    )
    const { engine } = engineOf(revisions)
    const steps = [...usual, [27 * 60, 2.7] as const, [28 * 60, 2.8] as const].flatMap(([at, value]) =>
      engine.apply(reading(at, value)),
    )
    expect(steps.map(({ kind, limit }) => [kind, limit])).toEqual([["opened", 2.775]])
  })
})

describe("what can't be used is told", () => {
  const problemsOf = (rule: object, attributes: Record<string, unknown> = {}) => {
    const plant = parse(plantSource(signals, [{ id: "r", signal: "vibration", ...rule }]))
    plant.assets[0].attributes = attributes
    return checkRules(parsePlant(stringify(plant)))
  }
  const iso = (params: object, more: object = {}) => ({ kind: "iso20816", params, ...more })
  const range = (params: object) => ({ kind: "out-of-range", params })

  test.each<[string, object, string[]]>([
    [
      "a re-alarm time so short that silence would flood",
      { kind: "threshold", params: { above: 7, reAlarmAfter: "1m" } },
      ['rule "r": params.reAlarmAfter: expected at least 10 min, got 1 min'],
    ],
    [
      "an asset of which group and support can't be known",
      iso({}),
      [
        'rule "r": group: not stated, and asset "P1" does not tell: it has neither an attribute power_kw nor shaft_height_mm',
        'rule "r": support: not stated, and asset "P1" does not tell: it has no attribute support',
      ],
    ],
    [
      "a group that is none",
      iso({ group: 3, support: "rigid" }),
      ['rule "r": params.group: expected group 1 or 2'],
    ],
    [
      "a signal in another unit than mm/s",
      iso({ group: 1, support: "rigid" }, { signal: "power" }),
      ['rule "r": signal: expected "power" of class machine with unit "mm/s", got "kW"'],
    ],
    [
      "what goes by a baseline where there is none",
      iso({ group: 1, support: "rigid", alarm: "alarm", change: true }),
      [
        'rule "r": params.alarm: expected a baseline, which this limit goes by, got none',
        'rule "r": params.change: expected a baseline, from which the change is counted, got none',
      ],
    ],
    [
      "zones without a severity",
      iso({ group: 1, support: "rigid", zones: { C: "none", D: "none" } }),
      ['rule "r": params.zones: expected at least one severity that is not none'],
    ],
    [
      "learning that is too long to remember",
      iso({ group: 1, support: "rigid", baseline: { learn: "90d" } }),
      ['rule "r": params.baseline.learn: expected 1d to 31d, got 90 d'],
    ],
    [
      "a dead band that would keep a change from ever ending",
      iso({ group: 2, support: "rigid", deadBand: 1 }),
      ['rule "r": deadBand: expected less than 25 % of the zone limit B/C, 0.7 mm/s for asset "P1", got 1'],
    ],
    [
      "a range without limits",
      range({}),
      ['rule "r": params.(top level): expected low, high or standard: namur-ne43, got none of them'],
    ],
    [
      "a range upside down",
      range({ low: 5, high: 1 }),
      ['rule "r": params.(top level): expected low < high, at least two dead bands apart, got 5 and 1'],
    ],
    [
      "limits beside the standard's",
      range({ standard: "namur-ne43", low: 1, span: [0, 10] }),
      ['rule "r": params.(top level): expected either standard or low, high and deadBand, got both'],
    ],
    [
      "a current in another unit than mA",
      range({ standard: "namur-ne43" }),
      ['rule "r": signal: expected "vibration" of class machine with unit "mA", got "mm/s"'],
    ],
    [
      "a span upside down",
      range({ standard: "namur-ne43", span: [10, 0] }),
      ['rule "r": params.span: expected the value at 4 mA below the one at 20 mA, got [10, 0]'],
    ],
  ])("%s", (_, rule, problems) => {
    expect(problemsOf(rule)).toEqual(problems)
  })

  test("what the attributes or an override of the asset tell is enough", () => {
    expect(problemsOf(iso({}), { power_kw: 75, support: "rigid" })).toEqual([])
    const overrides = [{ for: { asset: "P1" }, params: { group: 2, support: "rigid" } }]
    expect(problemsOf(iso({}, { overrides }))).toEqual([])
  })
})
