import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type Announcement, announcement, severities } from "../../../core/vocabulary.ts"
import { floodsIn } from "../../../rules/alarms/figures.ts"
import {
  advance,
  type FloodLimits,
  heldBack,
  quietSite,
  siteState,
  take,
  type Weight,
} from "../../../rules/alarms/flood.ts"
import { burst, limits, minute, minutesOf, startMs, step, words } from "./steps.ts"

const at = (minutes: number) => startMs + minutes * minute

describe("a flood", () => {
  test("begins with the eleventh alarm in ten minutes, which waits for the digest", () => {
    const told = burst(quietSite(), { from: 0, count: 12, every: 0.5 })
    expect(told.map(words)).toEqual([
      ...Array.from({ length: 10 }, (_, n) => `${n * 0.5} alarm P${n}`),
      "5 flood-began",
    ])
    expect(told.at(-1)).toMatchObject({ recent: 11 })
  })

  test("does not begin with eleven alarms in ten minutes and a moment", () => {
    const told = burst(quietSite(), { from: 0, count: 11, every: 1 })
    expect(told.map(({ kind }) => kind)).toEqual(Array.from({ length: 11 }, () => "alarm"))
  })

  test("tells a digest each ten minutes and at its end, which is when fewer than five came in ten minutes", () => {
    const state = quietSite()
    const first = burst(state, { from: 0, count: 11, every: 0.5 })
    const then = burst(state, { from: 6, count: 12, every: 1, first: 20 })
    expect([...first, ...then].slice(10).map(words)).toEqual(["5 flood-began", "15 digest 10+0-0"])
    expect(heldBack(state)).toBe(3)
    // The newest five came from minute 13 to 17: at 23 the first of them is out.
    expect(advance(state, "north", limits, at(22.9)).map(words)).toEqual([])
    expect(advance(state, "north", limits, at(60)).map(words)).toEqual(["23 digest 3+0-0", "23 flood-ended"])
    expect(burst(state, { from: 61, count: 1, every: 1 }).map(words)).toEqual(["61 alarm P0"])
  })

  test("counts what is raised or told again, and no end", () => {
    const ends = burst(quietSite(), { from: 0, count: 30, every: 0.1, weight: "cleared" })
    expect(ends.every(({ kind }) => kind === "cleared")).toBe(true)
    const state = quietSite()
    burst(state, { from: 0, count: 11, every: 0.1, weight: "repeat" })
    burst(state, { from: 2, count: 3, every: 0.1, weight: "cleared" })
    const [digest] = advance(state, "north", limits, at(60))
    expect(digest).toMatchObject({ incidents: 0, repeats: 1, cleared: 3 })
  })

  test("tells of trips one by one, ten in ten minutes; the others are in the digest", () => {
    const state = quietSite()
    burst(state, { from: 0, count: 11, every: 0.1 })
    const trips = burst(state, { from: 2, count: 14, every: 0.1, first: 50 }, { severity: "trip" })
    expect(trips.map(({ kind }) => kind)).toEqual(Array.from({ length: 10 }, () => "alarm"))
    const [digest] = advance(state, "north", limits, at(60))
    expect(digest).toMatchObject({
      incidents: 5,
      singly: 10,
      bySeverity: { watch: 0, warning: 1, alarm: 0, trip: 4 },
    })
  })

  test("has digests that name what came most and what came first", () => {
    const state = quietSite()
    burst(state, { from: 0, count: 10, every: 0.1 })
    for (let n = 0; n < 30; n++) {
      const one = step(100 + n, 1.5 + n / 100, {
        asset: n % 3 === 0 ? "P9" : `P${n}`,
        rule: n < 4 ? "constructor" : "vibration",
      })
      take(state, limits, one, "incident")
    }
    const [digest] = advance(state, "north", limits, at(60))
    expect(digest).toMatchObject({
      incidents: 30,
      topRules: [
        { rule: "vibration", count: 26 },
        { rule: "constructor", count: 4 },
      ],
    })
    if (digest?.kind !== "digest") throw new Error("no digest")
    expect(digest.topAssets[0]).toEqual({ asset: "P9", count: 10 })
    expect(digest.first).toHaveLength(10)
    expect(digest.first[0]).toMatchObject({ asset: "P9", atMs: at(1.5) })
    expect(announcement.parse(digest)).toEqual(digest)
  })

  test("goes on under other limits: the digest begun is told when it was said, the end is by the new ones", () => {
    const state = quietSite()
    burst(state, { from: 0, count: 11, every: 0.1 })
    const tight: FloodLimits = { above: 3, within: 2 * minute, endsBelow: 2 }
    expect(advance(state, "north", tight, at(1.5)).map(words)).toEqual([])
    expect(advance(state, "north", tight, at(60)).map(words)).toEqual(["2.9 digest 1+0-0", "2.9 flood-ended"])
  })
})

const weights = fc.constantFrom<Weight>("incident", "incident", "incident", "repeat", "cleared")
const inputs = fc.array(
  fc.record({
    gapSeconds: fc.oneof(
      { weight: 8, arbitrary: fc.nat(90) },
      fc.nat(1800),
      fc.integer({ min: -900, max: 0 }),
    ),
    weight: weights,
    severity: fc.constantFrom(...severities),
    tick: fc.boolean(),
  }),
  { maxLength: 250 },
)
const someLimits = fc
  .record({
    above: fc.integer({ min: 1, max: 12 }),
    minutes: fc.integer({ min: 1, max: 15 }),
    ends: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ above, minutes, ends }) => ({ above, within: minutes * minute, endsBelow: Math.min(above, ends) }))

