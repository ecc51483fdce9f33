import fc from "fast-check"
import { Temporal } from "temporal-polyfill"
import { expect, test } from "vitest"
import { siteClock } from "../../core/site-clock.ts"
import { instant, timeZone } from "./zones.ts"

const zoned = (ms: number, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone)
const asUtc = (text: string) => Date.parse(`${text}Z`)

test("it shows what Temporal shows, and finds the instant that Temporal finds", () => {
  fc.assert(
    fc.property(instant, timeZone, (ms, zone) => {
      const clock = siteClock(zone)
      expect(clock.shownAt(ms)).toBe(asUtc(zoned(ms, zone).toPlainDateTime().toString()))
      const shown = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO("UTC").toPlainDateTime()
      expect(clock.instantOf(ms, "later")).toBe(shown.toZonedDateTime(zone).epochMilliseconds)
    }),
    { numRuns: 400 },
  )
})

test.each([
  ["Europe/Berlin", "2026-03-29T02:30", "end", "2026-03-29T03:00+02:00"],
  ["Europe/Berlin", "2026-03-29T02:30", "later", "2026-03-29T03:30+02:00"],
  ["Europe/Berlin", "2026-03-29T02:00", "end", "2026-03-29T03:00+02:00"],
  ["Europe/Berlin", "2026-03-29T03:00", "end", "2026-03-29T03:00+02:00"],
  ["Europe/Berlin", "2026-10-25T02:30", "end", "2026-10-25T02:30+02:00"],
  ["Europe/Berlin", "2026-10-25T03:00", "end", "2026-10-25T03:00+01:00"],
  ["America/New_York", "2026-03-08T02:59", "end", "2026-03-08T03:00-04:00"],
  ["America/New_York", "2026-11-01T01:00", "end", "2026-11-01T01:00-04:00"],
  ["Australia/Lord_Howe", "2026-10-04T02:15", "end", "2026-10-04T02:30+11:00"],
  ["Australia/Lord_Howe", "2026-10-04T02:15", "later", "2026-10-04T02:45+11:00"],
  ["Australia/Lord_Howe", "2026-04-05T01:45", "end", "2026-04-05T01:45+11:00"],
  // Samoa had no 30 December 2011.
  ["Pacific/Apia", "2011-12-30T12:00", "end", "2011-12-31T00:00+14:00"],
  ["UTC", "2026-03-29T02:30", "end", "2026-03-29T02:30Z"],
] as const)("in %s %s is, by the %s of a gap, %s", (zone, shown, inGap, expected) => {
  expect(siteClock(zone).instantOf(asUtc(shown), inGap)).toBe(Date.parse(expected))
})

test("the latest that it has shown is the most of all that it showed in the minutes before", () => {
  fc.assert(
    fc.property(instant, timeZone, (ms, zone) => {
      const clock = siteClock(zone)
      // To the millisecond before the clock is put back, which is at a whole minute.
      let latest = clock.shownAt(ms)
      for (let ago = 0; ago < 180; ago++) {
        latest = Math.max(latest, clock.shownAt(Math.floor(ms / 60_000) * 60_000 - ago * 60_000 - 1))
      }
      expect(clock.latestShownBy(ms)).toBe(latest)
    }),
    { numRuns: 60 },
  )
})

test("a time zone that does not exist is named", () => {
  expect(() => siteClock("Mars/Olympus")).toThrow("Mars/Olympus")
})
