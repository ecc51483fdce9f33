import { z } from "zod"
import type { Revision } from "../core/catalogue.ts"
import {
  type Action,
  type AssetEvent,
  type Detection,
  type Reading,
  telemetryRecord,
  timeMs,
} from "../core/vocabulary.ts"
import { takeAction, takeRecord } from "./evaluate.ts"
import { episodesOf, incident, inIncident } from "./incident.ts"
import {
  type Counts,
  checkMemory,
  drain,
  freshCore,
  type Lane,
  openLane,
  type Place,
  reviseLane,
} from "./lane.ts"
import { isLaneDueBy, moveLane } from "./lane-clock.ts"
import { laneCore } from "./memory.ts"
import { rewind } from "./rewind.ts"
import type { Rulebook } from "./rulebook.ts"
import { trail } from "./trail.ts"
import type { Rule } from "./watch.ts"

const waitingRecord = z.union([telemetryRecord.options[0], telemetryRecord.options[1]])

/** What waits until its lane's clock has come to it: a record, or a revision that takes effect. */
const waiting = z.object({
  atMs: timeMs,
  record: waitingRecord.optional(),
  revision: z.number().int().positive().optional(),
})
type Waiting = z.infer<typeof waiting>

const laneState = z.object({
  latenessMs: z.number(),
  revision: z.number().int().positive(),
  core: laneCore,
  trail,
  waiting: z.array(waiting),
})

/** All that the engine keeps of one asset, as plain JSON. */
export const assetState = z.object({
  asset: z.string(),
  revision: z.number().int().positive(),
  /** The plant's clock as this asset knows it: revisions take effect by it. */
  plantMs: timeMs,
  /** The time of the asset's own data: timers run by it. */
  clockMs: timeMs,
  /** The record with the newest time: the asset's time goes on from it while nothing comes (clock `wall`). */
  newest: z.object({ atMs: timeMs, arrivedMs: timeMs }),
  incidents: z.array(incident),
  lanes: z.array(laneState),
  /** By signal: the stretch of time in which the meter was last told of to the scheduler. */
  meters: z.record(z.string(), z.number()),
})
export type AssetState = z.infer<typeof assetState>

/** At this many the oldest is evaluated before its time, so that memory stays bounded. */
const waitingAtMost = 10_000

const nothing: readonly Detection[] = []

type Slot = { lane: Lane; readonly waiting: Waiting[] }

export type Revisions = {
  /** The revision with this number. */
  numbered(number: number): Revision
  rulebook(revision: Revision): Rulebook
}

/** An asset with its lanes: one for each lateness that its rules state, and always that of none. */
export class WatchedAsset {
  readonly state: Omit<AssetState, "lanes">
  revision: Revision
  /** Not yet saved. */
  changed = false
  private slots: readonly Slot[]
  private readonly revisions: Revisions
  private readonly counts: Counts

  constructor({ lanes, ...state }: AssetState, revisions: Revisions, counts: Counts) {
    this.state = state
    this.revisions = revisions
    this.counts = counts
    this.revision = revisions.numbered(state.revision)
    this.slots = lanes.map(({ latenessMs, revision, core, trail, waiting }) => {
      const place = this.place(latenessMs, revisions.numbered(revision))
      for (const one of [core, trail.older.core, ...(trail.newer === null ? [] : [trail.newer.core])])
        checkMemory(one, state.asset, place.rules)
      return { lane: openLane(place, core, trail), waiting }
    })
    this.addLanes(this.revision)
  }

  /** Whether something is due without a record by this reading of the asset's own clock. */
  isDueBy(clockMs: number): boolean {
    return this.slots.some(({ lane, waiting: [first] }) => {
      const laneMs = clockMs - lane.latenessMs
      return (first !== undefined && first.atMs < laneMs) || isLaneDueBy(lane, laneMs)
    })
  }

  get openEpisodes(): number {
    return this.slots.reduce(
      (open, { lane }) => open + lane.watches.filter(({ state }) => state.episode !== null).length,
      0,
    )
  }

  /** What is to be saved, at once: the asset goes on changing it. */
  saved(): AssetState {
    const lanes = this.slots.map(({ lane, waiting }) => ({
      latenessMs: lane.latenessMs,
      revision: lane.revision.number,
      core: lane.core,
      trail: lane.trail,
      waiting,
    }))
    return { ...this.state, lanes }
  }

  /** Moves the asset's clock; what is due in its lanes happens. */
  move(clockMs: number): void {
    if (clockMs > this.state.clockMs) this.state.clockMs = clockMs
    for (const slot of this.slots) this.moveSlot(slot)
  }

  /** A revision takes effect now, by the asset's own time; rules that lag behind come to it in their turn. */
  revise(next: Revision): void {
    const { clockMs } = this.state
    for (const slot of this.slots) {
      if (slot.lane.latenessMs > 0) insert(slot.waiting, { atMs: clockMs, revision: next.number })
      else reviseLane(slot.lane, this.place(0, next), clockMs)
    }
    this.revision = next
    this.state.revision = next.number
    this.addLanes(next)
  }

