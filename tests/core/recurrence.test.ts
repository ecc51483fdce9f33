import fc from "fast-check"
import { Temporal } from "temporal-polyfill"
import { describe, expect, test } from "vitest"
import { readRecurrence } from "../../core/recurrence-rule.ts"
import { occurrencesOf } from "../../core/schedule.ts"
import { timeZone } from "./zones.ts"

const day = 86_400_000
const berlin = "Europe/Berlin"
const at = (text: string) => Date.parse(text)
const iso = (ms: number | undefined) => (ms === undefined ? undefined : new Date(ms).toISOString())

describe("the first due times from an instant on", () => {
  test.each([
    [
      "the first Monday of the month, at the same time of day over changes of the clock",
      "FREQ=MONTHLY;BYDAY=1MO",
      berlin,
      "2010-01-04T06:00+01:00",
      "2026-03-01T00:00Z",
      ["2026-03-02T06:00+01:00", "2026-04-06T06:00+02:00", "2026-05-04T06:00+02:00"],
    ],
    [
      "the last Friday",
      "FREQ=MONTHLY;BYDAY=-1FR",
      "America/New_York",
      "2026-01-01T22:00-05:00",
      "2026-02-01T00:00Z",
      ["2026-02-27T22:00-05:00", "2026-03-27T22:00-04:00", "2026-04-24T22:00-04:00"],
    ],
    [
      "the last working day",
      "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
      berlin,
      "2026-01-01T06:00+01:00",
      "2026-01-01T00:00Z",
      ["2026-01-30T06:00+01:00", "2026-02-27T06:00+01:00", "2026-03-31T06:00+02:00"],
    ],
    [
      "a month without a 31st has none",
      "FREQ=MONTHLY",
      berlin,
      "2026-01-31T06:00+01:00",
      "2026-01-01T00:00Z",
      ["2026-01-31T06:00+01:00", "2026-03-31T06:00+02:00", "2026-05-31T06:00+02:00"],
    ],
    [
      "a time that the clock skips comes when the gap ends, and goes back on the next day",
      "FREQ=DAILY",
      berlin,
      "2010-01-01T02:30+01:00",
      "2026-03-28T00:00Z",
      ["2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
    ],
    [
      "in half an hour's gap too",
      "FREQ=DAILY",
      "Australia/Lord_Howe",
      "2010-01-01T02:15+11:00",
      "2026-10-03T00:00Z",
      ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00", "2026-10-06T02:15+11:00"],
    ],
    [
      "a time that is there twice comes once, the first time",
      "FREQ=DAILY",
      berlin,
      "2010-01-01T02:30+01:00",
      "2026-10-24T12:00Z",
      ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00", "2026-10-27T02:30+01:00"],
    ],
    [
      "shifts keep their times of day",
      "FREQ=HOURLY;INTERVAL=8",
      berlin,
      "2010-01-01T06:00+01:00",
      "2026-03-28T20:00Z",
      ["2026-03-28T22:00+01:00", "2026-03-29T06:00+02:00", "2026-03-29T14:00+02:00"],
    ],
    [
      "an hour that is skipped falls to the next, which comes once",
      "FREQ=HOURLY",
      berlin,
      "2026-03-29T00:00+01:00",
      "2026-03-29T00:00Z",
      ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"],
    ],
    [
      "every other week by a week that begins on Sunday",
      "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU",
      "UTC",
      "2026-08-04T06:00Z",
      "2026-08-01T00:00Z",
      ["2026-08-04T06:00Z", "2026-08-16T06:00Z", "2026-08-18T06:00Z"],
    ],
    [
      "its DTSTART is due only where the rule fits it",
      "FREQ=MONTHLY;BYMONTHDAY=15",
      "UTC",
      "2026-01-31T06:00Z",
      "2026-01-01T00:00Z",
      ["2026-02-15T06:00Z", "2026-03-15T06:00Z", "2026-04-15T06:00Z"],
    ],
    [
      "a leap day",
      "FREQ=YEARLY",
      "UTC",
      "2024-02-29T06:00Z",
      "2025-01-01T00:00Z",
      ["2028-02-29T06:00Z", "2032-02-29T06:00Z", "2036-02-29T06:00Z"],
    ],
    [
      "rare days of a daily rule that is long begun",
      "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29",
      "UTC",
      "1970-01-01T06:00Z",
      "2026-01-01T00:00Z",
      ["2028-02-29T06:00Z", "2032-02-29T06:00Z", "2036-02-29T06:00Z"],
    ],
    [
      "lower case is as good",
      "freq=weekly",
      "UTC",
      "2026-01-05T06:00Z",
      "2026-01-06T00:00Z",
      ["2026-01-12T06:00Z", "2026-01-19T06:00Z", "2026-01-26T06:00Z"],
    ],
  ])("%s", (_title, rrule, zone, from, sinceText, expected) => {
    const occurrences = occurrencesOf({ rrule, from }, zone)
    const found: (string | undefined)[] = []
    let next = occurrences.from(at(sinceText))
    for (const _one of expected) {
      found.push(iso(next))
      next = next === undefined ? undefined : occurrences.from(next + 1)
    }
    expect(found).toEqual(expected.map((text) => iso(at(text))))
    // And back again.
    for (let index = expected.length - 1; index > 0; index--) {
      expect(iso(occurrences.upTo(at(expected[index] ?? "") - 1))).toBe(iso(at(expected[index - 1] ?? "")))
    }
  })
})

describe("the end of a recurrence", () => {
  test.each([
    ["a count", "FREQ=DAILY;COUNT=90", "2026-03-31T06:00+02:00"],
    ["a count of rare days", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=3", "2036-02-29T06:00+01:00"],
    ["a time in UTC that is just reached", "FREQ=DAILY;UNTIL=20260331T040000Z", "2026-03-31T06:00+02:00"],
    ["one that is just missed", "FREQ=DAILY;UNTIL=20260331T035959Z", "2026-03-30T06:00+02:00"],
    ["a time of the site's clock", "FREQ=DAILY;UNTIL=20260331T060000", "2026-03-31T06:00+02:00"],
    ["a day, which counts to its end", "FREQ=DAILY;UNTIL=20260331", "2026-03-31T06:00+02:00"],
  ])("%s", (_title, rrule, last) => {
    const { from, upTo } = occurrencesOf({ rrule, from: "2026-01-01T06:00+01:00" }, berlin)
    expect(iso(from(at(last)))).toBe(iso(at(last)))
    expect(from(at(last) + 1)).toBeUndefined()
    expect(iso(upTo(at(last) + 40 * 366 * day))).toBe(iso(at(last)))
    expect(upTo(at("2026-01-01T06:00+01:00") - 1)).toBeUndefined()
  })

  test.each([
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYMONTH=4;BYMONTHDAY=31;COUNT=5",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2",
    "FREQ=MONTHLY;BYDAY=6MO",
    "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1",
    "FREQ=DAILY;UNTIL=20251231",
  ])("what never comes due is found out: %s", (rrule) => {
    const { from, upTo } = occurrencesOf({ rrule, from: "2026-01-01T06:00Z" }, "UTC")
    for (const ms of [0, at("2026-01-01T06:00Z"), at("2300-01-01T00:00Z")]) {
      expect(from(ms)).toBeUndefined()
      expect(upTo(ms)).toBeUndefined()
    }
  })
})

test.each([
  ["", '"" is not a part of a recurrence rule'],
  ["FREQ", 'FREQ: expected YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, got ""'],
  ["BYDAY=MO", "FREQ: expected YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, got nothing"],
  ["FREQ=FORTNIGHTLY", 'FREQ: expected YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, got "FORTNIGHTLY"'],
  ["FREQ=MINUTELY", "FREQ=MINUTELY is too often for planned work: HOURLY is the most"],
  ["FREQ=SECONDLY", "FREQ=SECONDLY is too often for planned work: HOURLY is the most"],
  ["RRULE:FREQ=DAILY", '"RRULE:FREQ=DAILY" is not a part of a recurrence rule'],
  ["FREQ=DAILY;", '"" is not a part of a recurrence rule'],
  ["FREQ=DAILY;DTSTART=20260101", '"DTSTART=20260101" is not a part of a recurrence rule'],
  ["FREQ=DAILY\nRRULE:FREQ=DAILY", "is not a part of a recurrence rule"],
  ["FREQ=DAILY;CONSTRUCTOR=1", '"CONSTRUCTOR=1" is not a part'],
  ["FREQ=DAILY;FREQ=DAILY", "FREQ is there twice"],
  ["FREQ=DAILY;INTERVAL=0", 'INTERVAL: expected a whole number from 1 to 10000, got "0"'],
  ["FREQ=DAILY;COUNT=0", 'COUNT: expected a whole number from 1 to 10000, got "0"'],
  ["FREQ=DAILY;COUNT=3;UNTIL=20260101", "COUNT and UNTIL: expected one of them, got both"],
  [
    "FREQ=DAILY;UNTIL=soon",
    'UNTIL: expected a time such as 20271231T225959Z, or a day such as 20271231, got "SOON"',
  ],
  ["FREQ=DAILY;UNTIL=20260231", 'UNTIL: there is no such time as "20260231"'],
  [
    "FREQ=MONTHLY;BYMONTHDAY=32",
    "BYMONTHDAY: expected whole numbers from 1 to 31, or -1 to -31 from the end",
  ],
  ["FREQ=MONTHLY;BYMONTHDAY=1,0", "BYMONTHDAY: expected whole numbers from 1 to 31"],
  ["FREQ=MONTHLY;BYDAY=1XX", "BYDAY: expected weekdays such as MO,TU, or with a number such as 1MO or -1FR"],
  ["FREQ=DAILY;BYHOUR=24", 'BYHOUR: expected whole numbers from 0 to 23, got "24"'],
  ["FREQ=DAILY;BYSECOND=0,30", 'BYSECOND: expected one whole number from 0 to 59, got "0,30"'],
  ["FREQ=WEEKLY;BYDAY=1MO", "BYDAY with numbers has no meaning with FREQ=WEEKLY, only with MONTHLY, YEARLY"],
  ["FREQ=YEARLY;BYWEEKNO=2;BYDAY=1MO", "BYDAY with numbers has no meaning with BYWEEKNO"],
  ["FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY has no meaning with FREQ=WEEKLY"],
  ["FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO has no meaning with FREQ=MONTHLY, only with YEARLY"],
  ["FREQ=DAILY;BYYEARDAY=1", "BYYEARDAY has no meaning with FREQ=DAILY"],
  ["FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS has no meaning without another part such as BYDAY"],
])("says what is wrong with %j", (rule, problem) => {
  expect(() => readRecurrence(rule)).toThrow(problem)
})

/** The rule in words that a slow reading of it needs; what is left out is as at DTSTART. */
type Told = {
  readonly freq: "YEARLY" | "MONTHLY" | "WEEKLY" | "DAILY" | "HOURLY"
  readonly interval: number
  readonly months?: readonly number[]
  readonly weekdays?: readonly string[]
  /** The nth of its kind in the month, from either end. */
  readonly nth?: number
  readonly dates?: readonly number[]
  readonly position?: number
  readonly hours?: readonly number[]
}
const names = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"]

function ruleOf({ freq, interval, months, weekdays, nth, dates, position, hours }: Told): string {
  const stated: Record<string, unknown> = {
    FREQ: freq,
    INTERVAL: interval,
    BYMONTH: months,
    BYDAY: weekdays?.map((name) => `${nth ?? ""}${name}`),
    BYMONTHDAY: dates,
    BYSETPOS: position,
    BYHOUR: hours,
  }
  return Object.entries(stated)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${value}`)
    .join(";")
}

const sorted = (a: number, b: number) => a - b
const some = <T>(of: readonly T[]) => fc.subarray([...of], { minLength: 1, maxLength: 3 })
const interval = fc.integer({ min: 1, max: 3 })
const weekdays = some(names)
const hours = some([0, 1, 2, 3, 6, 22])
const optional = { requiredKeys: ["freq", "interval"] } as { requiredKeys: ["freq", "interval"] }
const months = some([3, 4, 10, 11])
const told: fc.Arbitrary<Told> = fc.oneof(
  fc.record(
    { freq: fc.constant("DAILY" as const), interval, months, weekdays, dates: some([1, 8, 29, 31]), hours },
    optional,
  ),
  fc.record({ freq: fc.constant("WEEKLY" as const), interval, months, weekdays, hours }, optional),
  fc.record({ freq: fc.constant("HOURLY" as const), interval, months, weekdays, hours }, optional),
  fc.record(
    {
      freq: fc.constant("MONTHLY" as const),
      interval,
      months,
      dates: some([1, 4, 5, 25, 29, 31, -1]),
      hours,
    },
    optional,
  ),
  fc.record({
    freq: fc.constant("MONTHLY" as const),
    interval,
    weekdays,
    nth: fc.constantFrom(1, 2, 4, 5, -1, -2),
  }),
  fc.record({
    freq: fc.constant("MONTHLY" as const),
    interval,
    weekdays,
    position: fc.constantFrom(1, 2, -1),
  }),
  fc.record({ freq: fc.constant("YEARLY" as const), interval, months, dates: some([1, 29, 31, -1]) }),
  fc.record({
    freq: fc.constant("YEARLY" as const),
    interval,
    months,
    weekdays,
    nth: fc.constantFrom(1, -1),
  }),
)

/** Whether the rule has a day (00:00 as if in UTC), before BYSETPOS. */
function hasDay(rule: Told, date: number, startMs: number): boolean {
  const [one, start] = [new Date(date), new Date(startMs)]
  const startDate = Math.floor(startMs / day) * day
  const monday = (ms: number) => Math.floor((ms / day + 3) / 7)
  const [month, dayOfMonth] = [one.getUTCMonth(), one.getUTCDate()]
  const daysInMonth = new Date(Date.UTC(one.getUTCFullYear(), month + 1, 0)).getUTCDate()
  const monthNumber = (of: Date) => of.getUTCFullYear() * 12 + of.getUTCMonth()
  const periods = {
    HOURLY: 0,
    DAILY: (date - startDate) / day,
    WEEKLY: monday(date) - monday(startDate),
    MONTHLY: monthNumber(one) - monthNumber(start),
    YEARLY: one.getUTCFullYear() - start.getUTCFullYear(),
  }
  if (periods[rule.freq] % rule.interval !== 0) return false
  if (rule.months !== undefined && !rule.months.includes(month + 1)) return false
  const { nth } = rule
  const isNth =
    nth === undefined ||
    (nth > 0 ? Math.ceil(dayOfMonth / 7) === nth : Math.ceil((daysInMonth - dayOfMonth + 1) / 7) === -nth)
  if (rule.weekdays !== undefined && !(isNth && rule.weekdays.includes(names[one.getUTCDay()] ?? "")))
    return false
  if (rule.dates !== undefined)
    return rule.dates.some((wanted) => wanted === dayOfMonth || wanted === dayOfMonth - daysInMonth - 1)
  if (rule.weekdays !== undefined) return true
  if (rule.freq === "WEEKLY") return one.getUTCDay() === start.getUTCDay()
  return rule.freq === "MONTHLY" ? dayOfMonth === start.getUTCDate() : true
}

function hasPosition(rule: Told, date: number, startMs: number): boolean {
  if (rule.position === undefined) return true
  const one = new Date(date)
  const inMonth: number[] = []
  for (
    let other = Date.UTC(one.getUTCFullYear(), one.getUTCMonth());
    new Date(other).getUTCMonth() === one.getUTCMonth();
    other += day
  )
    if (hasDay(rule, other, startMs)) inMonth.push(other)
  return inMonth.at(rule.position > 0 ? rule.position - 1 : rule.position) === date
}

function instantBySlowLook(shownMs: number, zone: string): number {
  const shown = Temporal.PlainDateTime.from(new Date(shownMs).toISOString().slice(0, 19))
  const zoned = shown.toZonedDateTime(zone, { disambiguation: "earlier" })
  if (zoned.toPlainDateTime().equals(shown)) return zoned.epochMilliseconds
  return zoned.getTimeZoneTransition("next")?.epochMilliseconds ?? Number.NaN
}

test("it is what looking at each hour of each day gives, sixteen years after the beginning, forwards and back", () => {
  fc.assert(
    fc.property(
      told,
      timeZone,
      fc.constantFrom("2010-01-01T02:30:00", "2010-01-31T06:00:00", "2025-12-29T01:15:00"),
      fc.constantFrom("2026-03-01T00:00Z", "2026-03-25T00:00Z", "2026-10-01T00:00Z", "2026-10-20T00:00Z"),
      (rule, zone, start, since) => {
        const startMs = at(`${start}Z`)
        const [fromMs, toMs] = [at(since), at(since) + 40 * day]
        const expected = new Set<number>()
        for (let date = fromMs - 2 * day; date < toMs + 2 * day; date += day) {
          if (!hasDay(rule, date, startMs) || !hasPosition(rule, date, startMs)) continue
          for (let hour = 0; hour < 24; hour++) {
            const shownMs = date + hour * 3_600_000 + (startMs % 3_600_000)
            const fits =
              rule.freq === "HOURLY"
                ? ((shownMs - startMs) / 3_600_000) % rule.interval === 0 &&
                  (rule.hours?.includes(hour) ?? true)
                : (rule.hours ?? [new Date(startMs).getUTCHours()]).includes(hour)
            const ms = fits && shownMs >= startMs ? instantBySlowLook(shownMs, zone) : Number.NaN
            if (ms >= fromMs && ms < toMs) expected.add(ms)
          }
        }
        const { from, upTo } = occurrencesOf(
          { rrule: ruleOf(rule), from: iso(instantBySlowLook(startMs, zone)) ?? "" },
          zone,
        )
        const forwards: number[] = []
        for (let ms = from(fromMs); ms !== undefined && ms < toMs; ms = from(ms + 1)) forwards.push(ms)
        const back: number[] = []
        for (let ms = upTo(toMs - 1); ms !== undefined && ms >= fromMs; ms = upTo(ms - 1)) back.push(ms)
        expect(forwards.map(iso)).toEqual([...expected].sort(sorted).map(iso))
        expect(back.reverse()).toEqual(forwards)
      },
    ),
    { numRuns: 150 },
  )
})
