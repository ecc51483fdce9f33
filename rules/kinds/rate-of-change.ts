import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { compareSeverity, type Detection, type Severity, severity } from "../../core/vocabulary.ts"
import { end, find } from "../episode.ts"
import { levelAt, mostPoints, theilSen } from "../formulas/theil-sen.ts"
import { never, noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"
import { mostSevere } from "./levels.ts"

/** The two-sided normal quantile of 90 %: what a forecast's earliest and latest time go by. */
const confidence = 1.645
/** A slope says nothing of what is further ahead than so many of its windows. */
const windowsAhead = 32
const hour = 3_600_000

/** A limit on the slope, in the signal's unit per `per`. */
type Level = {
  /** The rule's own where the level states none. */
  readonly severity: Severity | undefined
  readonly side: "above" | "below"
  readonly limit: number
  /** At or past this, back from the limit, the slope is back. */
  readonly back: number
}

const sides = { above: z.number().optional(), below: z.number().optional() }
const level = z.strictObject({ severity, ...sides })

/** One limit or one each way with the rule's severity, or `levels` with a severity each. Durations in ms. */
const params = z
  .strictObject({
    window: duration,
    per: duration.default(hour),
    ...sides,
    levels: z.array(level).min(1).max(8).optional(),
    deadBand: z.number().nonnegative().default(0),
    onDelay: duration.default(0),
    minSamples: z.number().int().min(3).default(8),
    limit: z.number().optional(),
  })
  .transform(({ window, per, above, below, levels, deadBand, onDelay, minSamples, limit }, context) => {
    const say = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message })
    const single = above !== undefined || below !== undefined
    if (single === (levels !== undefined)) say([], "expected either levels, or above, below or both")
    if (window < mostPoints) say(["window"], `expected at least ${mostPoints}ms`)
    if (per === 0) say(["per"], "expected more than nothing")
    if (above !== undefined && below !== undefined && above - below < 2 * deadBand)
      say(["above"], `expected at least two dead bands more than below, got ${above} and ${below}`)
    levels?.forEach((one, at) => {
      if ((one.above === undefined) === (one.below === undefined))
        say(["levels", at], "expected exactly one of above, below")
    })
    const stated = levels ?? [
      { severity: undefined, above },
      { severity: undefined, below },
    ]
    const read = stated.flatMap((one): Level[] => {
      const { severity } = one
      const above = "above" in one ? one.above : undefined
      const below = "below" in one ? one.below : undefined
      return [
        ...(above === undefined
          ? []
          : [{ severity, side: "above" as const, limit: above, back: above - deadBand }]),
        ...(below === undefined
          ? []
          : [{ severity, side: "below" as const, limit: below, back: below + deadBand }]),
      ]
    })
    return {
      window,
      bucketMs: window / mostPoints,
      per,
      levels: read,
      onDelay,
      minSamples,
      limit: limit ?? null,
    }
  })
type Params = z.infer<typeof params>

const memory = z.object({
  /** The 32nd of the window that is being filled, counted from 1970; its samples, and their times after its start. */
  bucket: z.number(),
  count: z.number(),
  sum: z.number(),
  afterMs: z.number(),
  /** The complete ones within the window, oldest first: mean time, mean value, how many samples. */
  timesMs: z.array(z.number()),
  values: z.array(z.number()),
  counts: z.array(z.number()),
  /** The slope as of `slopeMs` (never: not known) with its bounds, in the unit per ms, and where its line was then. */
  slopeMs: z.number(),
  slope: z.number(),
  low: z.number(),
  high: z.number(),
  line: z.number(),
  /** For each level whether it is active, and since when the slope has been beyond it while it is not. */
  levels: z.array(z.object({ active: z.boolean(), sinceMs: z.number() })),
})
type Memory = z.infer<typeof memory>
type RateWatch = Watch<Params, Memory>

const noPoints = () => ({
  bucket: never,
  count: 0,
  sum: 0,
  afterMs: 0,
  timesMs: [],
  values: [],
  counts: [],
  slopeMs: never,
  slope: 0,
  low: 0,
  high: 0,
  line: 0,
})

