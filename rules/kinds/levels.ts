import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { compareSeverity, type Severity } from "../../core/vocabulary.ts"
import { end, find, remind } from "../episode.ts"
import { never, noDeadline, setDeadline, type Watch } from "../watch.ts"
import { quantity, quantityBeside } from "../wording.ts"

/** Limits with a dead band, an on-delay and an off-delay, in the unit of what is watched and in milliseconds. */
export type Level = {
  /** The rule's own where the level states none. */
  readonly severity: Severity | undefined
  /** Below `low` or above `high` is a breach; an infinity is no limit. */
  readonly low: number
  readonly high: number
  /** At and between these the value is back. */
  readonly backLow: number
  readonly backHigh: number
  /** A value at `low` or `high` is a breach too. */
  readonly inclusive?: boolean
  readonly onDelay: number
  readonly offDelay: number
}

export const levelMemory = z.object({
  /** For each level whether it is active, and since when the value has asked for the opposite. */
  levels: z.array(z.object({ active: z.boolean(), sinceMs: z.number() })),
  /** When the open episode was last opened, raised or told again; never: not since the rule last looked away. */
  toldMs: z.number(),
})
export type LevelMemory = z.infer<typeof levelMemory>

export type LevelWatch = Watch<{ readonly reAlarmAfter?: number | undefined }, LevelMemory>

/** Nobody reads reminders that come more often. */
const shortestReAlarm = 600_000

export const reAlarmAfter = duration
  .refine((ms) => ms >= shortestReAlarm, {
    error: ({ input }) =>
      `expected at least ${formatDuration(shortestReAlarm)}, got ${formatDuration(Number(input))}`,
  })
  .optional()

/** What a kind that goes by levels says of itself. Texts are parts of one sentence. */
export type LevelKind<W extends LevelWatch> = {
  /** Always as many, of the same severities, for one shape of parameters; asked for with every sample. */
  levelsOf(watch: W): readonly Level[]
  /** What a level judges, when the signal's newest value is `value`; NaN: not known yet. */
  valueFor?(watch: W, at: number, value: number): number
  /** "bearing vibration 7.4 mm/s", of a value as the level judges it, here "7.4 mm/s". */
  now(watch: W, shown: string, at: number): string
  /** "above 7.1 mm/s for 10 min", with more about the level. */
  beyond(watch: W, at: number, breach: string, value: number): string
  /** "is back within its limit of 7.1 mm/s"; the limit is empty where none is known. */
  back(watch: W, at: number, limit: string): string
  /** Between `now` and "is still above 7.1 mm/s". */
  readonly joint?: string
}

export function freshLevels(count: number): LevelMemory {
  return { levels: Array.from({ length: count }, () => ({ active: false, sinceMs: never })), toldMs: never }
}

/** 7.1 less 0.2 is 6.9 for whoever wrote it, so that a value of 6.9 is back. */
export function decimal(value: number): number {
  return Number(value.toPrecision(12))
}

/** Where a value is back from these limits. Rounding must not make it both beyond and back, as it could with 13 digits. */
export function backFrom(low: number, high: number, band: number): Pick<Level, "backLow" | "backHigh"> {
  if (band === 0) return { backLow: low, backHigh: high }
  return { backLow: Math.max(low, decimal(low + band)), backHigh: Math.min(high, decimal(high - band)) }
}

/** How far back a level's delays reach: evidence must hold what they looked at. */
export function longestDelay(levels: readonly Level[]): number {
  return Math.max(...levels.map(({ onDelay, offDelay }) => Math.max(onDelay, offDelay)))
}

/**
 * Levels over one signal. Each turns on once the value has been beyond its limit for the on-delay, and off once it
 * has been back by the dead band for the off-delay (ISA-18.2: the dead band acts on the return only). The most severe
 * active level is the episode's. While the episode is open and nothing is raised it is told again each `reAlarmAfter`;
 * while no sample comes, after as long again as there has been none, so that a clock that jumps over a silent year
 * makes a handful of reminders.
 */
