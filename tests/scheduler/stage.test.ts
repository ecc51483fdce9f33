import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Transaction } from "kysely"
import { type Logger, pino } from "pino"
import { Registry } from "prom-client"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { systemClock } from "../../core/clock.ts"
import type { Database } from "../../core/db/database.ts"
import { Positions } from "../../core/db/positions.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { Log } from "../../core/log/log.ts"
import { partitionOf } from "../../core/log/partition.ts"
import type { OrderRequest } from "../../core/orders.ts"
import type { PlantClock, Service } from "../../core/service.ts"
import { topics } from "../../core/topics.ts"
import type { Detection, DetectionRecord, Maintained } from "../../core/vocabulary.ts"
import { createScheduler } from "../../scheduler/index.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { behind, giveAndTake, oddAndOther } from "../takeover.ts"
import { announced, detectionOf, inWords, requestsOf, revisionsOf, schedulerOf } from "./setup.ts"

const partitions = 4
const startMs = Date.UTC(2026, 0, 1)
const hour = 3_600_000

const [revision] = announced([
  {
    effectiveMs: 0,
    plant: {
      classes: [{ id: "pump" }],
      assets: ["P-101", "P-102", "P-103"].map((id) => ({ id, site: "works", class: "pump" })),
      templates: [{ id: "inspect", title: "Inspect {asset}" }],
      rules: [{ id: "vibration", kind: "threshold", for: {}, order: {} }],
      plans: [{ id: "daily", for: {}, schedule: { cron: "0 6 * * *" }, template: "inspect" }],
    },
  },
])
if (revision === undefined) throw new Error("there is one revision")

let directory: string
let log: EmbeddedLog
let database: Database
let catalogue: Catalogue
let clock: ManualClock
let metrics: Registry

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millwright-scheduler-"))
  log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions, clock: systemClock, lingerMs: 1 })
  database = await openDatabase(join(directory, "tables.sqlite"))
  await log.append(topics.catalogue, [{ key: "test", value: revision }])
  catalogue = new Catalogue(log)
  await catalogue.start()
  clock = new ManualClock(startMs)
})

afterEach(async () => {
  await catalogue.close()
  await log.close()
  await database.close()
  await rm(directory, { recursive: true })
})

async function started(
  plantClock: PlantClock,
  tables = database,
  through: Log = log,
  logger: Logger = pino({ level: "silent" }),
): Promise<Service> {
  metrics = new Registry()
  const scheduler = createScheduler({
    log: through,
    database: tables,
    catalogue,
    clock,
    plantClock,
    logger,
    metrics,
  })
  await scheduler.prepare()
  await scheduler.start()
  return scheduler
}

/** Lets files and threads answer before the clock moves on. */
const othersTurn = () => new Promise((resolve) => setImmediate(resolve))

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await othersTurn()
}

/** Resolves once there are so many different requests in the log; `meanwhile` moves the clock of those who sleep. */
async function requestsInLog(count: number, meanwhile = async () => {}): Promise<void> {
  const seen = new Set<string>()
  let hasAll = false
  const all = new Promise<void>((resolve, reject) => {
    const take = (request: OrderRequest) => {
      hasAll = seen.add(JSON.stringify(request)).size >= count
      if (hasAll) resolve()
    }
    log.follow(topics.workOrderRequests, ({ value }) => take(value)).catch(reject)
  })
  const waiting = async () => {
    while (!hasAll) {
      await meanwhile()
      await othersTurn()
    }
  }
  await Promise.all([all, waiting()])
}

async function allRequests(): Promise<OrderRequest[]> {
  const requests: OrderRequest[] = []
  for await (const { value, key } of log.read(topics.workOrderRequests)) {
    expect(key).toBe(value.asset)
    requests.push(value)
  }
  return requests
}

const tickAll = (atMs: number) =>
  log.append<DetectionRecord>(
    topics.detections,
    Array.from({ length: partitions }, (_, partition) => ({
      key: "tick",
      value: { kind: "tick", atMs },
      partition,
    })),
  )

const detected = (...detections: readonly (Detection | Maintained)[]) =>
  log.append<DetectionRecord>(
    topics.detections,
    detections.map((value) => ({ key: value.asset, value })),
  )

const findings = ["P-101", "P-102", "P-103"].map((asset, at) =>
  detectionOf({ episode: `e${at}`, asset, atMs: startMs + at * hour }),
)
const endings = findings.map(
  ({ site, asset }): Maintained => ({
    kind: "maintained",
    site,
    asset,
    component: "bearing",
    atMs: startMs + 12 * hour,
  }),
)

/** What one partition with everything in it would ask for, without any IO. */
const expected = () =>
  requestsOf(schedulerOf(revisionsOf([revision])), [
    { kind: "tick", atMs: startMs },
    ...findings,
    { kind: "tick", atMs: startMs + 24 * hour },
    ...endings,
  ])

const asText = (requests: readonly OrderRequest[]) =>
  requests.map((request) => JSON.stringify(request)).toSorted()

test("detections and ticks in the log become requests in the log, under the asset's key", async () => {
  const scheduler = await started("event")
  await tickAll(startMs)
  await detected(...findings)
  await tickAll(startMs + 24 * hour)
  await detected(...endings)
  await requestsInLog(9)
  await scheduler.close()
  await scheduler.done
  const requests = await allRequests()
  expect(asText(requests)).toEqual(asText(expected()))
  expect(requests).toHaveLength(9)
  const figures = await metrics.metrics()
  expect(figures).toContain('millwright_scheduler_requests_total{kind="open",type="predictive"} 3')
  expect(figures).toContain('millwright_scheduler_requests_total{kind="open",type="preventive"} 3')
  expect(figures).toContain('millwright_scheduler_requests_total{kind="settle",type=""} 3')
})

