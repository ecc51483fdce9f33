import { unshelve } from "./episode.ts"
import type { LaneCore } from "./memory.ts"
import { isAway, look, type Windows } from "./suspension.ts"
import { type LaneOf, never, noDeadline, type Watch } from "./watch.ts"

/** A lane, as far as it keeps time. */
export type Timekeeper = LaneOf & {
  readonly core: LaneCore
  readonly watches: readonly Watch[]
  readonly windows: Windows
  windowChangesMs: number
}

/** Looks anew at what follows from the time of the lane; before it has one there is no planned work. */
export function setClock(lane: Timekeeper): void {
  const { windows, watches, core } = lane
  const hasBegun = core.clockMs > never
  lane.inWindow = hasBegun && windows.isIn(core.clockMs)
  lane.windowChangesMs = hasBegun ? windows.changesAfter(core.clockMs) : noDeadline
  lane.nextDueMs = earliest(lane)
  for (const watch of watches) watch.away = isAway(watch)
}

function earliest({ watches, windowChangesMs }: Timekeeper): number {
  let soonest = windowChangesMs
  for (const { state } of watches) {
    soonest = Math.min(soonest, state.dueMs)
    if (state.awayUntilMs !== never) soonest = Math.min(soonest, state.awayUntilMs)
    if (state.shelvedUntilMs !== never) soonest = Math.min(soonest, state.shelvedUntilMs)
  }
  return soonest
}

/** Whether a timer of the lane is due; told exactly, so that it does not depend on when somebody asked before. */
export function isLaneDueBy(lane: Timekeeper, clockMs: number): boolean {
  if (lane.nextDueMs > clockMs) return false
  lane.nextDueMs = earliest(lane)
  return lane.nextDueMs <= clockMs
}

/** Moves the lane's clock: all that is due at or before this time happens, each at its own time. */
export function moveLane(lane: Timekeeper, clockMs: number): void {
  const { core } = lane
  if (core.clockMs === never && clockMs > core.clockMs) {
    core.clockMs = clockMs
    setClock(lane)
  }
  while (lane.nextDueMs <= clockMs) {
    const atMs = earliest(lane)
    lane.nextDueMs = atMs
    if (atMs > clockMs) break
    happenAt(lane, atMs)
  }
  if (clockMs > core.clockMs) core.clockMs = clockMs
}

/** The first of what is due at this time; the loop comes back for the others. */
function happenAt(lane: Timekeeper, atMs: number): void {
  lane.core.happenedMs = Math.max(lane.core.happenedMs, atMs)
  if (lane.windowChangesMs <= atMs) {
    lane.inWindow = lane.windows.isIn(atMs)
    lane.windowChangesMs = lane.windows.changesAfter(atMs)
    for (const watch of lane.watches) look(watch, atMs)
    return
  }
  for (const watch of lane.watches) {
    const { state } = watch
    if (state.awayUntilMs !== never && state.awayUntilMs <= atMs) {
      state.awayUntilMs = never
      look(watch, atMs)
    } else if (state.shelvedUntilMs !== never && state.shelvedUntilMs <= atMs) {
      unshelve(watch, atMs)
    } else if (state.dueMs <= atMs) {
      state.dueMs = noDeadline
      watch.rule.kind.fire?.(watch, atMs)
    } else {
      continue
    }
    return
  }
}
