import { z } from "zod"
import { eventCodes } from "../../core/vocabulary.ts"
import { end, find } from "../episode.ts"
import { never, type RuleKind, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"

const hour = 3_600_000
/** A fall of less than this share of the reading is jitter, as of a mileage from GPS; a larger one is a break. */
const jitter = 0.1

const params = z.strictObject({
  every: z.number().positive(),
  countFrom: z.union([z.enum(["multiples", "first-reading"]), z.number()]).default("multiples"),
  maxPerHour: z.number().positive().optional(),
})
type Params = z.infer<typeof params>

const memory = z.object({
  /** When the newest believed reading was taken; never: none yet. */
  lastMs: z.number(),
  last: z.number(),
  /** A reading that does not follow from the last: believed if the next one follows from it. */
  suspectMs: z.number(),
  suspect: z.number(),
  /** Added to a reading, this goes on counting across resets and replaced meters. */
  offset: z.number(),
  /** Where occurrence 0 is, and the newest occurrence reached. */
  base: z.number(),
  occurrence: z.number().int(),
})
type Memory = z.infer<typeof memory>
type UsageWatch = Watch<Params, Memory>

/**
 * Due each time a meter has run another `every` units. Each occurrence is an episode, cleared when the next is due or
 * the component is installed anew. What a meter did between its last reading and a reset is not counted.
 */
export const usage: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "meter",
  timedOnly: true,
  always: true,

  fresh: () => ({
    lastMs: never,
    last: 0,
    suspectMs: never,
    suspect: 0,
    offset: 0,
    base: 0,
    occurrence: 0,
  }),

  codes: () => [eventCodes.meterReplaced],

  sample(watch, atMs, value) {
    const { memory } = watch.state
    if (memory.lastMs === never) begin(watch, value)
    else if (!follows(watch, memory.last, memory.lastMs, value, atMs)) {
      const believed =
        memory.suspectMs !== never && follows(watch, memory.suspect, memory.suspectMs, value, atMs)
      if (!believed) {
        memory.suspect = value
        memory.suspectMs = atMs
        return
      }
      memory.offset += memory.last - memory.suspect
      memory.last = memory.suspect
    }
    memory.suspectMs = never
    memory.lastMs = atMs
    if (value > memory.last) memory.last = value
    if (memory.last + memory.offset - memory.base >= (memory.occurrence + 1) * watch.rule.params.every)
      reach(watch, atMs)
  },

  event(watch, event) {
    const { memory } = watch.state
    const { signal, meter } = event.attributes
    // Without the new meter's reading the change is recognised by the readings themselves.
    if (signal !== watch.rule.spec.signal || typeof meter !== "number") return
    if (memory.lastMs === never) return
    memory.offset += memory.last - meter
    memory.last = meter
    memory.lastMs = event.atMs
    memory.suspectMs = never
  },

  maintained({ state: { memory } }, { attributes: { meter } }) {
    memory.base = (typeof meter === "number" ? meter : memory.last) + memory.offset
    memory.occurrence = 0
    // Installed before anything was read: the count begins with the first reading.
    if (memory.lastMs === never && typeof meter !== "number") memory.base = never
  },

  grounds(watch, atMs) {
    const { base, offset, occurrence, last } = watch.state.memory
    return {
      statistic: `meter against every ${quantity(watch.rule.params.every, watch.rule.unit)}`,
      fromMs: watch.series.atMs.reduce((oldest, one) => Math.min(oldest, one), atMs),
      baseline: { base, offset, occurrence, reading: last },
    }
  },
}

/** Whether a meter that read `before` can read `value` now. */
function follows(watch: UsageWatch, before: number, beforeMs: number, value: number, atMs: number): boolean {
  const { maxPerHour } = watch.rule.params
  if (value < before) return before - value < jitter * Math.abs(before)
  return maxPerHour === undefined || value - before <= (maxPerHour * (atMs - beforeMs)) / hour
}

function begin(watch: UsageWatch, value: number): void {
  const { memory } = watch.state
  const { countFrom, every } = watch.rule.params
  memory.last = value
  if (memory.base === never || countFrom === "first-reading") memory.base = value
  // A truck first seen at 41,300 km with every 500 km is due at 41,500 km.
  else if (countFrom === "multiples") memory.occurrence = Math.floor((value - memory.base) / every)
  else memory.base = countFrom
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
  end(watch, "next-due", { ...step, reason: `${shown} has reached the next ${quantity(limit, rule.unit)}` })
  const several = passed > 1 ? `; ${passed} were passed at once` : ""
  const reason = `${shown} has reached ${quantity(limit, rule.unit)}: number ${due} of every ${quantity(every, rule.unit)}${several}`
  find(watch, rule.spec.severity, { ...step, reason })
}
