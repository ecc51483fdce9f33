/** Plans on the assets that they are for. */
import type { Revision } from "../core/catalogue.ts"
import { partitionOf } from "../core/log/partition.ts"
import type { Asset } from "../core/plant.ts"
import { type PlanSpec, type PlanTrigger, triggersOf } from "../core/plant-planning.ts"
import { timeZoneOf } from "../core/wording.ts"

/** A plan on one of the assets that it is for. */
export type Assignment = {
  readonly key: string
  readonly plan: PlanSpec
  readonly triggers: readonly PlanTrigger[]
  readonly asset: Asset
  readonly timeZone: string
  /** The plant's revision in which the plan last changed. */
  readonly changedIn: number
  /** The plans on the same asset whose work is part of this one's, also through others. */
  readonly contains: ReadonlySet<string>
}

export function keyOf(plan: string, asset: string): string {
  return `${plan}|${asset}`
}

/** The assignments of each partition's assets. */
export function assignmentsOf(
  revision: Revision,
  partitions: number,
): ReadonlyMap<number, readonly Assignment[]> {
  const byPartition = new Map<number, Assignment[]>()
  const contained = containedIn(revision.plant.plans)
  for (const asset of revision.assets.values()) {
    const plans = revision.plansFor(asset.id)
    if (plans.length === 0) continue
    const partition = partitionOf(asset.id, partitions)
    const assignments = byPartition.get(partition) ?? []
    byPartition.set(partition, assignments)
    const timeZone = timeZoneOf(revision.plant, asset.site)
    for (const plan of plans) {
      assignments.push({
        key: keyOf(plan.id, asset.id),
        plan,
        triggers: triggersOf(plan),
        asset,
        timeZone,
        changedIn: revision.changedIn("plan", plan.id),
        contains: contained.get(plan.id) ?? new Set(),
      })
    }
  }
  return byPartition
}

/** By plan, all that it contains, also through others; a plan that would contain itself does not. */
function containedIn(plans: readonly PlanSpec[]): ReadonlyMap<string, ReadonlySet<string>> {
  const direct = new Map(plans.map(({ id, contains }) => [id, contains]))
  return new Map(
    plans.map(({ id }) => {
      const found = new Set<string>()
      const open = [...(direct.get(id) ?? [])]
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        if (next === id || found.has(next)) continue
        found.add(next)
        open.push(...(direct.get(next) ?? []))
      }
      return [id, found]
    }),
  )
}
