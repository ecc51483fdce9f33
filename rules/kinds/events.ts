import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { name, timeMs } from "../../core/vocabulary.ts"
import { end, find } from "../episode.ts"
import { noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"

const shown = 16

const params = z.strictObject({
  codes: z.array(z.string().min(1)).min(1).max(100),
  count: z.number().int().min(1).max(1000).default(1),
  window: duration.refine((ms) => ms > 0, "expected more than nothing"),
  with: z.strictObject({ rule: name, within: duration }).optional(),
})
type Params = z.infer<typeof params>

const memory = z.object({
  /** The newest codes heard, oldest first: as many as `count` asks for, and at least those shown as evidence. */
  heard: z.array(z.object({ code: z.string(), atMs: timeMs })),
})
type Memory = z.infer<typeof memory>
type EventsWatch = Watch<Params, Memory>

/**
 * N codes within a window, alone or while another rule's episode is open or was shortly before. It stays one episode
 * until no such code has come for the window's length, or the component is installed anew.
 */
export const events: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "none",

  fresh: () => ({ heard: [] }),
  codes: ({ codes }) => codes,
  members: ({ with: companion }) => (companion === undefined ? [] : [companion.rule]),
  always: true,

  event(watch, event) {
    const { component } = event.attributes
    if (component !== undefined && component !== (watch.rule.spec.component ?? component)) return
    const { heard } = watch.state.memory
    // Devices with several clocks may send codes out of turn.
    const at = heard.findLastIndex((one) => one.atMs <= event.atMs) + 1
    heard.splice(at, 0, { code: event.code, atMs: event.atMs })
    if (heard.length > Math.max(shown, watch.rule.params.count)) heard.shift()
    if (watch.state.episode === null) decide(watch, event.atMs)
    else setDeadline(watch, newestMs(watch) + watch.rule.params.window)
  },

  joined(watch, atMs) {
    if (watch.state.episode === null) decide(watch, atMs)
  },

  fire(watch, atMs) {
    const { codes, window } = watch.rule.params
    const reason = `no ${codes.join(" or ")} for ${formatDuration(window)}`
    end(watch, "condition", { atMs, value: 0, limit: watch.rule.params.count, reason })
  },

  maintained(watch) {
    watch.state.memory = events.fresh(watch.rule.params)
    setDeadline(watch, noDeadline)
  },

  grounds(watch, atMs) {
    const { codes, window, count } = watch.rule.params
    const decided = within(watch, watch.state.episode?.openedAtMs ?? atMs)
    return {
      statistic: `${count === 1 ? "code" : `${count} of`} ${codes.join(", ")} within ${formatDuration(window)}`,
      fromMs: decided[0]?.atMs ?? atMs,
      events: decided.slice(-shown),
    }
  },
}

function decide(watch: EventsWatch, atMs: number): void {
  const { count, window, with: condition } = watch.rule.params
  const decided = within(watch, atMs)
  if (decided.length < count) return
  const companion = watch.members.find(
    ({ state }) => state.episode !== null || state.endedMs >= atMs - (condition?.within ?? 0),
  )
  if (condition !== undefined && companion === undefined) return
  const found = [...new Set(decided.map(({ code }) => code))].join(", ")
  const times =
    count === 1 ? `code ${found}` : `codes ${found}: ${decided.length} within ${formatDuration(window)}`
  const together =
    companion === undefined
      ? ""
      : companion.state.episode === null
        ? `, ${formatDuration(atMs - companion.state.endedMs)} after ${companion.rule.spec.id}`
        : `, while ${companion.rule.spec.id} is active`
  const reason = `${times}${together}`
  setDeadline(watch, newestMs(watch) + window)
  find(watch, watch.rule.spec.severity, { atMs, value: decided.length, limit: count, reason })
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
