import type { Revision } from "../core/catalogue.ts"
import type { AssetEvent, Detection, Evidence, Finding, Reading, Sample } from "../core/vocabulary.ts"
import { instant } from "../core/wording.ts"
import { eventName, takeRecord } from "./evaluate.ts"
import { checkMemory, drain, type Lane, noCounts, openLane } from "./lane.ts"
import { moveLane } from "./lane-clock.ts"
import { type LaneCore, laneCore } from "./memory.ts"
import { rewind } from "./rewind.ts"
import { rulebooks } from "./rulebook.ts"
import { isUsable } from "./series.ts"
import { hashOf, linesOf, readingOf, type WhatIsRead } from "./trail.ts"
import { isOf, never } from "./watch.ts"

/** `same`: the stored telemetry and the rule's revision give the finding again. */
export type Verdict = {
  readonly verdict: "same" | "different" | "unavailable"
  /** What was compared, or what differs or is missing. */
  readonly reason: string
}

/** A finding set up to be recomputed. */
export type Trial = {
  /** Which telemetry it takes: signals of the asset and events, from this time (exclusive) to that (inclusive). */
  readonly signals: readonly string[]
  readonly fromMs: number
  readonly toMs: number
  judge(samples: readonly Sample[], events: readonly AssetEvent[]): Verdict
}

type Question = Finding & { readonly asset: string }
type Replay = NonNullable<Evidence["replay"]>

const unavailable = (reason: string): Verdict => ({ verdict: "unavailable", reason })
const different = (reason: string): Verdict => ({ verdict: "different", reason })

/** The finding's rule with the memory that it had before; or why that can't be had. */
export function prepareTrial(finding: Question, revision: Revision | undefined): Trial | Verdict {
  const { replay } = finding.evidence
  if (replay === undefined)
    return unavailable(`the step "${finding.kind}" says of itself nothing that was measured`)
  if (revision === undefined)
    return unavailable(`revision ${replay.revision} of the plant is not in the register any more`)
  const core = laneCore.safeParse(replay.state)
  const asset = revision.assets.get(finding.asset)
  if (!core.success || asset === undefined)
    return unavailable("what the rule had in memory is of another version of Millwright")
  const all = rulebooks(() => {})(revision).rulesFor(asset)
  const mine = all.find((rule) => isOf(rule, finding))
  if (mine?.parameters !== finding.evidence.parameters)
    return different(
      `in revision ${revision.number} the rule ${finding.rule} has other parameters than those that decided`,
    )
  const rules = all.filter((rule) => core.data.watches.some((state) => isOf(rule, state)))
  const open = () => {
    const place = { asset: asset.id, latenessMs: mine.spec.lateness, revision, rules }
    return openLane(place, structuredClone(core.data))
  }
  try {
    checkMemory(core.data, asset.id, rules)
  } catch {
    return unavailable("what the rule had in memory is of another version of Millwright")
  }
  const read = readingOf(open().watches)
  const marks = [...read.signals].map((signal) => markOf(core.data, signal))
  return {
    signals: [...read.signals],
    fromMs: Math.min(replay.fromMs, ...marks.filter((mark) => mark !== never)),
    toMs: replay.toMs,
    judge(samples, events) {
      const records = (by: Replay) => recordsOf(open(), core.data, read, by, samples, events)
      const known = records(replay)
      const lines = (some: Records) => linesIn(some, read, core.data)
      // Of what arrived in the last instant some may be newer. The store has the last arrival of what was told twice:
      // then only the time of a sample tells whether it was there.
      const decided =
        matching(known, (one) => one.arrivedMs === replay.knownMs, lines, replay) ??
        matching(
          records({ ...replay, knownMs: Number.POSITIVE_INFINITY }).sort(byTime),
          (one) => one.atMs === replay.toMs,
          lines,
          replay,
        )
      if (decided === undefined) return missing(lines(known).length, replay)
      return compare(finding, rerun(open(), decided, replay))
    },
  }
}

function markOf({ series }: LaneCore, signal: string): number {
  return series.find((one) => one.signal === signal)?.markMs ?? never
}