type Input = typeof inputs extends fc.Arbitrary<infer T> ? T : never

/** `resumeAt`: the state is saved and read before these. */
function run(given: Input, used: FloodLimits, resumeAt: readonly number[] = [], ticks = true) {
  let state = quietSite()
  let atMs = startMs
  const announced: Announcement[] = []
  const told: string[] = []
  given.forEach(({ gapSeconds, weight, severity, tick }, n) => {
    if (resumeAt.includes(n)) state = siteState.parse(JSON.parse(JSON.stringify(state)))
    atMs += gapSeconds * 1000
    // Nothing older than a tick is on its way.
    if (ticks && tick && gapSeconds >= 0) announced.push(...advance(state, "north", used, atMs))
    const taken = take(state, used, step(n, minutesOf(atMs), { severity }), weight)
    announced.push(...taken.announced)
    told.push(taken.told)
  })
  const before = announced.length
  announced.push(...advance(state, "north", used, atMs + 86_400_000))
  return { announced, told, state, atEnd: announced.slice(before) }
}

test("every step is told by itself or counted in exactly one digest", () => {
  fc.assert(
    fc.property(inputs, someLimits, (given, used) => {
      const { announced, told, state } = run(given, used)
      expect(state.flood).toBeNull()
      const singly = announced.flatMap((one) => ("step" in one ? [one.step.episode] : []))
      expect(new Set(singly).size).toBe(singly.length)
      const count = (weight: Weight, how: string) =>
        given.filter((one, n) => one.weight === weight && told[n] === how).length
      expect(singly.length).toBe(told.filter((how) => how === "singly").length)
      const digests = announced.flatMap((one) => (one.kind === "digest" ? [one] : []))
      const sum = (of: (one: (typeof digests)[number]) => number) =>
        digests.reduce((total, one) => total + of(one), 0)
      expect(sum(({ incidents }) => incidents)).toBe(count("incident", "digest"))
      expect(sum(({ repeats }) => repeats)).toBe(count("repeat", "digest"))
      expect(sum(({ cleared }) => cleared)).toBe(count("cleared", "digest"))
      expect(sum(({ bySeverity: { watch, warning, alarm, trip } }) => watch + warning + alarm + trip)).toBe(
        sum(({ incidents, repeats }) => incidents + repeats),
      )
    }),
    { numRuns: 300 },
  )
})

test("times never go back, floods begin and end in turn, and what is remembered is bounded", () => {
  fc.assert(
    fc.property(inputs, someLimits, (given, used) => {
      const { announced, state } = run(given, used)
      const times = announced.map(({ atMs }) => atMs)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      const turns = announced.map(({ kind }) => kind).filter((kind) => kind.startsWith("flood"))
      expect(turns).toEqual(turns.map((_, n) => (n % 2 === 0 ? "flood-began" : "flood-ended")))
      for (const one of announced) {
        expect(announcement.parse(one)).toEqual(one)
        if (one.kind !== "digest") continue
        expect(one.toMs).toBeGreaterThan(one.fromMs)
        expect(one.toMs - one.fromMs).toBeLessThanOrEqual(used.within)
      }
      expect(state.recent.length).toBeLessThanOrEqual(used.above + 1)
      expect(state.trips.length).toBeLessThanOrEqual(used.above)
    }),
    { numRuns: 300 },
  )
})

test("outside trips no more than the limit is ever told one by one within its time", () => {
  fc.assert(
    fc.property(inputs, someLimits, (given, used) => {
      const times = run(given, used).announced.flatMap((one) =>
        one.kind === "alarm" && one.step.severity !== "trip" ? [one.atMs] : [],
      )
      times.forEach((atMs, n) => {
        const oldest = times[n - used.above]
        if (oldest !== undefined) expect(atMs - oldest).toBeGreaterThanOrEqual(used.within)
      })
    }),
    { numRuns: 300 },
  )
})

test("it does not matter when ticks come, nor where the state was saved and read", () => {
  fc.assert(
    fc.property(inputs, someLimits, fc.array(fc.nat(250)), (given, used, stops) => {
      const plain = run(given, used, [], false)
      for (const other of [run(given, used, stops), run(given, used, stops, false)]) {
        expect(JSON.stringify(other.announced)).toBe(JSON.stringify(plain.announced))
        expect(JSON.stringify(other.state)).toBe(JSON.stringify(plain.state))
      }
    }),
    { numRuns: 200 },
  )
})

test("a report finds the floods that the operator was told of", () => {
  const rising = fc.array(fc.nat(120), { maxLength: 200 })
  fc.assert(
    fc.property(rising, someLimits, (gaps, used) => {
      let atMs = startMs
      const times = gaps.map((seconds) => {
        atMs += seconds * 1000
        return atMs
      })
      const state = quietSite()
      const told = times.flatMap(
        (time, n) => take(state, used, step(n, minutesOf(time)), "incident").announced,
      )
      const endMs = atMs + 86_400_000
      told.push(...advance(state, "north", used, endMs))
      const floods = told.flatMap((one) =>
        one.kind === "flood-ended" ? [{ fromMs: one.sinceMs, toMs: one.atMs }] : [],
      )
      expect(floodsIn(times, used, endMs)).toEqual(floods)
    }),
    { numRuns: 300 },
  )
})
