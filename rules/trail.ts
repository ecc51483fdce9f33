import { createHash } from "node:crypto"
import { z } from "zod"
import type { Revision } from "../core/catalogue.ts"
import {
  type AssetEvent,
  type Detection,
  type Evidence,
  eventCodes,
  type Reading,
  severity,
  steps,
  telemetryRecord,
  timeMs,
} from "../core/vocabulary.ts"
import { copyOf, type LaneCore, laneCore } from "./memory.ts"
import { isUsable } from "./series.ts"
import type { Watch } from "./watch.ts"

/** Records between two copies of a lane's memory: at least so many newest ones can be looked at again. */
const half = 64

/** Something that was evaluated. */
const entry = z.object({
  atMs: timeMs,
  /** Of an action: what the lane's clock read. */
  clockMs: timeMs.optional(),
  /** Of a reading: its usable samples. */
  values: z.record(z.string(), z.number()).optional(),
  untimed: z.literal(true).optional(),
  event: telemetryRecord.options[1].optional(),
  action: telemetryRecord.options[2].optional(),
  /** Which episodes an action was about. */
  episodes: z.array(z.string()).optional(),
})
export type Entry = z.infer<typeof entry>

/** A step of an episode as far as it tells whether the same was found. */
const brief = z.object({
  rule: z.string(),
  signal: z.string().nullable(),
  episode: z.uuid(),
  sequence: z.number().int(),
  kind: z.enum(steps),
  atMs: timeMs,
  openedAtMs: timeMs,
  severity,
  value: z.number().nullable(),
  limit: z.number().nullable(),
})
export type Brief = z.infer<typeof brief>

const anchor = z.object({
  core: laneCore,
  /** What was told since. */
  told: z.array(brief),
})
export type Anchor = z.infer<typeof anchor>

/**
 * The newest records of a lane, with copies of its memory from before them. With it what comes late is put in its
 * place and evaluated again, and a finding can name what it was decided from.
 */
export const trail = z.object({
  older: anchor,
  newer: anchor.nullable(),
  /** How many of the entries come before the newer one. */
  split: z.number().int(),
  entries: z.array(entry),
  /** How many times late records were put in their place here. */
  rewinds: z.number().int(),
})
export type Trail = z.infer<typeof trail>

/** A lane, as far as it keeps a trail. */
export type TrailKeeper = {
  readonly core: LaneCore
  readonly revision: Revision
  readonly outbox: readonly Detection[]
  /** What is kept to look at again when something comes late. */
  trail: Trail
  /** How many steps of the outbox the trail knows of. */
  noted: number
  /** What is being evaluated. */
  current: Reading | AssetEvent | undefined
}

export function startTrail(core: LaneCore): Trail {
  return { older: { core: copyOf(core), told: [] }, newer: null, split: 0, entries: [], rewinds: 0 }
}

/** Keeps what was just evaluated. */
export function record(lane: TrailKeeper, entry: Entry): void {
  note(lane)
  const { trail } = lane
  trail.entries.push(entry)
  if (trail.entries.length - trail.split < half) return
  if (trail.newer !== null) {
    trail.entries.splice(0, trail.split)
    trail.older = trail.newer
  }
  trail.newer = { core: copyOf(lane.core), told: [] }
  trail.split = trail.entries.length
}

/** Keeps what was told since the last time. */
export function note(lane: TrailKeeper): void {
  const { outbox, trail } = lane
  for (; lane.noted < outbox.length; lane.noted++) {
    const step = outbox[lane.noted]
    if (step === undefined) return
    const told = briefOf(step)
    trail.older.told.push(told)
    trail.newer?.told.push({ ...told })
  }
}

function briefOf(step: Detection): Brief {
  const { rule, signal, episode, sequence, kind, atMs, openedAtMs, severity, value, limit } = step
  return { rule, signal, episode, sequence, kind, atMs, openedAtMs, severity, value, limit }
}

/** With what the verdict of a watch can be recomputed: its memory before the trail's records, and those records. */
export function replayOf(lane: TrailKeeper, watch: Watch, atMs: number): NonNullable<Evidence["replay"]> {
  const { older, entries } = lane.trail
  const watches = closureOf(watch)
  const reading = readingOf(watches)
  const lines: string[] = []
  // What came out of order may be older than the newest that the memory knows.
  let fromMs = older.core.newestMs
  const count = (one: Read) => {
    const before = lines.length
    addLines(lines, one, reading, older.core)
    if (lines.length > before) fromMs = Math.min(fromMs, one.atMs - 1)
  }
  for (const entry of entries) count(entry)
  if (lane.current !== undefined) count(withoutRepeats(lane.current, entries))
  return {
    revision: lane.revision.number,
    state: stateOf(older.core, watches, reading.signals),
    fromMs,
    toMs: Math.max(lane.core.newestMs, atMs),
    knownMs: lane.core.knownMs,
    records: lines.length,
    hash: hashOf(lines),
  }
}