/**
 * The slope of a signal over a window, by the median of the slopes between all pairs of points (Theil 1950, Sen 1968).
 * A point is the mean of a 32nd of the window, and the newest sample is one: so the work does not grow with the rate
 * of samples, and it is done when a sample comes that begins another 32nd.
 */
export const rateOfChange: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "any",
  valueUnit: ({ per }, unit) => (unit === null ? null : `${unit} per ${nameOf(per)}`),

  severities: ({ levels }, own) => levels.map(({ severity = own }) => severity),
  fresh: ({ levels }) => ({
    ...noPoints(),
    levels: levels.map(() => ({ active: false, sinceMs: never })),
  }),

  shape: ({ window, levels }) => ({ window, levels: levels.map(({ severity, side }) => [severity, side]) }),

  sample(watch, atMs, value) {
    const { bucketMs } = watch.rule.params
    const { memory } = watch.state
    const bucket = Math.floor(atMs / bucketMs)
    if (bucket !== memory.bucket) {
      complete(watch, atMs)
      memory.bucket = bucket
      memory.count = 0
      memory.sum = 0
      memory.afterMs = 0
      measure(watch, atMs, value)
    }
    memory.count += 1
    memory.sum += value
    memory.afterMs += atMs - bucket * bucketMs
  },

  fire(watch, atMs) {
    const { params } = watch.rule
    const { bucket, levels } = watch.state.memory
    // The rest of the window, in which nothing came, is too long for a slope.
    const isKnown = ((bucket + 1) * params.bucketMs - atMs) * 2 >= -params.window
    let switched = false
    for (const state of levels) {
      if (state.sinceMs === never || state.sinceMs + params.onDelay > atMs) continue
      state.active = isKnown
      state.sinceMs = never
      if (isKnown) switched = true
    }
    schedule(watch, atMs)
    if (switched) decide(watch, atMs)
  },

  interrupted({ state: { memory } }) {
    Object.assign(memory, noPoints())
    for (const level of memory.levels) level.sinceMs = never
  },

  maintained(watch) {
    watch.state.memory = rateOfChange.fresh(watch.rule.params)
    setDeadline(watch, noDeadline)
  },

  grounds({ rule, state }, atMs) {
    const { window, onDelay } = rule.params
    const { slopeMs, slope, low, high } = state.memory
    const perHour = { slope: slope * hour, low: low * hour, high: high * hour }
    return {
      statistic: `slope over ${formatDuration(window)}`,
      fromMs: Math.round(atMs - window - onDelay),
      ...(slopeMs === never ? {} : { baseline: perHour }),
    }
  },
}

/** The bucket that was being filled becomes a point, and points older than the window are dropped. */
function complete({ rule, state }: RateWatch, atMs: number): void {
  const { window, bucketMs } = rule.params
  const { memory } = state
  if (memory.count > 0) {
    memory.timesMs.push(memory.bucket * bucketMs + memory.afterMs / memory.count)
    memory.values.push(memory.sum / memory.count)
    memory.counts.push(memory.count)
  }
  const first = memory.timesMs.findIndex((one) => one >= atMs - window)
  const gone = Math.max(first === -1 ? memory.timesMs.length : first, memory.timesMs.length - mostPoints + 1)
  if (gone <= 0) return
  memory.timesMs.splice(0, gone)
  memory.values.splice(0, gone)
  memory.counts.splice(0, gone)
}

/** Takes the slope anew, with this sample as the newest point. */
function measure(watch: RateWatch, atMs: number, value: number): void {
  const { params } = watch.rule
  const { memory } = watch.state
  const times = [...memory.timesMs, atMs]
  const values = [...memory.values, value]
  const samples = memory.counts.reduce((total, one) => total + one, 1)
  const spanMs = atMs - (times[0] ?? atMs)
  if (times.length < 3 || samples < params.minSamples || spanMs * 2 < params.window) {
    memory.slopeMs = never
    for (const level of memory.levels) level.sinceMs = never
    schedule(watch, atMs)
    return
  }
  Object.assign(memory, theilSen(times, values, confidence))
  memory.slopeMs = atMs
  memory.line = levelAt(times, values, memory.slope, atMs)
  const rate = memory.slope * params.per
  let switched = false
  params.levels.forEach((level, at) => {
    const state = memory.levels[at]
    if (state === undefined) return
    if (state.active) {
      if (!isBack(level, rate)) return
      state.active = false
      switched = true
    } else if (!isBeyond(level, rate)) {
      state.sinceMs = never
    } else if (params.onDelay === 0) {
      state.active = true
      state.sinceMs = never
      switched = true
    } else if (state.sinceMs === never) {
      state.sinceMs = atMs
    }
  })
  schedule(watch, atMs)
  if (switched) decide(watch, atMs)
}

