import { v5 as uuid } from "uuid"
import { type Action, compareSeverity, type Detection, type Severity } from "../core/vocabulary.ts"
import { samplesIn } from "./series.ts"
import { look } from "./suspension.ts"
import { never, type Watch } from "./watch.ts"

const namespace = "6b0f2a3e-0d5c-5e6a-9b7e-4f1f5d1c8a21"

type Step = Pick<Detection, "forecast"> & {
  readonly atMs: number
  readonly value: number | null
  readonly limit: number | null
  readonly reason: string
}

/** The condition holds with this severity: opens an episode, raises or lowers the open one, or changes nothing. */
export function find(watch: Watch, severity: Severity, step: Step): void {
  const { state } = watch
  if (state.episode !== null) {
    const change = compareSeverity(severity, state.episode.severity)
    state.episode.severity = severity
    if (change > 0) state.episode.acknowledged = false
    if (change !== 0) emit(watch, change > 0 ? "raised" : "lowered", step)
    return
  }
  state.episode = {
    id: idOf(watch, step.atMs),
    acknowledged: false,
    sequence: -1,
    openedAtMs: step.atMs,
    atMs: step.atMs,
    severity,
    limit: step.limit,
  }
  state.opened += 1
  emit(watch, "opened", step)
  for (const guarded of watch.guarded) look(guarded, step.atMs)
  for (const follower of watch.followers) follower.rule.kind.joined?.(follower, step.atMs, watch, step.reason)
}

/**
 * The running number tells apart episodes that open at one instant; the revision is no part of it, because an edit of
 * the rule makes no second episode. What is opened when records are looked at again is another one than any that was
 * told, until it is known which of these it is.
 */
function idOf({ rule, asset, state, lane: { rehearsal } }: Watch, atMs: number): string {
  const { id, component = null, signal = null } = rule.spec
  const again = rehearsal === 0 ? [] : [rehearsal]
  return uuid(JSON.stringify([id, asset, component, signal, atMs, state.opened, ...again]), namespace)
}

/** The open episode has lasted, and is told once more, also to who has acknowledged it. */
export function remind(watch: Watch, step: Step): void {
  if (watch.state.episode !== null) watch.state.episode.acknowledged = false
  emit(watch, "re-alarmed", step)
}

/** The episode, if one is open, is over. */
export function end(watch: Watch, cause: NonNullable<Detection["cause"]>, step: Step): void {
  const { state } = watch
  if (state.episode === null) return
  emit(watch, "cleared", step, { cause })
  state.episode = null
  if (cause === "condition") state.endedMs = step.atMs
  for (const guarded of watch.guarded) look(guarded, step.atMs)
  for (const follower of watch.followers) follower.rule.kind.parted?.(follower, step.atMs)
}

/** Somebody has seen the open episode; a second time changes nothing. */
export function acknowledge(watch: Watch, { actor, reason, atMs }: Action): void {
  const { episode } = watch.state
  if (episode === null || episode.acknowledged) return
  episode.acknowledged = true
  emit(watch, "acknowledged", noted(watch, atMs, reason), { actor })
}

/** Until then nobody is to be told of this rule's episodes; it goes on judging. */
export function shelve(watch: Watch, untilMs: number, { actor, reason, atMs }: Action): void {
  const { state } = watch
  state.shelvedUntilMs = untilMs
  if (untilMs < watch.lane.nextDueMs) watch.lane.nextDueMs = untilMs
  emit(watch, "shelved", noted(watch, atMs, reason), { actor })
}

/** The shelf's time is up, or somebody (`action`) has taken the rule off it: an episode that is open is told of now. */
export function unshelve(watch: Watch, atMs: number, action?: Action): void {
  const { state } = watch
  if (state.shelvedUntilMs === never) return
  state.shelvedUntilMs = never
  const reason = action?.reason ?? `the rule ${watch.rule.spec.id} was shelved until now`
  emit(watch, "unshelved", noted(watch, atMs, reason), action === undefined ? {} : { actor: action.actor })
}

/** A step in which nothing new was measured. */
function noted({ state }: Watch, atMs: number, reason: string): Step {
  return { atMs, value: null, limit: state.episode?.limit ?? null, reason }
}

const decided: readonly Detection["kind"][] = ["opened", "raised", "lowered"]

function emit(
  watch: Watch,
  kind: Detection["kind"],
  step: Step,
  more: Pick<Detection, "cause" | "actor"> = {},
): void {
  const { rule, state } = watch
  const { episode } = state
  if (episode === null) return
  // Signals of one asset may have clocks of their own; an episode still goes forward only.
  const atMs = Math.max(step.atMs, episode.atMs)
  const { statistic, fromMs, events = [], baseline } = rule.kind.grounds(watch, atMs)
  const replay = decided.includes(kind) ? watch.lane.replayOf(watch, atMs) : undefined
  episode.sequence += 1
  // People decide by the time of day, which says nothing of the time that the asset's data has reached.
  if (more.actor === undefined) episode.atMs = atMs
  episode.limit = step.limit
  watch.lane.outbox.push({
    kind,
    episode: episode.id,
    sequence: episode.sequence,
    site: watch.site,
    asset: watch.asset,
    component: rule.spec.component ?? null,
    rule: rule.spec.id,
    ruleKind: rule.spec.kind,
    revision: rule.revision,
    severity: episode.severity,
    openedAtMs: episode.openedAtMs,
    atMs,
    signal: rule.spec.signal ?? null,
    value: step.value,
    limit: step.limit,
    unit: rule.valueUnit,
    reason: step.reason,
    ...more,
    ...(state.shelvedUntilMs === never ? {} : { quiet: "shelved" as const }),
    ...(step.forecast === undefined ? {} : { forecast: step.forecast }),
    evidence: {
      statistic,
      fromMs: Math.min(fromMs, atMs),
      toMs: atMs,
      samples: samplesOf(watch, fromMs, atMs),
      events,
      ...(baseline === undefined ? {} : { baseline }),
      parameters: rule.parameters,
      ...(replay === undefined ? {} : { replay }),
    },
  })
}

const samplesShown = 16

/** The newest samples of all that the rule reads. */
function samplesOf(watch: Watch, fromMs: number, toMs: number): Detection["evidence"]["samples"] {
  const own = watch.rule.spec.signal === undefined ? [] : [watch.series]
  return [...own, ...watch.others.values()]
    .flatMap((series) => samplesIn(series, fromMs, toMs))
    .sort((a, b) => a.atMs - b.atMs)
    .slice(-samplesShown)
}
