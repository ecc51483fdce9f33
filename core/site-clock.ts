/**
 * The clock on the wall of a site. What it shows is told in milliseconds as if it stood at UTC, so that days and times
 * of day are plain sums: 02:30 on 1 May 2026 is Date.UTC(2026, 4, 1, 2, 30) in every time zone.
 */

const day = 86_400_000

/** Where the clock skips a time: at the end of the gap, or as much after it as the time is after the gap's beginning. */
type InGap = "end" | "later"

export type SiteClock = {
  /** How far it is ahead of UTC, in milliseconds. */
  offsetAt(ms: number): number
  shownAt(ms: number): number
  /** The latest that it has shown by then: more than `shownAt` in an hour that comes again. */
  latestShownBy(ms: number): number
  /** When it shows this: the first time where that is twice. */
  instantOf(shownMs: number, inGap: InGap): number
  /** When it is next changed after this instant, at which its offset is `offset`; at most a day later. */
  sameUntil(ms: number, offset?: number): number
}

const clocks = new Map<string, SiteClock>()

/** Throws a RangeError for a time zone that does not exist. */
export function siteClock(timeZone: string): SiteClock {
  const known = clocks.get(timeZone)
  if (known !== undefined) return known
  const clock = clockOf(byDay(offsetsOf(timeZone)))
  clocks.set(timeZone, clock)
  return clock
}

/** No clock is changed twice within two days. */
function clockOf(offsetAt: (ms: number) => number): SiteClock {
  const shownAt = (ms: number) => ms + offsetAt(ms)

  function sameUntil(ms: number, offset = offsetAt(ms)): number {
    let [same, other] = [ms, ms + day]
    if (offsetAt(other) === offset) return other
    while (other - same > 1) {
      const between = Math.floor((same + other) / 2)
      if (offsetAt(between) === offset) same = between
      else other = between
    }
    return other
  }

  return {
    offsetAt,
    shownAt,
    sameUntil,
    latestShownBy(ms) {
      const [before, now] = [offsetAt(ms - day), offsetAt(ms)]
      // Put back by some hours since yesterday: the last millisecond before that may have been later in the day.
      return before <= now ? ms + now : Math.max(ms + now, sameUntil(ms - day, before) - 1 + before)
    },
    instantOf(shownMs, inGap) {
      const [before, after] = [offsetAt(shownMs - day), offsetAt(shownMs + day)]
      const byOld = shownMs - before
      if (before === after || offsetAt(byOld) === before) return byOld
      const byNew = shownMs - after
      if (offsetAt(byNew) === after) return byNew
      return inGap === "later" ? byOld : sameUntil(byNew, before)
    },
  }
}

const daysKept = 4096

/** Intl takes about 0.01 ms to answer, and the same days are asked for again and again. */
function byDay(offsetAt: (ms: number) => number): (ms: number) => number {
  /** NaN: it is changed on that day. */
  const offsets = new Map<number, number>()
  return (ms) => {
    const date = Math.floor(ms / day)
    let offset = offsets.get(date)
    if (offset === undefined) {
      const [first, next] = [offsetAt(date * day), offsetAt((date + 1) * day)]
      offset = first === next ? first : Number.NaN
      if (offsets.size >= daysKept) offsets.clear()
      offsets.set(date, offset)
    }
    return Number.isNaN(offset) ? offsetAt(ms) : offset
  }
}

/** How far the clocks of a time zone are ahead of UTC. */
function offsetsOf(timeZone: string): (ms: number) => number {
  if (timeZone === "UTC") return () => 0
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  })
  return (ms) => {
    const second = Math.floor(ms / 1000) * 1000
    const part = Object.fromEntries(
      format.formatToParts(second).map(({ type, value }) => [type, Number(value)]),
    )
    const { year = 0, month = 1, day: date = 1, hour = 0, minute = 0, second: seconds = 0 } = part
    return Date.UTC(year, month - 1, date, hour, minute, seconds) - second
  }
}
