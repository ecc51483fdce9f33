import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pino, { type Logger } from "pino"
import { Registry } from "prom-client"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { systemClock } from "../../core/clock.ts"
import type { Database } from "../../core/db/database.ts"
import { Positions } from "../../core/db/positions.ts"
import { MillwrightError } from "../../core/errors.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { Log } from "../../core/log/log.ts"
import { partitionOf } from "../../core/log/partition.ts"
import type { PlantClock, Service, StageContext } from "../../core/service.ts"
import type { Series, TelemetryStore } from "../../core/telemetry.ts"
import { topics } from "../../core/topics.ts"
import type { TelemetryRecord } from "../../core/vocabulary.ts"
import { createHistorian } from "../../ingest/historian/historian.ts"
import { openSqliteTelemetry } from "../../ingest/historian/sqlite-store.ts"
import { reading, samples } from "../contract/telemetry-store.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { giveAndTake, oddAndOther } from "../takeover.ts"
import { until } from "../until.ts"

const startMs = Date.UTC(2026, 0, 1)
const level: Series = { asset: "tank-1", signal: "level" }

let directory: string
let clock: ManualClock
let log: EmbeddedLog
let database: Database
let store: TelemetryStore
let metrics: Registry
let logged: { level: number; msg: string }[]
let logger: Logger
let running: Service[]
/** Records that a historian has taken. */
let taken: number

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millwright-historian-"))
  clock = new ManualClock(startMs)
  logged = []
  logger = pino({}, { write: (line: string) => logged.push(JSON.parse(line)) })
  metrics = new Registry()
  running = []
  taken = 0
  log = await EmbeddedLog.open(join(directory, "log.db"), { partitions: 4, clock: systemClock })
  database = await openDatabase(join(directory, "plant.db"))
  store = await openSqliteTelemetry(join(directory, "telemetry.db"), { logger })
})
afterEach(async () => {
  await Promise.all(running.map((service) => service.close()))
  await Promise.all([log.close(), database.close(), store.close()])
  await rm(directory, { recursive: true })
})

type Settings = Parameters<typeof createHistorian>[0]["settings"]

async function startHistorian(
  settings: Settings = {},
  target: TelemetryStore = store,
  tables: Database = database,
  plantClock: PlantClock = "event",
): Promise<Service> {
  const context: StageContext = {
    log: watched(log),
    database: tables,
    catalogue: new Catalogue(log),
    clock,
    plantClock,
    logger,
    metrics: new Registry(),
  }
  metrics = context.metrics
  const historian = createHistorian({ ...context, store: target, settings })
  running.push(historian)
  await historian.prepare()
  await historian.start()
  return historian
}

/** The log, counting what it hands over. */
function watched(target: EmbeddedLog): Log {
  const subscribe: Log["subscribe"] = (topic, group, consumer) =>
    target.subscribe(topic, group, {
      load: (partition) => consumer.load(partition),
      revoked: (partitions) => consumer.revoked(partitions),
      async process(records) {
        await consumer.process(records)
        taken += records.length
      },
    })
  return Object.assign(Object.create(target) as Log, { subscribe })
}

function append(...values: TelemetryRecord[]): Promise<void> {
  return log.append(
    topics.telemetry,
    values.map((value) => ({ key: value.kind === "tick" ? "plant" : value.asset, value })),
  )
}

const levelAt = (offsetMs: number, value: number) => reading("tank-1", startMs + offsetMs, { level: value })

const isCommitted = async () => (await log.lags()).every(({ uncommitted }) => uncommitted === 0)
const stored = async () => (await samples(store, level)).map(({ value }) => value)

/** The store as the historian sees it: what it is asked to write passes through `write` here. */
function storeWith(write: TelemetryStore["write"]): TelemetryStore {
  return {
    write,
    range: (series, span) => store.range(series, span),
    last: (series) => store.last(series),
    downsample: (series, span, bucketMs) => store.downsample(series, span, bucketMs),
    events: (asset, span) => store.events(asset, span),
    series: () => store.series(),
    forgetBefore: (atMs) => store.forgetBefore(atMs),
    close: () => store.close(),
  }
}