export function levelMachine<W extends LevelWatch>(kind: LevelKind<W>) {
  const { joint = " " } = kind
  const valueFor = (watch: W, at: number, value: number): number =>
    kind.valueFor === undefined ? value : kind.valueFor(watch, at, value)

  function sample(watch: W, atMs: number, value: number): void {
    const levels = kind.levelsOf(watch)
    const { state } = watch
    let moved = false
    let switched = -1
    for (let at = 0; at < levels.length; at++) {
      const level = levels[at]
      const one = state.memory.levels[at]
      if (level === undefined || one === undefined) break
      const seen = valueFor(watch, at, value)
      const asksForChange = one.active ? isBack(level, seen) : isBeyond(level, seen)
      if (!asksForChange) {
        if (one.sinceMs === never) continue
        one.sinceMs = never
        moved = true
        continue
      }
      if (one.sinceMs === never) one.sinceMs = atMs
      // A delay that was there before ends by the deadline; this one is 0, or an edit has shortened it.
      else if (one.sinceMs + delayOf(level, one.active) > atMs) continue
      moved = true
      if (one.sinceMs + delayOf(level, one.active) > atMs) continue
      one.active = !one.active
      one.sinceMs = never
      switched = at
    }
    if (state.episode !== null && switched === -1) {
      // An edit of the rule may have changed its severity, or have asked for reminders.
      if (levels[0]?.severity === undefined && state.episode.severity !== watch.rule.spec.severity)
        switched = 0
      // A sample after a silence brings the reminder forward.
      if (remindMs(watch) < state.dueMs) moved = true
    }
    if (switched !== -1) decide(watch, levels, switched, atMs)
    if (moved || switched !== -1) schedule(watch, levels, atMs)
  }

  function fire(watch: W, atMs: number): void {
    const levels = kind.levelsOf(watch)
    const { memory } = watch.state
    let switched = -1
    levels.forEach((level, at) => {
      const one = memory.levels[at]
      if (one === undefined || one.sinceMs === never) return
      if (one.sinceMs + delayOf(level, one.active) > atMs) return
      one.active = !one.active
      one.sinceMs = never
      switched = at
    })
    if (switched !== -1) decide(watch, levels, switched, atMs)
    if (watch.state.episode !== null && memory.toldMs !== never && remindMs(watch) <= atMs)
      tellAgain(watch, levels, atMs)
    schedule(watch, levels, atMs)
  }

  function interrupted({ state: { memory } }: W): void {
    for (const one of memory.levels) one.sinceMs = never
    memory.toldMs = never
  }

  function resumed(watch: W, atMs: number): void {
    schedule(watch, kind.levelsOf(watch), atMs)
  }

  function maintained(watch: W): void {
    watch.state.memory = freshLevels(kind.levelsOf(watch).length)
    setDeadline(watch, noDeadline)
  }

  /** Delays and the whole episode: evidence must hold what they looked at. */
  function grounds(watch: W, atMs: number): { statistic: string; fromMs: number } {
    const longestMs = longestDelay(kind.levelsOf(watch))
    const openedAtMs = watch.state.episode?.openedAtMs ?? atMs
    return { statistic: "value", fromMs: Math.min(atMs - longestMs, openedAtMs) }
  }

  function schedule(watch: W, levels: readonly Level[], atMs: number): void {
    const { memory, episode } = watch.state
    let dueMs = noDeadline
    for (let at = 0; at < levels.length; at++) {
      const level = levels[at]
      const one = memory.levels[at]
      if (level === undefined || one === undefined || one.sinceMs === never) continue
      dueMs = Math.min(dueMs, one.sinceMs + delayOf(level, one.active))
    }
    if (episode !== null && watch.rule.params.reAlarmAfter !== undefined) {
      if (memory.toldMs === never) memory.toldMs = atMs
      dueMs = Math.min(dueMs, remindMs(watch))
    }
    // What an edit has made overdue is found now, not in the time of the rule as it was.
    setDeadline(watch, Math.max(dueMs, atMs))
  }

  /** The level `switched` has turned on or off, the last of several. */
  function decide(watch: W, levels: readonly Level[], switched: number, atMs: number): void {
    const { rule, state, series } = watch
    const at = mostSevere(watch, levels)
    const level = at === undefined ? undefined : levels[at]
    if (at === undefined || level === undefined) {
      const limit = state.episode?.limit ?? null
      const within = limit === null ? "" : quantity(limit, rule.unit)
      const span = spanOf(Math.min(...levels.map(({ offDelay }) => offDelay)))
      const value = valueFor(watch, switched, series.value)
      const shown = limit === null ? quantity(value, rule.unit) : quantityBeside(value, limit, rule.unit)
      const reason = `${kind.now(watch, shown, switched)} ${kind.back(watch, switched, within)}${span}`
      end(watch, "condition", { atMs, value, limit, reason })
      return
    }
    const value = valueFor(watch, at, series.value)
    const severity = level.severity ?? rule.spec.severity
    const { limit, side, back } = sideOf(level, value)
    const before = state.episode?.severity
    const lowered = before !== undefined && compareSeverity(severity, before) < 0
    const now = kind.now(watch, quantityBeside(value, lowered ? back : limit, rule.unit), at)
    const bound = quantity(limit, rule.unit)
    const reason = lowered
      ? `${now}${joint}is no longer ${before}, and ${severity} until back within ${quantity(back, rule.unit)}`
      : `${now}${kind.beyond(watch, at, `${side} ${bound}${spanOf(level.onDelay)}`, value)}`
    find(watch, severity, { atMs, value, limit, reason })
    if (before === undefined || compareSeverity(severity, before) > 0) state.memory.toldMs = atMs
  }

  function tellAgain(watch: W, levels: readonly Level[], atMs: number): void {
    const { rule, state, series } = watch
    const at = mostSevere(watch, levels)
    const level = at === undefined ? undefined : levels[at]
    if (at === undefined || level === undefined || state.episode === null) return
    state.memory.toldMs = atMs
    const value = valueFor(watch, at, series.value)
    const { limit, side, back } = sideOf(level, value)
    const after = `after ${formatDuration(atMs - state.episode.openedAtMs)}`
    const within = quantity(back, rule.unit)
    const still = isBeyond(level, value)
      ? `is still ${side} ${quantity(limit, rule.unit)} ${after}`
      : isBack(level, value)
        ? `is ${state.episode.severity} ${after}, and has not yet been back within ${within}${spanOf(level.offDelay)}`
        : `is ${state.episode.severity} ${after}, and not yet back within ${within}`
    const now = kind.now(watch, quantityBeside(value, isBeyond(level, value) ? limit : back, rule.unit), at)
    remind(watch, { atMs, value, limit, reason: `${now}${joint}${still}` })
  }

  return { sample, fire, interrupted, resumed, maintained, grounds }
}