  take(record: Reading | AssetEvent): void {
    for (const slot of this.slots) {
      if (slot.lane.latenessMs === 0) this.evaluate(slot, record)
      else {
        // Parsed, so that it is written the same before and after a restart.
        insert(slot.waiting, { atMs: record.atMs, record: waitingRecord.parse(record) })
        this.moveSlot(slot)
      }
    }
  }

  act(action: Action): void {
    const episodes = action.episode === undefined ? [] : episodesOf(this.state.incidents, action.episode)
    for (const { lane } of this.slots) takeAction(lane, action, episodes)
  }

  /** What was found since it was last asked. */
  drain(): readonly Detection[] {
    let found: Detection[] | undefined
    for (const { lane } of this.slots) {
      if (lane.outbox.length === 0) continue
      found ??= []
      for (const step of drain(lane)) found.push(inIncident(this.state.incidents, step))
    }
    if (this.slots.some(isDone)) this.slots = this.slots.filter((slot) => !isDone(slot))
    return found ?? nothing
  }

  private evaluate(slot: Slot, record: Reading | AssetEvent): void {
    const late = takeRecord(slot.lane, record, this.counts)
    if (late !== undefined) slot.lane = rewind(slot.lane, late, this.counts)
  }

  private moveSlot(slot: Slot): void {
    const { waiting } = slot
    const untilMs = this.state.clockMs - slot.lane.latenessMs
    // What has the very time of the clock waits: another record of that time may come, and their order is settled here.
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (next.atMs >= untilMs && waiting.length <= waitingAtMost) break
      waiting.shift()
      moveLane(slot.lane, next.atMs)
      if (next.record !== undefined) this.evaluate(slot, next.record)
      if (next.revision === undefined) continue
      const revision = this.revisions.numbered(next.revision)
      reviseLane(slot.lane, this.place(slot.lane.latenessMs, revision), next.atMs)
    }
    moveLane(slot.lane, untilMs)
  }

  private addLanes(revision: Revision): void {
    const latenesses = this.rulesIn(revision).map(({ spec }) => spec.lateness)
    for (const latenessMs of new Set([0, ...latenesses])) {
      if (this.slots.some(({ lane }) => lane.latenessMs === latenessMs)) continue
      const { clockMs } = this.state
      const core = freshCore(clockMs === Number.MIN_SAFE_INTEGER ? clockMs : clockMs - latenessMs)
      // The lane that has always been there has heard which state the asset is in.
      core.assetState = this.slots[0]?.lane.core.assetState ?? null
      this.slots = [...this.slots, { lane: openLane(this.place(latenessMs, revision), core), waiting: [] }]
    }
  }

  private place(latenessMs: number, revision: Revision): Place {
    const rules = this.rulesIn(revision).filter(({ spec }) => spec.lateness === latenessMs)
    return { asset: this.state.asset, latenessMs, revision, rules }
  }

  private rulesIn(revision: Revision): readonly Rule[] {
    const asset = revision.assets.get(this.state.asset)
    return asset === undefined ? [] : this.revisions.rulebook(revision).rulesFor(asset)
  }
}

/** No rule is in the lane any more, nor comes: the records that wait decide nothing. */
function isDone({ lane, waiting }: Slot): boolean {
  return (
    lane.latenessMs > 0 &&
    lane.watches.length === 0 &&
    waiting.every(({ revision }) => revision === undefined)
  )
}

/** In order of time; of what has the same time, in an order that does not depend on which came first. */
function insert(waiting: Waiting[], one: Waiting): void {
  let at = waiting.length
  for (
    let before = waiting[at - 1];
    before !== undefined && comesAfter(before, one);
    before = waiting[at - 1]
  )
    at--
  waiting.splice(at, 0, one)
}

function comesAfter(a: Waiting, b: Waiting): boolean {
  if (a.atMs !== b.atMs) return a.atMs > b.atMs
  return tieOf(a) > tieOf(b)
}

function tieOf({ record, revision }: Waiting): string {
  if (record === undefined) return `0 ${revision}`
  if (record.kind === "event") return `1 ${record.code} ${JSON.stringify(record.attributes)}`
  const { values, quality, untimed } = record
  const sorted = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1))
  return `2 ${JSON.stringify([sorted.map(([signal, value]) => [signal, value, quality?.[signal]]), untimed])}`
}

export function freshState(asset: string, revision: number, atMs: number, arrivedMs: number): AssetState {
  return {
    asset,
    revision,
    plantMs: Number.MIN_SAFE_INTEGER,
    clockMs: Number.MIN_SAFE_INTEGER,
    newest: { atMs, arrivedMs },
    incidents: [],
    lanes: [],
    meters: {},
  }
}
