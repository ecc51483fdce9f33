import { gaussian } from "./noise.ts"

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const yearMs = 365.25 * dayMs

/** How hard a machine is worked, 0 (standing) to about 1, by the hour of day and the weekday (0 is Sunday), in UTC. */
const loadProfiles = {
  /** Never stops; more by day, less at the weekend. */
  continuous: (hour, weekday) =>
    0.55 + (hour >= 6 && hour < 20 ? 0.2 : 0) - (weekday === 0 || weekday === 6 ? 0.08 : 0),
  /** Two shifts each day, parked at night. */
  shifts: (hour) => (hour >= 5 && hour < 21 ? 0.75 : 0),
} satisfies Record<string, (hour: number, weekday: number) => number>

export type LoadProfile = keyof typeof loadProfiles

export function plannedLoad(profile: LoadProfile, atMs: number): number {
  const hour = Math.floor((atMs % dayMs) / hourMs)
  // 1970-01-01 was a Thursday.
  const weekday = (Math.floor(atMs / dayMs) + 4) % 7
  return loadProfiles[profile](hour, weekday)
}

/** Outdoor temperature in °C: the year, the day (warmest about 15:00 UTC), and weather that changes from day to day. */
export function ambientTemperature(siteKey: number, atMs: number): number {
  const year = -9 * Math.cos((2 * Math.PI * (atMs - 20 * dayMs)) / yearMs)
  const day = -4 * Math.cos((2 * Math.PI * (atMs - 3 * hourMs)) / dayMs)
  const date = Math.floor(atMs / dayMs)
  const share = (atMs - date * dayMs) / dayMs
  const weather = 2.5 * ((1 - share) * gaussian(siteKey, date) + share * gaussian(siteKey, date + 1))
  return 12 + year + day + weather
}
