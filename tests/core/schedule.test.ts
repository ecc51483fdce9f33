import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { WindowSchedule } from "../../core/plan-schedule.ts"
import { countedOccurrences, occurrencesOf, shortestInterval } from "../../core/schedule.ts"

const hour = 3_600_000
const day = 24 * hour

const schedules: readonly WindowSchedule[] = [
  { cron: "0 6 1 * *" },
  { cron: "30 2 * * *" },
  { cron: "0 0 29 2 *" },
  { cron: "*/15 1-3 * * *" },
  { cron: "0 6 * * MON#1" },
  { every: { ms: day }, from: "2025-02-28T02:30:00+01:00" },
  { every: { ms: 30 * day }, from: "2025-01-31T23:59:59.500-05:00" },
  { every: { ms: 36 * hour }, from: "2024-06-01T00:00:00Z" },
  { every: { ms: hour / 2 }, from: "2024-06-01T00:00:00Z" },
  { every: { months: 1 }, from: "2025-01-31T02:30:00+01:00" },
  { every: { months: 5 }, from: "2010-08-31T23:30:00-05:00" },
  { rrule: "FREQ=DAILY", from: "2010-01-01T02:30:00+01:00" },
  { rrule: "FREQ=HOURLY;INTERVAL=3", from: "2024-02-28T02:30:00+01:00" },
  { rrule: "FREQ=MONTHLY;BYDAY=-1SU,1SA;BYHOUR=1,2,3", from: "2010-02-28T02:30:00+01:00" },
  { rrule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU,MO", from: "2010-02-28T02:15:00+11:00" },
]
const timeZones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]

const instant = fc.oneof(
  fc.integer({ min: Date.UTC(2025, 6), max: Date.UTC(2028, 6) }),
  // The hours around changes of the clock.
  fc
    .tuple(
      fc.constantFrom(Date.UTC(2026, 2, 29, 1), Date.UTC(2026, 9, 25, 1), Date.UTC(2026, 10, 1, 6)),
      fc.integer({ min: -3 * hour, max: 3 * hour }),
    )
    .map(([atMs, offset]) => atMs + offset),
)

describe("occurrences", () => {
  test("looking ahead and looking back agree at every instant, changes of the clock included", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...schedules),
        fc.constantFrom(...timeZones),
        instant,
        (schedule, zone, atMs) => {
          const { from, upTo } = occurrencesOf(schedule, zone)
          const nextMs = from(atMs) ?? Number.NaN
          expect(nextMs).toBeGreaterThanOrEqual(atMs)
          expect(upTo(nextMs)).toBe(nextMs)
          const lastMs = upTo(atMs - 1) ?? Number.NaN
          expect(lastMs).toBeLessThan(atMs)
          expect(from(lastMs)).toBe(lastMs)
          // Nothing lies between the two.
          expect(from(lastMs + 1)).toBe(nextMs)
          expect(upTo(nextMs - 1)).toBe(lastMs)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test("an interval begins at `from` and not before", () => {
    const { from, upTo } = occurrencesOf({ every: { ms: 7 * day }, from: "2026-01-05T06:00:00Z" }, "UTC")
    expect(from(0)).toBe(Date.UTC(2026, 0, 5, 6))
    expect(upTo(Date.UTC(2026, 0, 5, 6))).toBe(Date.UTC(2026, 0, 5, 6))
    expect(upTo(Date.UTC(2026, 0, 5, 6) - 1)).toBeUndefined()
  })
})

describe("an interval", () => {
  const iso = (ms: number | undefined) => new Date(ms ?? Number.NaN).toISOString()

  test("counts months from its beginning, so the 31st is back after February", () => {
    const { from, upTo } = countedOccurrences(
      { months: 1 },
      Date.parse("2026-01-31T06:00+01:00"),
      "Europe/Berlin",
    )
    const [february, march] = ["2026-02-28T05:00:00.000Z", "2026-03-31T04:00:00.000Z"]
    expect(iso(from(Date.parse("2026-02-01T00:00Z")))).toBe(february)
    expect(iso(from(Date.parse(february) + 1))).toBe(march)
    expect(iso(upTo(Date.parse(march) - 1))).toBe(february)
  })

  test("below one minute is refused", () => {
    expect(() => countedOccurrences({ ms: 59_999 }, 0, "UTC")).toThrow("below one minute")
    expect(() => countedOccurrences({ months: 0 }, 0, "UTC")).toThrow("below one minute")
  })
})

describe("the shortest interval", () => {
  const from = "2026-01-01T06:00:00Z"
  test.each([
    [{ every: { ms: 90 * day } }, 90 * day],
    [{ every: { months: 1 } }, 29 * day],
    [{ every: { months: 3 }, from }, 90 * day],
    [{ cron: "0 6 1,15 * *" }, 14 * day],
    [{ rrule: "FREQ=WEEKLY;BYDAY=MO,TH", from }, 3 * day],
    [{ rrule: "FREQ=MONTHLY;BYDAY=1MO", from }, 28 * day],
    [{ rrule: "FREQ=DAILY;COUNT=1", from }, Number.POSITIVE_INFINITY],
    [{ rrule: "FREQ=DAILY;COUNT=2", from: "1999-01-01T06:00:00Z" }, day],
    [{ at: "1999-01-01T06:00:00Z" }, Number.POSITIVE_INFINITY],
  ])("of %j is %d ms", (schedule, expected) => {
    expect(shortestInterval(schedule, "UTC")).toBe(expected)
  })

  test.each([{ cron: "0 6 30 2 *" }, { rrule: "FREQ=DAILY;UNTIL=20251231", from }])(
    "of what never comes due is an error: %j",
    (schedule) => {
      expect(() => shortestInterval(schedule, "UTC")).toThrow("the schedule never comes due")
    },
  )
})

test("plans of one schedule share its occurrences", () => {
  const schedule = { rrule: "FREQ=DAILY", from: "2010-01-01T06:00:00Z" }
  expect(occurrencesOf({ ...schedule }, "UTC")).toBe(occurrencesOf({ ...schedule }, "UTC"))
  expect(occurrencesOf(schedule, "Europe/Berlin")).not.toBe(occurrencesOf(schedule, "UTC"))
})
