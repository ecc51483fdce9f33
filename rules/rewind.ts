import { corrections } from "./corrections.ts"
import { type Counts, drain, eventName, type Lane, moveLane, openLane, takeEntry } from "./lane.ts"
import { copyOf } from "./memory.ts"
import { type Entry, keyOf, note, replayOf } from "./trail.ts"

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
  const { older, entries } = lane.trail
  const scratch = openLane(lane, copyOf(older.core))
  scratch.rehearses = true
  const uncounted: Counts = { samples: 0, duplicates: 0, late: 0, tooLate: 0, unusable: 0 }
  const all = inOrder([...entries, late])
  for (const entry of all) takeEntry(scratch, entry, uncounted)
  moveLane(scratch, lane.core.clockMs)
  settle(scratch, lane)
  const found = drain(scratch)
  scratch.rehearses = false
  scratch.trail.rewinds = lane.trail.rewinds + 1
  const proven = { ...scratch, trail: { ...lane.trail, entries: all } }
  const corrected = corrections(scratch, lane, found, (watch, atMs) => replayOf(proven, watch, atMs))
  scratch.outbox.push(...lane.outbox, ...corrected)
  scratch.noted = scratch.outbox.length
  return scratch
}

/** What is told by records that are not among the entries: of bad quality, or the late one itself by its arrival. */
function settle(scratch: Lane, { core }: Lane): void {
  for (const { signal, markMs } of core.series) {
    const series = scratch.core.series.find((one) => one.signal === signal)
    if (series !== undefined && series.markMs < markMs) series.markMs = markMs
  }
  scratch.core.newestMs = Math.max(scratch.core.newestMs, core.newestMs)
  scratch.core.knownMs = Math.max(scratch.core.knownMs, core.knownMs)
  for (const watch of scratch.watches) {
    const before = core.watches.find((one) => keyOf(one) === keyOf(watch.state))
    // An episode that was withdrawn never lends its id to another one.
    if (before !== undefined && before.opened > watch.state.opened) watch.state.opened = before.opened
  }
}
