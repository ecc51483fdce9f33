import type { Logger } from "pino"
import { collectDefaultMetrics, Gauge, Registry } from "prom-client"
import { Audit } from "./core/audit.ts"
import { Catalogue } from "./core/catalogue.ts"
import { type Clock, every } from "./core/clock.ts"
import { isShared, type Settings } from "./core/config.ts"
import { MillwrightError, messageOf } from "./core/errors.ts"
import { type Health, type Observer, observe } from "./core/observe.ts"
import { type ApplyRequest, PlantRegister } from "./core/plant-register.ts"
import type { Reach } from "./core/reach.ts"
import type { Stage, StageContext } from "./core/service.ts"
import { type PlantRevision, topics } from "./core/topics.ts"
import { checkTopics } from "./ingest/decode/routes.ts"
import { checkUnits } from "./ingest/decode/units.ts"
import { createHistorian } from "./ingest/historian/historian.ts"
import { createIngest } from "./ingest/index.ts"
import { checkRules, createRules } from "./rules/index.ts"
import { checkOrderSeverities } from "./rules/order-severity.ts"
import { checkPlans } from "./scheduler/check.ts"
import { createScheduler } from "./scheduler/index.ts"
import { openStores, type Stores } from "./stores.ts"
import { checkAutomations } from "./workorders/automation-check.ts"
import { createWorkOrders } from "./workorders/index.ts"

export const stageNames = ["ingest", "historian", "rules", "scheduler", "workorders"] as const
export type StageName = (typeof stageNames)[number]

export type AppOptions = {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  /** What this process will run. Without it the stores can be asked and changed: a command beside no server. */
  readonly stages?: readonly StageName[]
  /** Ends the wait for servers that can't be reached. */
  readonly signal?: AbortSignal
}

export type App = Awaited<ReturnType<typeof openApp>>

/** A new revision takes effect a little ahead, so that every stage knows it before its time comes. */
const aheadMs = 2000
/** How often closing looks whether the log still answers: its server may be stopped at the same time. */
const logCheckMs = 500
/** Another process may be about to try again to reach Kafka, and pauses up to 10 s between two tries. */
const sharedAheadMs = 12_000

/**
 * Opens the stores that the settings ask for and assembles the pipeline on them, in the order in which a sample
 * travels. Nothing runs until `start`. Metrics and health can be asked from the beginning: a process that waits for a
 * server says so. Throws `CONFIG_INVALID` for single stages on stores that belong to one process.
 */
export async function openApp(options: AppOptions) {
  const { settings, stages: chosen } = options
  if (chosen !== undefined && chosen.length < stageNames.length && !isShared(settings)) {
    throw new MillwrightError(
      "CONFIG_INVALID",
      "single stages share their stores with other processes, and files belong to one: set kafka.brokers, influx.url and postgres.url, or run all stages",
    )
  }
  const metrics = new Registry()
  const state: Record<string, string> = Object.fromEntries((chosen ?? []).map((name) => [name, "starting"]))
  const servers: Reach[] = []

  function health(): Health {
    const reached = Object.fromEntries(servers.map((server) => [server.name, server.state]))
    const all = [...Object.values(state), ...Object.values(reached)]
    return { ok: all.every((one) => one === "running"), stages: { ...state }, servers: reached }
  }

  const observer = chosen === undefined ? undefined : await observe(settings.http, metrics, health)
  try {
    const stores = await openStores({
      ...options,
      waits: chosen !== undefined,
      usesTelemetry: chosen?.includes("historian") ?? false,
      usesBroker: chosen?.includes("ingest") ?? false,
      meets: (server) => servers.push(server),
    })
    try {
      return await assemble(options, { stores, metrics, observer, state, servers, health })
    } catch (error) {
      await stores
        .close()
        .catch((failure: unknown) => options.logger.error({ err: failure }, messageOf(failure)))
      throw error
    }
  } catch (error) {
    await observer?.close()
    throw error
  }
}

type Parts = {
  readonly stores: Stores
  readonly metrics: Registry
  readonly observer: Observer | undefined
  readonly state: Record<string, string>
  readonly servers: Reach[]
  health(): Health
}

