import { every } from "../core/clock.ts"
import { formatDuration } from "../core/duration.ts"
import { messageOf } from "../core/errors.ts"
import type { Subscription } from "../core/log/log.ts"
import type { PlanSpec, Plant } from "../core/plant.ts"
import { shortestInterval } from "../core/schedule.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { timeZoneOf } from "../core/wording.ts"
import { createPartitions } from "./partitions.ts"
import { assetsFor } from "./plans.ts"
import { createStore } from "./store.ts"

const group = "scheduler"
const tickMs = 1000

/** Turns detections and the calendar's plans into requests for work orders: docs/scheduling.md. */
export function createScheduler(context: StageContext): Stage {
  const { log, database, clock } = context
  const stop = new AbortController()
  let subscription: Subscription | undefined
  let ticking: Promise<void> | undefined
  let end!: { resolve(): void; reject(error: unknown): void }
  const done = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  const store = createStore(database, group)
  const partitions = createPartitions(context, store, (partition, position) =>
    subscription?.commit(partition, position),
  )

  return {
    done,
    prepare: () => store.migrate(),
    async start() {
      subscription = await log.subscribe(topics.detections, group, partitions)
      ticking = every(clock, tickMs, stop.signal, () => partitions.tick(clock.now()))
      Promise.all([subscription.done, ticking]).then(() => end.resolve(), end.reject)
    },
    async close() {
      stop.abort()
      // Whatever either of them failed with, `done` has told.
      await Promise.allSettled([ticking, subscription?.close()])
      end.resolve()
    },
  }
}

/**
 * One line for each plan that can't be followed: a pattern that can't be read, an interval of zero, a lead so long
 * that the next order would be asked for, and merged, before the one before it is due.
 */
export function checkPlans(plant: Plant): string[] {
  const assets = new Map(plant.assets.map((asset) => [asset.id, asset]))
  return plant.plans.flatMap((plan) => {
    const timeZones = new Set(assetsFor(plan, assets).map(({ site }) => timeZoneOf(plant, site)))
    const problem = firstProblem(plan, timeZones.size === 0 ? ["UTC"] : [...timeZones])
    return problem === undefined ? [] : [`plan "${plan.id}": ${problem}`]
  })
}

function firstProblem({ schedule, lead }: PlanSpec, timeZones: readonly string[]): string | undefined {
  try {
    const shortestMs = Math.min(...timeZones.map((timeZone) => shortestInterval(schedule, timeZone)))
    if (lead < shortestMs) return undefined
    return `lead must be shorter than the time between two orders (${formatDuration(shortestMs)}), got ${formatDuration(lead)}`
  } catch (error) {
    return messageOf(error)
  }
}
