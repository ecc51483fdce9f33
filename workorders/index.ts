import { every } from "../core/clock.ts"
import { Claims } from "../core/db/claims.ts"
import type { Reached } from "../core/db/positions.ts"
import type { LogRecord, Subscription } from "../core/log/log.ts"
import type { OrderRequest } from "../core/orders.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { createAgeingClock } from "./ageing-clock.ts"
import { type AssetCodes, createAssetCodes } from "./asset-codes.ts"
import { type AttachmentQueries, attachmentQueries } from "./attachments.ts"
import { createOrderAudit, type OrderAudit } from "./audit-check.ts"
import { type AutomationQueries, automationQueries } from "./automation-queries.ts"
import { createAutomations } from "./automations.ts"
import type { Outcome } from "./book.ts"
import { type BudgetDesk, createBudgetDesk } from "./budget-desk.ts"
import { createDesk, type Desk } from "./desk.ts"
import { createEstimates, type Estimates } from "./estimates.ts"
import { intakeQueue, takeRequests } from "./intake.ts"
import { workOrderMetrics } from "./metrics.ts"
import { workOrderMigrations } from "./migrations.ts"
import { Outbox } from "./outbox.ts"
import { createPublicRequests, type PublicRequests } from "./public-requests.ts"
import { type OrderQueries, orderQueries } from "./queries.ts"
import { type RelatedQueries, relatedQueries } from "./related.ts"
import { type OrderReports, orderReports } from "./report.ts"
import { createRequestDesk, type RequestDesk } from "./requests-by-people.ts"
import { createStockDesk, type StockDesk } from "./stock-desk.ts"
import type { WorkOrderTables } from "./tables.ts"

/** The stage, and what the CLI and the API may ask of its orders once it has started. */
export type WorkOrders = Stage &
  OrderQueries &
  AttachmentQueries &
  RelatedQueries &
  Estimates &
  BudgetDesk &
  Omit<Desk, "tick"> & {
    readonly requests: RequestDesk & PublicRequests
    readonly codes: AssetCodes
    readonly stock: StockDesk
    readonly audit: OrderAudit & OrderReports
    readonly automations: AutomationQueries
  }

const group = "workorders"
/** Requests of one transaction: bounds the rows of a statement and the time that others wait for the store. */
const batch = 250
const lookEveryMs = 1000

type Taken = {
  readonly owned: ReadonlySet<number>
  readonly taken: readonly LogRecord<OrderRequest>[]
  readonly outcomes: readonly Outcome[]
}

/**
 * Turns requests into work orders. Orders, their history, the events about them and the position in the log are
 * one transaction, so a request that is read again finds its order there already.
 */
