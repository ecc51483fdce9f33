import { compareSeverity, type Detection, type Evidence } from "../core/vocabulary.ts"
import type { Lane } from "./lane.ts"
import { type Anchor, type Brief, keyOf } from "./trail.ts"
import { never, noDeadline, type Watch } from "./watch.ts"

const lateNote = "found anew with what came late"

/** Steps that say what was found; the others say what people did about it. */
const findings: readonly Detection["kind"][] = ["opened", "raised", "lowered", "re-alarmed", "cleared"]
const isFinding = ({ kind }: Pick<Detection, "kind">) => findings.includes(kind)

/** An episode as it was told, or as it is found now, since a copy of the memory. */
type Told<Step extends Brief> = {
  readonly key: string
  readonly id: string
  /** What was found. */
  readonly steps: readonly Step[]
  readonly openedAtMs: number
  /** `noDeadline` while it is open. */
  readonly endMs: number
}

/** Under which name and number an episode that is found goes on, and whether somebody has seen it. */
type Name = { readonly id: string; readonly sequence: number; readonly acknowledged: boolean }

/** Adds to a step what it can be recomputed from. */
type Prove = (step: Detection) => Detection

/**
 * Says what is found otherwise than it was told. `scratch` has evaluated the records of `lane` since `base` once more,
 * together with what came late, and `found` this; it goes on under the ids and numbers that are told. An episode keeps
 * its id for as long as something of it is found; one that is withdrawn never comes back under its id.
 */
export function corrections(
  scratch: Lane,
  lane: Lane,
  base: Anchor,
  found: readonly Detection[],
  proofOf: (watch: Watch, atMs: number) => Evidence["replay"],
): readonly Detection[] {
  const was = episodesOf(base, base.told)
  const is = episodesOf(base, found)
  const pairs = pair(was, is)
  const names = new Map<string, Name>()
  const told: Detection[] = []
  const prove: Prove = (step) => provable(scratch, step, proofOf)
  const tell = (steps: readonly Detection[], as: Name) => {
    const { id, sequence } = as
    told.push(...steps.map((step, at) => ({ ...step, episode: id, sequence: sequence + 1 + at })))
    return { ...as, sequence: sequence + steps.length }
  }
  for (const old of was) {
    const now = pairs.get(old)
    const as = nameOf(lane, old)
    if (now === undefined) tell(withdrawal(scratch, lane, old), as)
    else names.set(now.id, tell(amendments(scratch, old, now, prove), seenBy(scratch, lane, as, now)))
  }
  const paired = new Set(pairs.values())
  for (const now of is) {
    if (paired.has(now)) continue
    // Nobody was told of it, so that nobody can have acknowledged it.
    const steps = found.filter(({ episode, kind }) => episode === now.id && kind !== "acknowledged")
    names.set(now.id, tell(steps.map(prove), { id: now.id, sequence: -1, acknowledged: false }))
  }
  goOnUnder(scratch, names)
  return told
}

function episodesOf<Step extends Brief>({ core }: Anchor, all: readonly Step[]): Told<Step>[] {
  const steps = new Map<string, { readonly key: string; readonly openedAtMs: number; all: Step[] }>()
  for (const state of core.watches) {
    const { episode } = state
    if (episode === null) continue
    steps.set(episode.id, { key: keyOf(state), openedAtMs: episode.openedAtMs, all: [] })
  }
  for (const step of all) {
    const there = steps.get(step.episode)
    if (there === undefined)
      steps.set(step.episode, { key: keyOf(step), openedAtMs: step.openedAtMs, all: [step] })
    else there.all.push(step)
  }
  return [...steps].map(([id, { key, openedAtMs, all }]) => {
    const last = all.at(-1)
    const endMs = last?.kind === "cleared" ? last.atMs : noDeadline
    return { key, id, openedAtMs, endMs, steps: all.filter(isFinding) }
  })
}

/** Which episode of before is which of now: one that was open already, or of the same beginning, or that overlaps. */
function pair<A extends Brief, B extends Brief>(
  was: readonly Told<A>[],
  is: readonly Told<B>[],
): ReadonlyMap<Told<A>, Told<B>> {
  const pairs = new Map<Told<A>, Told<B>>()
  const free = new Set(is)
  const ways: ((old: Told<A>, now: Told<B>) => boolean)[] = [
    (old, now) => old.id === now.id,
    (old, now) => old.openedAtMs === now.openedAtMs,
    (old, now) => now.openedAtMs <= old.endMs && old.openedAtMs <= now.endMs,
  ]
  for (const fits of ways) {
    for (const old of was) {
      if (pairs.has(old)) continue
      const now = [...free].find((one) => one.key === old.key && fits(old, one))
      if (now === undefined) continue
      pairs.set(old, now)
      free.delete(now)
    }
  }
  return pairs
}

function nameOf(lane: Lane, { id }: Told<Brief>): Name {
  const open = lane.core.watches.find(({ episode }) => episode?.id === id)?.episode
  if (open) return { id, sequence: open.sequence, acknowledged: open.acknowledged }
  const sequence = lane.trail.older.told.findLast(({ episode }) => episode === id)?.sequence ?? -1
  return { id, sequence, acknowledged: false }
}

/** Who has acknowledged an episode has seen it, unless it is worse now than it was. */
function seenBy(scratch: Lane, lane: Lane, as: Name, { id }: Told<Brief>): Name {
  const now = scratch.core.watches.find(({ episode }) => episode?.id === id)?.episode
  if (!now || !as.acknowledged) return { ...as, acknowledged: now?.acknowledged ?? false }
  const before = lane.core.watches.find(({ episode }) => episode?.id === as.id)?.episode
  const isWorse = before ? compareSeverity(now.severity, before.severity) > 0 : true
  return { ...as, acknowledged: !isWorse }
}

