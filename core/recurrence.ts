/** The due times of a recurrence rule (RFC 5545) on the site's clock. */
import { RRuleTemporal } from "rrule-temporal"
import { type Frequency, type RecurrenceRule, readRecurrence } from "./recurrence-rule.ts"
import { type SiteClock, siteClock } from "./site-clock.ts"

const hour = 3_600_000
/** Those that are equally long on a clock that is never changed. */
const stepsMs: Partial<Record<Frequency, number>> = { WEEKLY: 168 * hour, DAILY: 24 * hour, HOURLY: hour }
/** Nobody waits for the end of a count that takes longer, and rare occurrences take long to count. */
const farMs = 200 * 8766 * hour
/** The library goes through some rules step by step from their beginning, and gives up after 10,000 steps. */
const stepsAtOnce = 1024

/**
 * A time of day stays over changes of the clock: one that is skipped comes when the gap ends, and one that is there
 * twice comes the first time. So the rule is followed on the clock's face, as if it stood at UTC, where the library
 * knows no changes. `fromMs` is the rule's DTSTART, in whole seconds; as in the RFC it is due only if the rule fits it.
 * Throws an error that says what is wrong with the rule.
 */
export function recurrenceOccurrences(text: string, fromMs: number, timeZone: string) {
  const rule = readRecurrence(text)
  const clock = siteClock(timeZone)
  const startMs = Math.floor(clock.shownAt(fromMs) / 1000) * 1000
  const series = endlessSeries(rule, startMs)
  let known: number | undefined
  const endMs = () => (known ??= endOf(rule, startMs, series, clock))
  const instantOf = (shownMs: number | undefined) =>
    shownMs === undefined ? undefined : clock.instantOf(shownMs, "end")
  return {
    from(ms: number) {
      const shownMs = series.after(clock.latestShownBy(ms - 1))
      return shownMs !== undefined && shownMs > endMs() ? undefined : instantOf(shownMs)
    },
    upTo: (ms: number) => instantOf(series.upTo(Math.min(clock.latestShownBy(ms), endMs()))),
  }
}

/** What the clock shows at the last occurrence, or later. */
function endOf({ count, until }: RecurrenceRule, startMs: number, series: Series, clock: SiteClock): number {
  if (until !== undefined) return until.utc ? clock.latestShownBy(until.clockMs) : until.clockMs
  if (count === undefined) return Number.POSITIVE_INFINITY
  let lastMs = startMs - 1
  for (let counted = 0; counted < count; counted++) {
    const nextMs = series.after(lastMs)
    if (nextMs === undefined || nextMs > startMs + farMs) return Number.POSITIVE_INFINITY
    lastMs = nextMs
  }
  return lastMs
}

/** What the clock shows at the occurrences of a rule without its end. */
type Series = {
  after(shownMs: number): number | undefined
  upTo(shownMs: number): number | undefined
}

function endlessSeries({ endless, frequency, interval }: RecurrenceRule, startMs: number): Series {
  const ruleFrom = (ms: number) =>
    new RRuleTemporal({
      rruleString: `DTSTART:${new Date(ms).toISOString().replace(/[-:]|\.\d+/g, "")}\nRRULE:${endless}`,
      strict: true,
    })
  const stepMs = (stepsMs[frequency] ?? Number.POSITIVE_INFINITY) * interval
  let block = { beginMs: startMs, rule: ruleFrom(startMs) }

  /** A rule of equal steps is the same from any of them on, but for what is left of that first day or week. */
  function blockBefore(shownMs: number) {
    const steps = Math.floor((shownMs - startMs) / stepMs) - 1
    const blocks = Math.max(0, Math.floor(steps / stepsAtOnce))
    const beginMs = blocks === 0 ? startMs : startMs + blocks * stepsAtOnce * stepMs
    if (block.beginMs !== beginMs) block = { beginMs, rule: ruleFrom(beginMs) }
    return block
  }

  const first = unlessNever(() => block.rule.next(new Date(startMs), true))
  if (first === undefined) return { after: () => undefined, upTo: () => undefined }
  return {
    after: (ms) => unlessNever(() => blockBefore(ms).rule.next(new Date(ms))),
    upTo(ms) {
      for (let atMs = ms; atMs >= first; ) {
        const { beginMs, rule } = blockBefore(atMs)
        const found = unlessNever(() => rule.previous(new Date(atMs), true))
        const soundMs = beginMs === startMs ? startMs : beginMs + stepMs
        if (found !== undefined && found >= soundMs) return found
        if (beginMs === startMs) return undefined
        atMs = soundMs - 1
      }
      return undefined
    },
  }
}

/** The library says with an error that it has looked far enough, such as for a 30th of February. */
function unlessNever(find: () => { readonly epochMilliseconds: number } | null): number | undefined {
  try {
    return find()?.epochMilliseconds
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Maximum ")) return undefined
    throw error
  }
}
