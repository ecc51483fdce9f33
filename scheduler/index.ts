import { every } from "../core/clock.ts"
import type { Subscription } from "../core/log/log.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { createPartitions } from "./partitions.ts"
import { createPlanDesk, type PlanDesk } from "./plan-desk.ts"
import { createStore } from "./store.ts"
import { createWorkTold, workGroup } from "./work-told.ts"

/** The stage, and what the CLI and the API may ask of its plans. */
export type Scheduler = Stage & { readonly plans: PlanDesk }

const group = "scheduler"
const tickMs = 1000

/** Turns detections, meters, events and the calendar into requests for work orders: docs/scheduling.md. */
export function createScheduler(context: StageContext): Scheduler {
  const { log, database, clock } = context
  const stop = new AbortController()
  let subscriptions: readonly Subscription[] = []
  let decided: Subscription | undefined
  let heard: Subscription | undefined
  let ticking: Promise<void> | undefined
  let end!: { resolve(): void; reject(error: unknown): void }
  const done = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  const store = createStore(database, group)
  const partitions = createPartitions(context, store, (partition, position) =>
    decided?.commit(partition, position),
  )
  const work = createWorkTold(context, (partition, position) => heard?.commit(partition, position))

  return {
    done,
    plans: createPlanDesk(context, store),
    async prepare() {
      await store.migrate()
      await work.prepare()
    },
    async start() {
      decided = await log.subscribe(topics.detections, group, partitions)
      heard = await log.subscribe(topics.workOrderEvents, workGroup, work)
      work.tell()
      subscriptions = [decided, heard]
      ticking = every(clock, tickMs, stop.signal, () => partitions.tick(clock.now()))
      Promise.all([...subscriptions.map((one) => one.done), ticking]).then(() => end.resolve(), end.reject)
    },
    async close() {
      stop.abort()
      // Whatever any of them failed with, `done` has told.
      await Promise.allSettled([ticking, ...subscriptions.map((one) => one.close())])
      end.resolve()
    },
  }
}