function isSame(a: readonly Brief[], b: readonly Brief[]): boolean {
  return (
    a.length === b.length &&
    a.every((step, at) => {
      const other = b[at]
      return (
        other !== undefined &&
        step.kind === other.kind &&
        step.atMs === other.atMs &&
        step.severity === other.severity &&
        step.value === other.value &&
        step.limit === other.limit
      )
    })
  )
}

/**
 * The steps that bring an episode from how it was told to how it is found now. What ended has the time at which it did;
 * what is open was not amended before it was told last.
 */
function amendments(
  scratch: Lane,
  old: Told<Brief>,
  now: Told<Detection>,
  prove: Prove,
): readonly Detection[] {
  if (old.openedAtMs === now.openedAtMs && isSame(old.steps, now.steps)) return []
  const standing = now.steps.findLast(({ kind }) => kind !== "cleared")
  const last = now.steps.at(-1)
  if (last?.kind === "cleared") {
    const cleared = anew(last)
    if (old.endMs === noDeadline) return [cleared]
    return [prove(asAmended(standing === undefined ? cleared : anew(standing))), cleared]
  }
  const watch = scratch.watches.find(({ state }) => keyOf(state) === now.key)
  const amended =
    standing !== undefined
      ? prove(asAmended(anew(standing)))
      : watch === undefined
        ? undefined
        : unmeasured(scratch, watch, "amended", now, "with what came late it is not over")
  if (amended === undefined) return []
  const { quiet: _, ...told } = amended
  const isShelved = watch !== undefined && watch.state.shelvedUntilMs !== never
  const atMs = Math.max(amended.atMs, old.steps.at(-1)?.atMs ?? amended.atMs)
  return [{ ...told, ...(isShelved ? { quiet: "shelved" as const } : {}), atMs }]
}

function withdrawal(scratch: Lane, lane: Lane, old: Told<Brief>): readonly Detection[] {
  const watch = scratch.watches.find(({ state }) => keyOf(state) === old.key)
  if (watch === undefined) return []
  const reason = `with what came late there is nothing to be found by ${watch.rule.spec.id}`
  const step = unmeasured(scratch, watch, "withdrawn", old, reason)
  const before = lane.core.watches.find(({ episode }) => episode?.id === old.id)?.episode
  const severity = before?.severity ?? old.steps.at(-1)?.severity ?? step.severity
  return [{ ...step, severity, limit: before?.limit ?? old.steps.at(-1)?.limit ?? null }]
}

function anew(step: Detection): Detection {
  return { ...step, reason: `${step.reason} (${lateNote})` }
}

function asAmended({ cause: _, ...step }: Detection): Detection {
  return { ...step, kind: "amended" }
}

/** A step that no sample of its own brought about. */
function unmeasured(
  { core }: Lane,
  watch: Watch,
  kind: "amended" | "withdrawn",
  { id, openedAtMs }: Told<Brief>,
  reason: string,
): Detection {
  const { spec, unit, parameters } = watch.rule
  const { episode } = watch.state
  return {
    kind,
    episode: id,
    sequence: 0,
    site: watch.site,
    asset: watch.asset,
    component: spec.component ?? null,
    rule: spec.id,
    ruleKind: spec.kind,
    revision: watch.rule.revision,
    severity: episode?.severity ?? spec.severity,
    openedAtMs,
    atMs: Math.max(openedAtMs, core.clockMs),
    signal: spec.signal ?? null,
    value: null,
    limit: episode?.limit ?? null,
    unit,
    reason,
    ...(watch.state.shelvedUntilMs === never ? {} : { quiet: "shelved" as const }),
    evidence: {
      statistic: "samples that came late",
      fromMs: Math.min(openedAtMs, core.clockMs),
      toMs: Math.max(openedAtMs, core.clockMs),
      samples: [],
      events: [],
      parameters,
    },
  }
}

const decided: readonly Detection["kind"][] = ["opened", "raised", "lowered", "amended"]

/** What is found anew can be recomputed from all that is known now. */
function provable(
  scratch: Lane,
  step: Detection,
  proofOf: (watch: Watch, atMs: number) => Evidence["replay"],
): Detection {
  if (!decided.includes(step.kind)) return step
  const watch = scratch.watches.find(({ state }) => keyOf(state) === keyOf(step))
  const replay = watch === undefined ? undefined : proofOf(watch, step.atMs)
  return replay === undefined ? step : { ...step, evidence: { ...step.evidence, replay } }
}

/** The scratch goes on under the ids and numbers that were told. */
function goOnUnder({ core, trail: { older, newer } }: Lane, names: ReadonlyMap<string, Name>): void {
  for (const { episode } of core.watches) {
    const name = episode === null ? undefined : names.get(episode.id)
    if (episode !== null && name !== undefined) Object.assign(episode, name)
  }
  for (const anchor of newer === null ? [older] : [older, newer]) {
    for (const { episode } of anchor.core.watches) {
      const name = episode === null ? undefined : names.get(episode.id)
      if (episode !== null && name !== undefined) episode.id = name.id
    }
    for (const step of anchor.told) {
      const name = names.get(step.episode)
      if (name === undefined) continue
      step.episode = name.id
      step.sequence = name.sequence
    }
  }
}
