import type { Revision } from "../core/catalogue.ts"
import { jobOf, noJob, worded } from "../core/job.ts"
import { partitionOf } from "../core/log/partition.ts"
import type { OpenOrder } from "../core/orders.ts"
import { type Asset, matches, type PlanSpec } from "../core/plant.ts"
import { fillIn, localTime, timeZoneOf } from "../core/wording.ts"
import { mergeKey, orderOfOccurrence } from "./identity.ts"

/** A plan on one of the assets that it is for. */
export type Assignment = {
  readonly key: string
  readonly plan: PlanSpec
  readonly asset: Asset
  readonly timeZone: string
  /** The plant's revision in which the plan last changed. */
  readonly changedIn: number
}

/** The assignments of each partition's assets. */
export function assignmentsOf(
  revision: Revision,
  partitions: number,
): ReadonlyMap<number, readonly Assignment[]> {
  const byPartition = new Map<number, Assignment[]>()
  for (const plan of revision.plant.plans) {
    const changedIn = revision.changedIn("plan", plan.id)
    for (const asset of assetsFor(plan, revision.assets)) {
      const partition = partitionOf(asset.id, partitions)
      const assignments = byPartition.get(partition) ?? []
      byPartition.set(partition, assignments)
      const timeZone = timeZoneOf(revision.plant, asset.site)
      assignments.push({ key: `${plan.id}|${asset.id}`, plan, asset, timeZone, changedIn })
    }
  }
  return byPartition
}

/** Plans that name their assets are looked up, not searched for: thousands of them are thousands of steps. */
export function assetsFor(plan: PlanSpec, assets: ReadonlyMap<string, Asset>): readonly Asset[] {
  const named = plan.for.asset && [...new Set(plan.for.asset)].flatMap((id) => assets.get(id) ?? [])
  return (named ?? [...assets.values()]).filter((asset) => matches(plan.for, asset))
}

/** What an occurrence asks for. `missed` is what it stands in for besides itself. */
export function requestForPlan(
  { plan, asset, changedIn }: Assignment,
  { plant }: Revision,
  { atMs, dueMs, missed }: { readonly atMs: number; readonly dueMs: number; readonly missed?: string },
): OpenOrder {
  const component = plan.component ?? null
  const place = { asset: asset.id, component }
  const template = plant.templates.find(({ id }) => id === plan.template)
  const description = fillIn(template?.description || plan.description || "", place)
  return {
    kind: "open",
    order: orderOfOccurrence({ ...place, plan: plan.id, dueMs }),
    type: template?.type ?? "preventive",
    site: asset.site,
    ...place,
    mergeKey: mergeKey(place, `plan:${plan.id}`),
    title: fillIn(template?.title ?? plan.id, place),
    description: missed === undefined ? description : `${description}\n\n${missed}`.trimStart(),
    template: plan.template,
    job: worded(template === undefined ? noJob : jobOf(template), (text) => fillIn(text, place)),
    priority: plan.priority,
    priorityReason: `set by the plan ${plan.id}`,
    atMs,
    dueMs,
    trigger: { kind: "plan", plan: plan.id, revision: changedIn, dueMs },
    findings: [],
    costCentre: asset.costCentre ?? null,
  }
}

/** "The one order for all occurrences missed from … to …", in the site's time. */
export function missedInWords(fromMs: number, toMs: number, timeZone: string): string {
  const span =
    fromMs === toMs
      ? `the occurrence missed at ${localTime(fromMs, timeZone)}`
      : `the occurrences missed from ${localTime(fromMs, timeZone)} to ${localTime(toMs, timeZone)}`
  return `Stands also for ${span} (${timeZone}).`
}
