import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type WorkingTime, workingTime } from "../../core/plant-work.ts"
import { addWorkingTime, workingTimeBetween } from "../../core/working-time.ts"

const minute = 60_000
const hour = 60 * minute

const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const
const timeZones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]

/** Monday to Friday, with a pause. */
const office = workingTime.parse({
  hours: Object.fromEntries(
    weekdays.slice(0, 5).map((weekday) => [
      weekday,
      [
        ["08:00", "12:00"],
        ["13:00", "17:00"],
      ],
    ]),
  ),
  holidays: ["2026-05-01"],
})
const always = workingTime.parse({
  hours: Object.fromEntries(weekdays.map((weekday) => [weekday, [["00:00", "24:00"]]])),
})

const berlin = "Europe/Berlin"
const at = (text: string) => Date.parse(text)

describe("an office in Berlin", () => {
  const cases: readonly (readonly [string, string, number, string])[] = [
    ["a pause does not count", "2026-04-27T11:00+02:00", 2, "2026-04-27T14:00+02:00"],
    ["what is left goes on the next day", "2026-04-27T16:00+02:00", 2, "2026-04-28T09:00+02:00"],
    ["a weekend does not count", "2026-04-24T16:00+02:00", 2, "2026-04-27T09:00+02:00"],
    ["nor does a holiday with the weekend behind it", "2026-04-30T16:00+02:00", 2, "2026-05-04T09:00+02:00"],
    ["a night begins when work does", "2026-04-27T22:00+02:00", 1, "2026-04-28T09:00+02:00"],
    ["what ends with a shift ends there", "2026-04-27T08:00+02:00", 8, "2026-04-27T17:00+02:00"],
    ["nothing more is now, also at night", "2026-04-27T22:00+02:00", 0, "2026-04-27T22:00+02:00"],
    ["over a change of the clock it is still nine", "2026-03-27T16:00+01:00", 2, "2026-03-30T09:00+02:00"],
  ]
  test.each(cases)("%s", (_title, from, hours, to) => {
    expect(new Date(addWorkingTime(at(from), hours * hour, office, berlin)).toISOString()).toBe(
      new Date(at(to)).toISOString(),
    )
  })
})

test("a day in spring has 23 hours of work around the clock, and one in autumn 25", () => {
  const worked = (from: string, to: string) => workingTimeBetween(at(from), at(to), always, berlin) / hour
  expect(worked("2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00")).toBe(23)
  expect(worked("2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00")).toBe(25)
})

test("an hour that the clock shows twice counts twice, and one that it skips not at all", () => {
  const night = workingTime.parse({ hours: { sun: [["02:15", "02:45"]] } })
  const worked = (from: string, to: string) => workingTimeBetween(at(from), at(to), night, berlin) / minute
  expect(worked("2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00")).toBe(60)
  expect(worked("2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00")).toBe(0)
})

test("spans that overlap count once", () => {
  const twice = workingTime.parse({
    hours: {
      mon: [
        ["10:00", "14:00"],
        ["08:00", "12:00"],
        ["11:00", "11:30"],
      ],
    },
  })
  expect(workingTimeBetween(at("2026-04-27T00:00Z"), at("2026-04-28T00:00Z"), twice, "UTC")).toBe(6 * hour)
})

test("without working time every hour counts", () => {
  expect(addWorkingTime(5, hour, undefined, berlin)).toBe(5 + hour)
  expect(workingTimeBetween(5, 5 + hour, undefined, berlin)).toBe(hour)
})

test("what can never be reached is far away, and is found out soon", () => {
  const hardly = workingTime.parse({ hours: { mon: [["00:00", "00:01"]] } })
  expect(addWorkingTime(0, 365 * 24 * hour, hardly, "UTC")).toBeGreaterThan(Date.UTC(2019, 0))
})

const timeOfDay = fc.integer({ min: 0, max: 96 }).map((quarter) => {
  const [hours, minutes] = [Math.floor(quarter / 4), (quarter % 4) * 15]
  return `${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`
})
const span = fc
  .tuple(timeOfDay, timeOfDay)
  .filter(([from, to]) => from !== to)
  .map(([from, to]) => (from < to ? [from, to] : [to, from]))
const calendar = fc
  .record({
    hours: fc
      .dictionary(fc.constantFrom(...weekdays), fc.array(span, { minLength: 1, maxLength: 3 }), {
        minKeys: 1,
      })
      .filter((hours) => Object.keys(hours).length > 0),
    holidays: fc.subarray(["2026-03-29", "2026-03-30", "2026-10-25", "2026-10-26", "2026-11-01"]),
  })
  .map((given): WorkingTime => workingTime.parse(given))
const timeZone = fc.constantFrom(...timeZones)
/** Whole minutes around the changes of the clock in these time zones. */
const instant = fc
  .tuple(
    fc.constantFrom(
      Date.UTC(2026, 2, 29, 1),
      Date.UTC(2026, 9, 25, 1),
      Date.UTC(2026, 10, 1, 6),
      Date.UTC(2026, 3, 4, 15),
      Date.UTC(2026, 5, 15),
    ),
    fc.integer({ min: -2 * 24 * 60, max: 2 * 24 * 60 }),
  )
  .map(([ms, minutes]) => ms + minutes * minute)
const duration = fc.integer({ min: 0, max: 30 * 24 * 60 }).map((minutes) => minutes * minute)

test("adding and then measuring gives what was added", () => {
  fc.assert(
    fc.property(instant, duration, calendar, timeZone, (fromMs, durationMs, hours, zone) => {
      const toMs = addWorkingTime(fromMs, durationMs, hours, zone)
      expect(workingTimeBetween(fromMs, toMs, hours, zone)).toBe(durationMs)
      // And no earlier time would do.
      if (durationMs > 0) expect(workingTimeBetween(fromMs, toMs - 1, hours, zone)).toBe(durationMs - 1)
    }),
    { numRuns: 200 },
  )
})

test("more time, or a later beginning, never ends earlier", () => {
  fc.assert(
    fc.property(
      fc.tuple(instant, instant),
      fc.tuple(duration, duration),
      calendar,
      timeZone,
      (from, durations, hours, zone) => {
        const end = (at: typeof Math.min) => addWorkingTime(at(...from), at(...durations), hours, zone)
        expect(end(Math.min)).toBeLessThanOrEqual(end(Math.max))
      },
    ),
    { numRuns: 200 },
  )
})

test("it is what looking at the clock in every minute gives", () => {
  fc.assert(
    fc.property(
      instant,
      fc.integer({ min: 0, max: 3 * 24 * 60 }),
      calendar,
      timeZone,
      (from, minutes, hours, zone) => {
        const format = new Intl.DateTimeFormat("en-GB", {
          timeZone: zone,
          weekday: "short",
          year: "numeric",
          month: "2-digit",
          day: "2-digit",
          hour: "2-digit",
          minute: "2-digit",
          hourCycle: "h23",
        })
        let worked = 0
        for (let at = 0; at < minutes; at++) {
          const shown = Object.fromEntries(
            format.formatToParts(from + at * minute).map(({ type, value }) => [type, value]),
          )
          if (hours.holidays.includes(`${shown.year}-${shown.month}-${shown.day}`)) continue
          const time = `${shown.hour}:${shown.minute}`
          const weekday = shown.weekday?.toLowerCase() as (typeof weekdays)[number]
          if ((hours.hours[weekday] ?? []).some(([begin, end]) => begin <= time && time < end))
            worked += minute
        }
        expect(workingTimeBetween(from, from + minutes * minute, hours, zone)).toBe(worked)
      },
    ),
    { numRuns: 40 },
  )
})
