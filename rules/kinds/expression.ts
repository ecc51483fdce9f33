import { z } from "zod"
import { compareSeverity } from "../../core/vocabulary.ts"
import { wordsFor } from "../cel.ts"
import { end, find } from "../episode.ts"
import { never, noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"
import { emptyWindow, newestMs, push, read, statistics, window } from "../window.ts"
import { quantity } from "../wording.ts"
import {
  type Bound,
  type Compiled,
  compiled,
  factsOf,
  namesIn,
  type Params,
  params,
  run,
} from "./expression-params.ts"
import { delayOf, mostSevere, spanOf } from "./levels.ts"

/** How many values a reason names, and how much of an expression. */
const shownInputs = 6
const shownLetters = 120

const memory = z.object({
  levels: z.array(z.object({ active: z.boolean(), sinceMs: z.number() })),
  /** As `partsOf` lists them. */
  windows: z.array(window),
  /** For each signal that was sampled when its newest usable value was. */
  sampled: z.record(z.string(), z.number()),
  /** What was sampled before is not of the component, or the spell of running, that is judged now. */
  fromMs: z.number(),
})
type Memory = z.infer<typeof memory>
type ExpressionWatch = Watch<Params, Memory>

/**
 * A condition over the newest values of several signals, statistics of their windows, and what the plant file says of the
 * asset, written in CEL. What is not known decides nothing: it neither opens an episode nor clears it, and delays that run
 * begin again.
 */
export const expression: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "none",

  severities: ({ levels }, own) => levels.map(({ severity = own }) => severity),
  fresh: (params) => ({
    levels: params.levels.map(() => ({ active: false, sinceMs: never })),
    windows: compiled(params).windows.map(emptyWindow),
    sampled: {},
    fromMs: never,
  }),

  shape: (params) => ({ levels: params.levels.length, windows: compiled(params).windows }),

  reads: (params) => compiled(params).signals,

  resolve: (params, subject) => ({ ...params, asset: factsOf(params, subject) }),

  check: (params, spec, plant) => [
    ...namesIn(params, "params", spec, plant),
    ...(spec.overrides ?? []).flatMap(({ params: stated }, at) => {
      const own = expression.params.safeParse({ ...spec.params, ...stated })
      return own.success ? namesIn(own.data, `overrides[${at}].params`, spec, plant) : []
    }),
  ],

  settled(watch, atMs) {
    const { levels } = watch.rule.params
    const states = watch.state.memory.levels
    const rule = compiled(watch.rule.params)
    takeSamples(rule, watch)
    fill(rule, watch, atMs)
    let moved = false
    let switched = false
    for (let at = 0; at < levels.length; at++) {
      const level = levels[at]
      const state = states[at]
      if (level === undefined || state === undefined) break
      if (!asksForChange(rule, watch, at, state.active)) {
        if (state.sinceMs === never) continue
        state.sinceMs = never
        moved = true
      } else {
        const delay = delayOf(level, state.active)
        if (state.sinceMs === never) {
          moved = true
          state.sinceMs = atMs
        }
        // A delay ends by its deadline, except one that is 0, or that an edit has shortened.
        if (state.sinceMs + delay > atMs) continue
        moved = true
        state.sinceMs = never
        state.active = !state.active
        switched = true
      }
    }
    if (moved) schedule(watch)
    if (switched) decide(watch, atMs)
  },

  fire(watch, atMs) {
    // Since the last record values have aged and windows have moved on: the delay has passed only if it still holds.
    const rule = compiled(watch.rule.params)
    fill(rule, watch, atMs)
    let switched = false
    watch.rule.params.levels.forEach((level, at) => {
      const state = watch.state.memory.levels[at]
      if (state === undefined || state.sinceMs === never) return
      if (state.sinceMs + delayOf(level, state.active) > atMs) return
      state.sinceMs = never
      if (!asksForChange(rule, watch, at, state.active)) return
      state.active = !state.active
      switched = true
    })
    schedule(watch)
    if (switched) decide(watch, atMs)
  },

  interrupted({ state: { memory } }) {
    for (const state of memory.levels) state.sinceMs = never
    memory.windows = memory.windows.map(emptyWindow)
  },

  resumed({ state: { memory } }, atMs) {
    memory.fromMs = atMs
  },

  maintained(watch, event) {
    watch.state.memory = { ...expression.fresh(watch.rule.params), fromMs: event.atMs }
    setDeadline(watch, noDeadline)
  },

  grounds(watch, atMs) {
    const rule = compiled(watch.rule.params)
    fill(rule, watch, atMs)
    const longest = Math.max(0, ...rule.windows.map(({ lengthMs }) => lengthMs))
    const delays = watch.rule.params.levels.map(({ onDelay, offDelay }) => Math.max(onDelay, offDelay))
    const newest = rule.inputs.flatMap(({ signal }, at) =>
      Number.isNaN(rule.values[at]) ? [] : [sampledMs(watch.state.memory, signal)],
    )
    const known = rule.inputs.flatMap((input, at) => {
      const value = rule.values[at] ?? Number.NaN
      return Number.isNaN(value) ? [] : [[wordsFor(input), value] as const]
    })
    return {
      statistic: `expression over ${rule.inputs.map(wordsFor).join(", ")}`,
      fromMs: Math.min(atMs - longest - Math.max(...delays), ...newest),
      baseline: Object.fromEntries(known),
    }
  },
}

