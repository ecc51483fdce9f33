import { createHash } from "node:crypto"
import { z } from "zod"
import type { Revision } from "../core/catalogue.ts"
import {
  type AssetEvent,
  type Detection,
  type Evidence,
  eventCodes,
  severity,
  steps,
  telemetryRecord,
  timeMs,
} from "../core/vocabulary.ts"
import { copyOf, type LaneCore, laneCore } from "./memory.ts"
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
  /** What is being evaluated: the samples of one time, or an event. */
  current: Entry | undefined
}

export function startTrail(core: LaneCore): Trail {
  return { older: { core: copyOf(core), told: [] }, newer: null, split: 0, entries: [], rewinds: 0 }
}

/** Keeps what was just evaluated. */
export function record(lane: TrailKeeper, entry: Entry): void {
  note(lane)
  lane.current = undefined
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
  const { current } = lane
  const { older, entries } = lane.trail
  const watches = closureOf(watch)
  const reading = readingOf(watches)
  const lines: string[] = []
  // What came out of order may be older than the newest that the memory knows.
  let fromMs = older.core.newestMs
  for (const one of current === undefined ? entries : [...entries, current]) {
    const before = lines.length
    addLines(lines, one, reading, older.core)
    if (lines.length > before) fromMs = Math.min(fromMs, one.atMs - 1)
  }
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

/** Samples of one time, or an event, as far as they can have decided. */
type Decisive = Pick<Entry, "atMs" | "values" | "event">

/** What is hashed of it: a line for each sample newer than what the memory knows, or one for the event. */
export function linesOf(one: Decisive, read: WhatIsRead, core: Pick<LaneCore, "series">): string[] {
  const lines: string[] = []
  addLines(lines, one, read, core)
  return lines
}

function addLines(
  lines: string[],
  { atMs, values, event }: Decisive,
  { signals, hears }: WhatIsRead,
  { series }: Pick<LaneCore, "series">,
): void {
  if (event !== undefined && hears(event)) lines.push(eventLine(event))
  for (const signal in values) {
    const value = values[signal]
    if (value === undefined || !signals.has(signal)) continue
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

function eventLine({ code, atMs, attributes }: AssetEvent): string {
  const sorted = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))
  return `${code} ${atMs} ${JSON.stringify(sorted)}`
}

/** Whatever order the lines come in. */
export function hashOf(lines: readonly string[]): string {
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex")
}