function isBeyond({ side, limit }: Level, rate: number): boolean {
  return side === "above" ? rate > limit : rate < limit
}

function isBack({ side, back }: Level, rate: number): boolean {
  return side === "above" ? rate <= back : rate >= back
}

function schedule(watch: RateWatch, atMs: number): void {
  let dueMs = noDeadline
  for (const { sinceMs } of watch.state.memory.levels) {
    if (sinceMs !== never) dueMs = Math.min(dueMs, sinceMs + watch.rule.params.onDelay)
  }
  // What an edit has made overdue is found now, not in the time of the rule as it was.
  setDeadline(watch, Math.max(dueMs, atMs))
}

function decide(watch: RateWatch, atMs: number): void {
  const { rule, state } = watch
  const { params } = rule
  const rate = state.memory.slope * params.per
  const perUnit = (value: number) => `${quantity(value, rule.unit)} per ${nameOf(params.per)}`
  const course = rate === 0 ? "is steady" : `${rate > 0 ? "rises" : "falls"} by ${perUnit(Math.abs(rate))}`
  const now = `${rule.subject} ${course} (slope over ${formatDuration(params.window)}`
  const at = mostSevere(watch, params.levels)
  const level = at === undefined ? undefined : params.levels[at]
  if (level === undefined) {
    const limit = state.episode?.limit ?? null
    const bound = limit === null ? "its limit" : `its limit of ${perUnit(limit)}`
    end(watch, "condition", { atMs, value: rate, limit, reason: `${now}), back within ${bound}` })
    return
  }
  const severity = level.severity ?? rule.spec.severity
  const before = state.episode?.severity
  const lowered = before !== undefined && compareSeverity(severity, before) < 0
  const forecast = forecastOf(watch, atMs)
  const reached =
    forecast === undefined
      ? ""
      : `, and reaches ${quantity(params.limit ?? 0, rule.unit)} in about ${formatDuration(forecast.dueMs - atMs)}`
  const verdict = lowered
    ? `), no longer ${before}, and ${severity} until back within ${perUnit(level.back)}`
    : `, limit ${perUnit(level.limit)})`
  find(watch, severity, {
    atMs,
    value: rate,
    limit: level.limit,
    reason: `${now}${verdict}${reached}`,
    ...(forecast === undefined ? {} : { forecast }),
  })
}

/** When the signal's own limit is reached if it goes on like this; undefined where it does not go there. */
function forecastOf({ rule, state }: RateWatch, atMs: number): Detection["forecast"] {
  const { limit, window } = rule.params
  const { slope, low, high, line, slopeMs } = state.memory
  if (limit === null || slope === 0) return undefined
  const way = limit - (line + slope * (atMs - slopeMs))
  const farthestMs = windowsAhead * window
  // A slope that points away from the limit never gets there, whatever the quotient.
  const after = (one: number) => (way / one > 0 ? Math.min(way / one, farthestMs) : farthestMs)
  if (way / slope <= 0 || way / slope > farthestMs) return undefined
  const [steep, shallow] = way > 0 ? [high, low] : [low, high]
  return {
    dueMs: Math.round(atMs + way / slope),
    earliestMs: Math.round(atMs + after(steep)),
    latestMs: Math.round(atMs + after(shallow)),
    perDay: slope * 24 * hour,
  }
}

const units = new Map([
  [1000, "second"],
  [60_000, "minute"],
  [hour, "hour"],
  [24 * hour, "day"],
  [7 * 24 * hour, "week"],
])

function nameOf(per: number): string {
  return units.get(per) ?? formatDuration(per)
}
