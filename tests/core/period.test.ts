import fc from "fast-check"
import { Temporal } from "temporal-polyfill"
import { expect, test } from "vitest"
import { addPeriod, formatPeriod, parsePeriod, period, periodLengthMs } from "../../core/period.ts"
import { instant, timeZone } from "./zones.ts"

const hour = 3_600_000
const day = 24 * hour

test.each([
  ["12h", { ms: 12 * hour }, "12 h"],
  ["90d", { ms: 90 * day }, "90 d"],
  ["2w", { ms: 14 * day }, "14 d"],
  ["3mo", { months: 3 }, "3 months"],
  ["1mo", { months: 1 }, "1 month"],
  ["1y", { months: 12 }, "1 year"],
  ["18mo", { months: 18 }, "18 months"],
  ["24mo", { months: 24 }, "2 years"],
  ["100y", { months: 1200 }, "100 years"],
  ["3m", { ms: 180_000 }, "3 min"],
])("%s is %j, in words %s", (text, expected, words) => {
  expect(parsePeriod(text)).toEqual(expected)
  expect(formatPeriod(expected)).toBe(words)
})

test.each(["", "3", "mo", "1.5mo", "-1mo", "3 mo", "101y", "1201mo", "3 fortnights", "1Y", undefined, 30])(
  "%j is no period, and the message says what is",
  (given) => {
    const { error } = period.safeParse(given)
    expect(error?.issues.map(({ message }) => message)).toEqual([
      `expected a period such as 12h, 90d, 2w, 3mo or 1y, got ${given === undefined ? "nothing" : JSON.stringify(given)}`,
    ])
  },
)

test("lengths are the calendar's mean: 400 years are 146097 days", () => {
  expect(periodLengthMs({ months: 12 }) * 400).toBe(146_097 * day)
  expect(periodLengthMs({ ms: 5 })).toBe(5)
})

const berlin = "Europe/Berlin"
test.each([
  // Counted from the beginning each time, so that nothing drifts.
  ["1mo", 1, berlin, "2026-01-31T06:00+01:00", "2026-02-28T06:00+01:00"],
  ["1mo", 2, berlin, "2026-01-31T06:00+01:00", "2026-03-31T06:00+02:00"],
  ["1mo", 25, berlin, "2026-01-31T06:00+01:00", "2028-02-29T06:00+01:00"],
  ["1y", 1, berlin, "2028-02-29T06:00+01:00", "2029-02-28T06:00+01:00"],
  ["1y", 4, berlin, "2028-02-29T06:00+01:00", "2032-02-29T06:00+01:00"],
  ["3mo", -1, berlin, "2026-05-31T06:00+02:00", "2026-02-28T06:00+01:00"],
  // The date is that of the site, which may be another than in UTC.
  ["1mo", 1, "America/New_York", "2026-01-31T23:00-05:00", "2026-02-28T23:00-05:00"],
  // The site's time of day stays.
  ["1d", 1, berlin, "2026-03-28T12:00+01:00", "2026-03-29T12:00+02:00"],
  ["1w", 1, "Australia/Lord_Howe", "2026-04-01T06:00+11:00", "2026-04-08T06:00+10:30"],
  // What the clock skips is as much later, and goes back to its time on the next day.
  ["1d", 1, berlin, "2026-03-28T02:30+01:00", "2026-03-29T03:30+02:00"],
  ["1d", 2, berlin, "2026-03-28T02:30+01:00", "2026-03-30T02:30+02:00"],
  ["1mo", 1, berlin, "2026-02-28T02:30+01:00", "2026-03-28T02:30+01:00"],
  // What is there twice is the first.
  ["1d", 1, berlin, "2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00"],
  // Hours are hours.
  ["36h", 1, berlin, "2026-03-28T12:00+01:00", "2026-03-30T01:00+02:00"],
  ["12h", 2, berlin, "2026-03-28T12:00+01:00", "2026-03-29T13:00+02:00"],
  ["1mo", 0, berlin, "2026-10-25T02:30+01:00", "2026-10-25T02:30+01:00"],
])("%s times %i in %s: %s becomes %s", (text, count, zone, from, to) => {
  const moved = addPeriod(Date.parse(from), period.parse(text), zone, count)
  expect(new Date(moved).toISOString()).toBe(new Date(to).toISOString())
})

// Within decades: of the years after the war the polyfill does not know every change.
test("days and months are added as Temporal adds them", () => {
  fc.assert(
    fc.property(
      instant,
      timeZone,
      fc.constantFrom("months", "days"),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: -30, max: 30 }).filter((count) => count !== 0),
      (ms, zone, unit, size, count) => {
        const from = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone)
        const moved = addPeriod(ms, unit === "months" ? { months: size } : { ms: size * day }, zone, count)
        expect(moved).toBe(from.add({ [unit]: size * count }).epochMilliseconds)
      },
    ),
    { numRuns: 500 },
  )
})
