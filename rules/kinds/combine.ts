import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { name } from "../../core/vocabulary.ts"
import { end, find } from "../episode.ts"
import { noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"

const mostRules = 20
/** Of a member's own reason; a combination names several. */
const shownLetters = 120

const rules = z
  .array(name)
  .min(1)
  .max(mostRules)
  .refine((all) => new Set(all).size === all.length, "expected each rule once")
const within = duration.default(0)

const allOfParams = z
  .strictObject({ rules, within })
  .transform((written) => ({ ...written, atLeast: written.rules.length }))
const anyOfParams = z
  .strictObject({ rules, within, atLeast: z.number().int().min(1).default(1) })
  .superRefine(({ rules, atLeast }, context) => {
    if (atLeast <= rules.length) return
    const message = `expected at most the number of rules (${rules.length}), got ${atLeast}`
    context.addIssue({ code: "custom", path: ["atLeast"], message })
  })
type Params = z.infer<typeof anyOfParams>

const memory = z.object({
  /** A member has opened since it was last decided: only that can open the combination. */
  joined: z.boolean(),
  /** What the members said when they opened. */
  reasons: z.array(z.object({ rule: z.string(), reason: z.string() })).max(mostRules),
})
type Memory = z.infer<typeof memory>
type CombinedWatch = Watch<Params, Memory>

/**
 * Rules whose episodes are open at one time, or have ended by themselves less than `within` ago. Decided once all
 * that one time brings has been looked at, so that the order within it does not matter.
 */
const combined: Omit<RuleKind<Params, Memory>, "params"> = {
  memory,
  signal: "none",
  // Its members look away by themselves.
  always: true,

  fresh: () => ({ joined: false, reasons: [] }),
  members: ({ rules }) => rules,

  joined(watch, atMs, { rule: { spec } }, reason) {
    const { memory } = watch.state
    memory.joined = true
    memory.reasons = memory.reasons.filter(({ rule }) => rule !== spec.id)
    memory.reasons.push({ rule: spec.id, reason: brief(reason) })
    setDeadline(watch, Math.min(watch.state.dueMs, atMs))
  },

  parted(watch, atMs) {
    setDeadline(watch, Math.min(watch.state.dueMs, atMs))
  },

  fire(watch, atMs) {
    const { params } = watch.rule
    const { memory, episode } = watch.state
    const held = holding(watch, atMs)
    const { length } = held
    const step = { atMs, value: length, limit: params.atLeast }
    if (episode === null && memory.joined && length >= params.atLeast)
      find(watch, watch.rule.spec.severity, { ...step, reason: reasonFor(watch, held, atMs) })
    else if (length < params.atLeast) end(watch, "condition", { ...step, reason: endFor(watch, held) })
    memory.joined = false
    const endsMs = held.flatMap(({ state }) =>
      state.episode === null ? [state.endedMs + params.within] : [],
    )
    setDeadline(watch, Math.min(noDeadline, ...endsMs))
  },

  maintained(watch) {
    // Members that are about something else are still open, and their reasons still hold.
    watch.state.memory.joined = false
    setDeadline(watch, noDeadline)
  },

  grounds(watch, atMs) {
    const { rules, within, atLeast } = watch.rule.params
    const held = holding(watch, atMs).map(({ state }) => state.episode?.openedAtMs ?? state.endedMs)
    const some = atLeast === rules.length ? "all" : `at least ${atLeast}`
    return {
      statistic: `${some} of the rules ${rules.join(", ")} ${within === 0 ? "at one time" : `within ${formatDuration(within)}`}`,
      fromMs: Math.min(atMs - within, ...held),
    }
  },
}

/** All of the rules. */
export const allOf: RuleKind<Params, Memory> = { ...combined, params: allOfParams }

/** Any of the rules, or at least so many of them. */
export const anyOf: RuleKind<Params, Memory> = { ...combined, params: anyOfParams }

/** For each rule that counts at this time the watch that shows it: one that is open before one that has ended. */
function holding({ rule: { params }, members }: CombinedWatch, atMs: number): Watch[] {
  return params.rules.flatMap((id) => {
    const mine = members.filter(({ rule }) => rule.spec.id === id)
    const open = mine.find(({ state }) => state.episode !== null)
    if (open !== undefined) return [open]
    const newest = mine.reduce<Watch | undefined>(
      (best, one) => (best === undefined || one.state.endedMs > best.state.endedMs ? one : best),
      undefined,
    )
    return newest !== undefined && newest.state.endedMs + params.within > atMs ? [newest] : []
  })
}

function reasonFor({ rule: { params }, state }: CombinedWatch, held: readonly Watch[], atMs: number): string {
  const count = params.rules.length
  const head =
    count === 1 ? "" : held.length === count ? `all ${count} rules: ` : `${held.length} of ${count} rules: `
  const each = held.map(({ rule, state: { episode, endedMs } }) => {
    const { id } = rule.spec
    const said = state.memory.reasons.find((one) => one.rule === id)?.reason
    const ended = episode === null ? `ended ${formatDuration(atMs - endedMs)} ago` : undefined
    const more = [said, ended].filter((one) => one !== undefined).join("; ")
    return more === "" ? id : `${id} (${more})`
  })
  return head + each.join(", ")
}

function endFor({ rule: { params } }: CombinedWatch, held: readonly Watch[]): string {
  const { rules, within } = params
  const span = within === 0 ? "" : ` within ${formatDuration(within)}`
  if (held.length === 0) return `no more of ${rules.join(", ")}${span}`
  return `only ${held.map(({ rule }) => rule.spec.id).join(", ")} of ${rules.join(", ")}${span}`
}

function brief(reason: string): string {
  if (reason.length <= shownLetters) return reason
  const cut = reason.slice(0, shownLetters - 1)
  // Between words, where there are any: half a figure would be another figure.
  return `${cut.slice(0, cut.lastIndexOf(" ") + 1).trimEnd() || cut}…`
}
