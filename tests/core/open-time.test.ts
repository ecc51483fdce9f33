import fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  moveInto,
  type Spans,
  type TimeWindow,
  windowSpans,
  without,
  workingSpans,
} from "../../core/open-time.ts"
import { workingTime } from "../../core/plant-work.ts"
import { instant, timeZone } from "./zones.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const berlin = "Europe/Berlin"
const at = (text: string) => Date.parse(text)
const shown = (spans: Iterable<{ startMs: number; endMs: number }>) =>
  [...spans].map(
    ({ startMs, endMs }) => `${new Date(startMs).toISOString()}/${new Date(endMs).toISOString()}`,
  )

const office = workingTime.parse({
  hours: Object.fromEntries(
    ["mon", "tue", "wed", "thu", "fri"].map((weekday) => [weekday, [["08:00", "16:00"]]]),
  ),
  holidays: ["2026-05-01"],
})
const works = workingSpans(office, berlin)
const never: Spans = () => []
const always = workingSpans(undefined, berlin)

describe("where a due time goes by an office in Berlin", () => {
  test.each([
    ["in the middle of a shift it stays", "2026-04-27T12:00+02:00", "later", "2026-04-27T12:00+02:00"],
    ["at its beginning too", "2026-04-27T08:00+02:00", "earlier", "2026-04-27T08:00+02:00"],
    ["and at its end", "2026-04-27T16:00+02:00", "later", "2026-04-27T16:00+02:00"],
    ["later is when the next shift begins", "2026-04-24T16:01+02:00", "later", "2026-04-27T08:00+02:00"],
    ["earlier is when the last one ended", "2026-04-27T07:59+02:00", "earlier", "2026-04-24T16:00+02:00"],
    ["a holiday with the weekend behind it", "2026-05-01T12:00+02:00", "later", "2026-05-04T08:00+02:00"],
    ["and from its end back", "2026-05-03T12:00+02:00", "earlier", "2026-04-30T16:00+02:00"],
    ["nearer back", "2026-04-25T12:00+02:00", "nearest", "2026-04-24T16:00+02:00"],
    ["nearer ahead", "2026-04-26T12:00+02:00", "nearest", "2026-04-27T08:00+02:00"],
    ["as near is the earlier", "2026-04-28T00:00+02:00", "nearest", "2026-04-27T16:00+02:00"],
    ["told to stay", "2026-04-26T12:00+02:00", "stay", "2026-04-26T12:00+02:00"],
    ["over a change of the clock", "2026-03-29T12:00+02:00", "later", "2026-03-30T08:00+02:00"],
  ] as const)("%s", (_title, due, rule, expected) => {
    expect(new Date(moveInto(at(due), works, rule)).toISOString()).toBe(new Date(expected).toISOString())
  })
})

test("where nothing is open within 400 days it stays, and only on that side", () => {
  const shutdown = windowSpans([{ schedule: { at: "2026-01-01T00:00Z" }, lasts: day }], "UTC")
  const due = at("2026-06-01T00:00Z")
  for (const rule of ["earlier", "later", "nearest"] as const) {
    expect(moveInto(due, never, rule)).toBe(due)
    expect(moveInto(due + 400 * day, shutdown, rule)).toBe(due + 400 * day)
    expect(moveInto(due, shutdown, rule)).toBe(rule === "later" ? due : at("2026-01-02T00:00Z"))
  }
})

test("looking back asks for no more than the weeks before", () => {
  const asked: number[] = []
  const watched: Spans = (fromMs, toMs) => {
    asked.push(fromMs)
    return works(fromMs, toMs)
  }
  const due = at("2026-04-26T12:00+02:00")
  moveInto(due, watched, "earlier")
  expect(Math.min(...asked)).toBeGreaterThanOrEqual(due - 14 * day)
})

test("spans that touch are one, so work around the clock is one span", () => {
  const clockAround = workingTime.parse({
    hours: Object.fromEntries(
      ["mon", "tue", "wed", "thu", "fri"].map((weekday) => [weekday, [["00:00", "24:00"]]]),
    ),
  })
  expect(shown(workingSpans(clockAround, "UTC")(at("2026-04-20T12:00Z"), at("2026-04-28T12:00Z")))).toEqual([
    "2026-04-20T12:00:00.000Z/2026-04-25T00:00:00.000Z",
    "2026-04-27T00:00:00.000Z/2026-04-28T12:00:00.000Z",
  ])
  expect(shown(always(5, 7))).toEqual(["1970-01-01T00:00:00.005Z/1970-01-01T00:00:00.007Z"])
  expect(shown(always(7, 7))).toEqual([])
})

