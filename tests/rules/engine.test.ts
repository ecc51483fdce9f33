import { expect, test } from "vitest"
import type { Reading } from "../../core/vocabulary.ts"
import { engineOf, plantSource, revisionOf, startMs } from "./setup.ts"
import { signals } from "./streams.ts"

const minute = 60_000

function reading(minutes: number, vibration: number, arrivedMinutes = minutes): Reading {
  return {
    kind: "reading",
    site: "north",
    asset: "P1",
    atMs: startMs + minutes * minute,
    arrivedMs: startMs + arrivedMinutes * minute,
    values: { vibration },
  }
}

const high = (params: object, more: object = {}) => ({
  id: "high",
  kind: "threshold",
  signal: "vibration",
  params: { above: 7, ...params },
  ...more,
})
const delayed = revisionOf(plantSource(signals, [high({ onDelay: "10m" })]))
const steps = (found: readonly { kind: string; atMs: number; cause?: string | undefined }[]) =>
  found.map(({ kind, atMs, cause }) => [kind, (atMs - startMs) / minute, ...(cause ? [cause] : [])])

test("under the wall clock a timer runs where nothing comes, and its detection has the timer's own time", () => {
  const { engine } = engineOf([delayed], "wall")
  expect(engine.apply(reading(0, 8))).toEqual([])
  expect(engine.advance(startMs + 9 * minute)).toEqual([])
  expect(steps(engine.advance(startMs + 25 * minute))).toEqual([["opened", 10]])
})

test("a backlog that comes in a moment is judged by the time its samples were taken", () => {
  const { engine } = engineOf([delayed], "wall")
  const backlog = [reading(0, 8, 600), reading(5, 6, 600), reading(6, 8, 600), reading(14, 6, 601)]
  expect(backlog.flatMap((one) => engine.apply(one))).toEqual([])
})

test("an edit keeps what was learned and what is open where it can, and begins anew where the rule says so", () => {
  const edited = (more: object) => {
    const rules = [high({}), high({}, { description: "words" }), high({ above: 7.5 }, more)]
    const revisions = rules.map((rule, at) =>
      revisionOf(plantSource(signals, [rule]), at + 1, at === 0 ? 0 : startMs + at * 60 * minute),
    )
    const { engine } = engineOf(revisions)
    return [0, 50, 70, 130].flatMap((minutes) => engine.apply(reading(minutes, 8)))
  }
  expect(steps(edited({}))).toEqual([["opened", 0]])
  const reset = edited({ onChange: "reset" })
  expect(steps(reset)).toEqual([
    ["opened", 0],
    ["cleared", 120, "rule-changed"],
    ["opened", 130],
  ])
  expect(new Set(reset.map(({ episode }) => episode)).size).toBe(2)
})

test("limits that changed decide from the next sample on, also about what is open", () => {
  const revisions = [
    revisionOf(plantSource(signals, [high({})]), 1),
    revisionOf(plantSource(signals, [high({ above: 9 })]), 2, startMs + 60 * minute),
  ]
  const { engine } = engineOf(revisions)
  expect(steps([0, 50, 70].flatMap((minutes) => engine.apply(reading(minutes, 8))))).toEqual([
    ["opened", 0],
    ["cleared", 70, "condition"],
  ])
})

test("a rule that is removed, or an asset that leaves the plant, ends what was open", () => {
  const revisions = [
    revisionOf(plantSource(signals, [high({})]), 1),
    revisionOf(plantSource(signals, [high({})], ["P2"]), 2, startMs + 60 * minute),
  ]
  const { engine } = engineOf(revisions)
  expect(steps([0, 90].flatMap((minutes) => engine.apply(reading(minutes, 8))))).toEqual([
    ["opened", 0],
    ["cleared", 60, "rule-changed"],
  ])
})

test("timers due before a revision run under the rule that set them", () => {
  const revisions = [delayed, revisionOf(plantSource(signals, []), 2, startMs + 30 * minute)]
  const { engine } = engineOf(revisions)
  expect(steps([0, 90].flatMap((minutes) => engine.apply(reading(minutes, 8))))).toEqual([
    ["opened", 10],
    ["cleared", 30, "rule-changed"],
  ])
})

test("an asset that the plant does not know passes by", () => {
  const { engine } = engineOf([delayed])
  expect(engine.apply({ ...reading(0, 99), asset: "stranger" })).toEqual([])
  expect([...engine.assets()]).toEqual([])
})

test("an absurd value is unusable and leaves the state within the range of numbers", () => {
  const rule = { id: "d", kind: "deviation", signal: "power", params: { window: "1h", baseline: "1d", z: 3 } }
  const { engine, counts } = engineOf([revisionOf(plantSource(signals, [rule]))])
  for (let at = 0; at < 100; at++)
    engine.apply({ ...reading(at * 10, 0), values: { power: at % 2 ? 1.7e308 : -1.7e308 } })
  expect(counts).toMatchObject({ samples: 0, unusable: 100 })
  expect(JSON.stringify([...engine.assets()])).not.toContain("null,null")
})

test("evidence holds the newest samples that decided, oldest first, and the same id comes of the same input", () => {
  const opened = () => {
    const { engine } = engineOf([delayed])
    return Array.from({ length: 40 }, (_, at) => reading(at / 2, at < 5 ? 5 : 8)).flatMap((one) =>
      engine.apply(one),
    )
  }
  const [step] = opened()
  expect(step?.evidence.samples).toHaveLength(16)
  expect(step?.evidence.samples.at(-1)).toEqual({
    signal: "vibration",
    atMs: startMs + 12 * minute,
    value: 8,
  })
  expect(step?.evidence.samples.every(({ value }) => value === 8)).toBe(true)
  expect(step?.evidence.parameters).toMatch(/^[0-9a-f]{64}$/)
  expect(opened()).toEqual([step])
})
