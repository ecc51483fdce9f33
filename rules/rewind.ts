import { corrections } from "./corrections.ts"
import { eventName, takeEntry } from "./evaluate.ts"
import { type Counts, drain, type Lane, noCounts, openLane } from "./lane.ts"
import { moveLane } from "./lane-clock.ts"
import { copyOf } from "./memory.ts"
import { type Entry, keyOf, note, replayOf, startTrail, type Trail } from "./trail.ts"

/**
 * Puts what came late in its place among the records that are kept, evaluates these again in the order of their times,
 * and tells what is found otherwise than before: an episode is amended, withdrawn, or opened after all. Gives the lane
 * to go on with.
 */
export function rewind(lane: Lane, late: Entry, counts: Counts): Lane {
  if (late.event !== undefined) {
    const isNew = isToBePut(lane, eventName(lane, late.event), late, counts)
    return isNew ? again(lane, late) : lane
  }
  const values = Object.entries(late.values ?? {}).filter(([name]) => isToBePut(lane, name, late, counts))
  return values.length === 0 ? lane : again(lane, { ...late, values: Object.fromEntries(values) })
}

/** Neither there already nor so late that its place is not kept any more. */
function isToBePut(lane: Lane, name: string, { atMs, event }: Entry, counts: Counts): boolean {
  const { entries, older } = lane.trail
  const mark =
    event === undefined
      ? older.core.series.find(({ signal }) => signal === name)
      : older.core.events.find((one) => one.name === name)
  const isOf = (one: Entry) =>
    event === undefined
      ? one.values !== undefined && Object.hasOwn(one.values, name)
      : one.event !== undefined && eventName(lane, one.event) === name
  if (atMs === mark?.markMs || entries.some((one) => one.atMs === atMs && isOf(one))) {
    counts.duplicates++
    return false
  }
  if (mark !== undefined && atMs < mark.markMs) {
    counts.tooLate++
    return false
  }
  counts.late++
  return true
}

/** Of one time what came first stays first. */
function inOrder(entries: readonly Entry[]): Entry[] {
  return entries.toSorted((a, b) => placeOf(a) - placeOf(b))
}

/** What people do has its place by the lane's clock: their own time says nothing of it. */
function placeOf({ atMs, clockMs = atMs }: Entry): number {
  return clockMs
}

function again(lane: Lane, late: Entry): Lane {
  note(lane)
  const { trail } = lane
  // From the newer copy where what came late is newer than all that it knows: that is less to be done again.
  const isRecent = trail.newer !== null && late.atMs >= trail.newer.core.clockMs
  const base = isRecent && trail.newer !== null ? trail.newer : trail.older
  const before = isRecent ? trail.entries.slice(0, trail.split) : []
  const entries = inOrder([...trail.entries.slice(before.length), late])
  const scratch = openLane(lane, copyOf(base.core))
  scratch.rehearsal = trail.rewinds + 1
  const uncounted = noCounts()
  for (const entry of entries) takeEntry(scratch, entry, uncounted)
  moveLane(scratch, lane.core.clockMs)
  settle(scratch, lane)
  const found = drain(scratch)
  scratch.rehearsal = 0
  if (isRecent && scratch.trail.newer === null) reachBack(scratch, trail, before)
  scratch.trail.rewinds = trail.rewinds + 1
  const proven = { ...scratch, trail: { ...startTrail(base.core), entries } }
  const corrected = corrections(scratch, lane, base, found, (watch, atMs) => replayOf(proven, watch, atMs))
  scratch.outbox.push(...lane.outbox, ...corrected)
  scratch.noted = scratch.outbox.length
  return scratch
}

/** Puts before the scratch's trail, which begins with the newer copy, what `trail` has from before that. */
function reachBack(scratch: Lane, trail: Trail, before: readonly Entry[]): void {
  const { older, entries } = scratch.trail
  const told = trail.older.told.slice(0, trail.older.told.length - (trail.newer?.told.length ?? 0))
  scratch.trail = {
    older: { core: trail.older.core, told: [...told, ...copyOf(older.told)] },
    newer: older,
    split: before.length,
    entries: [...before, ...entries],
    rewinds: trail.rewinds,
  }
}

/** What the records that are kept don't tell. */
function settle(scratch: Lane, { core }: Lane): void {
  scratch.core.newestMs = Math.max(scratch.core.newestMs, core.newestMs)
  scratch.core.knownMs = Math.max(scratch.core.knownMs, core.knownMs)
  for (const watch of scratch.watches) {
    const before = core.watches.find((one) => keyOf(one) === keyOf(watch.state))
    // An episode that was withdrawn never lends its id to another one.
    if (before !== undefined && before.opened > watch.state.opened) watch.state.opened = before.opened
  }
}
