import type { Catalogue, Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import type { PlantClock } from "../core/service.ts"
import type { Action, AssetEvent, Detection, Reading, TelemetryRecord } from "../core/vocabulary.ts"
import { type AssetState, freshState, WatchedAsset } from "./asset.ts"
import type { Counts } from "./lane.ts"
import type { Rulebook } from "./rulebook.ts"

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
  /** All states, as `changes` gives them. */
  assets(): readonly AssetState[]
  openEpisodes(): number
  /** Whether this reading of a meter is the first of its stretch of time, which the next one is then not. */
  isFirstOfStretch(asset: string, signal: string, stretch: number): boolean
}

export function createEngine({ plantClock, revisions, rulebook, counts }: EngineSettings): Engine {
  const assets = new Map<string, WatchedAsset>()

  function numbered(number: number): Revision {
    const revision = revisions.after(number - 1)
    if (revision?.number === number) return revision
    throw new MillwrightError(
      "STORE_FAILED",
      `the rules' state is of revision ${number}, which the catalogue does not have`,
    )
  }

  function watched(state: AssetState): WatchedAsset {
    const asset = new WatchedAsset(state, { numbered, rulebook }, counts)
    assets.set(state.asset, asset)
    return asset
  }

  function admit(record: Reading | AssetEvent | Action): WatchedAsset | undefined {
    // People decide about what was found; where nothing has come yet there is nothing.
    if (record.kind === "action") return undefined
    const revision = revisions.at(plantClock === "event" ? record.atMs : record.arrivedMs)
    if (revision === undefined || !revision.assets.has(record.asset)) return undefined
    return watched(freshState(record.asset, revision.number, record.atMs, record.arrivedMs))
  }

  /**
   * The asset's own time when the plant's clock reads `plantMs`. Under the wall clock it goes on from the newest
   * record by as much as has passed since that arrived: so a backlog is judged by the time its samples were taken.
   */
  function clockAt({ newest }: WatchedAsset["state"], plantMs: number): number {
    return plantClock === "event" ? plantMs : newest.atMs + (plantMs - newest.arrivedMs)
  }

  function move(asset: WatchedAsset, plantMs: number, clockMs: number): void {
    const { state } = asset
    for (;;) {
      const next = revisions.after(state.revision)
      if (next === undefined || next.effectiveMs > plantMs) break
      asset.move(Math.max(state.clockMs, clockAt(state, next.effectiveMs)))
      asset.revise(next)
    }
    if (plantMs > state.plantMs) state.plantMs = plantMs
    asset.move(clockMs)
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

  return {
    apply(record) {
      if (record.kind === "tick") return nothing
      const asset = assets.get(record.asset) ?? admit(record)
      if (asset === undefined) return nothing
      if (record.kind === "action") {
        asset.changed = true
        asset.act(record)
      } else {
        arrive(asset, record)
        asset.take(record)
      }
      return asset.drain()
    },

    advance(plantMs) {
      const found: Detection[] = []
      for (const asset of assets.values()) {
        const { state } = asset
        const clockMs = clockAt(state, plantMs)
        const next = revisions.after(state.revision)
        if (!asset.isDueBy(clockMs) && (next === undefined || next.effectiveMs > plantMs)) continue
        move(asset, Math.max(state.plantMs, plantMs), Math.max(state.clockMs, clockMs))
        found.push(...asset.drain())
      }
      return found
    },

    restore(state) {
      watched(state)
    },

    changes() {
      const changed: AssetState[] = []
      for (const asset of assets.values()) {
        if (!asset.changed) continue
        asset.changed = false
        changed.push(asset.saved())
      }
      return changed
    },

    assets: () => [...assets.values()].map((asset) => asset.saved()),

    openEpisodes() {
      let open = 0
      for (const asset of assets.values()) open += asset.openEpisodes
      return open
    },

    isFirstOfStretch(id, signal, stretch) {
      const asset = assets.get(id)
      if (asset === undefined || stretch <= (asset.state.meters[signal] ?? Number.NEGATIVE_INFINITY))
        return false
      asset.state.meters[signal] = stretch
      asset.changed = true
      return true
    },
  }
}

const nothing: readonly Detection[] = []
