/** What is wrong with the plans of a plant file, before it takes effect. */
import { formatDuration } from "../core/duration.ts"
import { messageOf } from "../core/errors.ts"
import { type Asset, matches, type Plant } from "../core/plant.ts"
import { isDated, type PlanSpec, type PlanTrigger, triggersOf } from "../core/plant-planning.ts"
import { shortestInterval } from "../core/schedule.ts"
import { timeZoneOf } from "../core/wording.ts"

/**
 * One line for each plan that can't be followed: a schedule that never comes due, a lead so long that the next order
 * would be asked for, and merged, before the one before it is due, a meter that its assets don't have, plans that contain
 * each other.
 */
export function checkPlans(plant: Plant): string[] {
  const byId = new Map(plant.assets.map((asset) => [asset.id, asset]))
  const contains = new Map(plant.plans.map((plan) => [plan.id, plan.contains]))
  return plant.plans.flatMap((plan) => {
    const named = plan.for.asset?.flatMap((id) => byId.get(id) ?? []) ?? plant.assets
    const assets = named.filter((asset) => matches(plan.for, asset))
    const timeZones = [...new Set(assets.map(({ site }) => timeZoneOf(plant, site)))]
    const problems = [
      ...triggersOf(plan).flatMap((trigger) => checkTrigger(trigger, plan, plant, assets, timeZones)),
      ...(isInItself(plan.id, contains) ? ["it contains itself, through contains"] : []),
    ]
    return problems.map((problem) => `plan "${plan.id}": ${problem}`)
  })
}

function checkTrigger(
  trigger: PlanTrigger,
  { lead }: PlanSpec,
  plant: Plant,
  assets: readonly Asset[],
  timeZones: readonly string[],
): string[] {
  if ("meter" in trigger) return checkMeter(trigger.meter, plant, assets)
  if (!isDated(trigger)) return []
  const zones = timeZones.length === 0 ? ["UTC"] : timeZones
  try {
    const shortestMs = Math.min(...zones.map((timeZone) => shortestInterval(trigger, timeZone)))
    if (lead < shortestMs) return []
    return [
      `lead must be shorter than the time between two orders (${formatDuration(shortestMs)}), got ${formatDuration(lead)}`,
    ]
  } catch (error) {
    return [messageOf(error)]
  }
}

function checkMeter(meter: string, { classes }: Plant, assets: readonly Asset[]): string[] {
  const known = new Map(classes.map((one) => [one.id, one.signals]))
  const without = [...new Set(assets.map((asset) => asset.class))].filter(
    (one) => known.get(one)?.[meter]?.kind !== "meter",
  )
  return without.map((one) => {
    const meters = Object.entries(known.get(one) ?? {}).flatMap(([id, { kind }]) =>
      kind === "meter" ? id : [],
    )
    return `the class ${one} has no meter "${meter}": expected ${meters.length === 0 ? "a signal of kind meter" : `one of ${meters.join(", ")}`}`
  })
}

function isInItself(id: string, contains: ReadonlyMap<string, readonly string[]>): boolean {
  const seen = new Set<string>()
  const open = [...(contains.get(id) ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === id) return true
    if (seen.has(next)) continue
    seen.add(next)
    open.push(...(contains.get(next) ?? []))
  }
  return false
}
