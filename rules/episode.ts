import { v5 as uuid } from "uuid"
import { compareSeverity, type Detection, type Severity } from "../core/vocabulary.ts"
import { samplesIn } from "./series.ts"
import type { Watch } from "./watch.ts"

const namespace = "6b0f2a3e-0d5c-5e6a-9b7e-4f1f5d1c8a21"

type Step = Pick<Detection, "forecast"> & {
  readonly atMs: number
  readonly value: number | null
  readonly limit: number | null
  readonly reason: string
}

/** The condition holds with this severity: opens an episode, raises or lowers the open one, or changes nothing. */
export function find(watch: Watch, severity: Severity, step: Step): void {
  const { state, rule } = watch
  if (state.episode !== null) {
    const change = compareSeverity(severity, state.episode.severity)
    state.episode.severity = severity
    if (change !== 0) emit(watch, change > 0 ? "raised" : "lowered", step)
    return
  }
  const { id, component = null, signal = null } = rule.spec
  state.episode = {
    // The running number tells apart episodes that open at one instant; the revision is no part of it, because
    // an edit of the rule makes no second episode.
    id: uuid(JSON.stringify([id, watch.asset, component, signal, step.atMs, state.opened]), namespace),
    sequence: -1,
    openedAtMs: step.atMs,
    atMs: step.atMs,
    severity,
    limit: step.limit,
  }
  state.opened += 1
  emit(watch, "opened", step)
  for (const follower of watch.followers) follower.rule.kind.joined?.(follower, step.atMs)
}

/** The open episode has lasted, and is told once more. */
export function remind(watch: Watch, step: Step): void {
  emit(watch, "re-alarmed", step)
}

/** The episode, if one is open, is over. */
export function end(watch: Watch, cause: NonNullable<Detection["cause"]>, step: Step): void {
  const { state } = watch
  if (state.episode === null) return
  emit(watch, "cleared", step, cause)
  state.episode = null
  if (cause === "condition") state.endedMs = step.atMs
  for (const follower of watch.followers) follower.rule.kind.parted?.(follower, step.atMs)
}

function emit(watch: Watch, kind: Detection["kind"], step: Step, cause?: Detection["cause"]): void {
  const { rule, state } = watch
  const { episode } = state
  if (episode === null) return
  // Signals of one asset may have clocks of their own; an episode still goes forward only.
  const atMs = Math.max(step.atMs, episode.atMs)
  const { statistic, fromMs, events = [], baseline } = rule.kind.grounds(watch, atMs)
  episode.sequence += 1
  episode.atMs = atMs
  episode.limit = step.limit
  watch.outbox.detections.push({
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
    unit: rule.unit,
    reason: step.reason,
    ...(step.forecast === undefined ? {} : { forecast: step.forecast }),
    ...(cause === undefined ? {} : { cause }),
    evidence: {
      statistic,
      fromMs: Math.min(fromMs, atMs),
      toMs: atMs,
      samples: rule.spec.signal === undefined ? [] : samplesIn(watch.series, fromMs, atMs),
      events,
      ...(baseline === undefined ? {} : { baseline }),
      parameters: rule.parameters,
    },
  })
}