test("what is in the log is in the store once the flush time has passed", async () => {
  await startHistorian({ flushMs: 500 })
  await append(levelAt(0, 1), levelAt(1, 2), { kind: "tick", atMs: startMs })
  await append({
    kind: "event",
    site: "plant",
    asset: "tank-1",
    code: "error1",
    atMs: startMs,
    arrivedMs: startMs,
    attributes: { shift: 2 },
  })
  await until(() => taken === 4)
  await clock.advance(499)
  expect(await stored()).toEqual([])
  await clock.advance(1)
  await until(isCommitted)
  expect(await stored()).toEqual([1, 2])
  expect(await store.events("tank-1", { fromMs: startMs, toMs: startMs + 1 })).toMatchObject([
    { code: "error1", attributes: { shift: 2 } },
  ])
  expect(await metrics.getSingleMetricAsString("millwright_historian_samples_total")).toContain("total 2")
})

test("nothing waits for the flush time once enough samples are collected", async () => {
  await startHistorian({ flushSamples: 6 })
  await append(...[0, 1, 2].map((at) => levelAt(at, at)))
  await until(isCommitted)
  expect(await stored()).toEqual([0, 1, 2])
  expect(clock.now()).toBe(startMs)
})

test("closing writes what was collected, and the next start goes on behind it", async () => {
  const first = await startHistorian()
  await append(levelAt(0, 1))
  await until(() => taken === 1)
  await first.close()
  await first.done
  expect(await stored()).toEqual([1])

  await append(levelAt(1, 2))
  const written: unknown[] = []
  const second = await startHistorian(
    {},
    storeWith((batch) => {
      written.push(...batch)
      return store.write(batch)
    }),
  )
  await until(() => taken === 2)
  await second.close()
  expect(written).toEqual([levelAt(1, 2)])
  expect(await stored()).toEqual([1, 2])
})

test("a historian that dies between the write and its position repeats the batch, and it reads as one", async () => {
  const broken: Database = {
    ...database,
    transaction: (work) =>
      isDead ? Promise.reject(new Error("the process is gone")) : database.transaction(work),
  }
  let isDead = false
  const first = await startHistorian({ flushSamples: 2 }, store, broken)
  isDead = true
  await append(levelAt(0, 1))
  await expect(first.done).rejects.toThrow("the process is gone")
  expect(await stored()).toEqual([1])

  await startHistorian({ flushSamples: 2 })
  await until(isCommitted)
  expect(await stored()).toEqual([1])
})

test("while the store fails nothing is dropped, the log is told once, and all is written when it works again", async () => {
  let attempts = 0
  let isBroken = true
  await startHistorian(
    { flushSamples: 2 },
    storeWith(async (batch) => {
      attempts++
      if (isBroken) throw new MillwrightError("STORE_FAILED", "the disk is full")
      await store.write(batch)
    }),
  )
  await append(...[0, 1, 2, 3].map((at) => levelAt(at, at)))
  await until(() => attempts === 1)
  for (const expected of [2, 3, 4]) {
    await clock.advance(4000)
    await until(() => attempts >= expected)
  }
  expect(await stored()).toEqual([])
  expect(await isCommitted()).toBe(false)
  expect(logged.filter(({ msg }) => msg.includes("waits in the log: the disk is full"))).toHaveLength(1)

  isBroken = false
  await until(async () => {
    await clock.advance(30_000)
    return isCommitted()
  })
  expect(await stored()).toEqual([0, 1, 2, 3])
})

