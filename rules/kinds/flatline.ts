import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { end, find } from "../episode.ts"
import { never, type RuleKind, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"

/** 4.2 less 4.1 is 0.1 for whoever wrote it. */
const rounding = 1 + 1e-9

const params = z.strictObject({
  for: duration.refine((ms) => ms > 0, "expected more than nothing"),
  tolerance: z.number().nonnegative().default(0),
  minSamples: z.number().int().min(2).max(1_000_000).default(5),
  rest: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low <= high, { error: ({ input }) => `expected low <= high, got [${input}]` })
    .optional(),
})
type Params = z.infer<typeof params>

const memory = z.object({
  /** The first sample of the stretch in which the value has not moved; never: none yet. */
  sinceMs: z.number(),
  /** The newest one. */
  lastMs: z.number(),
  low: z.number(),
  high: z.number(),
  samples: z.number().int(),
})
type Memory = z.infer<typeof memory>
type FlatlineWatch = Watch<Params, Memory>

const nothing = (): Memory => ({ sinceMs: never, lastMs: never, low: 0, high: 0, samples: 0 })

/**
 * A sensor that is stuck: over `for`, and at least `minSamples` samples, its highest and lowest value are no more than
 * `tolerance` apart. It opens with a sample, since silence is no flat line, and ends with the first one that moves.
 */
export const flatline: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "any",
  ofSensor: true,

  fresh: nothing,

  // How the value stood says nothing of the parameters.
  shape: () => ({}),

  sample(watch, atMs, value) {
    const { params } = watch.rule
    const { memory, episode } = watch.state
    const low = Math.min(memory.low, value)
    const high = Math.max(memory.high, value)
    if (memory.sinceMs === never || moves(params, low, high)) {
      if (episode !== null) moved(watch, atMs, value)
      begin(memory, atMs, value)
      return
    }
    memory.low = low
    memory.high = high
    memory.lastMs = atMs
    memory.samples += 1
    if (episode !== null || memory.samples < params.minSamples) return
    if (atMs - memory.sinceMs >= params.for && !isAtRest(params, low, high)) stuck(watch, atMs, value)
  },

  // What came before a gap and after it is not one stretch; an open episode still waits for the value to move.
  interrupted({ state }) {
    if (state.episode === null) state.memory = nothing()
  },

  maintained({ state }) {
    state.memory = nothing()
  },

  grounds(watch, atMs) {
    const { sinceMs, low, high, samples } = watch.state.memory
    return {
      statistic: `movement within ${formatDuration(watch.rule.params.for)}`,
      fromMs: sinceMs === never ? atMs : sinceMs,
      baseline: { low, high, samples },
    }
  },
}

function moves({ tolerance }: Params, low: number, high: number): boolean {
  return tolerance === 0 ? low !== high : high - low > tolerance * rounding
}

/** Values of a machine that stands still, such as a speed of 0. */
function isAtRest({ rest }: Params, low: number, high: number): boolean {
  return rest !== undefined && low >= rest[0] && high <= rest[1]
}

function begin(memory: Memory, atMs: number, value: number): void {
  memory.sinceMs = atMs
  memory.lastMs = atMs
  memory.low = value
  memory.high = value
  memory.samples = 1
}

function stuck(watch: FlatlineWatch, atMs: number, value: number): void {
  const { rule, state } = watch
  const span = formatDuration(atMs - state.memory.sinceMs)
  const reason = `sensor ${rule.subject} has read ${shown(watch)} without moving for ${span}`
  find(watch, rule.spec.severity, { atMs, value, limit: null, reason })
}

function moved(watch: FlatlineWatch, atMs: number, value: number): void {
  const { rule, state } = watch
  const span = formatDuration(state.memory.lastMs - state.memory.sinceMs)
  const reason = `sensor ${rule.subject} moves again: ${quantity(value, rule.unit)} after ${span} at ${shown(watch)}`
  end(watch, "condition", { atMs, value, limit: null, reason })
}

function shown({ rule, state }: FlatlineWatch): string {
  const { low, high } = state.memory
  return low === high ? quantity(low, rule.unit) : `${quantity(low, null)} to ${quantity(high, rule.unit)}`
}
