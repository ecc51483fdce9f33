import type { Catalogue, Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import type { PlantClock } from "../core/service.ts"
import {
  type AssetEvent,
  type Detection,
  eventCodes,
  type Reading,
  type TelemetryRecord,
} from "../core/vocabulary.ts"
import { type AssetState, freshState, maintain, open, revise, runTimers, type WatchedAsset } from "./asset.ts"
import type { Rulebook } from "./rulebook.ts"
import { remember } from "./series.ts"
import type { Watch } from "./watch.ts"

/** What became of the samples and events that somebody watches. */
export type Counts = { samples: number; duplicates: number; late: number; unusable: number }

export type EngineSettings = {
  readonly plantClock: PlantClock
  readonly revisions: Pick<Catalogue, "at" | "after">
  readonly rulebook: (revision: Revision) => Rulebook
  /** The engine adds to it. */
  readonly counts: Counts
}

/** The rules over some assets (a partition's): no IO, no clock; the same inputs give the same detections. */
export type Engine = {
  /** Evaluates one record and gives what it found, in order. Ticks of the log say nothing of an asset. */
  apply(record: TelemetryRecord): readonly Detection[]
  /** The plant's clock reads this, and no record from before will come any more: runs the timers that are due. */
  advance(plantMs: number): readonly Detection[]
  /** Goes on from a state; the engine owns it from now on. Throws `STORE_FAILED` if it can't be read. */
  restore(state: AssetState): void
  /** The states that changed since they were last asked for, to be written at once: the engine goes on changing them. */
  changes(): readonly AssetState[]
  assets(): Iterable<AssetState>
}

const nothing: readonly Detection[] = []
/** Beyond this, sums and squares could leave the range of numbers; no sensor does. Also false for NaN. */
const largest = 1e150

export function createEngine({ plantClock, revisions, rulebook, counts }: EngineSettings): Engine {
  const assets = new Map<string, WatchedAsset>()
  const outbox: { detections: Detection[] } = { detections: [] }

  function take(): readonly Detection[] {
    if (outbox.detections.length === 0) return nothing
    const { detections } = outbox
    outbox.detections = []
    return detections
  }

  function admit(record: Reading | AssetEvent): WatchedAsset | undefined {
    const revision = revisions.at(plantClock === "event" ? record.atMs : record.arrivedMs)
    if (revision === undefined || !revision.assets.has(record.asset)) return undefined
    const state = freshState(record.asset, revision.number, record.atMs, record.arrivedMs)
    const asset = open(state, revision, rulebook(revision), outbox)
    assets.set(record.asset, asset)
    return asset
  }

  /**
   * The asset's own time when the plant's clock reads `plantMs`. Under the wall clock it goes on from the newest
   * record by as much as has passed since that arrived: so a backlog is judged by the time its samples were taken.
   */
  function clockAt({ newest }: AssetState, plantMs: number): number {
    return plantClock === "event" ? plantMs : newest.atMs + (plantMs - newest.arrivedMs)
  }

  function move(asset: WatchedAsset, plantMs: number, clockMs: number): void {
    const { state } = asset
    for (;;) {
      const next = revisions.after(state.revision)
      if (next === undefined || next.effectiveMs > plantMs) break
      const atMs = clockAt(state, next.effectiveMs)
      runTimers(asset, atMs)
      revise(asset, next, rulebook(next), outbox, atMs)
    }
    if (asset.nextDueMs <= clockMs) runTimers(asset, clockMs)
    if (plantMs > state.plantMs) state.plantMs = plantMs
    if (clockMs > state.clockMs) state.clockMs = clockMs
    asset.changed = true
  }

  function arrive(asset: WatchedAsset, { atMs, arrivedMs }: Reading | AssetEvent): void {
    const { state } = asset
    const plantMs = Math.max(state.plantMs, plantClock === "event" ? atMs : arrivedMs)
    move(asset, plantMs, Math.max(state.clockMs, atMs, clockAt(state, plantMs)))
    if (atMs <= state.newest.atMs) return
    state.newest.atMs = atMs
    state.newest.arrivedMs = arrivedMs
  }

  function read(asset: WatchedAsset, { atMs, values, quality, untimed }: Reading): void {
    let readers: readonly Watch[] = []
    for (const signal in values) {
      const feed = asset.feeds.get(signal)
      if (feed === undefined) continue
      const { series, watches } = feed
      if (atMs <= series.markMs) {
        if (atMs === series.markMs) counts.duplicates++
        else counts.late++
        continue
      }
      series.markMs = atMs
      const value = values[signal] ?? Number.NaN
      if (quality?.[signal] === "bad" || !(Math.abs(value) <= largest)) {
        counts.unusable++
        continue
      }
      counts.samples++
      remember(series, atMs, value)
      for (const watch of watches) {
        if (untimed === true && watch.rule.kind.timedOnly === true) continue
        watch.rule.kind.sample?.(watch, atMs, value)
      }
      if (feed.readers.length > 0)
        readers = readers.length === 0 ? feed.readers : [...new Set([...readers, ...feed.readers])]
    }
    for (const watch of readers) watch.rule.kind.settled?.(watch, atMs)
  }

  function happen(asset: WatchedAsset, event: AssetEvent): void {
    const { component } = event.attributes
    const installed =
      event.code === eventCodes.componentInstalled && typeof component === "string" ? component : undefined
    const hearers = asset.byCode.get(event.code)
    if (hearers === undefined && (installed === undefined || !asset.byComponent.has(installed))) return
    if (!isNew(asset, event)) return
    if (installed !== undefined) maintain(asset, event, installed)
    for (const watch of hearers ?? []) watch.rule.kind.event?.(watch, event)
  }

  function isNew(asset: WatchedAsset, event: AssetEvent): boolean {
    const name = eventName(asset, event)
    const mark = asset.state.events.find((one) => one.name === name)
    if (mark === undefined) {
      asset.state.events.push({ name, markMs: event.atMs })
      return true
    }
    if (event.atMs === mark.markMs) counts.duplicates++
    else if (event.atMs < mark.markMs) counts.late++
    if (event.atMs <= mark.markMs) return false
    mark.markMs = event.atMs
    return true
  }

  return {
    apply(record) {
      if (record.kind === "tick" || record.kind === "action") return nothing
      const asset = assets.get(record.asset) ?? admit(record)
      if (asset === undefined) return nothing
      arrive(asset, record)
      if (record.kind === "reading") read(asset, record)
      else happen(asset, record)
      // A signal behind the asset's clock may set a deadline that has passed: it must not wait for the next record.
      if (asset.nextDueMs <= asset.state.clockMs) runTimers(asset, asset.state.clockMs)
      return take()
    },

    advance(plantMs) {
      for (const asset of assets.values()) {
        const { state } = asset
        const clockMs = clockAt(state, plantMs)
        const next = revisions.after(state.revision)
        if (asset.nextDueMs > clockMs && (next === undefined || next.effectiveMs > plantMs)) continue
        move(asset, Math.max(state.plantMs, plantMs), Math.max(state.clockMs, clockMs))
      }
      return take()
    },

    restore(state) {
      const revision = revisions.after(state.revision - 1)
      if (revision?.number !== state.revision) {
        throw new MillwrightError(
          "STORE_FAILED",
          `the rules' state of ${state.asset} is of revision ${state.revision}, which the catalogue does not have`,
        )
      }
      assets.set(state.asset, open(state, revision, rulebook(revision), outbox))
    },

    changes() {
      const changed: AssetState[] = []
      for (const asset of assets.values()) {
        if (!asset.changed) continue
        asset.changed = false
        changed.push(asset.state)
      }
      return changed
    },

    *assets() {
      for (const { state } of assets.values()) yield state
    },
  }
}

/**
 * What makes two events of one time the same: the code and, where these are known, the component or signal that it
 * is about. Names that nobody knows stay out, so that their number is bounded.
 */
function eventName(asset: WatchedAsset, { code, attributes: { component, signal } }: AssetEvent): string {
  const of =
    typeof component === "string" && asset.byComponent.has(component)
      ? component
      : typeof signal === "string" && asset.feeds.has(signal)
        ? signal
        : ""
  return `${code}|${of}`
}
