import { describe, expect, test } from "vitest"
import { figuresOf, type Told } from "../../../rules/alarms/figures.ts"
import { id, minute, startMs } from "./steps.ts"

const hour = 60 * minute
const day = 24 * hour
const week = { site: "north", fromMs: startMs, toMs: startMs + 7 * day }

function told(number: number, minutes: number, more: Partial<Told> & { lasts?: number | null } = {}): Told {
  const { lasts = 30, ...rest } = more
  const openedMs = startMs + minutes * minute
  return {
    episode: id(number),
    incident: id(number),
    asset: "P1",
    rule: `rule-${number}`,
    signal: null,
    openedMs,
    endedMs: lasts === null ? null : openedMs + lasts * minute,
    toldSeverity: "warning",
    ...rest,
  }
}

const judged = (alarms: readonly Told[], span: Parameters<typeof figuresOf>[1] = week) =>
  Object.fromEntries(
    figuresOf(alarms, span).judged.map(({ figure, value, verdict }) => [figure, [value, verdict]]),
  )

test("a week of six alarms an hour is what the standard calls acceptable, with twelve at the limit", () => {
  const every = (minutes: number) =>
    Array.from({ length: (7 * 24 * 60) / minutes }, (_, n) => told(n, n * minutes))
  expect(judged(every(10))).toMatchObject({
    "alarms a day": [144, "good"],
    "alarms an hour": [6, "good"],
    "most in 10 minutes": [1, "good"],
    "time in flood": [0, "good"],
  })
  expect(judged(every(5))).toMatchObject({
    "alarms a day": [288, "manageable"],
    "alarms an hour": [12, "manageable"],
  })
  expect(judged(every(4))).toMatchObject({ "alarms a day": [360, "over"], "alarms an hour": [15, "over"] })
})

test("a plant younger than the span is judged from its first record on, or from an alarm that is known earlier", () => {
  const end = week.toMs
  const two = [told(1, 6 * 24 * 60), told(2, 6 * 24 * 60 + 60)]
  const young = (firstMs: number) => figuresOf(two, { ...week, firstMs })
  expect(young(end - 2 * day)).toMatchObject({ fromMs: end - 2 * day, isYounger: true })
  expect(judged(two, { ...week, firstMs: end - 2 * day })).toMatchObject({ "alarms a day": [1, "good"] })
  expect(young(end - hour)).toMatchObject({ fromMs: end - day, isYounger: true, alarms: 2 })
  expect(young(startMs - day)).toMatchObject({ fromMs: startMs, isYounger: false })
  // A device whose clock runs ahead says nothing of how old the plant is.
  expect(figuresOf([], { ...week, firstMs: end + hour })).toMatchObject({ fromMs: startMs, isYounger: false })
})

test("no rate a day is judged by less than a day, nor one an hour by less than an hour", () => {
  const last = { ...week, fromMs: week.toMs - hour / 2 }
  const one = [told(1, 7 * 24 * 60 - 10)]
  expect(judged(one, last)).toMatchObject({ "alarms a day": [48, null], "alarms an hour": [2, null] })
  expect(judged(one, { ...week, fromMs: week.toMs - hour })).toMatchObject({
    "alarms a day": [24, null],
    "alarms an hour": [1, "good"],
  })
})

test("an alarm is an incident that somebody was told of, once, with its worst severity", () => {
  const figures = figuresOf(
    [
      told(1, 0),
      told(2, 1, { incident: id(1), toldSeverity: "trip" }),
      told(3, 2, { incident: id(1), toldSeverity: null }),
      told(4, 3, { toldSeverity: null }),
      told(5, -10, { lasts: 60 }),
      told(6, 7 * 24 * 60),
    ],
    week,
  )
  expect(figures.alarms).toBe(1)
  expect(figures.bySeverity).toEqual({ watch: 0, warning: 0, alarm: 0, trip: 1 })
  expect(figures.top).toEqual([{ asset: "P1", rule: "rule-1", count: 1 }])
})