export function createWorkOrders(context: StageContext): WorkOrders {
  const { log, database, clock, logger, plantClock } = context
  const topic = topics.workOrderRequests.name
  const claims = new Claims(context, { consumer: group, topic, of: "work orders" })
  const outbox = new Outbox(database, log, { consumer: group, topic, giveUp })
  const metrics = workOrderMetrics(context.metrics)
  const deskOptions = { database, newest: () => context.catalogue.newest(), partitions: log.partitions }
  const desk = createDesk(deskOptions)
  const ageing = createAgeingClock(deskOptions)
  const queries = orderQueries(database)
  const automations = createAutomations(context, queries, publish)
  const stop = new AbortController()
  let subscription: Subscription | undefined
  let looking: Promise<void> = Promise.resolve()
  let ticking: Promise<void> | undefined
  /** The newest time that requests and commands told of, which is now on the clock `event`. */
  let toldMs: number | undefined
  let end = { resolve() {}, reject(_error: unknown) {} }
  const done = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  // Whoever runs the stage decides what a failure means; until it listens, that must not end the process.
  done.catch(() => {})

  async function process(records: readonly LogRecord<OrderRequest>[]): Promise<void> {
    const reached = claims.reached(records.map(({ partition, position }) => [partition, position + 1]))
    if (reached.length === 0) return
    for (const { value } of records) tell(value.atMs)
    const { owned, taken, outcomes } = await take(records, reached)
    publish()
    const saved = claims.saved(reached, owned)
    for (const { claim, position } of saved) subscription?.commit(claim.partition, position)
    outbox.forget(reached.map(({ claim }) => claim.partition).filter((partition) => !owned.has(partition)))
    taken.forEach((record, at) => {
      const outcome = outcomes[at]
      if (outcome !== undefined) account(record, outcome)
    })
  }

  /** The outbox may meet the new owner as well as the intake does. */
  function giveUp(partition: number): void {
    outbox.forget([partition])
    claims.giveUp(partition)
  }

  /** Requests and positions of the partitions that are still ours. */
  function take(records: readonly LogRecord<OrderRequest>[], reached: readonly Reached[]) {
    return database.transaction<WorkOrderTables, Taken>(async (trx) => {
      const owned = await claims.positions.saveOwned(trx, reached)
      const taken = records.filter(({ partition }) => owned.has(partition))
      const requests = taken.map(({ value }) => value)
      const revision = context.catalogue.newest()
      return { owned, taken, outcomes: await takeRequests(trx, requests, log.partitions, revision) }
    }, intakeQueue)
  }

  function look(): void {
    claims.check()
    automations.check()
    publish()
    tick()
  }

  function tell(atMs: number): void {
    toldMs = Math.max(toldMs ?? atMs, atMs)
  }

  /** After a long standstill much is due: the next looks do not wait for it. */
  function tick(): void {
    const nowMs = plantClock === "wall" ? clock.now() : toldMs
    if (nowMs === undefined || ticking !== undefined) return
    ticking = carryOut(nowMs)
      .catch((error: unknown) => end.reject(error))
      .finally(() => {
        ticking = undefined
      })
  }

  async function carryOut(nowMs: number): Promise<void> {
    const due = await desk.tick(nowMs, stop.signal)
    const aged = await ageing.tick(nowMs, stop.signal)
    if (due + aged > 0) publish()
  }

  /** Takes its time beside the requests that come in. */
  function publish(): void {
    outbox.publish().catch((error: unknown) => end.reject(error))
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
    ...queries,
    ...attachmentQueries(database),
    ...relatedQueries(database),
    ...createEstimates(deskOptions),
    ...createBudgetDesk(deskOptions),
    ...desk,
    perform(ask, asker) {
      tell(asker.atMs)
      return desk.perform(ask, asker)
    },
    requests: { ...createRequestDesk(deskOptions), ...createPublicRequests(deskOptions) },
    codes: createAssetCodes(deskOptions),
    stock: createStockDesk(deskOptions),
    audit: { ...createOrderAudit(database), ...orderReports(database) },
    automations: automationQueries(deskOptions, queries),
    done,

    async prepare() {
      await claims.positions.migrate()
      await database.migrate("workorders", workOrderMigrations(log.partitions))
    },

    async start() {
      await automations.start()
      automations.done.catch((error: unknown) => end.reject(error))
      subscription = await log.subscribe(topics.workOrderRequests, group, {
        async load(partition) {
          const claim = await claims.take(partition)
          outbox.own(claim)
          publish()
          return claim.position
        },
        async process(records) {
          for (let from = 0; from < records.length; from += batch) {
            await process(records.slice(from, from + batch))
          }
        },
        async revoked(partitions) {
          // The position moved with every batch: only events may be left.
          await outbox.disown(partitions)
          claims.release(partitions)
        },
      })
      // Batches that came before there was a subscription to tell.
      for (const { partition, position } of claims.all()) subscription.commit(partition, position)
      // Commands, and the owner before, leave events without a word to this process.
      looking = every(clock, lookEveryMs, stop.signal, look)
      looking.catch((error: unknown) => end.reject(error))
      subscription.done.catch((error: unknown) => end.reject(error))
    },

    async close() {
      stop.abort()
      // Whatever it failed with, `done` has told.
      await Promise.allSettled([looking, ticking])
      await automations.close()
      await subscription?.close()
      end.resolve()
    },
  }
}
