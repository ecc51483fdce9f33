import { type Claim, Positions } from "../core/db/positions.ts"
import type { LogRecord, Subscription } from "../core/log/log.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import type { OrderRequest } from "../core/vocabulary.ts"
import type { Outcome } from "./book.ts"
import { takeRequests } from "./intake.ts"
import { workOrderMetrics } from "./metrics.ts"
import { Outbox } from "./outbox.ts"
import { type OrderQueries, orderQueries } from "./queries.ts"
import { migrations, type WorkOrderTables } from "./tables.ts"

/** The stage, and what the CLI and the API may ask of its orders once it has started. */
export type WorkOrders = Stage & OrderQueries

const group = "workorders"
/** Requests of one transaction: bounds the rows of a statement and the time that others wait for the store. */
const batch = 250

/**
 * Turns requests into work orders. Orders, their history, the events about them and the position in the log are
 * one transaction, so a request that is read again finds its order there already.
 */
export function createWorkOrders(context: StageContext): WorkOrders {
  const { log, database, clock, logger } = context
  const positions = new Positions(database, group, topics.workOrderRequests.name)
  const outbox = new Outbox(database, log)
  const metrics = workOrderMetrics(context.metrics)
  const claims = new Map<number, Claim>()
  let subscription: Subscription | undefined
  let relay: Promise<void> | undefined
  let end = { resolve() {}, reject(_error: unknown) {} }
  const done = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  // Whoever runs the stage decides what a failure means; until it listens, that must not end the process.
  done.catch(() => {})

  function claimed(partition: number): Claim {
    const claim = claims.get(partition)
    if (claim === undefined) throw new Error(`partition ${partition} was never loaded`)
    return claim
  }

  async function process(records: readonly LogRecord<OrderRequest>[]): Promise<void> {
    const reached = new Map(records.map(({ partition, position }) => [partition, position + 1]))
    const outcomes = await database.transaction<WorkOrderTables, readonly Outcome[]>(async (trx) => {
      for (const [partition, position] of reached) {
        await positions.save(trx, claimed(partition), position)
      }
      return takeRequests(
        trx,
        records.map(({ value }) => value),
      )
    })
    outbox.announce()
    for (const [partition, position] of reached) {
      claims.set(partition, { ...claimed(partition), position })
      subscription?.commit(partition, position)
    }
    records.forEach((record, at) => {
      const outcome = outcomes[at]
      if (outcome !== undefined) account(record, outcome)
    })
  }

  function account({ value: request, appendedMs }: LogRecord<OrderRequest>, outcome: Outcome): void {
    metrics.taken(request, outcome, clock.now() - appendedMs)
    if (request.kind !== "amend" || outcome !== "unknown") return
    const { kind, order, asset } = request
    logger.warn(
      { kind, order, asset },
      "a request is about an order that was never asked for: it may have been lost to the log's retention",
    )
  }

  return {
    ...orderQueries(database),
    done,

    async prepare() {
      await positions.migrate()
      await database.migrate("workorders", migrations)
    },

    async start() {
      subscription = await log.subscribe(topics.workOrderRequests, group, {
        async load(partition) {
          const claim = await positions.claim(partition)
          claims.set(partition, claim)
          return claim.position
        },
        async process(records) {
          for (let from = 0; from < records.length; from += batch) {
            await process(records.slice(from, from + batch))
          }
        },
        async revoked(partitions) {
          // Nothing to save: the position moved with every batch.
          for (const partition of partitions) claims.delete(partition)
        },
      })
      // Batches that came before there was a subscription to tell.
      for (const { partition, position } of claims.values()) subscription.commit(partition, position)
      relay = outbox.run()
      Promise.all([subscription.done, relay]).catch((error: unknown) => end.reject(error))
    },

    async close() {
      try {
        await subscription?.close()
      } finally {
        outbox.close()
        await relay
      }
      end.resolve()
    },
  }
}
