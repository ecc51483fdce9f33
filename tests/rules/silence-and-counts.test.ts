import fc from "fast-check"
import { expect, test } from "vitest"
import { problems } from "../../core/plant.ts"
import type { PlantClock } from "../../core/service.ts"
import type { AssetEvent, Detection, Reading } from "../../core/vocabulary.ts"
import type { Engine } from "../../rules/engine.ts"
import { kindOf } from "../../rules/kinds.ts"
import { engineOf, plantSource, resumed, revisionOf, type Signals, startMs, stateOf } from "./setup.ts"

const minute = 60_000
const signals: Signals = {
  vibration: { unit: "mm/s" },
  hours: { unit: "h", kind: "meter" },
}
const component = "bearing"
const rules = [
  { id: "silent", kind: "stale", component, signal: "vibration", params: { after: "90m" } },
  { id: "pace", kind: "stale", signal: "vibration", params: { after: "auto", factor: 3 } },
  {
    id: "stuck",
    kind: "flatline",
    component,
    signal: "vibration",
    params: { for: "2h", tolerance: 0.5, minSamples: 3 },
  },
  {
    id: "both",
    kind: "events",
    component,
    params: {
      codes: ["a", "b"],
      each: true,
      window: "6h",
      while: { signal: "vibration", above: 4, within: "3h" },
    },
  },
  {
    id: "service",
    kind: "usage",
    component,
    signal: "hours",
    params: { every: 40, lead: "2d", history: "7d", rollsOverAt: 100 },
  },
]

type Input = Reading | AssetEvent
type Times = { readonly atMs: number; readonly arrivedMs: number }
const named = { site: "north", asset: "P1" }
/** The meter runs most of the time, rolls over at 100, and now and then reads nothing. */
const reading = fc
  .record({
    vibration: fc.option(fc.constantFrom(1, 1.2, 1.4, 5, 5.1, 9)),
    isRead: fc.boolean(),
    isGlitch: fc.nat(20).map((one) => one === 0),
    isBad: fc.nat(8).map((one) => one === 0),
  })
  .map(({ vibration, isRead, isGlitch, isBad }) => (times: Times): Input => {
    const hours = isGlitch ? 0 : ((times.atMs - startMs) / minute / 90) % 100
    const values = { ...(vibration === null ? {} : { vibration }), ...(isRead ? { hours } : {}) }
    const quality = isBad && vibration !== null ? { quality: { vibration: "bad" as const } } : {}
    return { kind: "reading", ...named, ...times, values, ...quality }
  })
const event = fc
  .constantFrom<[string, AssetEvent["attributes"]]>(
    ["a", {}],
    ["b", {}],
    ["state", { state: "down" }],
    ["state", { state: "running" }],
    ["state", { state: "running" }],
    ["component-installed", { component }],
  )
  .map(
    ([code, attributes]) =>
      (times: Times): Input => ({
        kind: "event",
        ...named,
        ...times,
        code,
        attributes,
      }),
  )
const stream = fc
  .array(
    fc.record({
      minutes: fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: 1, max: 120 }) },
        fc.integer({ min: -30, max: 0 }),
        fc.nat(1500),
      ),
      what: fc.oneof({ weight: 5, arbitrary: reading }, event),
    }),
    { minLength: 1, maxLength: 200, size: "max" },
  )
  .map((steps) => {
    let atMs = startMs
    let arrivedMs = startMs
    return steps.map(({ minutes, what }) => {
      atMs += minutes * minute
      arrivedMs = Math.max(arrivedMs, atMs)
      return what({ atMs, arrivedMs })
    })
  })
const clock = fc.constantFrom<PlantClock>("event", "wall")
const runs = { numRuns: 30 }

function engine(plantClock: PlantClock): Engine {
  return engineOf([revisionOf(plantSource(signals, rules))], plantClock).engine
}

function run(inputs: readonly Input[], plantClock: PlantClock): Detection[] {
  const fresh = engine(plantClock)
  return inputs.flatMap((input) => [...fresh.apply(input)])
}

test("stopping, saving and resuming changes nothing for sensors, codes and meters", () => {
  fc.assert(
    fc.property(stream, clock, fc.array(fc.nat(200), { maxLength: 5 }), (inputs, plantClock, stops) => {
      const undisturbed = engine(plantClock)
      const expected = inputs.flatMap((input) => [...undisturbed.apply(input)])
      let current = engine(plantClock)
      const found = inputs.flatMap((input, at) => {
        if (stops.includes(at)) current = resumed(current, engine(plantClock))
        return [...current.apply(input)]
      })
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected))
      expect(JSON.parse(stateOf(current))).toEqual(JSON.parse(stateOf(undisturbed)))
    }),
    runs,
  )
})