test("a stop and a start in between neither skip nor repeat a request", async () => {
  const first = await started("event")
  await tickAll(startMs)
  await detected(...findings)
  await requestsInLog(3)
  await first.close()
  await tickAll(startMs + 24 * hour)
  await detected(...endings)
  const second = await started("event")
  await requestsInLog(9)
  await second.close()
  expect(asText(await allRequests())).toEqual(asText(expected()))
})

test("a crash after the requests and before the state repeats them with the same ids, and then goes on", async () => {
  let hasPower = true
  const first = await started("event", {
    ...database,
    transaction: <T, R>(work: (trx: Transaction<T>) => Promise<R>) =>
      database.transaction<T, R>(async (trx) => {
        const result = await work(trx)
        if (!hasPower) throw new Error("the power went")
        return result
      }),
  })
  const failed = expect(first.done).rejects.toThrow("the power went")
  await tickAll(startMs)
  await detected(...findings)
  await requestsInLog(3)
  hasPower = false
  await tickAll(startMs + 24 * hour)
  await failed
  await first.close()

  const second = await started("event")
  await detected(...endings)
  await requestsInLog(9)
  await second.close()
  const requests = asText(await allRequests())
  expect([...new Set(requests)]).toEqual(asText(expected()))
  expect(requests.length).toBeGreaterThan(9)
})

test("by the wall clock a plan asks at its time, and what a stop missed becomes one order", async () => {
  const first = await started("wall")
  await clock.advance(6 * hour - 1000)
  expect(await allRequests()).toEqual([])
  await requestsInLog(3, () => clock.advance(1000))
  expect(inWords(await allRequests()).map((line) => line.replace(/open \d/, "open"))).toEqual(
    Array(3).fill(expect.stringMatching(/^2026-01-01T06:00Z open preventive .* due 2026-01-01T06:00Z/)),
  )
  await first.close()

  await clock.advance(72 * hour)
  const second = await started("wall")
  await requestsInLog(6, () => clock.advance(1000))
  await second.close()
  const requests = await allRequests()
  expect(requests).toHaveLength(6)
  for (const request of requests.slice(3)) {
    expect(request).toMatchObject({
      kind: "open",
      dueMs: startMs + 78 * hour,
      description: "Stands also for the occurrences missed from 2026-01-02 06:00 to 2026-01-03 06:00 (UTC).",
    })
  }
})

test("what could not be asked for is not saved as asked for, not even on closing", async () => {
  const full = new Proxy(log, {
    get(target, key) {
      if (key === "append") return () => Promise.reject(new Error("the disk is full"))
      const value: unknown = Reflect.get(target, key)
      return typeof value === "function" ? value.bind(target) : value
    },
  })
  const first = await started("wall", database, full)
  let hasFailed = false
  const failed = first.done.catch((error: unknown) => {
    hasFailed = true
    return error
  })
  while (!hasFailed) {
    await clock.advance(60_000)
    await othersTurn()
  }
  expect(await failed).toMatchObject({ message: "the disk is full" })
  await first.close()
  expect(await allRequests()).toEqual([])

  const second = await started("wall")
  await requestsInLog(3, () => clock.advance(1000))
  await second.close()
  expect(await allRequests()).toHaveLength(3)
})

test("plans of a revision that following has yet to bring are gone on with", async () => {
  const first = await started("event")
  await tickAll(startMs)
  await detected(...findings)
  await requestsInLog(3)
  await first.close()
  const known = catalogue
  catalogue = new Catalogue(behind(log))
  await catalogue.start()
  await known.close()
  const second = await started("event")
  await tickAll(startMs + 24 * hour)
  await detected(...endings)
  await requestsInLog(9)
  await second.close()
  expect(asText(await allRequests())).toEqual(asText(expected()))
})

test("a partition that another process claimed and the log leaves here stops the stage, which skips nothing so", async () => {
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line) => warnings.push(line) })
  const scheduler = await started("event", database, log, logger)
  let hasStopped = false
  const stopped = scheduler.done.catch((error: unknown) => {
    hasStopped = true
    return error
  })
  await new Positions(database, "scheduler", topics.detections.name).claim(1)
  await tickAll(startMs)
  await until(() => warnings.length > 0)
  await clock.advance(29_000)
  await othersTurn()
  expect(hasStopped).toBe(false)
  while (!hasStopped) {
    await clock.advance(1000)
    await othersTurn()
  }
  expect(await stopped).toMatchObject({ code: "OWNER_REPLACED" })
  await scheduler.close()
})

test("when another process takes a partition over, the others go on, and so does it once it comes back", async () => {
  const assets = ["P-101", "P-102", "P-103"]
  const lost = partitionOf(oddAndOther(assets, partitions)[0], partitions)
  const gone = assets.filter((asset) => partitionOf(asset, partitions) === lost)
  const warnings: string[] = []
  const scheduler = await started(
    "event",
    database,
    log,
    pino({ level: "warn" }, { write: (line) => warnings.push(line) }),
  )
  await new Positions(database, "scheduler", topics.detections.name).claim(lost)
  // Where a plan begins is saved at once, and that is refused.
  await tickAll(startMs)
  await until(() => warnings.some((line) => line.includes("has taken over this partition")))
  await detected(...findings)
  await tickAll(startMs + 24 * hour)
  await detected(...endings)
  await requestsInLog(9 - 3 * gone.length)
  expect((await allRequests()).filter(({ asset }) => gone.includes(asset))).toEqual([])

  await giveAndTake(log, topics.detections, "scheduler")
  await requestsInLog(9)
  await scheduler.close()
  await scheduler.done
  expect([...new Set(asText(await allRequests()))]).toEqual(asText(expected()))
})
