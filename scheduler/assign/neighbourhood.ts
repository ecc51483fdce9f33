import { cheapestSpot } from "./insert.ts"
import { type Days, type Model, modelOf } from "./model.ts"
import { pick, type Random, shuffled } from "./random.ts"
import type { Choose, Roster, Spot } from "./roster.ts"
import { worthOf } from "./score.ts"
import type { Work } from "./work.ts"

/** Columns that a program may have: as WebAssembly HiGHS needs up to a second for it, and for twice as many ten. */
const mostColumns = 300
const growth = 1.5
const fewest = 6

/**
 * Orders to be planned anew together, those that belong together most first: what a few people do who could do one
 * order, and what waits for them.
 */
function neighbours(roster: Roster, hopeful: ReadonlySet<number>, random: Random): readonly number[] {
  const { work } = roster
  const left = roster.left().filter((job) => hopeful.has(job))
  const middle = pick(random() < 0.6 && left.length > 0 ? left : roster.jobs(), random)
  if (middle === undefined) return []
  const people = new Set(shuffled(ableTo(middle, work), random).slice(0, 3))
  const theirs = shuffled(roster.jobs(), random).filter((job) =>
    (work.jobs[job]?.units ?? []).some((unit) => people.has(roster.placementOf(unit)?.person ?? -1)),
  )
  const waiting = left
    .filter((job) => ableTo(job, work).some((person) => people.has(person)))
    .toSorted((a, b) => worthOfNumber(b, work) - worthOfNumber(a, work) || a - b)
  const chosen = new Set([middle])
  // Two that are in for one that waits: what is to come in needs somewhere to go.
  for (let at = 0; at < Math.max(theirs.length, 2 * waiting.length); at++) {
    const [own, other] = [theirs[at], at % 2 === 0 ? waiting[at / 2] : undefined]
    if (own !== undefined) chosen.add(own)
    if (other !== undefined) chosen.add(other)
  }
  return [...chosen]
}

/** A program for as many of them as HiGHS can cope with, in a roster without them. */
export function programFor(
  current: Roster,
  hopeful: ReadonlySet<number>,
  random: Random,
): Model & { readonly jobs: readonly number[] } {
  const all = neighbours(current, hopeful, random)
  const modelWith = (count: number) => {
    const roster = current.copy()
    const jobs = all.slice(0, count)
    for (const job of jobs) roster.remove(job)
    return { ...modelOf(roster, jobs), jobs }
  }
  let model = modelWith(fewest)
  while (model.jobs.length < all.length) {
    const larger = modelWith(Math.ceil(model.jobs.length * growth))
    if (larger.program.cost.length > mostColumns) break
    model = larger
  }
  return model
}

/**
 * A roster in which these orders are where the program wants them, if its times of day allow it: what it has no time
 * for goes where it costs least. Of several sequences the best is kept.
 */
export function realised(
  current: Roster,
  jobs: readonly number[],
  days: Days,
  hopeful: ReadonlySet<number>,
): Roster {
  const { work } = current
  const rest = current.copy()
  const gone = jobs.flatMap((job) => rest.remove(job)).map(({ job }) => job)
  const all = [...new Set([...jobs, ...gone])]
  const planned = all.filter((job) => (work.jobs[job]?.units ?? []).every((unit) => days.has(unit)))
  let best: Roster | undefined
  let most = Number.NEGATIVE_INFINITY
  for (const sequence of sequences) {
    const roster = rest.copy()
    const asWanted = wantedSpot(roster, days)
    const anywhere = cheapestSpot(roster)
    for (const job of byRank(planned, (one) => sequence(one, work))) roster.put(job, asWanted)
    const others = [...new Set([...all, ...roster.left().filter((job) => hopeful.has(job))])]
    for (const job of byRank(others, (one) => -worthOfNumber(one, work))) {
      if (!roster.has(job)) roster.put(job, anywhere)
    }
    const worth = roster.worth()
    if (worth > most) [best, most] = [roster, worth]
  }
  return best ?? current
}

const sequences: readonly ((job: number, work: Work) => number)[] = [
  // Short windows first: what may be done at any time gives way.
  (job, work) => (work.jobs[job]?.windows ?? []).reduce((ms, { startMs, endMs }) => ms + endMs - startMs, 0),
  (job, work) => -worthOfNumber(job, work),
  (job, work) => -(work.jobs[job]?.units.length ?? 0) * 1000 - (work.jobs[job]?.hours ?? 0),
  (job, work) => work.jobs[job]?.place ?? 0,
]

function byRank(jobs: readonly number[], rank: (job: number) => number): readonly number[] {
  return jobs
    .map((job) => ({ job, rank: rank(job) }))
    .toSorted((a, b) => a.rank - b.rank || a.job - b.job)
    .map(({ job }) => job)
}

/** On the day that the program chose, as early as it goes; else wherever it costs least. */
function wantedSpot(roster: Roster, days: Days): Choose {
  const anywhere = cheapestSpot(roster)
  return (unit, fromMs) => {
    const wanted = days.get(unit)
    let found: Spot | undefined
    if (wanted !== undefined) {
      roster.eachSpotOfDay(unit, wanted.person, wanted.day, fromMs, (spot) => {
        found = spot
        return true
      })
    }
    return found ?? anywhere(unit, fromMs)
  }
}

function ableTo(job: number, { jobs, units }: Work): readonly number[] {
  return [
    ...new Set(
      (jobs[job]?.units ?? []).flatMap((unit) => (units[unit]?.able ?? []).map(({ person }) => person)),
    ),
  ]
}

function worthOfNumber(job: number, work: Work): number {
  const one = work.jobs[job]
  return one === undefined ? 0 : worthOf(one, work)
}