test("it does not matter when ticks come for sensors, codes and meters", () => {
  fc.assert(
    fc.property(stream, clock, fc.infiniteStream(fc.nat(100)), (inputs, plantClock, shares) => {
      const timeOf = (input: Input) => (plantClock === "event" ? input.atMs : input.arrivedMs)
      const current = engine(plantClock)
      let nowMs = inputs[0] === undefined ? 0 : timeOf(inputs[0])
      const found = inputs.flatMap((input) => {
        const share = (shares.next().value ?? 0) / 100
        const tickMs = Math.floor(nowMs + share * Math.max(0, timeOf(input) - nowMs))
        nowMs = Math.max(nowMs, timeOf(input))
        return [...current.advance(tickMs), ...current.apply(input)]
      })
      expect(JSON.stringify(found)).toBe(JSON.stringify(run(inputs, plantClock)))
    }),
    runs,
  )
})

test("an expected date is never before the last reading, and its span holds it", () => {
  fc.assert(
    fc.property(stream, clock, (inputs, plantClock) => {
      for (const { forecast } of run(inputs, plantClock)) {
        if (forecast === undefined) continue
        expect(forecast.earliestMs).toBeLessThanOrEqual(forecast.dueMs)
        expect(forecast.latestMs).toBeGreaterThanOrEqual(forecast.dueMs)
        expect(forecast.perDay).toBeGreaterThan(0)
      }
    }),
    runs,
  )
})

test("the history of a meter is bounded, however long it runs", () => {
  const current = engine("event")
  for (let hour = 0; hour < 24 * 400; hour++) {
    const atMs = startMs + hour * 60 * minute
    current.apply({ kind: "reading", ...named, atMs, arrivedMs: atMs, values: { hours: hour } })
  }
  const [memory] = [...current.assets()].flatMap((asset) =>
    (JSON.stringify(asset).match(/"spans":\[[^\]]*\]/g) ?? []).map((text) => text.split(",").length),
  )
  expect(memory).toBe(7)
})

test("these streams reach what the kinds can find", () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(stream, clock, (inputs, plantClock) => {
      for (const { ruleKind, kind, cause } of run(inputs, plantClock))
        seen.add(`${ruleKind} ${kind} ${cause ?? ""}`.trim())
    }),
    { numRuns: 100, seed: 1 },
  )
  for (const kind of ["stale", "flatline", "events"]) {
    expect(seen).toContain(`${kind} opened`)
    expect(seen).toContain(`${kind} cleared condition`)
    expect(seen).toContain(`${kind} cleared maintenance`)
  }
  for (const step of ["opened", "raised", "cleared next-due", "cleared maintenance"])
    expect(seen).toContain(`usage ${step}`)
})

test.each([
  [
    "usage",
    { every: 5, lead: 0.7 },
    "lead: expected a duration such as 14d or a share of every up to 0.5, got 0.7",
  ],
  [
    "usage",
    { every: 5, lead: "14 days" },
    'lead: expected a duration such as 14d or a share of every up to 0.5, got "14 days"',
  ],
  ["usage", { every: 5, history: "1d" }, "history: expected 7 d to 60 d, got 24 h"],
  ["stale", { after: "soon" }, 'after: expected a duration above zero such as 10m, or auto, got "soon"'],
  ["stale", { after: "0s" }, 'after: expected a duration above zero such as 10m, or auto, got "0s"'],
  ["stale", { after: "10m", factor: 3 }, "factor: expected only with after: auto"],
  ["flatline", { for: "1h", rest: [5, 0] }, "rest: expected low <= high, got [5,0]"],
  [
    "events",
    { codes: ["a", "a"], window: "1h", each: true },
    "codes: with each expected every code once, got a, a",
  ],
  [
    "events",
    { codes: ["a"], window: "1h", while: { signal: "s", within: "1h" } },
    'while: expected exactly one of above, below, got {"signal":"s","within":3600000}',
  ],
])("%s says what is wrong with %j", (kind, params, message) => {
  const result = kindOf(kind)?.params.safeParse(params)
  expect(result?.success === false ? problems(result.error) : []).toEqual([message])
})

test("an edit of what the memory does not depend on keeps counts, stretches and what is open", () => {
  const edited = [
    { ...rules[0], params: { after: "3h" } },
    { ...rules[2], params: { for: "5h", tolerance: 0.4 } },
    { ...rules[4], params: { every: 40, history: "60d" } },
  ]
  const revisions = [
    revisionOf(plantSource(signals, [rules[0], rules[2], rules[4]])),
    revisionOf(plantSource(signals, edited), 2, startMs + 250 * minute),
  ]
  const { engine: current } = engineOf(revisions)
  const found = Array.from({ length: 41 }, (_, at) => startMs + at * 10 * minute).flatMap((atMs) => [
    ...current.apply({
      kind: "reading",
      ...named,
      atMs,
      arrivedMs: atMs,
      values: { vibration: 1, hours: (atMs - startMs) / minute / 60 },
    }),
  ])
  // The flat line that was found under the first revision is open under the second, whose five hours are not over.
  expect(found.map(({ rule, kind }) => `${rule} ${kind}`)).toEqual(["stuck opened"])
  expect(
    [...current.advance(startMs + 580 * minute)].map(({ rule, kind, atMs }) => [rule, kind, atMs]),
  ).toEqual([["silent", "opened", startMs + 580 * minute]])
})
