import type { Detection, Evidence } from "../core/vocabulary.ts"
import {
  type Belated,
  type Counts,
  drain,
  eventName,
  type Lane,
  moveLane,
  openLane,
  takeEntry,
} from "./lane.ts"
import { copyOf } from "./memory.ts"
import { type Brief, type Entry, keyOf, note } from "./trail.ts"
import { never } from "./watch.ts"

/**
 * Puts what came late in its place among the records that are kept, evaluates these again, and tells what is found
 * otherwise than before: an episode is amended, withdrawn, or opened after all. Gives the lane to go on with.
 */
export function rewind(lane: Lane, belated: Belated, counts: Counts): Lane {
  const at = placeOf(lane, belated)
  if (at === "duplicate") counts.duplicates++
  else if (at === "too-late") counts.tooLate++
  else {
    counts.late++
    return again(lane, at, belated.entry)
  }
  return lane
}

/** What is found anew can be recomputed from all that is known now. */
function provable(scratch: Lane, step: Detection): Detection {
  const watch = scratch.watches.find(({ state }) => keyOf(state) === keyOf(step))
  const replay =
    watch === undefined || step.kind === "cleared" ? undefined : scratch.replayOf(watch, step.atMs)
  if (replay === undefined || step.kind === "withdrawn") return step
  return { ...step, evidence: { ...step.evidence, replay } }
}

function placeOf(lane: Lane, { name, entry }: Belated): number | "duplicate" | "too-late" {
  const { entries, older } = lane.trail
  const isOf = (one: Entry) =>
    entry.event === undefined
      ? one.values !== undefined && Object.hasOwn(one.values, name)
      : one.event !== undefined && eventName(lane, one.event) === name
  if (entries.some((one) => one.atMs === entry.atMs && isOf(one))) return "duplicate"
  const marks = entry.event === undefined ? older.core.series : older.core.events
  const mark = marks.find((one) => ("signal" in one ? one.signal : one.name) === name)?.markMs ?? never
  if (entry.atMs === mark) return "duplicate"
  if (entry.atMs < mark) return "too-late"
  const at = entries.findIndex((one) => one.atMs > entry.atMs && isOf(one))
  // Known by its time alone: a sample of bad quality, which is not kept.
  return at === -1 ? entries.length : at
}

function again(lane: Lane, at: number, late: Entry): Lane {
  note(lane)
  const { older, entries } = lane.trail
  const before = older.told
  const scratch = openLane(lane, copyOf(older.core))
  scratch.rehearses = true
  const clockMs = Math.max(late.atMs, clockBefore(entries, at) ?? older.core.clockMs)
  const uncounted: Counts = { samples: 0, duplicates: 0, late: 0, tooLate: 0, unusable: 0 }
  for (const entry of entries.toSpliced(at, 0, { ...late, clockMs })) takeEntry(scratch, entry, uncounted)
  moveLane(scratch, lane.core.clockMs)
  settle(scratch, lane)
  const found = drain(scratch)
  scratch.rehearses = false
  const corrected = corrections(scratch, lane, before, found).map((step) => provable(scratch, step))
  scratch.outbox.push(...lane.outbox, ...corrected)
  scratch.noted = scratch.outbox.length
  return scratch
}

function clockBefore(entries: readonly Entry[], at: number): number | undefined {
  const before = entries[at - 1]
  return before === undefined ? undefined : (before.clockMs ?? before.atMs)
}

/** What the newest record, which is not among the entries yet, and the clock have told the lane besides. */
function settle(scratch: Lane, { core }: Lane): void {
  for (const { signal, markMs } of core.series) {
    const series = scratch.core.series.find((one) => one.signal === signal)
    if (series !== undefined && series.markMs < markMs) series.markMs = markMs
  }
  scratch.core.knownMs = Math.max(scratch.core.knownMs, core.knownMs)
  for (const watch of scratch.watches) {
    const before = core.watches.find((one) => keyOf(one) === keyOf(watch.state))
    // An episode that was withdrawn never lends its id to another one.
    if (before !== undefined && before.opened > watch.state.opened) watch.state.opened = before.opened
  }
}

