import { expect, test } from "vitest"
import { planSchedule, windowSchedule } from "../../core/plan-schedule.ts"

const from = "2026-03-02T06:00:00+01:00"
const problemsOf = (given: unknown, schema: typeof planSchedule | typeof windowSchedule = planSchedule) =>
  schema.safeParse(given).error?.issues.map(({ path, message }) => [...path, message].join(": "))

test.each([
  [{ every: "90d" }, { every: { ms: 90 * 86_400_000 } }],
  [
    { every: "3mo", from },
    { every: { months: 3 }, from },
  ],
  [{ cron: "0 6 * * MON" }, { cron: "0 6 * * MON" }],
  [
    { rrule: "FREQ=MONTHLY;BYDAY=1MO", from },
    { rrule: "FREQ=MONTHLY;BYDAY=1MO", from },
  ],
])("a plan comes due by %j", (given, read) => {
  expect(planSchedule.parse(given)).toEqual(read)
})

const aPlan =
  'expected every: PERIOD, with from: TIME or without, cron: PATTERN, or rrule: RULE and from: TIME (a TIME is such as "2026-03-01T06:00:00Z")'
const aWindow =
  'expected at: TIME, every: PERIOD and from: TIME, cron: PATTERN, or rrule: RULE and from: TIME (a TIME is such as "2026-03-01T06:00:00Z")'

test.each([
  [
    { every: "3 fortnights" },
    /^every: expected a period such as 12h, 90d, 2w, 3mo or 1y, got "3 fortnights"$/,
  ],
  [{ every: "3 fortnights", from }, /^every: expected a period/],
  [{ every: "30s" }, /^every: an interval below one minute is not a maintenance plan$/],
  [
    { every: "90d", from: "2026-03-02" },
    /^from: expected a time such as "2026-03-01T06:00:00Z" or .*, got "2026-03-02"$/,
  ],
  [{ cron: "0 6 * * *", from }, /^Unrecognized key: "from"$/],
  [{ cron: "61 6 * * *" }, /^cron: .*Invalid value for minute: 61/],
  [{ cron: "0 6 * *" }, /^cron: .*parts/],
  [{ cron: "? 6 * * *" }, /^cron: "\?" is not allowed in the cron pattern "\? 6 \* \* \*", use "\*"$/],
  [
    { rrule: "FREQ=MINUTELY", from },
    /^rrule: FREQ=MINUTELY is too often for planned work: HOURLY is the most$/,
  ],
])("what is wrong with %j is said where it is", (given, problem) => {
  expect(problemsOf(given)).toEqual([expect.stringMatching(problem)])
})

test.each([{}, "daily", { rrule: "FREQ=DAILY" }, { every: "90d", cron: "0 6 * * *" }])(
  "%j is none of the kinds of a plan",
  (given) => {
    expect(problemsOf(given)).toEqual([aPlan])
  },
)

test("a window begins at stated times, so an interval says from when", () => {
  expect(windowSchedule.parse({ at: from })).toEqual({ at: from })
  expect(problemsOf({ every: "90d" }, windowSchedule)).toEqual([aWindow])
  expect(problemsOf({ at: "tomorrow" }, windowSchedule)?.join()).toMatch(/^at: expected a time such as/)
  expect(problemsOf({ at: from }, planSchedule)).toEqual([aPlan])
})
