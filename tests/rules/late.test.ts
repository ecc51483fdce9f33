import { expect, test } from "vitest"
import type { Reading } from "../../core/vocabulary.ts"
import { engineOf, plantSource, revisionOf, startMs } from "./setup.ts"

const minute = 60_000
const signals = { vibration: { unit: "mm/s" } }
const high = (params: object = {}, more: object = {}) => ({
  id: "high",
  kind: "threshold",
  signal: "vibration",
  params: { above: 7, ...params },
  ...more,
})

function engineFor(...rules: object[]) {
  const { engine, counts } = engineOf([revisionOf(plantSource(signals, rules))])
  let arrivedMs = startMs
  return {
    counts,
    engine,
    /** Samples as `minute: value`, in the order of their arrival. */
    take: (...samples: readonly (readonly [number, number])[]) =>
      samples
        .flatMap(([minutes, vibration]) => {
          const atMs = startMs + minutes * minute
          arrivedMs = Math.max(arrivedMs, atMs)
          const one: Reading = {
            kind: "reading",
            site: "north",
            asset: "P1",
            atMs,
            arrivedMs,
            values: { vibration },
          }
          return engine.apply(one)
        })
        .map(({ kind, atMs, episode, sequence, value, reason }) => ({
          kind,
          minute: (atMs - startMs) / minute,
          episode,
          sequence,
          value,
          reason,
        })),
  }
}

const brief = (steps: readonly { kind: string; minute: number; sequence: number }[]) =>
  steps.map(({ kind, minute, sequence }) => `${minute} ${kind} ${sequence}`)

test("a sample that comes late and shows that the limit was not exceeded for long enough withdraws the episode", () => {
  const { take, counts } = engineFor(high({ onDelay: "10m" }))
  const found = take([0, 8], [5, 8], [12, 8])
  expect(brief(found)).toEqual(["10 opened 0"])
  const later = take([7, 5])
  expect(brief(later)).toEqual(["12 withdrawn 1"])
  expect(later[0]?.episode).toBe(found[0]?.episode)
  expect(later[0]?.reason).toBe("with what came late there is nothing to be found by high")
  expect(counts).toMatchObject({ late: 1, tooLate: 0 })
})

test("what would have been found had it come in time is found after all, at its own time", () => {
  const { take } = engineFor(high())
  expect(take([0, 5], [10, 5], [20, 5])).toEqual([])
  expect(brief(take([5, 9]))).toEqual(["5 opened 0", "10 cleared 1"])
})

test("an episode that began otherwise than was told is amended, and goes on under its id", () => {
  const { take } = engineFor(high())
  const [opened] = take([0, 5], [10, 8])
  const amended = take([5, 9])
  expect(brief(amended)).toEqual(["10 amended 1"])
  expect(amended[0]).toMatchObject({ episode: opened?.episode, value: 9 })
  expect(amended[0]?.reason).toContain("9 mm/s above 7 mm/s")
  const cleared = take([20, 5])
  expect(brief(cleared)).toEqual(["20 cleared 2"])
  expect(cleared[0]?.episode).toBe(opened?.episode)
})

test("an episode that was over too soon is open again", () => {
  const { take } = engineFor(high({ offDelay: "10m" }))
  const told = take([0, 8], [10, 5], [21, 5], [30, 5])
  expect(brief(told)).toEqual(["0 opened 0", "20 cleared 1"])
  const again = take([15, 9])
  expect(brief(again)).toEqual(["20 amended 2"])
  expect(new Set([...told, ...again].map(({ episode }) => episode)).size).toBe(1)
})

test("an episode that was withdrawn never comes back: what is found later is another one", () => {
  const { take } = engineFor(high({ onDelay: "10m" }, {}), high({ above: 100 }, { id: "other" }))
  const found = [...take([0, 8], [12, 8]), ...take([7, 5])]
  expect(brief(found)).toEqual(["10 opened 0", "12 withdrawn 1"])
  const next = take([30, 8], [41, 8])
  expect(brief(next)).toEqual(["22 opened 0"])
  expect(next[0]?.episode).not.toBe(found[0]?.episode)
})

test("an episode that is found before another one leaves that alone", () => {
  const { take } = engineFor(high())
  const [opened] = take([0, 5], [10, 5], [20, 9])
  expect(brief(take([5, 9]))).toEqual(["5 opened 0", "10 cleared 1"])
  const [cleared] = take([30, 5])
  expect(cleared).toMatchObject({ kind: "cleared", sequence: 1, episode: opened?.episode })
})

test("the steps of an episode are numbered on, however often it is corrected", () => {
  const { take } = engineFor(high({ offDelay: "10m" }))
  const told = [...take([0, 8], [10, 5], [21, 5], [30, 5], [31, 5]), ...take([15, 9], [25, 9], [41, 5])]
  expect(brief(told)).toEqual([
    "0 opened 0",
    "20 cleared 1",
    "0 amended 2",
    "31 cleared 3",
    "31 amended 4",
    "40 cleared 5",
  ])
  expect(new Set(told.map(({ episode }) => episode)).size).toBe(1)
})

const at = (minutes: number, arrives = minutes) => ({
  site: "north",
  asset: "P1",
  atMs: startMs + minutes * minute,
  arrivedMs: startMs + arrives * minute,
})
const reading = (minutes: number, values: Record<string, number>, arrives = minutes): Reading => ({
  kind: "reading",
  ...at(minutes, arrives),
  values,
})
const warm = { ...signals, temperature: { unit: "degC" } }
const engineOver = (...rules: object[]) => engineOf([revisionOf(plantSource(warm, rules))]).engine

