import fc from "fast-check"
import { expect, test } from "vitest"
import type { AssetEvent, Detection, Reading } from "../../core/vocabulary.ts"
import type { Engine } from "../../rules/engine.ts"
import { engineOf, plantSource, resumed, revisionOf, startMs, stateOf } from "./setup.ts"

const minute = 60_000
const signals = { vibration: { unit: "mm/s" }, loop: { unit: "mA" } }
const rules = [
  {
    id: "severity",
    kind: "iso20816",
    signal: "vibration",
    component: "bearing",
    params: {
      group: 2,
      support: "rigid",
      baseline: { learn: "1d" },
      change: true,
      trip: true,
      onDelay: "20m",
      offDelay: "15m",
      reAlarmAfter: "2h",
    },
  },
  {
    id: "high",
    kind: "threshold",
    signal: "loop",
    params: { above: 18, onDelay: "30m", reAlarmAfter: "1h" },
  },
  { id: "sensor", kind: "out-of-range", signal: "loop", params: { standard: "namur-ne43", offDelay: "20m" } },
]

function engine(): Engine {
  return engineOf([revisionOf(plantSource(signals, rules))]).engine
}

type Input = Reading | AssetEvent
const named = { site: "north", asset: "P1" }
const reading = fc
  .record({ vibration: fc.integer({ min: 0, max: 12 }), loop: fc.integer({ min: 3, max: 22 }) })
  .map(({ vibration, loop }) => (atMs: number): Input => {
    const values = { vibration: vibration / 2, loop }
    return { kind: "reading", ...named, atMs, arrivedMs: atMs, values }
  })
const event = fc
  .constantFrom<[string, AssetEvent["attributes"]]>(
    ["state", { state: "down" }],
    ["state", { state: "running" }],
    ["state", { state: "running" }],
    ["component-installed", { component: "bearing" }],
  )
  .map(
    ([code, attributes]) =>
      (atMs: number): Input => ({ kind: "event", ...named, code, atMs, arrivedMs: atMs, attributes }),
  )
const step = fc.record({
  minutes: fc.integer({ min: 1, max: 90 }),
  what: fc.oneof({ weight: 12, arbitrary: reading }, event),
})
const stream = fc.array(step, { minLength: 20, maxLength: 120, size: "max" }).map((steps) => {
  let atMs = startMs
  return steps.map(({ minutes, what }) => {
    atMs += minutes * minute
    return what(atMs)
  })
})

test("levels, what was learned and reminders go on after a restart as if there had been none", () => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(stream, fc.array(fc.nat(120), { maxLength: 4 }), (inputs, stops) => {
      const undisturbed = engine()
      const expected = inputs.flatMap((input) => undisturbed.apply(input))
      for (const { rule, kind } of expected) seen.add(`${rule} ${kind}`)
      let one = engine()
      const found = inputs.flatMap((input, at): readonly Detection[] => {
        if (stops.includes(at)) one = resumed(one, engine())
        return one.apply(input)
      })
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected))
      expect(stateOf(one)).toBe(stateOf(undisturbed))
    }),
    { numRuns: 60, seed: 1 },
  )
  const steps = ["opened", "raised", "lowered", "re-alarmed", "cleared"].map((step) => `severity ${step}`)
  expect([...seen]).toEqual(expect.arrayContaining([...steps, "high re-alarmed", "sensor cleared"]))
})
