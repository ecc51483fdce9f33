import { type Choose, Roster, type Spot } from "./roster.ts"
import type { Work } from "./work.ts"

/**
 * As a good planner does it by hand: what had a time before what has none, the most urgent order first, each task as
 * early as anybody can do it, by whoever has the shorter way where two could begin at once.
 */
export function greedy(work: Work): Roster {
  const roster = new Roster(work)
  for (const job of byUrgency(work)) putEarliest(roster, job)
  return roster
}

/** As early as it goes, with each task in one hand if that is possible. */
export function putEarliest(roster: Roster, job: number): boolean {
  return roster.put(job, earliestSpot(roster, true)) || roster.put(job, earliestSpot(roster, false))
}

/** What has a time first; then by priority, by when it is due, and by its number. */
function byUrgency({ jobs }: Work): readonly number[] {
  return jobs
    .map((one, at) => ({ at, ...one.job }))
    .toSorted(
      (a, b) =>
        Number(b.timed) - Number(a.timed) ||
        a.priority - b.priority ||
        a.dueMs - b.dueMs ||
        (a.number < b.number ? -1 : 1),
    )
    .map(({ at }) => at)
}

/** The spot that is finished first. With `stays` the pieces of a task stay with whoever began it, if they have the time. */
export function earliestSpot(roster: Roster, stays = true): Choose {
  return (number, fromMs) => {
    const unit = roster.work.units[number]
    if (unit === undefined) return undefined
    const began =
      !stays || unit.previous === undefined ? undefined : roster.placementOf(unit.previous)?.person
    if (began !== undefined) {
      const same = earliestOf(roster, number, began, fromMs)
      if (same !== undefined) return same
    }
    let best: Spot | undefined
    for (const { person } of unit.able) {
      const spot = earliestOf(roster, number, person, fromMs)
      if (spot !== undefined && (best === undefined || isSooner(spot, best))) best = spot
    }
    return best
  }
}

export function earliestOf(roster: Roster, unit: number, person: number, fromMs: number): Spot | undefined {
  let first: Spot | undefined
  roster.eachSpot(unit, person, fromMs, (spot) => {
    first = spot
    return true
  })
  return first
}

function isSooner(a: Spot, b: Spot): boolean {
  return a.finishMs < b.finishMs || (a.finishMs === b.finishMs && a.wayMs < b.wayMs)
}
