/** When planned work and maintenance windows come due, as the plant file states it. */
import { z } from "zod"
import { readCron } from "./cron.ts"
import { messageOf } from "./errors.ts"
import { period } from "./period.ts"
import { readRecurrence } from "./recurrence-rule.ts"

const time = z.iso.datetime({ offset: true, error: ({ input }) => expectedTime(input) })

function expectedTime(input: unknown): string {
  const got = input === undefined ? "nothing" : JSON.stringify(input)
  return `expected a time such as "2026-03-01T06:00:00Z" or "2026-03-01T07:00:00+01:00", got ${got}`
}

const shortestEvery = 60_000
const every = period.refine((one) => !("ms" in one) || one.ms >= shortestEvery, {
  error: "an interval below one minute is not a maintenance plan",
})

/** Text whose reader says in its error what is wrong with it. */
const readBy = (read: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      read(text)
    } catch (error) {
      context.addIssue({ code: "custom", message: messageOf(error) })
    }
  })

/** At `from` and every so long after it; whole days, months and years keep the site's time of day. */
const everyFrom = z.strictObject({ every, from: time })
/** A cron pattern (minute hour day month weekday) on the site's clock. */
const cron = z.strictObject({ cron: readBy(readCron) })
/** A recurrence of RFC 5545 such as "FREQ=MONTHLY;BYDAY=1MO", on the site's clock, counted from `from`, its DTSTART. */
const rrule = z.strictObject({ rrule: readBy(readRecurrence), from: time })

const cronOrRrule = "cron: PATTERN, or rrule: RULE and from: TIME"
const aTime = '(a TIME is such as "2026-03-01T06:00:00Z")'

/** When planned work comes due. An `every` without `from` is counted from elsewhere, such as when it was last done. */
export const planSchedule = z.union([everyFrom.partial({ from: true }), cron, rrule], {
  error: `expected every: PERIOD, with from: TIME or without, ${cronOrRrule} ${aTime}`,
})
export type PlanSchedule = z.infer<typeof planSchedule>

/** When a window begins: once, or again and again. */
export const windowSchedule = z.union([z.strictObject({ at: time }), everyFrom, cron, rrule], {
  error: `expected at: TIME, every: PERIOD and from: TIME, ${cronOrRrule} ${aTime}`,
})
export type WindowSchedule = z.infer<typeof windowSchedule>

/** Whether its times follow from it alone. */
export function isDated(
  schedule: PlanSchedule | WindowSchedule,
): schedule is Exclude<PlanSchedule, { every: unknown }> | WindowSchedule {
  return !("every" in schedule) || schedule.from !== undefined
}