test("windows that overlap are one, and one that began before goes on", () => {
  const spans = windowSpans(
    [
      { schedule: { cron: "0 6 * * *" }, lasts: 2 * hour },
      { schedule: { every: { ms: day }, from: "2026-04-20T07:00Z" }, lasts: 3 * hour },
      { schedule: { rrule: "FREQ=WEEKLY;COUNT=1", from: "2026-04-21T22:00Z" }, lasts: hour },
    ],
    "UTC",
  )
  expect(shown(spans(at("2026-04-20T07:30Z"), at("2026-04-22T06:30Z")))).toEqual([
    "2026-04-20T07:30:00.000Z/2026-04-20T10:00:00.000Z",
    "2026-04-21T06:00:00.000Z/2026-04-21T10:00:00.000Z",
    "2026-04-21T22:00:00.000Z/2026-04-21T23:00:00.000Z",
    "2026-04-22T06:00:00.000Z/2026-04-22T06:30:00.000Z",
  ])
})

test("a stretch of centuries gives its first span at once", () => {
  const open = without(works, windowSpans([{ schedule: { cron: "0 6 * * *" }, lasts: hour }], berlin))
  const [first] = open(at("2026-04-26T12:00Z"), at("2926-04-26T12:00Z"))
  expect(first).toEqual({ startMs: at("2026-04-27T08:00+02:00"), endMs: at("2026-04-27T16:00+02:00") })
})

/** Any spans at all, in minutes of a stretch. */
const pieces = fc
  .array(fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 40 })), { maxLength: 8 })
  .map((given) =>
    given.map(
      ([start, length]): TimeWindow => ({
        schedule: { at: new Date(start * minute).toISOString() },
        lasts: length * minute,
      }),
    ),
  )

const isIn = (windows: readonly TimeWindow[], ms: number) =>
  windows.some(({ schedule, lasts }) => {
    const startMs = "at" in schedule ? at(schedule.at) : Number.NaN
    return startMs <= ms && ms < startMs + lasts
  })

test("what is open and not closed is what looking at each minute gives, in order and with gaps", () => {
  fc.assert(
    fc.property(pieces, pieces, fc.nat(300), fc.nat(300), (opened, closed, one, other) => {
      const [fromMs, toMs] = [Math.min(one, other) * minute, Math.max(one, other) * minute]
      const spans = [...without(windowSpans(opened, "UTC"), windowSpans(closed, "UTC"))(fromMs, toMs)]
      let lastMs = fromMs - 1
      for (const { startMs, endMs } of spans) {
        expect(startMs).toBeGreaterThan(lastMs)
        expect(endMs).toBeGreaterThan(startMs)
        lastMs = endMs
      }
      expect(lastMs).toBeLessThanOrEqual(toMs)
      for (let ms = fromMs; ms < toMs; ms += minute) {
        const isOpen = spans.some(({ startMs, endMs }) => startMs <= ms && ms < endMs)
        expect(isOpen).toBe(isIn(opened, ms) && !isIn(closed, ms))
      }
    }),
    { numRuns: 100 },
  )
})

test("a due time goes to the nearest minute, on its side, that is in an open span or at its edge", () => {
  fc.assert(
    fc.property(instant, timeZone, fc.constantFrom("earlier", "later", "nearest"), (due, zone, rule) => {
      const night = windowSpans([{ schedule: { cron: "0 2 * * *" }, lasts: 20 * hour }], zone)
      const open = without(workingSpans(office, zone), night)
      // Working time is from 08:00, and what the night leaves of it is from 22:00: nothing.
      expect(moveInto(due, open, rule as "earlier")).toBe(due)
      const half = without(
        workingSpans(office, zone),
        windowSpans([{ schedule: { cron: "0 10 * * *" }, lasts: hour }], zone),
      )
      const spans = [...half(due - 6 * day, due + 6 * day)]
      const touches = (ms: number) => spans.some(({ startMs, endMs }) => startMs <= ms && ms <= endMs)
      let expected = due
      for (let away = 0; away < 5 * day; away += minute) {
        if (rule !== "later" && touches(due - away)) expected = due - away
        else if (rule !== "earlier" && touches(due + away)) expected = due + away
        else continue
        break
      }
      expect(moveInto(due, half, rule as "earlier")).toBe(expected)
    }),
    { numRuns: 60 },
  )
})
