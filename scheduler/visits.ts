/** Which orders are worth one way: due at about the same time, at about the same place. */
import { formatDuration } from "../core/duration.ts"
import type { Place } from "./assign/problem.ts"
import type { Way } from "./assign/travel.ts"

/** An order, as far as it matters where and when it is due. */
export type Call = {
  readonly order: string
  readonly number: string
  readonly asset: string
  readonly site: string
  /** Where on the site, in the plant's own words. */
  readonly location: string | null
  readonly place: Place
  readonly dueMs: number
  readonly hours: number
}

export type Visit = {
  /** By when they are due. */
  readonly calls: readonly Call[]
  /** Of the first and the last; what is overdue is due now. */
  readonly fromMs: number
  readonly toMs: number
  readonly hours: number
  readonly why: string
}

export type VisitRules = {
  readonly nowMs: number
  /** At most so long between the first and the last due time. */
  readonly withinMs: number
  /** At most so far from the first one's asset. */
  readonly nearMs: number
  /** A visit of several orders is at most so much work. */
  readonly mostHours: number
  readonly way: Way
}

/** From the nearest to the farthest. */
const nearness = ["the same asset", "the same location", "the same site", "a short way"] as const
type Nearness = (typeof nearness)[number]

/**
 * Each order is in one visit: the one that is due first takes in those near it, the nearest first, as long as they are
 * due within the time and the work of a visit is not too much. The same orders make the same visits, however they come.
 */
export function visitsOf(calls: readonly Call[], rules: VisitRules): readonly Visit[] {
  const left = calls.toSorted((a, b) => due(a, rules) - due(b, rules) || compare(a.number, b.number))
  const visits: Visit[] = []
  for (let first = left.shift(); first !== undefined; first = left.shift()) {
    const taken = [first]
    let farthest: Nearness = nearness[0]
    let { hours } = first
    for (const { call, how } of nearTo(first, left, rules)) {
      if (hours + call.hours > rules.mostHours) continue
      taken.push(call)
      hours += call.hours
      farthest = how
      left.splice(left.indexOf(call), 1)
    }
    const inOrder = taken.toSorted((a, b) => due(a, rules) - due(b, rules) || compare(a.number, b.number))
    const [fromMs, toMs] = [due(first, rules), Math.max(...taken.map((one) => due(one, rules)))]
    visits.push({ calls: inOrder, fromMs, toMs, hours, why: reason(first, inOrder, farthest, rules) })
  }
  return visits
}

function nearTo(first: Call, others: readonly Call[], rules: VisitRules) {
  return others
    .flatMap((call) => {
      const how = nearOf(first, call, rules)
      return how !== undefined && due(call, rules) - due(first, rules) <= rules.withinMs
        ? [{ call, how }]
        : []
    })
    .toSorted((a, b) => nearness.indexOf(a.how) - nearness.indexOf(b.how))
}

function nearOf(a: Call, b: Call, { way, nearMs }: VisitRules): Nearness | undefined {
  if (a.asset === b.asset) return "the same asset"
  const ms = way(a.place, b.place)
  if (ms > nearMs) return undefined
  if (a.site === b.site) {
    if (a.location !== null && a.location === b.location) return "the same location"
    return "the same site"
  }
  // Between sites no way is no knowledge of one.
  return ms > 0 ? "a short way" : undefined
}

function due({ dueMs }: Call, { nowMs }: VisitRules): number {
  return Math.max(dueMs, nowMs)
}

function reason(first: Call, calls: readonly Call[], farthest: Nearness, rules: VisitRules): string {
  if (calls.length === 1) return "nothing else is due near it at that time"
  const spanMs = Math.max(...calls.map((one) => due(one, rules))) - due(first, rules)
  const when = calls.every(({ dueMs }) => dueMs <= rules.nowMs)
    ? "overdue"
    : spanMs === 0
      ? "due at the same time"
      : `due within ${formatDuration(spanMs)}`
  const wayMs = Math.max(...calls.map((one) => rules.way(first.place, one.place)))
  const apart = wayMs > 0 ? `, at most ${formatDuration(wayMs)} from ${first.asset}` : ""
  return `${placeText(first, farthest)}${apart}, ${when}`
}

function placeText({ asset, site, location }: Call, farthest: Nearness): string {
  switch (farthest) {
    case "the same asset":
      return `the same asset ${asset}`
    case "the same location":
      return `the same location ${location ?? ""} at ${site}`
    case "the same site":
      return `the same site ${site}`
    case "a short way":
      return `near ${asset} at ${site}`
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
