import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { compareSeverity, type Severity, severity } from "../../core/vocabulary.ts"
import { end, find } from "../episode.ts"
import { never, noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"

type Level = {
  /** The rule's own where the level states none. */
  readonly severity: Severity | undefined
  /** Below `low` or above `high` is a breach. */
  readonly low: number
  readonly high: number
  /** At and between these the value is back. */
  readonly backLow: number
  readonly backHigh: number
  readonly onDelay: number
  readonly offDelay: number
}

const limit = {
  above: z.number().optional(),
  below: z.number().optional(),
  outside: z.tuple([z.number(), z.number()]).optional(),
}
const level = z.strictObject({
  severity,
  ...limit,
  deadBand: z.number().nonnegative().optional(),
  onDelay: duration.optional(),
  offDelay: duration.optional(),
})
type Written = Omit<Partial<z.infer<typeof level>>, "severity"> & { readonly severity?: Severity | undefined }

/** One limit (`above`, `below` or `outside`) with the rule's severity, or `levels` with a severity each. */
const params = z
  .strictObject({
    ...limit,
    levels: z.array(level).min(1).max(8).optional(),
    deadBand: z.number().nonnegative().default(0),
    onDelay: duration.default(0),
    offDelay: duration.default(0),
  })
  .transform(({ levels, deadBand, onDelay, offDelay, ...single }, context) => {
    const say = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message })
    const stated = limits(single)
    if (levels === undefined ? stated !== 1 : stated !== 0) {
      say([], "expected either levels or exactly one of above, below, outside")
    }
    const written: readonly Written[] = levels ?? [single]
    const read = written.map((one, at): Level => {
      const path = levels === undefined ? [] : ["levels", at]
      if (levels !== undefined && limits(one) !== 1)
        say(path, "expected exactly one of above, below, outside")
      const [low, high] = one.outside ?? [one.below ?? -Infinity, one.above ?? Infinity]
      const band = one.deadBand ?? deadBand
      if (high - low < 2 * band) {
        say(path, `outside: expected low < high, at least two dead bands apart, got [${low}, ${high}]`)
      }
      return {
        severity: one.severity,
        low,
        high,
        backLow: decimal(low + band),
        backHigh: decimal(high - band),
        onDelay: one.onDelay ?? onDelay,
        offDelay: one.offDelay ?? offDelay,
      }
    })
    return { levels: read }
  })

/** 7.1 less 0.2 is 6.9 for whoever wrote it, so that a value of 6.9 is back. */
function decimal(value: number): number {
  return Number(value.toPrecision(12))
}

function limits({ above, below, outside }: Written): number {
  return [above, below, outside].filter((one) => one !== undefined).length
}

const memory = z.object({
  /** For each level whether it is active, and since when the value has asked for the opposite. */
  levels: z.array(z.object({ active: z.boolean(), sinceMs: z.number() })),
})

type ThresholdWatch = Watch<z.infer<typeof params>, z.infer<typeof memory>>

/**
 * A value beyond a limit. Each level turns on once the value has been beyond its limit for the on-delay, and off once
 * it has been back by more than the dead band for the off-delay (ISA-18.2: the dead band acts on the return only).
 * The most severe active level is the episode's.
 */
export const threshold: RuleKind<z.infer<typeof params>, z.infer<typeof memory>> = {
  params,
  memory,
  signal: "any",

  fresh: ({ levels }) => ({ levels: levels.map(() => ({ active: false, sinceMs: never })) }),

  sample(watch, atMs, value) {
    const { levels } = watch.rule.params
    const states = watch.state.memory.levels
    let moved = false
    let switched = false
    for (let at = 0; at < levels.length; at++) {
      const level = levels[at]
      const state = states[at]
      if (level === undefined || state === undefined) break
      const asksForChange = state.active ? isBack(level, value) : isBeyond(level, value)
      if (!asksForChange) {
        if (state.sinceMs === never) continue
        state.sinceMs = never
        moved = true
      } else if (state.sinceMs === never) {
        moved = true
        if (delayOf(level, state.active) === 0) {
          state.active = !state.active
          switched = true
        } else {
          state.sinceMs = atMs
        }
      }
    }
    if (moved) schedule(watch)
    if (switched) decide(watch, atMs)
  },

  fire(watch, atMs) {
    watch.rule.params.levels.forEach((level, at) => {
      const state = watch.state.memory.levels[at]
      if (state === undefined || state.sinceMs === never) return
      if (state.sinceMs + delayOf(level, state.active) > atMs) return
      state.active = !state.active
      state.sinceMs = never
    })
    schedule(watch)
    decide(watch, atMs)
  },

  maintained(watch) {
    watch.state.memory = threshold.fresh(watch.rule.params)
    setDeadline(watch, noDeadline)
  },

  grounds(watch, atMs) {
    const longest = Math.max(
      ...watch.rule.params.levels.map(({ onDelay, offDelay }) => Math.max(onDelay, offDelay)),
    )
    return { statistic: "value", fromMs: Math.min(atMs - longest, watch.state.episode?.openedAtMs ?? atMs) }
  },
}

function isBeyond({ low, high }: Level, value: number): boolean {
  return value > high || value < low
}

function isBack({ backLow, backHigh }: Level, value: number): boolean {
  return value <= backHigh && value >= backLow
}

function delayOf({ onDelay, offDelay }: Level, active: boolean): number {
  return active ? offDelay : onDelay
}

function schedule(watch: ThresholdWatch): void {
  let dueMs = noDeadline
  watch.rule.params.levels.forEach((level, at) => {
    const state = watch.state.memory.levels[at]
    if (state === undefined || state.sinceMs === never) return
    dueMs = Math.min(dueMs, state.sinceMs + delayOf(level, state.active))
  })
  setDeadline(watch, dueMs)
}

function decide(watch: ThresholdWatch, atMs: number): void {
  const { rule, state, series } = watch
  const { value } = series
  const now = `${rule.subject} ${quantity(value, rule.unit)}`
  const worst = mostSevere(watch)
  if (worst === undefined) {
    const limit = state.episode?.limit ?? null
    const bound = limit === null ? "" : ` of ${quantity(limit, rule.unit)}`
    const reason = `${now} is back within its limit${bound}${spanOf(Math.min(...rule.params.levels.map((one) => one.offDelay)))}`
    end(watch, "condition", { atMs, value, limit, reason })
    return
  }
  const { level, severity } = worst
  const isLow = value - level.low < level.high - value
  const limit = isLow ? level.low : level.high
  const side = isLow ? "below" : "above"
  const lowered = state.episode !== null && compareSeverity(severity, state.episode.severity) < 0
  const reason = lowered
    ? `${now} is no longer ${state.episode?.severity}, and ${severity} until back within ${quantity(isLow ? level.backLow : level.backHigh, rule.unit)}`
    : `${now} ${side} ${quantity(limit, rule.unit)}${spanOf(level.onDelay)}`
  find(watch, severity, { atMs, value, limit, reason })
}

function mostSevere(watch: ThresholdWatch): { level: Level; severity: Severity } | undefined {
  let worst: { level: Level; severity: Severity } | undefined
  watch.rule.params.levels.forEach((level, at) => {
    const severity = level.severity ?? watch.rule.spec.severity
    if (!watch.state.memory.levels[at]?.active) return
    if (worst === undefined || compareSeverity(severity, worst.severity) > 0) worst = { level, severity }
  })
  return worst
}

function spanOf(delayMs: number): string {
  return delayMs === 0 ? "" : ` for ${formatDuration(delayMs)}`
}
