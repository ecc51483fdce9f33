import fc from "fast-check"
import { expect, test } from "vitest"
import type { PlantClock } from "../../core/service.ts"
import { type Detection, detection } from "../../core/vocabulary.ts"
import type { Engine } from "../../rules/engine.ts"
import { resumed, stateOf } from "./setup.ts"
import { fold } from "./standing.ts"
import { fullEngine, type Input, rules, stream } from "./streams.ts"

const clock = fc.constantFrom<PlantClock>("event", "wall")
const runs = { numRuns: 100 }

function run(engine: Engine, inputs: readonly Input[]): Detection[] {
  return inputs.flatMap((input) => engine.apply(input))
}

test("the same records give the same detections and the same state, bit for bit", () => {
  fc.assert(
    fc.property(stream, clock, (inputs, plantClock) => {
      const [one, other] = [fullEngine(plantClock), fullEngine(plantClock)]
      expect(JSON.stringify(run(one, inputs))).toBe(JSON.stringify(run(other, inputs)))
      expect(stateOf(one)).toBe(stateOf(other))
    }),
    runs,
  )
})

test("stopping, saving and resuming at any points changes nothing", () => {
  fc.assert(
    fc.property(stream, clock, fc.array(fc.nat(150), { maxLength: 5 }), (inputs, plantClock, stops) => {
      const undisturbed = fullEngine(plantClock)
      const expected = run(undisturbed, inputs)
      let engine = fullEngine(plantClock)
      const found = inputs.flatMap((input, at) => {
        if (stops.includes(at)) engine = resumed(engine, fullEngine(plantClock))
        return engine.apply(input)
      })
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected))
      expect(stateOf(engine)).toBe(stateOf(undisturbed))
    }),
    runs,
  )
})

test("it does not matter when ticks come", () => {
  fc.assert(
    fc.property(stream, clock, fc.infiniteStream(fc.nat(100)), (inputs, plantClock, shares) => {
      const timeOf = (input: Input) => (plantClock === "event" ? input.atMs : input.arrivedMs)
      const engine = fullEngine(plantClock)
      let nowMs = inputs[0] === undefined ? 0 : timeOf(inputs[0])
      const found = inputs.flatMap((input) => {
        const share = (shares.next().value ?? 0) / 100
        // No record from before a tick comes after it.
        const tickMs = Math.floor(nowMs + share * Math.max(0, timeOf(input) - nowMs))
        nowMs = Math.max(nowMs, timeOf(input))
        return [...engine.advance(tickMs), ...engine.apply(input)]
      })
      expect(JSON.stringify(found)).toBe(JSON.stringify(run(fullEngine(plantClock), inputs)))
    }),
    runs,
  )
})

test("records that come again change nothing", () => {
  fc.assert(
    fc.property(stream, fc.infiniteStream(fc.nat(150)), (inputs, repeats) => {
      const settings = { revised: false }
      const engine = fullEngine("event", settings)
      const found = inputs.flatMap((input, at) => {
        const again = inputs[(repeats.next().value ?? 0) % (at + 1)]
        return [...engine.apply(input), ...(again === undefined ? [] : engine.apply(again))]
      })
      expect(JSON.stringify(found)).toBe(JSON.stringify(run(fullEngine("event", settings), inputs)))
    }),
    runs,
  )
})

test("the steps of every episode fit together, and are what their schema says", () => {
  fc.assert(
    fc.property(stream, clock, (inputs, plantClock) => {
      const folded = fold()
      for (const step of run(fullEngine(plantClock), inputs)) {
        expect(detection.parse(step)).toEqual(step)
        folded.take(step)
      }
    }),
    runs,
  )
})

test("the streams of these properties reach every rule and every kind of step", () => {
  const seen = new Map<string, Set<string>>()
  fc.assert(
    fc.property(stream, clock, (inputs, plantClock) => {
      for (const { rule, kind, cause = "" } of run(fullEngine(plantClock), inputs)) {
        const steps = seen.get(rule) ?? new Set()
        seen.set(rule, steps.add(kind).add(cause))
      }
    }),
    { ...runs, seed: 1 },
  )
  expect([...seen.keys()].sort()).toEqual(rules.map(({ id }) => id).sort())
  for (const steps of seen.values()) expect([...steps]).toEqual(expect.arrayContaining(["opened", "cleared"]))
  const all = new Set([...seen.values()].flatMap((steps) => [...steps]))
  expect([...all].filter((one) => one !== "").sort()).toEqual([
    "amended",
    "cleared",
    "condition",
    "lowered",
    "maintenance",
    "next-due",
    "opened",
    "raised",
    "rule-changed",
    "withdrawn",
  ])
})