/** An episode as it was told, or as it is found now. */
type Told = {
  readonly key: string
  readonly id: string
  readonly steps: readonly Brief[]
  readonly openedAtMs: number
  readonly endMs: number
}

function episodesOf(steps: readonly Brief[]): Told[] {
  const ids = new Map<string, Brief[]>()
  for (const step of steps) ids.set(step.episode, [...(ids.get(step.episode) ?? []), step])
  return [...ids].flatMap(([id, steps]) => {
    const [first, last] = [steps[0], steps.at(-1)]
    if (first === undefined || last === undefined) return []
    const endMs = last.kind === "cleared" ? last.atMs : Number.POSITIVE_INFINITY
    return [{ key: keyOf(first), id, steps, openedAtMs: first.openedAtMs, endMs }]
  })
}

const isWithdrawn = ({ steps }: Told) => steps.at(-1)?.kind === "withdrawn"
const isOpen = ({ steps }: Told) => !["cleared", "withdrawn"].includes(steps.at(-1)?.kind ?? "")

/** Says what changed, and gives the scratch the ids and numbers under which it was told. */
function corrections(
  scratch: Lane,
  lane: Lane,
  before: readonly Brief[],
  found: readonly Detection[],
): Detection[] {
  const told: Detection[] = []
  const was = episodesOf(before)
  const is = episodesOf(found)
  const pairs = pair(was, is)
  const asTold = new Map<string, { readonly id: string; readonly sequence: number }>()
  for (const old of was) {
    const now = pairs.get(old)
    const sequence = old.steps.at(-1)?.sequence ?? 0
    if (now !== undefined && old.id === now.id && !isWithdrawn(old) && sameSteps(old, now)) {
      asTold.set(now.id, { id: old.id, sequence })
      continue
    }
    const steps = now === undefined ? unfound(scratch, lane, old) : changed(old, now, found)
    const atMs = Math.max(old.steps.at(-1)?.atMs ?? never, scratch.core.clockMs)
    steps.forEach((step, at) => {
      told.push({
        ...step,
        episode: old.id,
        sequence: sequence + 1 + at,
        atMs: Math.max(step.atMs, step.kind === "withdrawn" ? atMs : (old.steps.at(-1)?.atMs ?? never)),
      })
    })
    asTold.set(now?.id ?? old.id, { id: old.id, sequence: sequence + steps.length })
  }
  const paired = new Set(pairs.values())
  for (const now of is) {
    if (!paired.has(now)) told.push(...found.filter(({ episode }) => episode === now.id))
  }
  adopt(scratch, asTold)
  keepWithdrawn(scratch, was, told)
  return told
}

/** Which episode of before is which of now: that of the same id, else the first that overlaps. */
function pair(was: readonly Told[], is: readonly Told[]): Map<Told, Told> {
  const pairs = new Map<Told, Told>()
  const free = new Set(is)
  const take = (old: Told, now: Told | undefined) => {
    if (now === undefined) return
    pairs.set(old, now)
    free.delete(now)
  }
  for (const old of was)
    take(
      old,
      is.find(({ id }) => id === old.id),
    )
  for (const old of was) {
    if (pairs.has(old) || isWithdrawn(old)) continue
    const overlaps = (now: Told) =>
      now.key === old.key && now.openedAtMs <= old.endMs && old.openedAtMs <= now.endMs
    take(old, [...free].find(overlaps))
  }
  return pairs
}

