import type { Logger } from "pino"
import { collectDefaultMetrics, Gauge, Registry } from "prom-client"
import { Audit } from "./core/audit.ts"
import { Catalogue } from "./core/catalogue.ts"
import type { Clock } from "./core/clock.ts"
import type { Settings } from "./core/config.ts"
import { openSqliteDatabase } from "./core/db/sqlite.ts"
import { type HeldDirectory, holdDirectory } from "./core/directory.ts"
import { messageOf } from "./core/errors.ts"
import { EmbeddedLog } from "./core/log/embedded.ts"
import { type Health, type Observer, observe } from "./core/observe.ts"
import { type ApplyRequest, PlantRegister } from "./core/plant-register.ts"
import type { Stage, StageContext } from "./core/service.ts"
import { type PlantRevision, topics } from "./core/topics.ts"
import { checkTopics } from "./ingest/decode/routes.ts"
import { checkUnits } from "./ingest/decode/units.ts"
import { createHistorian } from "./ingest/historian/historian.ts"
import { openSqliteTelemetry } from "./ingest/historian/sqlite-store.ts"
import { createIngest } from "./ingest/index.ts"
import { checkRules, createRules } from "./rules/index.ts"
import { checkPlans, createScheduler } from "./scheduler/index.ts"
import { createWorkOrders } from "./workorders/index.ts"

export type AppOptions = { readonly settings: Settings; readonly clock: Clock; readonly logger: Logger }

export type App = Awaited<ReturnType<typeof openApp>>

/** A new revision takes effect a little ahead, so that every stage knows it before its time comes. */
const aheadMs = 2000

/**
 * Opens the embedded stores of a data directory and assembles the pipeline on them, in the order in which a sample
 * travels. Nothing runs until `start`; without it the stores can be asked and changed (the CLI beside no server).
 */
export async function openApp({ settings, clock, logger }: AppOptions) {
  const directory = holdDirectory(settings.directory)
  try {
    return await assemble(directory, { settings, clock, logger })
  } catch (error) {
    directory.release()
    throw error
  }
}

async function assemble(directory: HeldDirectory, { settings, clock, logger }: AppOptions) {
  const { partitions, plantClock } = settings
  const log = await EmbeddedLog.open(directory.file("log.sqlite"), { partitions, clock, logger })
  const store = await openSqliteTelemetry(directory.file("telemetry.sqlite"), { logger })
  const database = await openSqliteDatabase(directory.file("database.sqlite"))
  const metrics = new Registry()
  const catalogue = new Catalogue(log)
  const context: StageContext = { log, database, catalogue, clock, plantClock, logger, metrics }

  const ingest = createIngest({ ...context, settings: settings.mqtt })
  const historian = createHistorian({
    ...context,
    store,
    settings: { flushMs: settings.historian.flush, retentionMs: settings.historian.retention },
  })
  const rules = createRules({ ...context, checkpointMs: settings.rules.checkpoint })
  const scheduler = createScheduler(context)
  const workorders = createWorkOrders(context)
  const stages: Readonly<Record<string, Stage>> = { ingest, historian, rules, scheduler, workorders }

  const audit = new Audit(database)
  const plant = new PlantRegister(database, log, {
    problems: [checkTopics, checkRules, checkPlans],
    warnings: [checkUnits],
  })
  await plant.start()
  for (const stage of Object.values(stages)) await stage.prepare()
  await catalogue.start()

  const state: Record<string, string> = {}
  let isRunning = false
  let observer: Observer | undefined
  let fail: (error: unknown) => void = () => {}
  /** Rejects when a stage can't go on. */
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {})

  function health(): Health {
    return { ok: Object.values(state).every((one) => one === "running"), stages: { ...state } }
  }

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
    return clock.now() + (isRunning ? aheadMs : 1)
  }

  /** Makes a revision of a plant file, and lets telemetry on once the stages know it. Errors are those of the register. */
  function apply(request: Omit<ApplyRequest, "nowMs" | "effectiveMs">): Promise<PlantRevision | undefined> {
    return ingest.hold(async () => {
      const times = { nowMs: clock.now(), effectiveMs: await effectiveMs() }
      const revision = await plant.apply({ ...request, ...times })
      if (revision !== undefined) await catalogue.knows(revision.revision)
      return revision
    })
  }

  async function run(name: string, stage: Stage): Promise<void> {
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
    workorders,
    metrics,
    failed,
    health,
    /** Now, by the plant's clock: the time of day or, as long as no stage runs, the newest event time seen. */
    now: () => (isRunning && plantClock === "wall" ? clock.now() : (ingest.newestMs() ?? clock.now())),
    apply,

    /** Starts consumers before producers, so that nothing waits in vain. */
    async start(): Promise<void> {
      isRunning = true
      for (const name of Object.keys(stages)) state[name] = "starting"
      collectDefaultMetrics({ register: metrics })
      const behind = new Gauge({
        name: "millwright_log_behind_records",
        help: "Records of a topic that a group has yet to be handed.",
        labelNames: ["topic", "group"],
        registers: [metrics],
        collect: () => {
          for (const { topic, group, behind: records } of log.lags()) behind.set({ topic, group }, records)
        },
      })
      observer = await observe(settings.http, metrics, health)
      for (const [name, stage] of Object.entries(stages).reverse()) await run(name, stage)
    },

    /** Stops producers before consumers; each waits for what is in flight. One that fails keeps none of the others. */
    async close(): Promise<void> {
      for (const name of Object.keys(state)) state[name] = "stopping"
      const failures: unknown[] = []
      for (const part of [observer, ...Object.values(stages), catalogue, log, store, database]) {
        await part?.close().catch((error: unknown) => failures.push(error))
      }
      directory.release()
      if (failures.length > 0) throw failures[0]
    },
  }
}