/** When the open episode is to be told again. */
function remindMs({ rule, state, series }: LevelWatch): number {
  const { reAlarmAfter } = rule.params
  const { toldMs } = state.memory
  if (reAlarmAfter === undefined) return noDeadline
  if (toldMs === never) return never
  const silentMs = series.markMs === never ? 0 : toldMs - series.markMs
  return toldMs + Math.max(reAlarmAfter, silentMs)
}

/** A watch of any kind whose levels are active or not. */
type Levelled = Pick<Watch, "rule"> & {
  readonly state: { readonly memory: { readonly levels: readonly { readonly active: boolean }[] } }
}

/** The active level whose severity is highest, the first of several; none when all are back. */
export function mostSevere(
  { rule, state }: Levelled,
  levels: readonly Pick<Level, "severity">[],
): number | undefined {
  let worst: number | undefined
  let highest: Severity | undefined
  levels.forEach((level, at) => {
    const severity = level.severity ?? rule.spec.severity
    if (state.memory.levels[at]?.active !== true) return
    if (highest !== undefined && compareSeverity(severity, highest) <= 0) return
    worst = at
    highest = severity
  })
  return worst
}

function isBeyond({ low, high, inclusive }: Level, value: number): boolean {
  return value > high || value < low || (inclusive === true && (value === high || value === low))
}

function isBack({ backLow, backHigh }: Level, value: number): boolean {
  return value <= backHigh && value >= backLow
}

/** How long the value must ask for the opposite of what the level is. */
export function delayOf({ onDelay, offDelay }: Pick<Level, "onDelay" | "offDelay">, active: boolean): number {
  return active ? offDelay : onDelay
}

/** The limit that a value is beyond, or nearest to. */
function sideOf(level: Level, value: number): { limit: number; side: string; back: number } {
  const isLow = value - level.low < level.high - value
  const limit = isLow ? level.low : level.high
  const side = value === limit ? "at" : isLow ? "below" : "above"
  return { limit, side, back: isLow ? level.backLow : level.backHigh }
}

/** " for 10 min". */
export function spanOf(delayMs: number): string {
  return delayMs === 0 ? "" : ` for ${formatDuration(delayMs)}`
}
