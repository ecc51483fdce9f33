import { z } from "zod"
import type { Forecast } from "../../core/daily-use.ts"
import { duration, formatDuration } from "../../core/duration.ts"
import { forecastOf, learnUse, meterMemory, newMeter, readMeter, replaceMeter } from "../../core/meter.ts"
import { eventCodes, type Severity, severities } from "../../core/vocabulary.ts"
import { end, find, remind } from "../episode.ts"
import { never, noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"

const minute = 60_000
const day = 86_400_000
/** A reading of more than so many times `every` is not a meter's, and its occurrences could not be counted exactly. */
const mostOccurrences = 1e9
/** An occurrence is told of when at most this share of the way to it is left: the one before is done first. */
const mostAhead = 0.5

const params = z
  .strictObject({
    every: z.number().positive(),
    countFrom: z.union([z.enum(["multiples", "first-reading"]), z.number()]).default("multiples"),
    maxPerHour: z.number().positive().optional(),
    rollsOverAt: z.number().positive().optional(),
    lead: z
      .union(
        [
          duration.refine((ms) => ms > 0).transform((ms) => ({ ms })),
          z
            .number()
            .positive()
            .max(mostAhead)
            .transform((share) => ({ share })),
        ],
        {
          error: ({ input }) =>
            `expected a duration such as 14d or a share of every up to ${mostAhead}, got ${JSON.stringify(input)}`,
        },
      )
      .optional(),
    history: duration
      .refine((ms) => ms >= 7 * day && ms <= 60 * day, {
        error: ({ input }) => `expected 7 d to 60 d, got ${formatDuration(Number(input))}`,
      })
      .default(30 * day),
  })
  .superRefine(({ every, countFrom }, context) => {
    if (typeof countFrom !== "number" || Math.abs(countFrom) <= mostOccurrences * every) return
    const message = `expected at most ${mostOccurrences} times every, got ${countFrom}`
    context.addIssue({ code: "custom", path: ["countFrom"], message })
  })
type Params = z.infer<typeof params>

const memory = z.object({
  ...meterMemory.shape,
  /** Where occurrence 0 is, and the newest occurrence reached. */
  base: z.number(),
  occurrence: z.number().int(),
  /** The newest occurrence that an episode was opened for: by `lead` it may be one ahead of the one reached. */
  told: z.number().int(),
})
type Memory = z.infer<typeof memory>
type UsageWatch = Watch<Params, Memory>

/**
 * Due each time a meter has run another `every` units. Each occurrence is an episode, cleared when the next is due or
 * the component is installed anew. With `lead` it opens ahead, by the date that the daily use promises, and is raised
 * when the meter is there. What a meter did between its last reading and a reset is not counted.
 */
export const usage: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "meter",
  timedOnly: true,
  always: true,

  severities: ({ lead }, own) => (lead === undefined ? [own] : [own, moreSevere(own) ?? own]),
  fresh: () => ({ ...newMeter(), base: 0, occurrence: 0, told: 0 }),

  // How long the history is, and how far ahead it is told of, may change under the same counts.
  shape: ({ every, countFrom }) => ({ every, countFrom }),

  codes: () => [eventCodes.meterReplaced],

  sample(watch, atMs, value) {
    const { memory } = watch.state
    if (!isReading(watch, value)) return
    const isFirst = memory.lastMs === never
    if (!readMeter(memory, watch.rule.params, atMs, value)) return
    if (isFirst) begin(watch, value)
    learnUse(memory, atMs, watch.rule.params.history)
    if (remaining(watch) <= 0) reach(watch, atMs)
    lookAhead(watch, atMs)
  },

  fire(watch, atMs) {
    lookAhead(watch, atMs)
  },

  event(watch, event) {
    const { memory } = watch.state
    const { signal, meter } = event.attributes
    // Without the new meter's reading the change is recognised by the readings themselves.
    if (signal !== watch.rule.spec.signal || !isReading(watch, meter)) return
    if (replaceMeter(memory, event.atMs, meter)) lookAhead(watch, event.atMs)
  },

  // How the asset is used stays: a new component wears as fast as the one before.
  maintained(watch, event) {
    const { memory } = watch.state
    const meter = isReading(watch, event.attributes.meter) ? event.attributes.meter : undefined
    memory.base = (meter ?? memory.last) + memory.offset
    memory.occurrence = 0
    memory.told = 0
    // Installed before anything was read: the count begins with the first reading.
    if (memory.lastMs === never && meter === undefined) memory.base = never
    setDeadline(watch, noDeadline)
    if (memory.lastMs !== never) lookAhead(watch, event.atMs)
  },

  grounds(watch, atMs) {
    const { base, offset, occurrence, last, perDay, spread, days } = watch.state.memory
    return {
      statistic: `meter against every ${quantity(watch.rule.params.every, watch.rule.unit)}`,
      fromMs: watch.series.atMs.reduce((oldest, one) => Math.min(oldest, one), atMs),
      baseline: {
        base,
        offset,
        occurrence,
        reading: last,
        ...(days === 0 ? {} : { perDay, spread, days }),
      },
    }
  },
}

