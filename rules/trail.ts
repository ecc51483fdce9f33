import { createHash } from "node:crypto"
import { z } from "zod"
import {
  type Detection,
  type Evidence,
  severity,
  steps,
  telemetryRecord,
  timeMs,
} from "../core/vocabulary.ts"
import type { Lane } from "./lane.ts"
import { copyOf, type LaneCore, laneCore } from "./memory.ts"
import { never, type Watch } from "./watch.ts"

/** Records between two copies of a lane's memory: at least so many newest ones can be looked at again. */
const half = 64

/** Something that was evaluated, and what the lane's clock read then. */
const entry = z.object({
  atMs: timeMs,
  arrivedMs: timeMs,
  clockMs: timeMs,
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
})
export type Trail = z.infer<typeof trail>

export function startTrail(core: LaneCore): Trail {
  return { older: { core: copyOf(core), told: [] }, newer: null, split: 0, entries: [] }
}

/** Keeps what was just evaluated. */
export function record(lane: Lane, entry: Entry): void {
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
export function note(lane: Lane): void {
  const { outbox, trail } = lane
  for (; lane.noted < outbox.length; lane.noted++) {
    const step = outbox[lane.noted]
    if (step === undefined) return
    const told = briefOf(step)
    trail.older.told.push(told)
    trail.newer?.told.push({ ...told })
  }
}

export function briefOf(step: Detection): Brief {
  const { rule, signal, episode, sequence, kind, atMs, openedAtMs, severity, value, limit } = step
  return { rule, signal, episode, sequence, kind, atMs, openedAtMs, severity, value, limit }
}

/** With what the verdict of a watch can be recomputed: its memory before the trail's records, and those records. */
export function replayOf(lane: Lane, watch: Watch, atMs: number): NonNullable<Evidence["replay"]> {
  const { older, entries } = lane.trail
  const watches = closureOf(watch)
  const signals = signalsOf(watches)
  const lines = entries.flatMap((entry) => linesOf(entry, signals, older.core))
  const { current } = lane
  if (current !== undefined) lines.push(...linesOf(currentEntry(lane), signals, older.core))
  return {
    revision: lane.revision.number,
    state: stateOf(older.core, watches, signals),
    fromMs: older.core.newestMs,
    toMs: Math.max(lane.core.newestMs, atMs),
    knownMs: lane.core.knownMs,
    records: lines.length,
    hash: hashOf(lines),
  }
}

/** The watch, those it goes by, and those that can silence it. */
export function closureOf(watch: Watch): ReadonlySet<Watch> {
  const found = new Set([watch])
  for (const one of found) for (const other of [...one.members, ...one.sensors]) found.add(other)
  return found
}

function signalsOf(watches: ReadonlySet<Watch>): ReadonlySet<string> {
  return new Set(
    [...watches].flatMap(({ rule: { spec, kind, params } }) => [
      ...(spec.signal === undefined ? [] : [spec.signal]),
      ...(kind.reads?.(params) ?? []),
    ]),
  )
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

function currentEntry({ current, core, feeds }: Lane): Entry {
  if (current === undefined || current.kind === "event")
    return {
      atMs: core.clockMs,
      arrivedMs: core.knownMs,
      clockMs: core.clockMs,
      ...(current && { event: current }),
    }
  const { atMs, arrivedMs, values, quality } = current
  const usable = Object.entries(values).filter(
    ([signal]) => quality?.[signal] !== "bad" && (feeds.get(signal)?.series.markMs ?? never) <= atMs,
  )
  return { atMs, arrivedMs, clockMs: core.clockMs, values: Object.fromEntries(usable) }
}

/** What is hashed of a record: a line for each sample that is newer than what the memory knows, or one for the event. */
export function linesOf(
  { atMs, values = {}, event }: Pick<Entry, "atMs" | "values" | "event">,
  signals: ReadonlySet<string>,
  known: Pick<LaneCore, "series">,
): string[] {
  if (event !== undefined) return [`${event.code} ${event.atMs} ${JSON.stringify(sorted(event.attributes))}`]
  return Object.entries(values)
    .filter(([signal]) => signals.has(signal))
    .filter(([signal]) => atMs > (known.series.find((one) => one.signal === signal)?.markMs ?? never))
    .map(([signal, value]) => `${signal} ${atMs} ${value}`)
}

function sorted(attributes: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Whatever order the lines come in. */
export function hashOf(lines: readonly string[]): string {
  return createHash("sha256").update(lines.toSorted().join("\n")).digest("hex")
}
