import type { Claim } from "../../core/db/positions.ts"
import { Replaced } from "../../core/db/replaced.ts"
import type { Consumer, LogRecord, Position } from "../../core/log/log.ts"
import { plant } from "../../core/plant.ts"
import type { StageContext } from "../../core/service.ts"
import { topics } from "../../core/topics.ts"
import type { AlarmStep, Announcement } from "../../core/vocabulary.ts"
import { advance, type FloodLimits, quietSite, type SiteState, take } from "./flood.ts"
import { type Alarm, Page } from "./fold.ts"
import type { AlarmMetrics } from "./metrics.ts"
import { group, type Loaded, type Store, type Untold } from "./store.ts"

/** Steps of one transaction: bounds what is in memory, and the time that others wait for the store. */
const batch = 500
/** Clock `wall`: digests stay so far behind the time of day, ms, as a step may take from a sample to here. */
const lagMs = 5000

type Owned = {
  readonly claim: Claim
  readonly sites: Map<string, SiteState>
  position: Position
  /** Of the announcement decided next. */
  number: number
}

/** What one turn decided for a partition. */
type Decided = {
  readonly owned: Owned
  readonly alarms: readonly Alarm[]
  readonly touched: Map<string, SiteState>
  readonly untold: Untold[]
}

/** The partitions whose sites this process tells. */
export type Partitions = Consumer<AlarmStep> & {
  /** To be called about each second: under the clock `wall` digests fall due while nothing comes. */
  tick(nowMs: number): Promise<void>
}

/**
 * Alarms, their sites' states, the announcements and the position are one transaction: what was decided once is never
 * decided anew, and so has the same content when a crash makes it told twice. `saved` hears how far a partition is.
 */
export function createPartitions(
  { log, catalogue, clock, plantClock, logger }: StageContext,
  store: Store,
  metrics: (sites: () => Iterable<SiteState>) => AlarmMetrics,
  saved: (partition: number, position: Position) => void,
): Partitions {
  const partitions = new Map<number, Owned>()
  const replaced = new Replaced(group, topics.alarms.name, clock)
  const meter = metrics(() => [...partitions.values()].flatMap(({ sites }) => [...sites.values()]))

  // Records and ticks take turns. After a failure there are no more turns: the states in memory may then be ahead of
  // the tables.
  let turn: Promise<unknown> = Promise.resolve()
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work)
    turn = mine
    return mine
  }

  async function load(partition: number): Promise<Position> {
    const { claim, sites, untold }: Loaded = await store.claim(partition)
    const number = (untold.at(-1)?.number ?? -1) + 1
    partitions.set(partition, { claim, sites: new Map(sites), position: claim.position, number })
    replaced.remove([partition])
    await tell(untold)
    return claim.position
  }

  async function process(records: readonly LogRecord<AlarmStep>[]): Promise<void> {
    for (let from = 0; from < records.length; from += batch) {
      const some = records.slice(from, from + batch).filter(({ partition, position }) => {
        const owned = partitions.get(partition)
        return owned !== undefined && position >= owned.position
      })
      if (some.length === 0) continue
      const page = new Page(await store.about(some.map(({ value }) => value)))
      await settle(decide(some, page))
    }
  }

  function decide(records: readonly LogRecord<AlarmStep>[], page: Page): readonly Decided[] {
    const decided = new Map<number, { owned: Owned; touched: Map<string, SiteState>; untold: Untold[] }>()
    for (const { partition, position, value: step } of records) {
      const owned = partitions.get(partition)
      if (owned === undefined) continue
      const part = decided.get(partition) ?? { owned, touched: new Map(), untold: [] }
      decided.set(partition, part)
      owned.position = position + 1
      const site = siteOf(owned, step.site)
      const weight = page.take(step)
      part.touched.set(step.site, site)
      const limits = limitsAt(step.atMs)
      if (weight === undefined) {
        note(part, advance(site, step.site, limits, step.atMs))
        continue
      }
      const { announced, told } = take(site, limits, step, weight)
      page.told(step, told)
      note(part, announced)
    }
    const alarms = page.changes()
    return [...decided].map(([partition, part]) => {
      const sites = new Set(
        records.filter((one) => one.partition === partition).map(({ value }) => value.site),
      )
      return { ...part, alarms: alarms.filter(({ site }) => sites.has(site)) }
    })
  }

  function note({ owned, untold }: Pick<Decided, "owned" | "untold">, told: readonly Announcement[]): void {
    for (const one of told) {
      untold.push({ id: topics.announcements.identify?.(one) ?? "", number: owned.number, told: one })
      owned.number += 1
    }
  }

  async function settle(decided: readonly Decided[]): Promise<void> {
    if (decided.length === 0) return
    const ours = await store.save(
      decided.map(({ owned: { claim, position }, alarms, touched, untold }) => ({
        claim,
        position,
        alarms,
        sites: touched,
        untold,
      })),
    )
    const kept = decided.filter(({ owned: { claim } }) => ours.has(claim.partition))
    for (const { owned } of decided) {
      const { partition } = owned.claim
      if (ours.has(partition)) continue
      logger.warn({ partition }, "another process has taken over this partition of the alarms")
      partitions.delete(partition)
      replaced.add(partition)
    }
    await tell(kept.flatMap(({ untold }) => untold))
    for (const { owned } of kept) saved(owned.claim.partition, owned.position)
  }

  async function tell(untold: readonly Untold[]): Promise<void> {
    if (untold.length === 0) return
    const records = untold.map(({ told }) => ({ key: told.site, value: told }))
    await log.append(topics.announcements, records)
    meter.announced(untold.map(({ told }) => told))
    await store.told(untold)
  }

  function limitsAt(atMs: number): FloodLimits {
    return (catalogue.at(atMs) ?? catalogue.newest())?.plant.flood ?? defaultLimits
  }

  async function runOut(nowMs: number): Promise<void> {
    const flooded = [...partitions.values()].filter(({ sites }) =>
      [...sites.values()].some(({ flood }) => flood !== null),
    )
    if (flooded.length === 0) return
    const ends = await log.ends(topics.alarms)
    const decided: Decided[] = []
    for (const owned of flooded) {
      // What has come already is counted first.
      if (owned.position < (ends[owned.claim.partition] ?? 0)) continue
      const part: Decided = { owned, alarms: [], touched: new Map(), untold: [] }
      for (const [site, state] of owned.sites) {
        if (state.flood === null) continue
        const announced = advance(state, site, limitsAt(nowMs), nowMs - lagMs)
        if (announced.length === 0) continue
        part.touched.set(site, state)
        note(part, announced)
      }
      if (part.untold.length > 0) decided.push(part)
    }
    await settle(decided)
  }

  return {
    load: (partition) => inTurn(() => load(partition)),
    process: (records) => inTurn(() => process(records)),
    tick: (nowMs) =>
      inTurn(async () => {
        replaced.check()
        if (plantClock === "wall") await runOut(nowMs)
        // Again for those that were saved before there was a subscription to tell.
        for (const { claim, position } of partitions.values()) saved(claim.partition, position)
      }),
    revoked: (numbers) =>
      inTurn(async () => {
        for (const number of numbers) partitions.delete(number)
        replaced.remove(numbers)
      }),
  }
}

/** Of a plant file that says nothing of floods. */
const defaultLimits: FloodLimits = plant.shape.flood.parse(undefined)

function siteOf({ sites }: Owned, id: string): SiteState {
  const known = sites.get(id) ?? quietSite()
  sites.set(id, known)
  return known
}