/** A signal may be called "constructor". */
function sampledMs({ sampled }: Memory, signal: string): number {
  return Object.hasOwn(sampled, signal) ? (sampled[signal] ?? never) : never
}

/** A record brings at most one sample of a signal, so what is newer than was known is but one. */
function takeSamples({ signals, windows }: Compiled, watch: ExpressionWatch): void {
  const { memory } = watch.state
  for (const signal of signals) {
    const series = watch.others.get(signal)
    if (series === undefined) continue
    const { markMs: atMs } = series
    if (atMs <= sampledMs(memory, signal)) continue
    memory.sampled[signal] = atMs
    if (atMs < memory.fromMs) continue
    for (let at = 0; at < windows.length; at++) {
      const wanted = windows[at]
      const kept = memory.windows[at]
      if (wanted?.signal !== signal || kept === undefined || atMs <= newestMs(kept)) continue
      push(kept, wanted.lengthMs, atMs, series.value)
    }
  }
}

/** The inputs' values at this time. */
function fill(rule: Compiled, watch: ExpressionWatch, atMs: number): void {
  const { maxAge, minFill } = watch.rule.params
  const { memory } = watch.state
  for (let at = 0; at < rule.inputs.length; at++) {
    const input = rule.inputs[at]
    if (input === undefined) break
    rule.values[at] = Number.NaN
    if (input.window === null) {
      const series = watch.others.get(input.signal)
      const sampled = sampledMs(memory, input.signal)
      if (series === undefined || sampled === never) continue
      if (sampled < memory.fromMs || atMs - sampled > maxAge) continue
      rule.values[at] = series.value
    } else {
      const kept = memory.windows[rule.windowOf[at] ?? -1]
      const { lengthMs, statistic } = input.window
      const moments = kept === undefined ? undefined : read(kept, lengthMs, atMs)
      // A window that has hardly begun, as after a gap, says little of the time that it is named for.
      if (moments === undefined || atMs - moments.firstMs < minFill * lengthMs) continue
      rule.values[at] = statistics[statistic](moments)
    }
  }
}

/** An idle level's condition holds, an active one's has ended; the inputs' values are filled in. */
function asksForChange(
  rule: Compiled,
  { rule: { params } }: ExpressionWatch,
  at: number,
  active: boolean,
): boolean {
  const level = rule.levels[at]
  if (level === undefined) return false
  const { when, clearWhen } = level
  if (clearWhen === undefined) return run(when, rule.values, params.asset) === !active
  const clears = run(clearWhen, rule.values, params.asset) === true
  if (active) return clears
  return !clears && run(when, rule.values, params.asset) === true
}