async function assemble(
  { settings, clock, logger, stages: chosen = [] }: AppOptions,
  { stores, metrics, observer, state, servers, health }: Parts,
) {
  const { plantClock } = settings
  const { log, telemetry: store, database } = stores
  const catalogue = new Catalogue(log)
  const context: StageContext = { log, database, catalogue, clock, plantClock, logger, metrics }

  const ingest = createIngest({
    ...context,
    settings: settings.mqtt,
    meets: (server) => servers.push(server),
  })
  const historian = createHistorian({
    ...context,
    store,
    settings: { flushMs: settings.historian.flush, retentionMs: settings.historian.retention },
  })
  const rules = createRules({ ...context, checkpointMs: settings.rules.checkpoint })
  const scheduler = createScheduler(context)
  const workorders = createWorkOrders(context)
  const stages: Readonly<Record<StageName, Stage>> = { ingest, historian, rules, scheduler, workorders }
  const chosenStages = stageNames.filter((name) => chosen.includes(name))

  const audit = new Audit(database)
  const plant = new PlantRegister(database, log, {
    problems: [checkTopics, checkRules, checkPlans, checkAutomations],
    warnings: [checkUnits, checkOrderSeverities],
  })
  await plant.start()
  for (const stage of Object.values(stages)) await stage.prepare()
  await catalogue.start()

  let isRunning = false
  let fail: (error: unknown) => void = () => {}
  /** Rejects when a stage can't go on. */
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {})

  /**
   * From when on a revision made now counts, while nothing comes in: later than all that is in the log, so that the
   * same log gives the same detections. Before the first record it counts for all time.
   */
  async function effectiveMs(): Promise<number> {
    if (plantClock === "event") {
      if (!isRunning) await ingest.catchUp()
      return (ingest.newestMs() ?? -1) + 1
    }
    const ends = await log.ends(topics.telemetry)
    if (catalogue.newest() === undefined && ends.every((end) => end === 0)) return 0
    if (isShared(settings)) return clock.now() + sharedAheadMs
    return clock.now() + (isRunning ? aheadMs : 1)
  }

  /** Makes a revision of a plant file, and lets telemetry on once the stages know it. Errors are those of the register. */
  function apply(
    request: Omit<ApplyRequest, "nowMs" | "effectiveMs" | "known">,
  ): Promise<PlantRevision | undefined> {
    return ingest.hold(async () => {
      const times = { nowMs: clock.now(), effectiveMs: await effectiveMs() }
      const known = catalogue.newest()?.number
      const revision = await plant.apply({ ...request, ...times, known })
      if (revision !== undefined) await catalogue.knows(revision.revision)
      return revision
    })
  }

  async function run(name: StageName): Promise<void> {
    const stage = stages[name]
    await stage.start()
    state[name] = "running"
    stage.done.catch((error: unknown) => {
      state[name] = `stopped: ${messageOf(error)}`
      logger.error({ stage: name, error: messageOf(error) }, "a stage has stopped")
      fail(error)
    })
  }

  return {
    settings,
    clock,
    log,
    store,
    audit,
    plant,
    catalogue,
    ingest,
    alarms: rules.alarms,
    workorders,
    plans: scheduler.plans,
    metrics,
    failed,
    health,
    /** Now, by the plant's clock: the time of day or, as long as nothing runs, the newest event time seen. */
    now: () => {
      const isLive = isRunning || isShared(settings)
      return isLive && plantClock === "wall" ? clock.now() : (ingest.newestMs() ?? clock.now())
    },
    apply,

    /** Starts consumers before producers, so that nothing waits in vain. */
    async start(): Promise<void> {
      isRunning = true
      collectDefaultMetrics({ register: metrics })
      const behind = new Gauge({
        name: "millwright_log_behind_records",
        help: "Records of a topic that a group has yet to be handed.",
        labelNames: ["topic", "group"],
        registers: [metrics],
        collect: async () => {
          for (const { topic, group, behind: records } of await log.lags())
            behind.set({ topic, group }, records)
        },
      })
      for (const name of chosenStages.toReversed()) await run(name)
    },

    /** Stops producers before consumers; each waits for what is in flight. One that fails keeps none of the others. */
    async close(): Promise<void> {
      for (const name of chosenStages) state[name] = "stopping"
      const failures: unknown[] = []
      // Stages wait for what they appended. Nothing of it was acknowledged, and all of it can be derived again.
      if (!stores.logAnswers()) await log.close()
      const closed = new AbortController()
      const watching = every(clock, logCheckMs, closed.signal, async () => {
        if (!stores.logAnswers()) await log.close()
      }).catch((error: unknown) => failures.push(error))
      for (const part of [observer, ...Object.values(stages), catalogue, stores]) {
        await part?.close().catch((error: unknown) => failures.push(error))
      }
      closed.abort()
      await watching
      if (failures.length > 0) throw failures[0]
    },
  }
}
