/** Cron patterns of five parts, on the site's clock. */
import { Cron } from "croner"

/** Throws an error that says what is wrong with the pattern. */
export function readCron(pattern: string, timeZone = "UTC"): Cron {
  // croner reads "?" as the time at which it parses: the same plan would then mean something else each day.
  if (pattern.includes("?")) throw new Error(`"?" is not allowed in the cron pattern "${pattern}", use "*"`)
  return new Cron(pattern, { timezone: timeZone, mode: "5-part" })
}

/** In a gap of the clock croner moves a time of day to the end of the gap, and one that is there twice comes once. */
export function cronOccurrences(pattern: string, timeZone: string) {
  const cron = readCron(pattern, timeZone)
  // croner answers with times strictly after and strictly before the one given.
  return {
    from: (ms: number) => cron.nextRun(new Date(ms - 1))?.getTime(),
    upTo: (ms: number) =>
      cron
        .previousRuns(1, new Date(ms + 1))
        .at(0)
        ?.getTime(),
  }
}