function schedule(watch: ExpressionWatch): void {
  let dueMs = noDeadline
  watch.rule.params.levels.forEach((level, at) => {
    const state = watch.state.memory.levels[at]
    if (state === undefined || state.sinceMs === never) return
    dueMs = Math.min(dueMs, state.sinceMs + delayOf(level, state.active))
  })
  setDeadline(watch, dueMs)
}

/** A level has become active or idle; the inputs' values are filled in. */
function decide(watch: ExpressionWatch, atMs: number): void {
  const { params, spec } = watch.rule
  const rule = compiled(params)
  const before = watch.state.episode?.severity
  const active = mostSevere(watch, params.levels)
  const at =
    active ??
    Math.max(
      0,
      params.levels.findIndex(({ severity }) => severity === before),
    )
  const level = params.levels[at]
  const bound = rule.levels[at]
  if (level === undefined || bound === undefined) return
  const { severity = spec.severity, when, clearWhen } = level
  const value = rule.value === undefined ? null : numberOf(rule.value, rule, params)
  const limit = typeof bound.limit === "object" ? numberOf(bound.limit, rule, params) : (bound.limit ?? null)
  const told = message(params, value, limit)
  const shown = (by: Bound) => shownValues(by, rule, params, { value, limit })
  const over = clearWhen === undefined ? `${brief(when)} no longer holds` : `${brief(clearWhen)} holds`
  if (active === undefined) {
    const span = spanOf(level.offDelay)
    const values = shown(bound.clearWhen ?? bound.when)
    const reason = told === undefined ? `${over}${span} (${values})` : `no longer${span}: ${told}`
    end(watch, "condition", { atMs, value, limit, reason })
    return
  }
  if (before !== undefined && compareSeverity(severity, before) < 0) {
    const rest = told === undefined ? ` until ${over} (${shown(bound.clearWhen ?? bound.when)})` : `: ${told}`
    find(watch, severity, { atMs, value, limit, reason: `no longer ${before}, and ${severity}${rest}` })
    return
  }
  const span = spanOf(level.onDelay)
  const holds = `${brief(when)} holds${span} (${shown(bound.when)})`
  find(watch, severity, { atMs, value, limit, reason: told === undefined ? holds : `${told}${span}` })
}

function numberOf(bound: Bound, rule: Compiled, params: Params): number | null {
  const result = run(bound, rule.values, params.asset)
  return typeof result === "number" ? result : null
}

function message(params: Params, value: number | null, limit: number | null): string | undefined {
  const shown = (one: number | null) => (one === null ? "unknown" : quantity(one, params.unit ?? null))
  return params.message?.replaceAll(/\{(value|limit)\}/g, (_, name) =>
    shown(name === "value" ? value : limit),
  )
}

/** What the expression read: "vibration 5.2, mean of load over 1 h 61.3, value 1.4 kW, limit 1.2 kW". */
function shownValues(
  { program, slots }: Bound,
  rule: Compiled,
  { unit }: Params,
  figures: { readonly value: number | null; readonly limit: number | null },
): string {
  const read = program.inputs.map((input, at) => {
    const one = rule.values[slots[at] ?? -1] ?? Number.NaN
    return `${wordsFor(input)} ${Number.isNaN(one) ? "unknown" : quantity(one, null)}`
  })
  const shown = read.slice(0, shownInputs)
  if (read.length > shownInputs) shown.push(`${read.length - shownInputs} more`)
  for (const [name, figure] of Object.entries(figures))
    if (figure !== null) shown.push(`${name} ${quantity(figure, unit ?? null)}`)
  return shown.join(", ")
}

function brief(source: string): string {
  const line = source.replace(/\s+/g, " ").trim()
  return line.length > shownLetters ? `${line.slice(0, shownLetters - 1)}…` : line
}
