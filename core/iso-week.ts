/** Weeks of the calendar by ISO 8601: each begins on Monday, and a year's first is the one with its first Thursday. */
import { Temporal } from "temporal-polyfill"
import type { Span } from "./working-time.ts"

/** "2026-W48": the week that the clocks of a time zone show at this instant. */
export function weekAt(ms: number, timeZone: string): string {
  const { yearOfWeek, weekOfYear } = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone)
  return `${yearOfWeek}-W${String(weekOfYear).padStart(2, "0")}`
}

/** From Monday's first instant to that of the next Monday; undefined for what is no week of that year. */
export function weekSpan(week: string, timeZone: string): Span | undefined {
  const [, year = "", number = ""] = /^(\d{4})-W(\d{2})$/.exec(week) ?? []
  if (year === "") return undefined
  // The fourth of January is in the first week of every year.
  const inFirst = Temporal.PlainDate.from({ year: Number(year), month: 1, day: 4 })
  const monday = inFirst.subtract({ days: inFirst.dayOfWeek - 1 }).add({ weeks: Number(number) - 1 })
  const startMs = firstInstant(monday, timeZone)
  return weekAt(startMs, timeZone) === week
    ? { startMs, endMs: firstInstant(monday.add({ weeks: 1 }), timeZone) }
    : undefined
}

function firstInstant(date: Temporal.PlainDate, timeZone: string): number {
  return date.toZonedDateTime(timeZone).epochMilliseconds
}
