/** Ruin and recreate: takes a few orders out of a roster and puts them, or better ones, back in (Schrimpf et al., 2000). */
import { cheapestSpot } from "./insert.ts"
import { pick, type Random, shuffled } from "./random.ts"
import type { Removed, Roster } from "./roster.ts"
import { worthOf } from "./score.ts"

/** A spot is overlooked with this chance. */
const blinkChance = 0.02
/** So many of the orders that found no place are tried again in a step. */
const tries = 25

/**
 * One step; the roster's worth after it. A step that loses more than `tolerance`, or an order that has a time, is taken
 * back. `hopeful` are the orders that could be in a plan at all.
 */
export function improve(
  roster: Roster,
  worth: number,
  hopeful: ReadonlySet<number>,
  tolerance: number,
  random: Random,
): number {
  const removed = ruin(roster, random).flatMap((job) => roster.remove(job))
  const out = roster.left().filter((job) => hopeful.has(job))
  const taken = new Set(removed.map(({ job }) => job))
  const waiting = shuffled(
    out.filter((job) => !taken.has(job)),
    random,
  ).slice(0, tries)
  const put: number[] = []
  const choose = cheapestSpot(roster, () => random() < blinkChance)
  for (const job of inSomeOrder(roster, [...taken, ...waiting], random)) {
    if (roster.put(job, choose)) put.push(job)
  }
  const after = roster.worth()
  const isTimed = (job: number) => roster.work.jobs[job]?.job.timed === true
  if (after >= worth - tolerance && removed.every(({ job }) => roster.has(job) || !isTimed(job))) return after
  takeBack(roster, put, removed)
  return worth
}

function takeBack(roster: Roster, put: readonly number[], removed: readonly Removed[]): void {
  // Backwards, each state on the way is one that the roster was in.
  for (const job of put.toReversed()) roster.remove(job)
  for (const one of removed.toReversed()) roster.putBack(one)
}

/** Which orders go: those of a few people on a day, those about one place, or any. */
function ruin(roster: Roster, random: Random): readonly number[] {
  const { work } = roster
  const inside = roster.jobs()
  const seed = pick(inside, random)
  if (seed === undefined) return []
  const count = 2 + Math.floor(random() * 10)
  const kind = random()
  if (kind < 0.5) {
    const unit = pick(work.jobs[seed]?.units ?? [], random)
    const able = shuffled(work.units[unit ?? -1]?.able ?? [], random).slice(0, 1 + Math.floor(random() * 3))
    const startMs = roster.placementOf(unit ?? -1)?.startMs ?? 0
    return able.flatMap(({ person }) => {
      const days = work.people[person]?.days ?? []
      const day = days.findIndex(({ endMs }) => endMs > startMs)
      const jobs = roster.stopsOf(person, day).flatMap(({ unit }) => work.units[unit]?.job ?? [])
      const first = Math.floor(random() * Math.max(1, jobs.length - count + 1))
      return jobs.slice(first, first + count)
    })
  }
  if (kind < 0.75) {
    const place = work.jobs[seed]?.place
    return shuffled(
      inside.filter((job) => work.jobs[job]?.place === place),
      random,
    ).slice(0, count)
  }
  return [seed, ...shuffled(inside, random).slice(0, count - 1)]
}

function inSomeOrder(roster: Roster, jobs: readonly number[], random: Random): readonly number[] {
  const { work } = roster
  const kind = random()
  const rank = (job: number): number => {
    const one = work.jobs[job]
    if (one === undefined) return 0
    if (kind < 0.35) return -worthOf(one, work)
    if (kind < 0.6) return -worthOf(one, work) / Math.max(0.1, one.hours)
    if (kind < 0.75) return Math.min(...one.units.map((unit) => work.units[unit]?.able.length ?? 0))
    if (kind < 0.9) return one.job.dueMs
    return random()
  }
  return jobs
    .map((job) => ({ job, rank: rank(job) }))
    .toSorted((a, b) => a.rank - b.rank || a.job - b.job)
    .map(({ job }) => job)
}
