import { every } from "../../core/clock.ts"
import type { Subscription } from "../../core/log/log.ts"
import type { Stage, StageContext } from "../../core/service.ts"
import { topics } from "../../core/topics.ts"
import { type AlarmDesk, alarmDesk } from "./desk.ts"
import { alarmMetrics } from "./metrics.ts"
import { createPartitions } from "./partitions.ts"
import { type AlarmQueries, alarmQueries } from "./queries.ts"
import { createStore, group } from "./store.ts"

/** The stage, and what can be asked and done once it is prepared. */
export type Alarms = Stage & AlarmQueries & AlarmDesk

const tickMs = 1000

/** The stage `alarms` -> `announcements`: the operator's list, and what each site is told: docs/alarms.md. */
export function createAlarms(context: StageContext): Alarms {
  const { log, database, clock } = context
  const stop = new AbortController()
  let subscription: Subscription | undefined
  let ticking: Promise<void> | undefined
  let end = { resolve() {}, reject(_error: unknown) {} }
  const done = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  // Whoever runs the stage decides what a failure means; until it listens, that must not end the process.
  done.catch(() => {})
  const store = createStore(database)
  const partitions = createPartitions(
    context,
    store,
    (sites) => alarmMetrics(context.metrics, sites),
    (partition, position) => subscription?.commit(partition, position),
  )
  const queries = alarmQueries(context)

  return {
    ...queries,
    ...alarmDesk(context, queries),
    done,
    prepare: () => store.migrate(),
    async start() {
      subscription = await log.subscribe(topics.alarms, group, partitions)
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
