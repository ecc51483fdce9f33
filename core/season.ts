/** A part of the year in which work falls due, such as the heating season: days of the calendar, both included. */

import { z } from "zod"
import { siteClock } from "./site-clock.ts"

const dayOfYear = z
  .string({ error: ({ input }) => expectedDay(input) })
  .refine(isDay, { error: ({ input }) => expectedDay(input) })

/** From a day to a day of each year, both included; one that ends before it begins goes on over New Year. */
export const season = z.strictObject({ from: dayOfYear, to: dayOfYear })
export type Season = z.infer<typeof season>

function isDay(text: string): boolean {
  // 2024 has a 29th of February.
  return /^\d\d-\d\d$/.test(text) && z.iso.date().safeParse(`2024-${text}`).success
}

function expectedDay(input: unknown): string {
  const got = input === undefined ? "nothing" : JSON.stringify(input)
  return `expected a day of the year as month and day such as "10-15", got ${got}`
}

/** Whether the site's calendar shows a day of the season. A 29th of February that the year lacks is the 1st of March. */
export function inSeason(ms: number, { from, to }: Season, timeZone: string): boolean {
  const today = new Date(siteClock(timeZone).shownAt(ms)).toISOString().slice(5, 10)
  return from <= to ? from <= today && today <= to : from <= today || today <= to
}

/** The first instant of the season's next first day; the instant itself when it is in the season. */
export function nextSeasonStart(ms: number, season: Season, timeZone: string): number {
  if (inSeason(ms, season, timeZone)) return ms
  const clock = siteClock(timeZone)
  const year = new Date(clock.shownAt(ms)).getUTCFullYear()
  const [month = 1, date = 1] = season.from.split("-").map(Number)
  const startOf = (one: number) => clock.instantOf(Date.UTC(one, month - 1, date), "end")
  return startOf(year) > ms ? startOf(year) : startOf(year + 1)
}
