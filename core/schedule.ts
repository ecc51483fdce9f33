import { Cron, CronDate } from "croner"
import type { PlanSpec } from "./plant.ts"

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
const parsed = new Map<string, Occurrences>()
const parsedAtMost = 256

/** Throws an error with the reason when the schedule has no meaning; a bad time zone only shows at the first question. */
export function occurrencesOf(schedule: PlanSpec["schedule"], timeZone: string): Occurrences {
  if ("every" in schedule) return regularOccurrences(Date.parse(schedule.from), schedule.every, timeZone)
  const key = `${schedule.cron} ${timeZone}`
  const known = parsed.get(key)
  if (known !== undefined) return known
  const occurrences = cronOccurrences(schedule.cron, timeZone)
  if (parsed.size >= parsedAtMost) parsed.clear()
  parsed.set(key, occurrences)
  return occurrences
}

/** At `fromMs` and every `everyMs` after it. Whole days are days of the site's calendar, 23 to 25 hours long. */
function regularOccurrences(fromMs: number, everyMs: number, timeZone: string): Occurrences {
  if (everyMs < minute) throw new Error("an interval below one minute is not a maintenance plan")
  const days = everyMs / day
  const at = Number.isInteger(days)
    ? (count: number) => addDays(fromMs, count * days, timeZone)
    : (count: number) => Math.round(fromMs + count * everyMs)
  // A clock change moves an occurrence by less than one interval, so the estimate is off by one at most.
  const estimate = (ms: number) => Math.max(0, Math.floor((ms - fromMs) / everyMs))
  return {
    from(ms) {
      let count = Math.max(0, estimate(ms) - 1)
      while (at(count) < ms) count++
      return at(count)
    },
    upTo(ms) {
      if (ms < fromMs) return undefined
      let count = estimate(ms) + 1
      while (at(count) > ms) count--
      return at(count)
    },
  }
}

/** The same time of day so many days later; in the hour that a clock change skips, the time as much later. */
function addDays(ms: number, days: number, timeZone: string): number {
  if (days === 0) return ms
  const local = new CronDate(new Date(ms), timeZone)
  const moved = Date.UTC(
    local.year,
    local.month,
    local.day + days,
    local.hour,
    local.minute,
    local.second,
    local.ms,
  )
  return new CronDate(new Date(moved).toISOString().slice(0, 19), timeZone).getTime() + local.ms
}

function cronOccurrences(pattern: string, timeZone: string): Occurrences {
  // croner reads "?" as the time at which it parses: the same plan would then mean something else each day.
  if (pattern.includes("?")) throw new Error(`"?" is not allowed in the cron pattern "${pattern}", use "*"`)
  const cron = new Cron(pattern, { timezone: timeZone, mode: "5-part" })
  // croner answers with times strictly after and strictly before the one given.
  return {
    from: keepingLast((ms) => cron.nextRun(new Date(ms - 1))?.getTime()),
    upTo: keepingLast((ms) =>
      cron
        .previousRuns(1, new Date(ms + 1))
        .at(0)
        ?.getTime(),
    ),
  }
}

/** A plan asks the same for each of its assets in turn, and croner takes about 0.1 ms to answer. */
function keepingLast(answerTo: (ms: number) => number | undefined): (ms: number) => number | undefined {
  let last: { readonly ms: number; readonly answer: number | undefined } | undefined
  return (ms) => {
    if (last?.ms !== ms) last = { ms, answer: answerTo(ms) }
    return last.answer
  }
}

/** Any instant would do that is the same everywhere; a leap day is ahead of this one. */
const sometime = Date.UTC(2024, 0, 1)
/** Enough to meet the shorter step of patterns such as the 1st and the 15th, or Mondays and Thursdays. */
const occurrencesTried = 4

/** The least time between two due times. Throws what is wrong with a schedule that can't be followed. */
export function shortestInterval(schedule: PlanSpec["schedule"], timeZone: string): number {
  const occurrences = occurrencesOf(schedule, timeZone)
  let shortestMs = Number.POSITIVE_INFINITY
  let lastMs: number | undefined
  for (let tried = 0; tried < occurrencesTried; tried++) {
    const nextMs = occurrences.from(lastMs === undefined ? sometime : lastMs + 1)
    if (nextMs === undefined) throw new Error("the schedule never comes due")
    if (lastMs !== undefined) shortestMs = Math.min(shortestMs, nextMs - lastMs)
    lastMs = nextMs
  }
  return shortestMs
}