test("signals of one late reading are judged together", () => {
  const when = "vibration > 4.0 && temperature < 50.0"
  const engine = engineOver({ id: "cold", kind: "expression", params: { when } })
  const inputs = [
    reading(0, { vibration: 3, temperature: 40 }),
    reading(20, { vibration: 3, temperature: 40 }),
    reading(10, { vibration: 5, temperature: 60 }, 20),
  ]
  expect(inputs.flatMap((one) => engine.apply(one))).toEqual([])
})

test("a timer that ran out because another signal was ahead is taken back", () => {
  const hot = { id: "hot", kind: "threshold", signal: "temperature", params: { above: 90 } }
  const engine = engineOver(high({ onDelay: "10m" }), hot)
  const inputs = [
    reading(0, { vibration: 8 }),
    reading(15, { temperature: 20 }),
    reading(9, { vibration: 5 }, 15),
  ]
  expect(inputs.flatMap((one) => engine.apply(one)).map(({ kind }) => kind)).toEqual(["opened", "withdrawn"])
})

test("a standstill that is told late takes back what was judged since", () => {
  const engine = engineOver(high({ onDelay: "10m" }))
  const found = [
    ...engine.apply(reading(0, { vibration: 8 })),
    ...engine.apply(reading(20, { vibration: 8 })),
    ...engine.apply({ kind: "event", ...at(5, 20), code: "state", attributes: { state: "down" } }),
  ]
  expect(found.map(({ kind }) => kind)).toEqual(["opened", "withdrawn"])
})

test("who has acknowledged an episode need not do it again because it began earlier", () => {
  const engine = engineOver(high())
  engine.apply(reading(0, { vibration: 5 }))
  const [opened] = engine.apply(reading(10, { vibration: 8 }))
  const acknowledge = (minutes: number) =>
    engine.apply({
      kind: "action",
      ...at(minutes),
      action: "acknowledge",
      actor: "ann",
      reason: "seen",
      ...(opened === undefined ? {} : { episode: opened.episode }),
    })
  expect(acknowledge(11)).toHaveLength(1)
  expect(engine.apply(reading(5, { vibration: 8 }, 11)).map(({ kind }) => kind)).toEqual(["amended"])
  expect(acknowledge(12)).toEqual([])
})

test("what was told before an edit is left alone by what comes late after it", () => {
  const revisions = [
    revisionOf(plantSource(signals, [high({ offDelay: "10m" })]), 1),
    revisionOf(plantSource(signals, [high({ above: 6, offDelay: "10m" })]), 2, startMs + 60 * minute),
  ]
  const { engine } = engineOf(revisions)
  const found = [
    reading(0, { vibration: 8 }),
    reading(30, { vibration: 5 }),
    // The delay has run out at 40, before the edit; both happen now.
    reading(60, { vibration: 5 }),
    reading(62, { vibration: 5 }),
    reading(61, { vibration: 5 }, 62),
  ].flatMap((one) => engine.apply(one))
  expect(found.map(({ kind, atMs }) => `${(atMs - startMs) / minute} ${kind}`)).toEqual([
    "0 opened",
    "40 cleared",
  ])
})

test("a sample that is there a second time changes nothing, however late", () => {
  const { take, counts } = engineFor(high())
  take([0, 5], [5, 9], [10, 5])
  expect(take([5, 9], [0, 5])).toEqual([])
  expect(counts).toMatchObject({ duplicates: 2, late: 0 })
})

test("a sample from before all that is kept is counted, and changes nothing", () => {
  const { take, counts } = engineFor(high())
  take(...Array.from({ length: 300 }, (_, at) => [at, 5] as const))
  expect(take([1.5, 9])).toEqual([])
  expect(counts).toMatchObject({ late: 0, tooLate: 1 })
  expect(brief(take([290.5, 9]))).toEqual(["290.5 opened 0", "291 cleared 1"])
})

test("within its lateness a rule waits, and what comes out of order is in order", () => {
  const { take, counts } = engineFor(high({}, { lateness: "10m" }))
  expect(take([0, 5], [10, 5], [4, 9], [12, 5])).toEqual([])
  expect(brief(take([20, 5]))).toEqual(["4 opened 0"])
  expect(brief(take([30, 5]))).toEqual(["10 cleared 1"])
  expect(counts).toMatchObject({ late: 0, tooLate: 0, samples: 4 })
})

test("what lagged behind for rules that are gone is kept no longer than they are", () => {
  const [before, after] = [[high(), high({}, { id: "slow", lateness: "10m" })], [high()]]
  const edits = [before, after].map((rules, at) =>
    revisionOf(plantSource(signals, rules), at + 1, at === 0 ? 0 : startMs + 5 * minute),
  )
  const { engine } = engineOf(edits)
  const lanesAfter = (minutes: number) => {
    const atMs = startMs + minutes * minute
    engine.apply({
      kind: "reading",
      site: "north",
      asset: "P1",
      atMs,
      arrivedMs: atMs,
      values: { vibration: 5 },
    })
    return engine.assets().map(({ lanes }) => lanes.map(({ latenessMs }) => latenessMs / minute))
  }
  expect(lanesAfter(0)).toEqual([[0, 10]])
  expect(lanesAfter(6)).toEqual([[0, 10]])
  expect(lanesAfter(14)).toEqual([[0, 10]])
  expect(lanesAfter(16)).toEqual([[0]])
})
