import fc from "fast-check"
import { expect, test } from "vitest"
import { inSeason, nextSeasonStart, season } from "../../core/season.ts"
import { instant, timeZone } from "./zones.ts"

const hour = 3_600_000
const heating = { from: "10-01", to: "04-30" }
const berlin = "Europe/Berlin"

test.each([
  ["a summer", { from: "06-01", to: "08-31" }, "2026-06-01T00:00+02:00", true],
  ["its last day is in it", { from: "06-01", to: "08-31" }, "2026-08-31T23:59:59+02:00", true],
  ["the day after is not", { from: "06-01", to: "08-31" }, "2026-09-01T00:00+02:00", false],
  ["its first day begins by the site's clock", { from: "06-01", to: "08-31" }, "2026-05-31T23:00Z", true],
  ["a winter before New Year", heating, "2026-12-31T23:59+01:00", true],
  ["a winter after New Year", heating, "2027-01-01T00:00+01:00", true],
  ["outside of the winter", heating, "2026-07-01T00:00+02:00", false],
  ["one day", { from: "12-24", to: "12-24" }, "2026-12-24T12:00+01:00", true],
  [
    "a leap day that the year lacks is the day after",
    { from: "02-29", to: "03-31" },
    "2026-02-28T23:59+01:00",
    false,
  ],
  ["and ends the day before", { from: "01-01", to: "02-29" }, "2026-03-01T00:00+01:00", false],
])("%s", (_title, given, at, expected) => {
  expect(inSeason(Date.parse(at), season.parse(given), berlin)).toBe(expected)
})

test.each([
  [heating, berlin, "2026-07-01T12:00+02:00", "2026-10-01T00:00+02:00"],
  [heating, berlin, "2026-11-01T12:00+01:00", "2026-11-01T12:00+01:00"],
  [{ from: "03-01", to: "05-31" }, berlin, "2026-07-01T12:00+02:00", "2027-03-01T00:00+01:00"],
  [{ from: "02-29", to: "03-31" }, berlin, "2026-07-01T12:00+02:00", "2027-03-01T00:00+01:00"],
  [{ from: "02-29", to: "03-31" }, berlin, "2027-07-01T12:00+02:00", "2028-02-29T00:00+01:00"],
  [{ from: "01-01", to: "01-31" }, "America/New_York", "2026-12-31T23:00-05:00", "2027-01-01T00:00-05:00"],
  // In Beirut the 29th began at 01:00.
  [{ from: "03-29", to: "04-30" }, "Asia/Beirut", "2026-03-28T12:00+02:00", "2026-03-29T01:00+03:00"],
])("%j in %s after %s begins at %s", (given, zone, at, expected) => {
  expect(new Date(nextSeasonStart(Date.parse(at), given, zone)).toISOString()).toBe(
    new Date(expected).toISOString(),
  )
})

test.each(["2-29", "13-01", "02-30", "00-10", "2026-01-01", "1 May", undefined, 501])(
  "%j is no day of the year, and the message says what is",
  (from) => {
    const { error } = season.safeParse({ from, to: "12-31" })
    expect(error?.issues).toHaveLength(1)
    expect(error?.issues[0]?.message).toMatch(
      /^expected a day of the year as month and day such as "10-15", got /,
    )
  },
)

const days = Array.from({ length: 366 }, (_, at) =>
  new Date(Date.UTC(2024, 0, 1 + at)).toISOString().slice(5, 10),
)
const anySeason = fc.record({ from: fc.constantFrom(...days), to: fc.constantFrom(...days) })

test("the next season is what looking at the clock in every hour finds", () => {
  fc.assert(
    fc.property(instant, anySeason, timeZone, (ms, given, zone) => {
      const startMs = nextSeasonStart(ms, given, zone)
      expect(inSeason(startMs, given, zone)).toBe(true)
      if (startMs === ms) return
      expect(inSeason(startMs - 1, given, zone)).toBe(false)
      for (let at = ms; at < startMs; at += 7 * hour) expect(inSeason(at, given, zone)).toBe(false)
    }),
    { numRuns: 60 },
  )
})
