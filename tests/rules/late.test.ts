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

test("an episode withdrawn and found again keeps its id and goes on counting its steps", () => {
  const { take } = engineFor(high({ onDelay: "10m" }, {}), high({ above: 100 }, { id: "other" }))
  const found = [...take([0, 8], [12, 8]), ...take([7, 5])]
  expect(brief(found)).toEqual(["10 opened 0", "12 withdrawn 1"])
  const next = take([30, 8], [41, 8])
  expect(brief(next)).toEqual(["22 opened 0"])
  expect(next[0]?.episode).not.toBe(found[0]?.episode)
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