test("a flood lasts from the eleventh alarm in ten minutes until fewer than five lie in ten minutes", () => {
  // One each half minute for 10 minutes: the flood begins at 5 and, the fifth last being at 7.5, ends at 17.5.
  const alarms = Array.from({ length: 20 }, (_, n) => told(n, n / 2))
  const figures = figuresOf(alarms, { ...week, toMs: startMs + day })
  expect(figures.floods).toEqual([{ fromMs: startMs + 5 * minute, toMs: startMs + 17.5 * minute }])
  expect(figures.peak).toEqual({ count: 20, fromMs: startMs })
  expect(judged(alarms, { ...week, toMs: startMs + day })).toMatchObject({
    "time in flood": [(100 * 12.5) / 1440, "good"],
    "most in 10 minutes": [20, "over"],
  })
})

describe("the ten most frequent", () => {
  const spread = (count: number, of: number) =>
    Array.from({ length: count }, (_, n) => told(n, n * 20, { rule: `rule-${n % of}` }))

  test("are found by asset and rule", () => {
    const { top } = figuresOf([...spread(30, 3), told(99, 0, { asset: "P2", rule: "rule-0" })], week)
    expect(top.map(({ asset, rule, count }) => `${asset} ${rule} ${count}`)).toEqual([
      "P1 rule-0 10",
      "P1 rule-1 10",
      "P1 rule-2 10",
      "P2 rule-0 1",
    ])
  })

  test("should be less than 5 % of all, which a few alarms can't tell", () => {
    const figure = "share of the ten most frequent"
    expect(judged(spread(201, 201))[figure]).toEqual([1000 / 201, "good"])
    expect(judged(spread(400, 50))[figure]).toEqual([20, "over"])
    expect(judged(spread(200, 200))[figure]).toEqual([5, null])
  })
})

test("priorities should be about 80, 15 and 5 per cent", () => {
  const severities = [...Array(80).fill("warning"), ...Array(15).fill("alarm"), ...Array(5).fill("trip")]
  const alarms = severities.map((toldSeverity, n) => told(n, n * 60, { toldSeverity }))
  expect(judged(alarms)).toMatchObject({
    "high priority (trip)": [5, "good"],
    "medium priority (alarm)": [15, "good"],
    "low priority (warning, watch)": [80, "good"],
  })
  expect(judged(alarms.slice(-10))).toMatchObject({ "high priority (trip)": [50, null] })
  expect(judged(alarms.slice(-20))).toMatchObject({ "medium priority (alarm)": [75, "over"] })
})

test("what is open for more than a day is stale", () => {
  const last = 7 * 24 * 60
  const { stale } = figuresOf(
    [
      told(1, last - 24 * 60, { lasts: null }),
      told(2, last - 24 * 60 - 1, { lasts: null }),
      told(3, 0, { lasts: last + 10 }),
      told(4, 0, { lasts: last - 10 }),
      told(5, 0, { lasts: null, toldSeverity: null }),
    ],
    week,
  )
  expect(stale.map(({ rule }) => rule)).toEqual(["rule-2", "rule-3"])
})

test("three openings and ends within a minute are chattering, also while shelved", () => {
  const chatter = (rule: string, seconds: number, more: Partial<Told> = {}) =>
    [0, 1].map((n) =>
      told(rule.length * 10 + n, (n * 2 * seconds) / 60, { rule, lasts: seconds / 60, ...more }),
    )
  const alarms = [
    ...chatter("slow", 31),
    ...chatter("fast", 20, { toldSeverity: null }),
    ...chatter("edges", 30),
    told(900, 0, { rule: "two", lasts: 0.1 }),
    told(901, 0, { rule: "two", asset: "P2", lasts: 0.1 }),
  ]
  expect(figuresOf(alarms, week).chattering).toEqual([
    { asset: "P1", rule: "fast", transitions: 4 },
    { asset: "P1", rule: "edges", transitions: 3 },
  ])
})

test("a span without alarms has figures, all of them good or not to be told", () => {
  const figures = figuresOf([], week)
  expect(figures.judged.every(({ value, verdict }) => value === 0 && verdict !== "over")).toBe(true)
  expect(figures.peak).toEqual({ count: 0, fromMs: null })
})
