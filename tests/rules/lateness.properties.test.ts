import fc from "fast-check"
import { expect, test } from "vitest"
import type { Action, Detection } from "../../core/vocabulary.ts"
import type { Engine } from "../../rules/engine.ts"
import { engineOf, plantSource, revisionOf, startMs } from "./setup.ts"
import { fold, standingOf } from "./standing.ts"
import { happening, type Input, rules, signals, type Times, wholeHappening } from "./streams.ts"

const minute = 60_000
// To shrink what fails takes minutes; its seed is enough to have it again.
const runs = { numRuns: 25, endOnFailure: true }

function engineFor(some: readonly object[] = rules, more: object = {}) {
  const all = some.map((rule) => ({ ...rule, ...more }))
  return engineOf([revisionOf(plantSource(signals, all))])
}

function run(engine: Engine, inputs: readonly Input[]): Detection[] {
  return inputs.flatMap((input) => engine.apply(input))
}

type Sent = { readonly input: Input; readonly delayMs: number }
type Happening = fc.Arbitrary<(times: Times) => Input>

/**
 * Records in the order of their times, each at least so many minutes after the one before; `delayMs` is how late it
 * comes. When one arrived is left out of account: of what is found it only changes the evidence's `knownMs`.
 */
function sentBy(leastMinutes: number, delayMs: fc.Arbitrary<number>, what: Happening = happening) {
  const minutes = fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 15 }) },
    fc.constant(leastMinutes),
    fc.integer({ min: 1, max: 300 }),
  )
  return fc
    .array(fc.record({ minutes, delayMs, what }), { minLength: 1, maxLength: 250, size: "max" })
    .map((all): Sent[] => {
      let atMs = startMs
      return all.map(({ minutes, delayMs, what }) => {
        atMs += minutes * minute
        return { input: what({ atMs, arrivedMs: atMs }), delayMs }
      })
    })
}

const byTime = (sent: readonly Sent[]) => sent.map(({ input }) => input)
const byArrival = (sent: readonly Sent[]) =>
  byTime(sent.toSorted((a, b) => a.input.atMs + a.delayMs - (b.input.atMs + b.delayMs)))

/** Long after all that waits and all timers. */
function end(sent: readonly Sent[]): Input {
  const atMs = Math.max(...sent.map(({ input }) => input.atMs)) + 3000 * minute
  return { kind: "reading", site: "north", asset: "P1", atMs, arrivedMs: atMs, values: {} }
}

test("within the lateness the order of arrival changes nothing, bit for bit, also where several have one time", () => {
  fc.assert(
    fc.property(sentBy(0, fc.nat(30 * minute - 1)), (sent) => {
      const waiting = () => engineFor(rules, { lateness: "30m" }).engine
      const [ordered, disordered] = [waiting(), waiting()]
      const expected = run(ordered, [...byTime(sent), end(sent)])
      const found = run(disordered, [...byArrival(sent), end(sent)])
      expect(JSON.stringify(found)).toBe(JSON.stringify(expected))
      const lane = (engine: Engine) => JSON.stringify(engine.assets()[0]?.lanes[1])
      expect(lane(disordered)).toBe(lane(ordered))
    }),
    runs,
  )
})

/** Hours late, but so that what is kept reaches back to it: 64 records at least. */
const delay = fc.nat({ max: 150 }).map((minutes) => minutes * minute)

// It holds for rules over one signal or over events: whatever their timers and those events did before a sample came is
// taken back and done again. It can't hold for rules over several signals that come apart from each other, since these
// see them in the order of their arrival unless one is late by its own signal; for these there is `lateness`.
const severalSignals = ["loaded", "both"]
const overOne = rules.filter(({ id }) => !severalSignals.includes(id))

test.each<[string, readonly object[], Happening]>([
  ["of rules over one signal or over events", overOne, happening],
  ["of all rules where signals come together", rules, wholeHappening],
])("without lateness, what stands in the end is what is found in order: %s", (_, some, what) => {
  fc.assert(
    fc.property(sentBy(1, delay, what), (sent) => {
      const [ordered, disordered] = [engineFor(some), engineFor(some)]
      const expected = standingOf(run(ordered.engine, [...byTime(sent), end(sent)]))
      expect(standingOf(run(disordered.engine, [...byArrival(sent), end(sent)]))).toEqual(expected)
      expect(disordered.counts.tooLate).toBe(0)
    }),
    runs,
  )
})

type Deed = "nothing" | "acknowledge" | "shelve" | "unshelve"
const deed = fc.oneof(
  { weight: 9, arbitrary: fc.constant<Deed>("nothing") },
  fc.constantFrom<Deed>("acknowledge", "shelve", "unshelve"),
)

function act(what: Exclude<Deed, "nothing">, { atMs }: Input, open: readonly string[]): Action | undefined {
  const base = { kind: "action", site: "north", asset: "P1", actor: "ann", reason: "seen" } as const
  const times = { atMs, arrivedMs: atMs }
  if (what === "shelve") return { ...base, ...times, action: what, rule: "iso", untilMs: atMs + 200 * minute }
  if (what === "unshelve") return { ...base, ...times, action: what, rule: "iso" }
  const [episode] = open
  return episode === undefined ? undefined : { ...base, ...times, action: what, episode }
}

test("whatever comes late or people do, the steps of an episode fit together, and incidents hold what is open", () => {
  fc.assert(
    // Now and then so late that its place is not kept any more.
    fc.property(sentBy(0, fc.oneof(delay, fc.nat(5000 * minute))), fc.infiniteStream(deed), (sent, deeds) => {
      const { engine } = engineFor()
      const folded = fold()
      for (const input of byArrival(sent)) {
        for (const step of engine.apply(input)) folded.take(step)
        const what = deeds.next().value ?? "nothing"
        const action = what === "nothing" ? undefined : act(what, input, folded.open())
        for (const step of action === undefined ? [] : engine.apply(action)) folded.take(step)
        const incidents = engine.assets().flatMap((asset) => asset.incidents)
        expect(incidents.every(({ episodes }) => episodes.length > 0)).toBe(true)
        expect(incidents.flatMap(({ episodes }) => episodes).sort()).toEqual([...folded.open()].sort())
        expect(engine.openEpisodes()).toBe(folded.open().length)
      }
    }),
    runs,
  )
})

test("records that come again, at any time, change nothing", () => {
  fc.assert(
    fc.property(sentBy(1, delay), fc.infiniteStream(fc.nat(150)), (sent, repeats) => {
      const [once, often] = [engineFor().engine, engineFor().engine]
      const inputs = byArrival(sent)
      const twice = inputs.flatMap((input, at) => {
        const again = inputs[(repeats.next().value ?? 0) % (at + 1)]
        return again === undefined ? [input] : [input, again]
      })
      expect(JSON.stringify(run(often, twice))).toBe(JSON.stringify(run(once, inputs)))
    }),
    runs,
  )
})
