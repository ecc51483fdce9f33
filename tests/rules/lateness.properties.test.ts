import fc from "fast-check"
import { expect, test } from "vitest"
import type { Detection } from "../../core/vocabulary.ts"
import type { Engine } from "../../rules/engine.ts"
import { engineOf, plantSource, revisionOf, startMs, stateOf } from "./setup.ts"
import { standingOf } from "./standing.ts"
import { happening, type Input, rules, signals } from "./streams.ts"

const minute = 60_000
const latenessMs = 30 * minute

function engineFor(more: object, some: readonly object[] = rules) {
  return engineOf([
    revisionOf(
      plantSource(
        signals,
        some.map((rule) => ({ ...rule, ...more })),
      ),
    ),
  ])
}

function run(engine: Engine, inputs: readonly Input[]): Detection[] {
  return inputs.flatMap((input) => engine.apply(input))
}

type Sent = { readonly input: Input; readonly delayMs: number }

/** Records in the order of their times; now and then several at one time. `delayMs` is how late each comes. */
function sentBy(least: number, delayMs: fc.Arbitrary<number>) {
  return fc
    .array(
      fc.record({
        minutes: fc.oneof(
          { weight: 9, arbitrary: fc.integer({ min: 1, max: 15 }) },
          fc.constant(least),
          fc.nat(300),
        ),
        delayMs,
        what: happening,
      }),
      { minLength: 1, maxLength: 120, size: "max" },
    )
    .map((all): Sent[] => {
      let atMs = startMs
      return all.map(({ minutes, delayMs, what }) => {
        atMs += minutes * minute
        // When it arrived is no part of what is found, except for the evidence's `knownMs`.
        return { input: what({ atMs, arrivedMs: atMs }), delayMs }
      })
    })
}

function byArrival(sent: readonly Sent[]): Input[] {
  return sent
    .toSorted((a, b) => a.input.atMs + a.delayMs - (b.input.atMs + b.delayMs))
    .map(({ input }) => input)
}

const end = (sent: readonly Sent[]): Input => {
  const atMs = Math.max(...sent.map(({ input }) => input.atMs)) + 100 * latenessMs
  return { kind: "reading", site: "north", asset: "P1", atMs, arrivedMs: atMs, values: {} }
}

test("within the lateness the order of arrival changes nothing, bit for bit", () => {
  fc.assert(
    fc.property(sentBy(0, fc.nat(latenessMs - 1)), (sent) => {
      const [ordered, disordered] = [engineFor({ lateness: "30m" }), engineFor({ lateness: "30m" })]
      const inputs = sent.map(({ input }) => input)
      const expected = run(ordered.engine, [...inputs, end(sent)])
      const found = run(disordered.engine, [...byArrival(sent), end(sent)])
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected))
      expect(stateOf(disordered.engine)).toBe(stateOf(ordered.engine))
    }),
    { numRuns: 60 },
  )
})

// A rule that looks at one signal, or at events, is judged as if all had come in order. One that looks at several signals,
// by itself or by its members, sees those in the order of their arrival: hence the lateness that a rule may ask for.
const single = rules.filter(({ id }) => !["errors", "loaded", "both"].includes(id))

test("without lateness what stands in the end is what ordered arrival finds, of rules over one signal", () => {
  fc.assert(
    fc.property(sentBy(1, fc.nat(150 * minute)), (sent) => {
      const [ordered, disordered] = [engineFor({}, single), engineFor({}, single)]
      const inputs = sent.map(({ input }) => input)
      const expected = standingOf(run(ordered.engine, [...inputs, end(sent)]))
      const found = standingOf(run(disordered.engine, [...byArrival(sent), end(sent)]))
      expect(disordered.counts.tooLate).toBe(0)
      expect(found).toEqual(expected)
    }),
    { numRuns: 60 },
  )
})
