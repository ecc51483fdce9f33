import { median } from "simple-statistics"
import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { instant } from "../../core/wording.ts"
import { end, find } from "../episode.ts"
import { never, noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"

/** So many intervals make one estimate of the usual one: fewer than half of them may be gaps or bursts. */
const block = 20

const params = z
  .strictObject({
    after: z.union(
      [
        duration.refine((ms) => ms > 0).transform((ms) => ({ ms })),
        z.literal("auto").transform(() => "auto"),
      ],
      {
        error: ({ input }) =>
          `expected a duration above zero such as 10m, or auto, got ${JSON.stringify(input)}`,
      },
    ),
    /** With `auto`: how many usual intervals may pass. */
    factor: z.number().min(2).max(1000).optional(),
    /** With `auto`: never sooner than this. */
    atLeast: duration.optional(),
  })
  .transform(({ after, factor, atLeast }, context) => {
    if (typeof after === "string") return { after: 0, factor: factor ?? 5, atLeast: atLeast ?? 0 }
    for (const [name, given] of [
      ["factor", factor],
      ["atLeast", atLeast],
    ] as const) {
      if (given === undefined) continue
      context.addIssue({ code: "custom", path: [name], message: "expected only with after: auto" })
    }
    return { after: after.ms, factor: 0, atLeast: 0 }
  })
/** `after` 0: learned from the usual interval. */
type Params = z.infer<typeof params>

const memory = z.object({
  /** When the newest usable sample was taken; never: none yet, and nothing is missing. */
  lastMs: z.number(),
  /** Since when silence counts: the newest sample, or when the rule began to look again. */
  sinceMs: z.number(),
  /** Of `auto`: the newest intervals, until there are enough for an estimate; and the usual one, 0 before the first. */
  intervals: z.array(z.number()),
  usualMs: z.number(),
})
type Memory = z.infer<typeof memory>
type StaleWatch = Watch<Params, Memory>

/**
 * A sensor that has gone silent: no usable sample for as long as `after`, or with `auto` for `factor` times the median
 * of the asset's own intervals. It opens by the asset's clock at the end of that time, and ends with the next usable
 * sample.
 */
export const stale: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "any",
  ofSensor: true,

  fresh: () => ({ lastMs: never, sinceMs: never, intervals: [], usualMs: 0 }),

  // What was learned of the interval, and since when it is silent, holds for any figures.
  shape: ({ after }) => ({ auto: after === 0 }),

  sample(watch, atMs, value) {
    const { rule, state } = watch
    const { memory } = state
    if (state.episode !== null) {
      const silence = formatDuration(atMs - memory.lastMs)
      const reason = `sensor ${rule.subject} sends again after ${silence}: ${quantity(value, rule.unit)}`
      end(watch, "condition", { atMs, value, limit: null, reason })
    }
    // An interval in which the rule looked away, or began anew, says nothing of the usual one.
    if (rule.params.after === 0 && memory.sinceMs === memory.lastMs && memory.lastMs !== never)
      learn(memory, atMs - memory.lastMs)
    memory.lastMs = atMs
    listen(watch, atMs)
  },

  fire(watch, atMs) {
    const { rule, state } = watch
    const { lastMs, sinceMs, usualMs } = state.memory
    const dueMs = sinceMs + allowed(watch)
    if (dueMs > atMs) {
      setDeadline(watch, dueMs)
      return
    }
    const usual = rule.params.after === 0 ? ` (usually every ${formatDuration(usualMs)})` : ""
    const last = `${quantity(watch.series.value, rule.unit)} at ${instant(lastMs)}`
    const reason = `sensor ${rule.subject} has sent no usable value for ${formatDuration(atMs - lastMs)}${usual}: the last was ${last}`
    find(watch, rule.spec.severity, { atMs, value: null, limit: null, reason })
  },

  interrupted(watch) {
    watch.state.memory.sinceMs = never
  },

  // A machine that is back has as long as ever to tell something.
  resumed(watch, atMs) {
    if (watch.state.memory.lastMs !== never && watch.state.episode === null) listen(watch, atMs)
  },

  // The work has settled what was open; a sensor that stays silent is found once more. Work that is told of long after
  // it says nothing of a sensor that has sent since.
  maintained(watch, event) {
    const { lastMs } = watch.state.memory
    if (lastMs !== never) listen(watch, Math.max(lastMs, event.atMs))
  },

  grounds(watch, atMs) {
    const { lastMs, usualMs } = watch.state.memory
    return {
      statistic: "time since the last usable sample",
      fromMs: lastMs === never ? atMs : lastMs,
      baseline: {
        allowedSeconds: allowed(watch) / 1000,
        ...(usualMs === 0 ? {} : { usualSeconds: usualMs / 1000 }),
      },
    }
  },
}

/** How long silence may last, ms; 0 before `auto` has learned the usual interval. */
function allowed(watch: StaleWatch): number {
  const { after, factor, atLeast } = watch.rule.params
  const { usualMs } = watch.state.memory
  if (after > 0) return after
  return usualMs === 0 ? 0 : Math.max(Math.ceil(factor * usualMs), atLeast)
}

function listen(watch: StaleWatch, fromMs: number): void {
  // While it looks away there is no deadline; `resumed` counts from then on.
  if (watch.away) return
  const span = allowed(watch)
  watch.state.memory.sinceMs = fromMs
  setDeadline(watch, span === 0 ? noDeadline : fromMs + span)
}

function learn(memory: Memory, interval: number): void {
  memory.intervals.push(interval)
  if (memory.intervals.length < block) return
  memory.usualMs = median(memory.intervals)
  memory.intervals = []
}
