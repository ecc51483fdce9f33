import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { name, timeMs } from "../../core/vocabulary.ts"
import { end, find } from "../episode.ts"
import { noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"

const shown = 16

/** The newest value of a signal, if it is not older than `within`, is beyond a limit. */
const sensor = z
  .strictObject({
    signal: name,
    above: z.number().optional(),
    below: z.number().optional(),
    within: duration,
  })
  .refine(({ above, below }) => (above === undefined) !== (below === undefined), {
    error: ({ input }) => `expected exactly one of above, below, got ${JSON.stringify(input)}`,
  })

const params = z
  .strictObject({
    codes: z.array(z.string().min(1)).min(1).max(100),
    count: z.number().int().min(1).max(1000).default(1),
    /** Besides, each of the codes at least once. */
    each: z.boolean().default(false),
    window: duration.refine((ms) => ms > 0, "expected more than nothing"),
    with: z.strictObject({ rule: name, within: duration }).optional(),
    while: sensor.optional(),
  })
  .superRefine(({ codes, each }, context) => {
    if (!each || new Set(codes).size === codes.length) return
    context.addIssue({
      code: "custom",
      path: ["codes"],
      message: `with each expected every code once, got ${codes.join(", ")}`,
    })
  })
type Params = z.infer<typeof params>

const memory = z.object({
  /**
   * The newest codes heard, oldest first: as many as `count` asks for, and at least those shown as evidence; with
   * `each` the newest of each code besides, so that one which comes often does not crowd out the others.
   */
  heard: z.array(z.object({ code: z.string(), atMs: timeMs })),
})
type Memory = z.infer<typeof memory>
type EventsWatch = Watch<Params, Memory>

/**
 * N codes within a window, alone or while another rule's episode is open or was shortly before, or while a signal is
 * beyond a limit. It stays one episode until no such code has come for the window's length, or the component is
 * installed anew.
 */
export const events: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "none",

  fresh: () => ({ heard: [] }),
  codes: ({ codes }) => codes,
  reads: ({ while: sensor }) => (sensor === undefined ? [] : [sensor.signal]),
  members: ({ with: companion }) => (companion === undefined ? [] : [companion.rule]),
  always: true,

  // What is kept depends on these alone; windows, companions and limits are looked at when it is judged.
  shape: ({ codes, count, each }) => ({ codes, count, each }),

  event(watch, event) {
    const { component } = event.attributes
    if (component !== undefined && component !== (watch.rule.spec.component ?? component)) return
    const { heard } = watch.state.memory
    // Devices with several clocks may send codes out of turn.
    const at = heard.findLastIndex((one) => one.atMs <= event.atMs) + 1
    heard.splice(at, 0, { code: event.code, atMs: event.atMs })
    forget(watch)
    if (watch.state.episode === null) decide(watch, event.atMs)
    else setDeadline(watch, newestMs(watch) + watch.rule.params.window)
  },

  joined(watch, atMs) {
    if (watch.state.episode === null) decide(watch, atMs)
  },

  settled(watch, atMs) {
    const { state, rule } = watch
    const { heard } = state.memory
    if (state.episode !== null) return
    const oldest = heard[heard.length - rule.params.count]
    if (oldest === undefined || oldest.atMs <= atMs - rule.params.window) return
    if (beyond(watch, atMs)) decide(watch, atMs)
  },

  fire(watch, atMs) {
    const { codes, window } = watch.rule.params
    // The window may have become longer since the deadline was set.
    const dueMs = newestMs(watch) + window
    if (dueMs > atMs) {
      setDeadline(watch, dueMs)
      return
    }
    const reason = `no ${codes.join(" or ")} for ${formatDuration(window)}`
    end(watch, "condition", { atMs, value: 0, limit: watch.rule.params.count, reason })
  },

  maintained(watch) {
    watch.state.memory = events.fresh(watch.rule.params)
    setDeadline(watch, noDeadline)
  },

  grounds(watch, atMs) {
    const { codes, window, count, each } = watch.rule.params
    const decided = within(watch, watch.state.episode?.openedAtMs ?? atMs)
    const what = each ? "each of" : count === 1 ? "code" : `${count} of`
    return {
      statistic: `${what} ${codes.join(", ")} within ${formatDuration(window)}`,
      fromMs: decided[0]?.atMs ?? atMs,
      events: decided.slice(-shown),
    }
  },
}

/** Keeps no more than can decide or be shown. */
function forget(watch: EventsWatch): void {
  const { codes, count, each } = watch.rule.params
  const { heard } = watch.state.memory
  if (heard.length <= Math.max(shown, each ? count + codes.length : count)) return
  // With so many there is a code that came again, before the newest `count`.
  const spare = each
    ? heard.findIndex(({ code }, at) => heard.findLastIndex((one) => one.code === code) > at)
    : 0
  heard.splice(Math.max(0, spare), 1)
}

function decide(watch: EventsWatch, atMs: number): void {
  const { codes, count, each, window, with: condition, while: sensor } = watch.rule.params
  const decided = within(watch, atMs)
  if (decided.length < count) return
  const kinds = new Set(decided.map(({ code }) => code))
  if (each && kinds.size < codes.length) return
  const companion = watch.members.find(
    ({ state }) => state.episode !== null || state.endedMs >= atMs - (condition?.within ?? 0),
  )
  if (condition !== undefined && companion === undefined) return
  if (!beyond(watch, atMs)) return
  const found = [...kinds].join(", ")
  const times =
    count === 1 && kinds.size === 1
      ? `code ${found}`
      : `codes ${found}: ${decided.length} within ${formatDuration(window)}`
  const together =
    companion === undefined
      ? ""
      : companion.state.episode === null
        ? `, ${formatDuration(atMs - companion.state.endedMs)} after ${companion.rule.spec.id}`
        : `, while ${companion.rule.spec.id} is active`
  const reason = `${times}${together}${sensor === undefined ? "" : besides(watch, sensor)}`
  setDeadline(watch, newestMs(watch) + window)
  find(watch, watch.rule.spec.severity, { atMs, value: decided.length, limit: count, reason })
}

/** Whether the signal that it reads, if it reads one, is beyond its limit by a value that is not too old. */
function beyond(watch: EventsWatch, atMs: number): boolean {
  const { while: sensor } = watch.rule.params
  if (sensor === undefined) return true
  const series = watch.others.get(sensor.signal)
  if (series === undefined || series.markMs < atMs - sensor.within) return false
  return sensor.above === undefined ? series.value < (sensor.below ?? 0) : series.value > sensor.above
}

function besides(watch: EventsWatch, { signal, above, below }: z.infer<typeof sensor>): string {
  const value = watch.others.get(signal)?.value ?? 0
  const side = above === undefined ? "below" : "above"
  return `, while ${signal.replaceAll("_", " ")} is ${quantity(value, null)}, ${side} ${quantity(above ?? below ?? 0, null)}`
}

/** The codes heard less than a window before this time. */
function within(watch: EventsWatch, atMs: number): Memory["heard"] {
  return watch.state.memory.heard.filter(
    (one) => one.atMs > atMs - watch.rule.params.window && one.atMs <= atMs,
  )
}

function newestMs(watch: EventsWatch): number {
  return watch.state.memory.heard.at(-1)?.atMs ?? noDeadline
}