test("the log is kept waiting while one batch is written and the next is full", async () => {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const sizes: number[] = []
  await startHistorian(
    { flushSamples: 2 },
    storeWith(async (batch) => {
      sizes.push(batch.length)
      await released
      await store.write(batch)
    }),
  )
  for (const at of [0, 1, 2, 3, 4]) await append(levelAt(at, at))
  await until(() => taken === 1)
  await clock.advance(60_000)
  expect(taken).toBe(1)
  expect(sizes).toEqual([1])
  release()
  await until(isCommitted)
  expect(sizes).toEqual([1, 1, 1, 1, 1])
  expect(await stored()).toEqual([0, 1, 2, 3, 4])
})

test("what the store can't hold is counted", async () => {
  const leaving = Object.assign(
    storeWith((batch) => store.write(batch)),
    { entriesSetAside: 3 },
  )
  await startHistorian({}, leaving)
  const counted = () => metrics.getSingleMetricAsString("millwright_historian_set_aside_total")
  expect(await counted()).toContain("total 3")
  leaving.entriesSetAside = 4
  expect(await counted()).toContain("total 4")
})

test("closing while the store fails gives up, and the next start writes what was left", async () => {
  const failing = await startHistorian(
    {},
    storeWith(() => Promise.reject(new MillwrightError("STORE_FAILED", "the disk is full"))),
  )
  await append(levelAt(0, 1))
  await until(() => taken === 1)
  await failing.close()
  await failing.done
  // Stopping is no failure, and the next start needs nobody's help.
  expect(logged.filter(({ msg }) => /has stopped/.test(msg))).toEqual([])
  expect(logged.at(-1)).toMatchObject({ level: 30, msg: expect.stringMatching(/not yet written waits/) })

  await startHistorian({ flushSamples: 1 })
  await until(isCommitted)
  expect(await stored()).toEqual([1])
})

test("when another process takes a partition over, the others go on, and so does it once it comes back", async () => {
  const [lost, kept] = oddAndOther(["tank-1", "tank-2", "tank-3"], log.partitions)
  await startHistorian({ flushSamples: 2 })
  const positions = new Positions(database, "historian", topics.telemetry.name)
  await positions.claim(partitionOf(lost, log.partitions))
  const record = (asset: string, at: number) => reading(asset, startMs + at, { level: at })
  const levels = async (asset: string) =>
    (await samples(store, { asset, signal: "level" })).map(({ value }) => value)
  await append(record(lost, 1))
  await until(() => logged.some(({ msg }) => msg.includes("has taken over this partition")))
  await append(record(lost, 2), record(kept, 1))
  await until(async () => (await levels(kept)).length === 1)
  expect(await levels(lost)).toEqual([1])
  expect(await isCommitted()).toBe(false)

  await giveAndTake(log, topics.telemetry, "historian")
  await until(isCommitted)
  expect(await levels(lost)).toEqual([1, 2])
  expect(await levels(kept)).toEqual([1])
})

test("what is older than the retention, counted from the newest sample, is forgotten hourly", async () => {
  await startHistorian({ flushSamples: 1, retentionMs: 1000, retainEveryMs: 3_600_000 })
  await append(levelAt(0, 1), levelAt(1000, 2), levelAt(2000, 3))
  await until(isCommitted)
  await clock.advance(3_599_000)
  expect(await stored()).toEqual([1, 2, 3])
  await clock.advance(1000)
  await until(async () => (await stored()).length < 3)
  expect(await stored()).toEqual([2, 3])
})

test.each([
  { plantClock: "event", kept: [2, 4] },
  { plantClock: "wall", kept: [4] },
] as const)(
  "a time made up at arrival, clock $plantClock, leaves $kept of what was recorded",
  async ({ plantClock, kept }) => {
    await startHistorian(
      { flushSamples: 1, retentionMs: 500, retainEveryMs: 1000 },
      store,
      database,
      plantClock,
    )
    await append(levelAt(0, 1), levelAt(1000, 2), { ...levelAt(9_000, 4), untimed: true })
    await until(isCommitted)
    await clock.advance(1000)
    await until(async () => (await stored()).length < 3)
    expect(await stored()).toEqual(kept)
  },
)
