/** When planned work can be due on an asset: the site's working time, without blackouts and, for a shutdown, production. */
import type { Job } from "../core/job.ts"
import { type MoveRule, moveInto, type Spans, windowSpans, without, workingSpans } from "../core/open-time.ts"
import { type Asset, matches, type Plant } from "../core/plant.ts"
import type { Blackout } from "../core/plant-planning.ts"
import { localTime, timeZoneOf } from "../core/wording.ts"
import type { Assignment } from "./plans.ts"

/** Of each plant, by site: reading a calendar takes longer than asking it. */
const calendars = new WeakMap<Plant, Map<string, Spans>>()

/** Undefined where all time is open. */
function openTime(plant: Plant, asset: Asset, { shutdown }: Pick<Job, "shutdown">): Spans | undefined {
  const { workingTime } = plant.sites.find(({ id }) => id === asset.site) ?? {}
  const closed = closedFor(plant, asset, shutdown)
  if (workingTime === undefined && closed.length === 0) return undefined
  const timeZone = timeZoneOf(plant, asset.site)
  const bySite = calendars.get(plant) ?? new Map<string, Spans>()
  calendars.set(plant, bySite)
  const working = bySite.get(asset.site) ?? workingSpans(workingTime, timeZone)
  bySite.set(asset.site, working)
  return closed.length === 0 ? working : without(working, windowSpans(closed, timeZone))
}

/** Blackouts, and for work that needs the asset to stand still the times in which it produces. */
export function closedFor(plant: Plant, asset: Asset, shutdown: boolean): readonly Blackout[] {
  return [...plant.blackouts, ...(shutdown ? plant.production : [])].filter((one) => matches(one.for, asset))
}

/** A due time outside of working time is moved by the plan's rule; `moved` says so in a sentence. */
export function dueInOpenTime(
  dueMs: number,
  { plan, asset, timeZone }: Assignment,
  plant: Plant,
  job: Job,
): { readonly ms: number; readonly moved?: string } {
  const open = openTime(plant, asset, job)
  if (open === undefined) return { ms: dueMs }
  const rule: MoveRule = plan.move ?? (job.obligation === null ? "later" : "earlier")
  const ms = moveInto(dueMs, open, rule)
  if (ms === dueMs) return { ms }
  const moved = `Due ${localTime(ms, timeZone)} instead of ${localTime(dueMs, timeZone)} (${timeZone}), which is outside of working time: moved ${rule}.`
  return { ms, moved }
}