/** The watch, those it goes by, and those that can silence it. */
function closureOf(watch: Watch): ReadonlySet<Watch> {
  const found = new Set([watch])
  for (const one of found) for (const other of [...one.members, ...one.sensors]) found.add(other)
  return found
}

/** Which samples and events some watches go by. */
export type WhatIsRead = { readonly signals: ReadonlySet<string>; hears(event: AssetEvent): boolean }

export function readingOf(watches: Iterable<Watch>): WhatIsRead {
  const signals = new Set<string>()
  const codes = new Set<string>()
  const components = new Set<unknown>()
  for (const { rule } of watches) {
    const { kind, params, spec } = rule
    if (spec.signal !== undefined) signals.add(spec.signal)
    for (const signal of kind.reads?.(params) ?? []) signals.add(signal)
    for (const code of kind.codes?.(params) ?? []) codes.add(code)
    if (spec.component !== undefined) components.add(spec.component)
  }
  return {
    signals,
    hears({ code, attributes: { component, state } }) {
      if (codes.has(code)) return true
      if (code === eventCodes.componentInstalled) return components.has(component)
      return code === eventCodes.state && typeof state === "string"
    },
  }
}

/** The part of a lane's memory that these watches use. */
function stateOf(core: LaneCore, watches: ReadonlySet<Watch>, signals: ReadonlySet<string>): LaneCore {
  const keys = new Set([...watches].map(({ state }) => keyOf(state)))
  return copyOf({
    ...core,
    // Not the clock's own time: that depends on when somebody looked at it.
    clockMs: core.newestMs,
    series: core.series
      .filter(({ signal }) => signals.has(signal))
      .map((series) => ({ ...series, atMs: [], values: [], next: 0 })),
    watches: core.watches.filter((state) => keys.has(keyOf(state))),
  })
}

export function keyOf({ rule, signal }: { readonly rule: string; readonly signal: string | null }): string {
  return `${rule}|${signal ?? ""}`
}

/** A record, as far as it can have decided. */
type Read = Entry | Reading | AssetEvent

/** What is hashed of a record: a line for each usable sample newer than what the memory knows, or one for the event. */
export function linesOf(record: Read, read: WhatIsRead, core: Pick<LaneCore, "series">): string[] {
  const lines: string[] = []
  addLines(lines, record, read, core)
  return lines
}

function addLines(
  lines: string[],
  record: Read,
  { signals, hears }: WhatIsRead,
  { series }: Pick<LaneCore, "series">,
): void {
  const event =
    "kind" in record && record.kind === "event" ? record : "event" in record ? record.event : undefined
  if (event !== undefined) {
    if (hears(event)) lines.push(eventLine(event))
    return
  }
  const { atMs } = record
  const values = "values" in record ? record.values : undefined
  const quality = "quality" in record ? record.quality : undefined
  for (const signal in values) {
    const value = values[signal] ?? Number.NaN
    if (!signals.has(signal) || !isUsable(value, quality?.[signal])) continue
    const mark = series.find((one) => one.signal === signal)
    if (mark === undefined || atMs > mark.markMs) lines.push(sampleLine(values, signal, atMs, value))
  }
}

/** Where much is found each sample is asked for again and again: to write a number takes longest of all. */
const written = new WeakMap<object, Map<string, string>>()

function sampleLine(values: object, signal: string, atMs: number, value: number): string {
  let lines = written.get(values)
  if (lines === undefined) {
    lines = new Map()
    written.set(values, lines)
  }
  const line = lines.get(signal) ?? `${signal} ${atMs} ${value}`
  lines.set(signal, line)
  return line
}

/** Without the samples that are among the entries already. */
function withoutRepeats(record: Reading | AssetEvent, entries: readonly Entry[]): Reading | AssetEvent {
  if (record.kind === "event") return record
  const ofThen = entries.filter(({ atMs, values }) => atMs === record.atMs && values !== undefined)
  if (ofThen.length === 0) return record
  const values = Object.entries(record.values).filter(
    ([signal]) => !ofThen.some((entry) => entry.values !== undefined && Object.hasOwn(entry.values, signal)),
  )
  return { ...record, values: Object.fromEntries(values) }
}

function eventLine({ code, atMs, attributes }: AssetEvent): string {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  return `${code} ${atMs} ${JSON.stringify(sorted)}`
}

/** Whatever order the lines come in. */
export function hashOf(lines: readonly string[]): string {
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex")
}
