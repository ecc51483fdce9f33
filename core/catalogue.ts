import { MillwrightError } from "./errors.ts"
import type { Log, Subscription } from "./log/log.ts"
import { type Asset, matches, type Plant, parsePlant } from "./plant.ts"
import type { PlanSpec } from "./plant-planning.ts"
import type { Selector } from "./selector.ts"
import { type PlantRevision, topics } from "./topics.ts"

/** One revision of the plant, read once and looked up often. */
export type Revision = {
  readonly number: number
  readonly effectiveMs: number
  readonly plant: Plant
  readonly assets: ReadonlyMap<string, Asset>
  /** The plant's revision in which this rule or plan (by id) last changed. */
  changedIn(kind: "rule" | "plan", id: string): number
  /** When this automation was added, by the wall: what happened to orders before does not set it off. */
  automationSinceMs(id: string): number
  assetsFor(selector: Selector): readonly Asset[]
  /** The maintenance plans of an asset, by its id. */
  plansFor(asset: string): readonly PlanSpec[]
}

export function readRevision(record: PlantRevision): Revision {
  const plant = parsePlant(record.source)
  const assets = new Map(plant.assets.map((asset) => [asset.id, asset]))
  const automationsSince = new Map(Object.entries(record.automationsSinceMs ?? {}))
  let plans: ReadonlyMap<string, readonly PlanSpec[]> | undefined
  return {
    number: record.revision,
    effectiveMs: record.effectiveMs,
    plant,
    assets,
    changedIn: (kind, id) => record.changedIn[`${kind}:${id}`] ?? record.revision,
    automationSinceMs: (id) => automationsSince.get(id) ?? 0,
    assetsFor: (selector) => plant.assets.filter((asset) => matches(selector, asset)),
    plansFor(asset) {
      plans ??= plansByAsset(plant.plans, assets)
      return plans.get(asset) ?? []
    },
  }
}

/** Plans that name their assets are looked up, not searched for: thousands of them are thousands of steps. */
function plansByAsset(
  plans: readonly PlanSpec[],
  assets: ReadonlyMap<string, Asset>,
): ReadonlyMap<string, readonly PlanSpec[]> {
  const found = new Map<string, PlanSpec[]>()
  for (const plan of plans) {
    const named = plan.for.asset && [...new Set(plan.for.asset)].flatMap((id) => assets.get(id) ?? [])
    for (const asset of named ?? assets.values()) {
      if (!matches(plan.for, asset)) continue
      const before = found.get(asset.id)
      if (before === undefined) found.set(asset.id, [plan])
      else before.push(plan)
    }
  }
  return found
}

/** The plant's revisions as announced on the topic `catalogue`. */
export class Catalogue {
  private readonly revisions: Revision[] = []
  private readonly log: Log
  private subscription: Subscription | undefined
  private waiting: { readonly number: number; readonly resolve: () => void }[] = []

  constructor(log: Log) {
    this.log = log
  }

  /** Resolves when every revision announced so far is known. */
  async start(): Promise<void> {
    this.subscription = await this.log.follow(topics.catalogue, (record) => this.take(record.value))
  }

  async close(): Promise<void> {
    await this.subscription?.close()
  }

  /** Resolves when this revision, which was announced, is known here. Rejects if the log can't be followed any more. */
  async knows(number: number): Promise<void> {
    if ((this.newest()?.number ?? 0) >= number) return
    const taken = new Promise<void>((resolve) => this.waiting.push({ number, resolve }))
    await Promise.race([taken, this.subscription?.done ?? taken])
  }

  /**
   * Resolves when this revision, which a saved state goes by, is known here, also where following is behind: after an
   * outage other processes may hear of a revision seconds earlier. Throws `LOG_LOST` where the log does not have it.
   */
  async readUpTo(number: number): Promise<void> {
    if ((this.newest()?.number ?? 0) >= number) return
    for await (const { value } of this.log.read(topics.catalogue)) this.take(value)
    const known = this.newest()?.number ?? 0
    if (known >= number) return
    throw new MillwrightError(
      "LOG_LOST",
      `the database goes by revision ${number} of the plant, the log has ${known === 0 ? "none" : `only ${known}`}: it was restored from an older copy. Restore both of one time`,
    )
  }

  newest(): Revision | undefined {
    return this.revisions.at(-1)
  }

  /** The revision in effect at this time of the plant's clock. */
  at(ms: number): Revision | undefined {
    return this.revisions.findLast((revision) => revision.effectiveMs <= ms)
  }

  /** When, after this time of the plant's clock, the next revision takes effect. */
  changesAfter(ms: number): number | undefined {
    const later = this.revisions.map((revision) => revision.effectiveMs).filter((atMs) => atMs > ms)
    return later.length === 0 ? undefined : Math.min(...later)
  }

  /** The revision that follows this one, announced already though perhaps not yet in effect. */
  after(number: number): Revision | undefined {
    if ((this.newest()?.number ?? 0) <= number) return undefined
    return this.revisions.find((revision) => revision.number > number)
  }

  private take(record: PlantRevision): void {
    if (record.revision <= (this.newest()?.number ?? 0)) return
    this.revisions.push(readRevision(record))
    for (const { number, resolve } of this.waiting) if (number <= record.revision) resolve()
    this.waiting = this.waiting.filter(({ number }) => number > record.revision)
  }
}