function isReading({ rule }: UsageWatch, value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= mostOccurrences * rule.params.every
}

function begin(watch: UsageWatch, value: number): void {
  const { memory } = watch.state
  const { countFrom, every } = watch.rule.params
  if (memory.base === never) memory.base = value
  // Any other base is where the component was installed, and what has run since then counts.
  else if (memory.base === 0) {
    // A truck first seen at 41,300 km with every 500 km is due at 41,500 km.
    if (countFrom === "multiples") memory.occurrence = Math.floor(value / every)
    else memory.base = countFrom === "first-reading" ? value : countFrom
  }
  memory.told = memory.occurrence
}

/** How much is left until the next occurrence, in the meter's unit. */
function remaining(watch: UsageWatch): number {
  const { last, offset, base, occurrence } = watch.state.memory
  return (occurrence + 1) * watch.rule.params.every - (last + offset - base)
}

function forecastIn(watch: UsageWatch): Forecast | undefined {
  return forecastOf(watch.state.memory, remaining(watch))
}

/** Tells of the next occurrence as long before it as `lead` asks for; by the date also while the meter is not read. */
function lookAhead(watch: UsageWatch, atMs: number): void {
  const { lead, every } = watch.rule.params
  const { memory } = watch.state
  if (lead === undefined || memory.told > memory.occurrence) return
  const left = remaining(watch)
  if (left <= 0) return
  if ("share" in lead) {
    if (left <= lead.share * every) tell(watch, atMs)
    return
  }
  if (memory.days === 0) return
  const ahead = Math.min((lead.ms / day) * memory.perDay, mostAhead * every)
  const exactMs = memory.lastMs + (Math.max(0, left - ahead) / memory.perDay) * day
  // Whole minutes, as people read it: the estimate is no finer than that.
  const dueMs = Math.ceil(exactMs / minute) * minute
  if (dueMs <= atMs) tell(watch, atMs)
  else setDeadline(watch, Math.min(dueMs, noDeadline))
}

/** Opens the episode of an occurrence that is yet to come. */
function tell(watch: UsageWatch, atMs: number): void {
  const { rule, state } = watch
  const { memory } = state
  const { every } = rule.params
  const number = memory.occurrence + 1
  const limit = memory.base + number * every - memory.offset
  const shown = `${rule.subject} ${quantity(memory.last, rule.unit)}`
  const step = { atMs, value: memory.last, limit }
  setDeadline(watch, noDeadline)
  end(watch, "next-due", { ...step, reason: `${shown} comes near the next ${quantity(limit, rule.unit)}` })
  memory.told = number
  const what = `${quantity(limit, rule.unit)} (number ${number} of every ${quantity(every, rule.unit)})`
  const forecast = forecastIn(watch)
  if (forecast === undefined) {
    const reason = `${shown} has ${quantity(remaining(watch), rule.unit)} left to ${what}`
    find(watch, rule.spec.severity, { ...step, reason })
    return
  }
  const reason = `${shown}: ${what} ${expected(forecast, rule.unit)}`
  find(watch, rule.spec.severity, { ...step, reason, forecast })
}

function reach(watch: UsageWatch, atMs: number): void {
  const { rule, state } = watch
  const { memory } = state
  const { every } = rule.params
  const due = Math.floor((memory.last + memory.offset - memory.base) / every)
  const passed = due - memory.occurrence
  memory.occurrence = due
  const value = memory.last
  const limit = memory.base + due * every - memory.offset
  const shown = `${rule.subject} ${quantity(value, rule.unit)}`
  const step = { atMs, value, limit }
  const several = passed > 1 ? `; ${passed} were passed at once` : ""
  const reason = `${shown} has reached ${quantity(limit, rule.unit)}: number ${due} of every ${quantity(every, rule.unit)}${several}`
  if (memory.told === due && state.episode !== null) {
    // Told of ahead and not done: more urgent now, and what can't be more severe is told once more.
    const worse = moreSevere(state.episode.severity)
    if (worse === undefined) remind(watch, { ...step, reason })
    else find(watch, worse, { ...step, reason })
    return
  }
  end(watch, "next-due", { ...step, reason: `${shown} has reached the next ${quantity(limit, rule.unit)}` })
  memory.told = due
  const forecast = forecastIn(watch)
  if (forecast === undefined) find(watch, rule.spec.severity, { ...step, reason })
  else {
    const next = `; the next ${expected(forecast, rule.unit)}`
    find(watch, rule.spec.severity, { ...step, reason: reason + next, forecast })
  }
}

function moreSevere(than: Severity): Severity | undefined {
  return severities[severities.indexOf(than) + 1]
}

function expected({ dueMs, earliestMs, latestMs, perDay }: Forecast, unit: string | null): string {
  const [earliest, latest] = [date(earliestMs), date(latestMs)]
  const span = earliest === latest ? "" : ` (between ${earliest} and ${latest})`
  return `is expected on ${date(dueMs)}${span} at ${quantity(perDay, unit)} a day`
}

/** 2026-03-01, in UTC. */
function date(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}