function sameSteps({ steps: a }: Told, { steps: b }: Told): boolean {
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

const lateNote = "found anew with what came late"

/** The steps that bring an episode from how it was told to how it is found now. */
function changed(old: Told, now: Told, found: readonly Detection[]): Detection[] {
  const steps = found.filter(({ episode }) => episode === now.id)
  const last = steps.at(-1)
  const standing = steps.findLast(({ kind }) => kind !== "cleared") ?? last
  if (last === undefined || standing === undefined) return []
  const { cause: _, ...figures } = standing
  const amended: Detection = { ...figures, kind: "amended", reason: `${standing.reason} (${lateNote})` }
  if (last.kind !== "cleared") return [amended]
  return isOpen(old) ? [{ ...last, reason: `${last.reason} (${lateNote})` }] : [amended, last]
}

/** The steps for an episode of which nothing new is found: it is still open as it was at first, or there is none. */
function unfound(scratch: Lane, lane: Lane, old: Told): Detection[] {
  if (isWithdrawn(old)) return []
  const watch = scratch.watches.find(({ state }) => keyOf(state) === old.key)
  const [first, last] = [old.steps[0], old.steps.at(-1)]
  const rule = (watch ?? lane.watches.find(({ state }) => keyOf(state) === old.key))?.rule
  if (rule === undefined || first === undefined || last === undefined) return []
  const { spec, unit, revision, parameters } = rule
  const stands = watch?.state.episode?.id === old.id ? watch.state.episode : undefined
  const evidence: Evidence = {
    statistic: "samples that came late",
    fromMs: Math.min(first.openedAtMs, lane.core.clockMs),
    toMs: lane.core.clockMs,
    samples: [],
    events: [],
    parameters,
  }
  return [
    {
      kind: stands === undefined ? "withdrawn" : "amended",
      episode: old.id,
      sequence: 0,
      site: lane.revision.assets.get(lane.asset)?.site ?? "",
      asset: lane.asset,
      component: spec.component ?? null,
      rule: spec.id,
      ruleKind: spec.kind,
      revision,
      severity: stands?.severity ?? last.severity,
      openedAtMs: first.openedAtMs,
      atMs: last.atMs,
      signal: spec.signal ?? null,
      value: null,
      limit: stands?.limit ?? last.limit,
      unit,
      reason:
        stands === undefined
          ? `with what came late there is nothing to be found by ${spec.id}`
          : `with what came late it is not over`,
      evidence,
    },
  ]
}

/** The scratch goes on under the ids and numbers that were told. */
function adopt(
  scratch: Lane,
  asTold: ReadonlyMap<string, { readonly id: string; readonly sequence: number }>,
): void {
  const { older, newer } = scratch.trail
  for (const { watches } of [scratch.core, older.core, ...(newer === null ? [] : [newer.core])]) {
    for (const { episode } of watches) {
      const as = episode === null ? undefined : asTold.get(episode.id)
      if (episode !== null && as !== undefined) episode.id = as.id
    }
  }
  for (const { episode } of scratch.core.watches) {
    const as = episode === null ? undefined : [...asTold.values()].find(({ id }) => id === episode.id)
    if (episode !== null && as !== undefined) episode.sequence = as.sequence
  }
  for (const step of [...older.told, ...(newer?.told ?? [])]) {
    const as = asTold.get(step.episode)
    if (as === undefined) continue
    step.episode = as.id
    step.sequence = as.sequence
  }
}

/** A withdrawn episode's id and number must be known if it is ever found again. */
function keepWithdrawn(scratch: Lane, was: readonly Told[], told: readonly Detection[]): void {
  const { older, newer } = scratch.trail
  const kept = [
    ...was.filter(isWithdrawn).flatMap(({ steps }) => steps.slice(-1)),
    ...told.filter(({ kind }) => kind === "withdrawn"),
  ]
  for (const { rule, signal, episode, sequence, kind, atMs, openedAtMs, severity, value, limit } of kept) {
    if (older.told.some((step) => step.episode === episode)) continue
    const step = { rule, signal, episode, sequence, kind, atMs, openedAtMs, severity, value, limit }
    older.told.push(step)
    newer?.told.push({ ...step })
  }
}
