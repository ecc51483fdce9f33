/** Working time of a site: pure sums on its calendar, correct on days of 23 and 25 hours. */
import type { WorkingTime } from "./plant-work.ts"
import { siteClock } from "./site-clock.ts"

const minute = 60_000
const day = 86_400_000
const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const

/** So far ahead is looked for working time that is hardly ever there. */
const horizonMs = 50 * 366 * day

/** From the one to the other; the end is not in it. */
export type Span = { readonly startMs: number; readonly endMs: number }

/** The earliest time, from `fromMs` on, by which so much working time has passed. Without a calendar all time counts. */
export function addWorkingTime(
  fromMs: number,
  durationMs: number,
  calendar: WorkingTime | undefined,
  timeZone: string,
): number {
  if (calendar === undefined || durationMs <= 0) return fromMs + Math.max(0, durationMs)
  let left = durationMs
  for (const { startMs, endMs } of workingPieces(calendar, timeZone)(fromMs, fromMs + horizonMs)) {
    if (left <= endMs - startMs) return startMs + left
    left -= endMs - startMs
  }
  return fromMs + horizonMs
}

/** The working time from one instant to a later one; 0 where the second is not later. */
export function workingTimeBetween(
  fromMs: number,
  toMs: number,
  calendar: WorkingTime | undefined,
  timeZone: string,
): number {
  if (calendar === undefined) return Math.max(0, toMs - fromMs)
  let sum = 0
  for (const { startMs, endMs } of workingPieces(calendar, timeZone)(fromMs, toMs)) sum += endMs - startMs
  return sum
}

/**
 * The working time of a stretch in order, piece by piece; pieces may touch. An instant is working time when the site's
 * clock shows it so: an hour that a change of the clock repeats counts twice, and one that it skips not at all.
 */
export function workingPieces(
  calendar: WorkingTime,
  timeZone: string,
): (fromMs: number, toMs: number) => Iterable<Span> {
  const hours = hoursByWeekday(calendar)
  const holidays = new Set(calendar.holidays)
  const clock = siteClock(timeZone)
  return function* pieces(fromMs, toMs) {
    for (let atMs = fromMs; atMs < toMs; ) {
      const offset = clock.offsetAt(atMs)
      const endMs = Math.min(toMs, clock.sameUntil(atMs, offset))
      // On the site's clock, as if it were UTC.
      for (let date = Math.floor((atMs + offset) / day) * day; date - offset < endMs; date += day) {
        if (holidays.has(new Date(date).toISOString().slice(0, 10))) continue
        for (const span of hours[new Date(date).getUTCDay()] ?? []) {
          const first = Math.max(atMs, date + span.startMs - offset)
          const last = Math.min(endMs, date + span.endMs - offset)
          if (first < last) yield { startMs: first, endMs: last }
        }
      }
      atMs = endMs
    }
  }
}

/** From Sunday on, as times of day; spans that overlap are one. */
function hoursByWeekday({ hours }: WorkingTime): readonly (readonly Span[])[] {
  return weekdays.map((weekday) => {
    const joined: { startMs: number; endMs: number }[] = []
    const given = (hours[weekday] ?? []).map(([from, to]) => ({
      startMs: timeOfDay(from),
      endMs: timeOfDay(to),
    }))
    for (const span of given.toSorted((a, b) => a.startMs - b.startMs)) {
      const before = joined.at(-1)
      if (before === undefined || before.endMs < span.startMs) joined.push(span)
      else before.endMs = Math.max(before.endMs, span.endMs)
    }
    return joined
  })
}

function timeOfDay(text: string): number {
  const [hour = 0, minutes = 0] = text.split(":").map(Number)
  return (hour * 60 + minutes) * minute
}