/** What was known when the rule decided and newer than its memory, in the order of its arrival. */
function recordsOf(
  lane: Lane,
  core: LaneCore,
  { signals, hears }: WhatIsRead,
  { toMs, knownMs }: Replay,
  samples: readonly Sample[],
  events: readonly AssetEvent[],
): (Reading | AssetEvent)[] {
  const readings = new Map<string, Reading>()
  for (const { asset, signal, atMs, arrivedMs, value, quality } of samples) {
    if (!signals.has(signal) || !isUsable(value, quality) || atMs <= markOf(core, signal)) continue
    if (atMs > toMs || arrivedMs > knownMs) continue
    const key = `${arrivedMs} ${atMs}`
    const there = readings.get(key)
    if (there !== undefined) there.values[signal] = value
    else readings.set(key, { kind: "reading", site: "", asset, atMs, arrivedMs, values: { [signal]: value } })
  }
  const heard = events.filter((event) => {
    const name = eventName(lane, event)
    const markMs = core.events.find((one) => one.name === name)?.markMs ?? never
    return hears(event) && event.atMs > markMs && event.atMs <= toMs && event.arrivedMs <= knownMs
  })
  const isDelayed = lane.latenessMs > 0
  return [...readings.values(), ...heard].sort(
    (a, b) => (isDelayed ? 0 : a.arrivedMs - b.arrivedMs) || byTime(a, b),
  )
}

function byTime(a: Reading | AssetEvent, b: Reading | AssetEvent): number {
  return a.atMs - b.atMs || (a.kind < b.kind ? -1 : 1)
}

function linesIn(records: readonly (Reading | AssetEvent)[], read: WhatIsRead, core: LaneCore): string[] {
  return records.flatMap((one) =>
    linesOf(one.kind === "event" ? { atMs: one.atMs, event: one } : one, read, core),
  )
}

type Records = readonly (Reading | AssetEvent)[]

/** All of them, or all but the last or the first of those at the edge: as many as there are too many. */
function matching(
  records: Records,
  isAtEdge: (record: Reading | AssetEvent) => boolean,
  lines: (some: Records) => string[],
  { records: expected, hash }: Replay,
): Records | undefined {
  const fits = (some: Records) => hashOf(lines(some)) === hash
  const excess = lines(records).length - expected
  if (excess === 0) return fits(records) ? records : undefined
  const edge = records.filter(isAtEdge)
  for (const side of [edge.toReversed(), edge]) {
    const dropped = new Set<Reading | AssetEvent>()
    let left = excess
    for (const one of side) {
      if (left <= 0) break
      dropped.add(one)
      left -= lines([one]).length
    }
    const some = records.filter((one) => !dropped.has(one))
    if (left === 0 && fits(some)) return some
  }
  return undefined
}

/** Why what decided can't be had. */
function missing(stored: number, { records: expected, toMs }: Replay): Verdict {
  const until = instant(toMs)
  if (stored === 0)
    return unavailable(
      `none of the ${expected} samples and events that decided until ${until} is stored any more`,
    )
  if (stored < expected)
    return unavailable(
      `only ${stored} of the ${expected} samples and events that decided until ${until} are stored`,
    )
  return different(
    `the ${stored} samples and events stored until ${until} are not the ${expected} that decided`,
  )
}

function rerun(
  start: Lane,
  records: readonly (Reading | AssetEvent)[],
  { toMs }: Replay,
): readonly Detection[] {
  const counts = noCounts()
  const found: Detection[] = []
  let lane = start
  for (const record of records) {
    moveLane(lane, Math.max(record.atMs, lane.core.clockMs))
    const late = takeRecord(lane, record, counts)
    if (late !== undefined) lane = rewind(lane, late, counts)
    found.push(...drain(lane))
  }
  moveLane(lane, Math.max(toMs, lane.core.clockMs))
  return [...found, ...drain(lane)]
}

function compare(finding: Question, found: readonly Detection[]): Verdict {
  const ours = found.filter(({ rule, signal }) => rule === finding.rule && signal === finding.signal)
  const again =
    ours.find(
      ({ episode, kind, atMs }) =>
        episode === finding.episode && kind === finding.kind && atMs === finding.atMs,
    ) ??
    ours.findLast((step) => isSame(step, finding)) ??
    ours.findLast(({ atMs }) => atMs === finding.atMs)
  if (again === undefined)
    return different(`the ${records(finding)} that decided give no such finding at ${instant(finding.atMs)}`)
  if (isSame(again, finding)) return { verdict: "same", reason: again.reason }
  return different(
    `recomputed: ${again.severity}, value ${again.value}, limit ${again.limit}; the order says ${finding.severity}, ${finding.value}, ${finding.limit}`,
  )
}

function isSame(step: Detection, { severity, value, limit }: Question): boolean {
  return step.severity === severity && step.value === value && step.limit === limit
}

function records({ evidence: { replay } }: Question): string {
  return `${replay?.records ?? 0} samples and events`
}
