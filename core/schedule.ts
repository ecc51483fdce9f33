/** The due times of all kinds of schedule. */
import { cronOccurrences } from "./cron.ts"
import { addPeriod, type Period, periodLengthMs } from "./period.ts"
import { isDated, type PlanSchedule, type WindowSchedule } from "./plan-schedule.ts"
import { recurrenceOccurrences } from "./recurrence.ts"

/** The due times of a schedule: pure, so any of them can be worked out at any time and in any order. */
export type Occurrences = {
  /** The first one at this time or later. */
  from(ms: number): number | undefined
  /** The last one at this time or earlier. */
  upTo(ms: number): number | undefined
}

const minute = 60_000
const day = 86_400_000

/** A pattern takes about 80 kB once it is parsed, and many plans share one: the bound is for those that don't. */
const shared = new Map<string, Occurrences>()
const sharedAtMost = 256

/**
 * Of a schedule that is dated; for an `every` that does not say from when it is counted: `countedOccurrences`.
 * Throws an error with the reason when the schedule has no meaning; a bad time zone may only show at the first question.
 */
export function occurrencesOf(schedule: WindowSchedule, timeZone: string): Occurrences {
  const key = `${JSON.stringify(schedule)} ${timeZone}`
  const known = shared.get(key)
  if (known !== undefined) return known
  const { from, upTo } = unshared(schedule, timeZone)
  const occurrences = { from: keepingAnswers(from), upTo: keepingAnswers(upTo) }
  if (shared.size >= sharedAtMost) shared.clear()
  shared.set(key, occurrences)
  return occurrences
}

function unshared(schedule: WindowSchedule, timeZone: string): Occurrences {
  if ("at" in schedule) return once(Date.parse(schedule.at))
  if ("cron" in schedule) return cronOccurrences(schedule.cron, timeZone)
  const fromMs = Date.parse(schedule.from)
  if ("rrule" in schedule) return recurrenceOccurrences(schedule.rrule, fromMs, timeZone)
  return countedOccurrences(schedule.every, fromMs, timeZone)
}

function once(atMs: number): Occurrences {
  return {
    from: (ms) => (ms <= atMs ? atMs : undefined),
    upTo: (ms) => (ms >= atMs ? atMs : undefined),
  }
}

/** At `fromMs` and every so long after it. Whole days and months are of the site's calendar: see `addPeriod`. */
export function countedOccurrences(every: Period, fromMs: number, timeZone: string): Occurrences {
  const everyMs = periodLengthMs(every)
  if (everyMs < minute) throw new Error("an interval below one minute is not a maintenance plan")
  const at = (count: number) => addPeriod(fromMs, every, timeZone, count)
  // A clock change, or months of unequal length, move an occurrence by less than one interval: one off at most.
  const estimate = (ms: number) => Math.max(0, Math.floor((ms - fromMs) / everyMs))
  return {
    from(ms) {
      let count = Math.max(0, estimate(ms) - 1)
      let dueMs = at(count)
      while (dueMs < ms) dueMs = at(++count)
      return dueMs
    },
    upTo(ms) {
      if (ms < fromMs) return undefined
      let count = estimate(ms) + 1
      let dueMs = at(count)
      while (dueMs > ms) dueMs = at(--count)
      return dueMs
    },
  }
}

/** A plan asks the same few things for each of its assets in turn, and an answer takes up to 0.1 ms to find. */
function keepingAnswers(answerTo: (ms: number) => number | undefined): (ms: number) => number | undefined {
  const answers = new Map<number, number | undefined>()
  return (ms) => {
    const known = answers.get(ms)
    if (known !== undefined || answers.has(ms)) return known
    const answer = answerTo(ms)
    if (answers.size >= 64) answers.clear()
    answers.set(ms, answer)
    return answer
  }
}

/** Any instant would do that is the same everywhere; a leap day is ahead of this one. */
const sometime = Date.UTC(2024, 0, 1)
/** Enough to meet the shorter step of patterns such as the 1st and the 15th, or Mondays and Thursdays. */
const occurrencesTried = 4

/**
 * The least time between two due times, in milliseconds; endless where there is only one. Throws what is wrong with a
 * schedule that can't be followed.
 */
export function shortestInterval(schedule: PlanSchedule | WindowSchedule, timeZone: string): number {
  const occurrences = isDated(schedule)
    ? occurrencesOf(schedule, timeZone)
    : countedOccurrences(schedule.every, sometime, timeZone)
  let lastMs = occurrences.from(beginOf(schedule))
  if (lastMs === undefined) throw new Error("the schedule never comes due")
  let shortestMs = Number.POSITIVE_INFINITY
  for (let tried = 1; tried < occurrencesTried; tried++) {
    const nextMs = occurrences.from(lastMs + 1)
    if (nextMs === undefined) break
    shortestMs = Math.min(shortestMs, nextMs - lastMs)
    lastMs = nextMs
  }
  return shortestMs
}

/** What ends may have ended before any fixed time. */
function beginOf(schedule: PlanSchedule | WindowSchedule): number {
  if ("at" in schedule) return Date.parse(schedule.at)
  return "rrule" in schedule ? Date.parse(schedule.from) - day : sometime
}
