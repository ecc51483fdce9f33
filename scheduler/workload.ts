/** Planned work by week and craft, against what the crews can do. */
import type { Revision } from "../core/catalogue.ts"
import { weekAt, weekSpan } from "../core/iso-week.ts"
import type { Job } from "../core/job.ts"
import { timeZoneOf } from "../core/wording.ts"
import { hasHours, hoursOf } from "./assign/crew-time.ts"
import type { Foreseen, Planned } from "./forecast.ts"

const hourMs = 3_600_000

/** Hours of work of one craft in one week at one site. */
export type Workload = {
  readonly site: string
  readonly week: string
  /** Null: what states no craft. */
  readonly craft: string | null
  readonly orders: number
  readonly hours: number
  /** Of orders that fall into this week four times out of five, and of all that may; without meters both are the hours. */
  readonly lowHours: number
  readonly highHours: number
  /** What the site's crews have of this craft in that week; null where no crew has it. */
  readonly capacityHours: number | null
}

/** How long the work of a job takes, in all and by its tasks. */
type HoursOf = (
  job: Job,
  of: { readonly template: string | null; readonly asset: string },
) => { readonly hours: number; readonly tasks: Readonly<Record<string, number>> }

export type WorkloadSetup = {
  readonly revision: Revision
  readonly nowMs: number
  readonly toMs: number
  readonly hoursOf: HoursOf
  readonly site?: string | undefined
}

/** What is foreseen, from the week of `nowMs` on; what is due before now counts in that week. */
export function workload(setup: WorkloadSetup, foreseen: readonly Foreseen[]): readonly Workload[] {
  const { revision, nowMs, toMs, site: wanted } = setup
  const found = new Map<string, Amount>()
  const weekOf = weekNames(revision)
  for (const planned of foreseen) {
    const { site, dueMs, earliestMs, latestMs, isExpected } = planned
    if ((wanted !== undefined && site !== wanted) || earliestMs > toMs) continue
    const [first, usual, last] = [earliestMs, dueMs, latestMs ?? Number.POSITIVE_INFINITY].map((ms) =>
      Math.max(ms, nowMs),
    )
    if (first === undefined || usual === undefined || last === undefined) continue
    const isSure = Number.isFinite(last) && weekOf(site, first).week === weekOf(site, last).week
    for (const [craft, hours] of byCraft(planned, setup.hoursOf)) {
      const add = (week: string, amount: Partial<Amount>) => addTo(found, `${site}|${week}|${craft}`, amount)
      if (isExpected && usual <= toMs)
        add(weekOf(site, usual).week, { orders: 1, hours, ...(isSure && { lowHours: hours }) })
      for (let ms = first; ms <= Math.min(last, toMs); ) {
        const { week, endMs } = weekOf(site, ms)
        add(week, { highHours: hours })
        ms = endMs
      }
    }
  }
  const capacity = capacities(revision)
  return [...found.keys()].toSorted().map((key) => {
    const [site = "", week = "", craft = ""] = key.split("|")
    const named = craft === "" ? null : craft
    return {
      site,
      week,
      craft: named,
      ...nothing,
      ...found.get(key),
      capacityHours: capacity(site, week, named),
    }
  })
}

type Amount = Pick<Workload, "orders" | "hours" | "lowHours" | "highHours">
const nothing: Amount = { orders: 0, hours: 0, lowHours: 0, highHours: 0 }

function addTo(found: Map<string, Amount>, key: string, amount: Partial<Amount>): void {
  const before = found.get(key) ?? nothing
  found.set(key, {
    orders: before.orders + (amount.orders ?? 0),
    hours: before.hours + (amount.hours ?? 0),
    lowHours: before.lowHours + (amount.lowHours ?? 0),
    highHours: before.highHours + (amount.highHours ?? 0),
  })
}

function byCraft({ job, template, asset }: Planned, hoursOf: HoursOf): ReadonlyMap<string, number> {
  const { hours, tasks } = hoursOf(job, { template, asset })
  const found = new Map<string, number>()
  if (job.tasks.length === 0) return found.set("", hours)
  for (const { id, craft } of job.tasks)
    found.set(craft ?? "", (found.get(craft ?? "") ?? 0) + (tasks[id] ?? 0))
  return found
}

const day = 86_400_000

type Week = { readonly week: string; readonly startMs: number; readonly endMs: number }

/** The week of a time, looked up by the day: thousands of orders share a few hundred of them. */
function weekNames({ plant }: Revision): (site: string, ms: number) => Week {
  const known = new Map<string, Week>()
  return (site, ms) => {
    const key = `${site}|${Math.floor(ms / day)}`
    const before = known.get(key)
    if (before !== undefined && ms >= before.startMs && ms < before.endMs) return before
    const timeZone = timeZoneOf(plant, site)
    const week = weekAt(ms, timeZone)
    const found = { week, ...(weekSpan(week, timeZone) ?? { startMs: ms, endMs: ms + 7 * day }) }
    known.set(key, found)
    return found
  }
}

/** Working hours of a site's people of a craft in a week; of crews whose hours nobody has stated there are none. */
function capacities(revision: Revision): (site: string, week: string, craft: string | null) => number | null {
  const known = new Map<string, number | null>()
  const { plant } = revision
  const people = plant.people.flatMap((person) => {
    const crew = plant.crews.find(({ id }) => id === person.crew)
    return crew === undefined ? [] : [{ person, crew }]
  })
  return (site, week, craft) => {
    const key = `${site}|${week}|${craft ?? ""}`
    const before = known.get(key)
    if (before !== undefined) return before
    const span = weekSpan(week, timeZoneOf(plant, site))
    // Work of no craft may be anybody's.
    const able = people.filter(
      ({ person, crew }) => crew.site === site && (craft === null || person.craft === craft),
    )
    let hours = able.length === 0 || span === undefined ? null : 0
    for (const { person, crew } of able) {
      if (span === undefined || hours === null) break
      if (!hasHours(crew, revision)) continue
      for (const { startMs, endMs } of hoursOf(person, crew, revision)(span.startMs, span.endMs))
        hours += (endMs - startMs) / hourMs
    }
    known.set(key, hours)
    return hours
  }
}
