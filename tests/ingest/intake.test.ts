import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { Registry } from "prom-client"
import { afterEach, beforeEach, expect, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import type { Database } from "../../core/db/database.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { PlantClock } from "../../core/service.ts"
import { topics } from "../../core/topics.ts"
import type { TelemetryRecord } from "../../core/vocabulary.ts"
import { createIngest, type Ingest } from "../../ingest/index.ts"
import { Intake } from "../../ingest/intake.ts"
import { DeviceRegistry } from "../../ingest/registry.ts"
import { SilentPartitions } from "../../ingest/silent-partitions.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { announce, plantRevision } from "../revision.ts"

const recordedMs = Date.UTC(2015, 5, 1)
const arrivedMs = Date.UTC(2026, 0, 1)
const hour = 3_600_000

let directory: string
let log: EmbeddedLog
let database: Database
let catalogue: Catalogue

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millwright-intake-"))
  log = await EmbeddedLog.open(join(directory, "log.db"), {
    partitions: 4,
    clock: new ManualClock(),
    lingerMs: 0,
  })
  database = await openDatabase(join(directory, "plant.db"))
  catalogue = new Catalogue(log)
  await catalogue.start()
})
afterEach(async () => {
  await catalogue.close()
  await Promise.all([log.close(), database.close()])
  await rm(directory, { recursive: true })
})

/** An intake as a process has it that has just started. */
async function startIntake(plantClock: PlantClock, maxAssets = 10) {
  const devices = new DeviceRegistry(database, catalogue)
  await devices.start()
  const silent = plantClock === "event" ? new SilentPartitions(log.partitions) : undefined
  const context = { log, catalogue, plantClock, metrics: new Registry() }
  const intake = new Intake(context, { devices, silent }, { maxPayloadBytes: 1000, maxAssets })
  return { intake, devices }
}

function send(intake: Intake, asset: string, content: unknown, kind = "telemetry"): Promise<void> {
  const payload = Buffer.from(JSON.stringify(content))
  return new Promise((resolve, reject) => {
    intake.take(`v1/default/${asset}/${kind}`, payload, arrivedMs, (error) =>
      error ? reject(error) : resolve(),
    )
  })
}

async function recorded(): Promise<TelemetryRecord[]> {
  const found: TelemetryRecord[] = []
  for await (const { value } of log.read(topics.telemetry)) found.push(value)
  return found
}

async function letters(): Promise<string[]> {
  const found: string[] = []
  for await (const { value } of log.read(topics.deadLetters)) found.push(value.reason)
  return found
}

test("under the clock `event` a message without a time, or from the future, has the newest time of its asset or the plant", async () => {
  const { intake, devices } = await startIntake("event")
  await send(intake, "pump", { ts: recordedMs, flow: 1 })
  await send(intake, "fan", { ts: recordedMs + hour, flow: 1 })
  await send(intake, "pump", { flow: 2 })
  await send(intake, "pump", { ts: arrivedMs + hour, flow: 2 })
  await send(intake, "new", { flow: 2 })
  await send(intake, "new", { code: "E1" }, "events")
  expect(await recorded()).toMatchObject([
    { asset: "pump", atMs: recordedMs },
    { asset: "fan", atMs: recordedMs + hour },
    { asset: "pump", atMs: recordedMs, untimed: true },
    { asset: "pump", atMs: recordedMs, untimed: true, quality: { flow: "uncertain" } },
    { asset: "new", atMs: recordedMs + hour, untimed: true },
    { asset: "new", atMs: recordedMs + hour, untimed: true, code: "E1" },
  ])
  expect(devices.newestMs()).toBe(recordedMs + hour)
})

test("before any time was told a message without one has its arrival's, and moves neither ticks nor the plant's newest time", async () => {
  const { intake, devices } = await startIntake("event")
  await send(intake, "bell", { flow: 1 })
  expect(await recorded()).toMatchObject([{ atMs: arrivedMs, untimed: true }])
  expect(devices.newestMs()).toBeUndefined()
  await send(intake, "pump", { ts: recordedMs, flow: 1 })
  await send(intake, "pump", { ts: recordedMs + 2 * hour, flow: 1 })
  expect(devices.newestMs()).toBe(recordedMs + 2 * hour)
  const ticks = (await recorded()).filter(({ kind }) => kind === "tick")
  expect(ticks).toEqual(new Array(3).fill({ kind: "tick", atMs: recordedMs + 2 * hour }))
  await devices.save()
  expect((await startIntake("event")).devices.newestMs()).toBe(recordedMs + 2 * hour)
})

test("under the clock `wall` a message without a time has its arrival's, and that is the plant's newest", async () => {
  const { intake, devices } = await startIntake("wall")
  await send(intake, "pump", { ts: recordedMs, flow: 1 })
  await send(intake, "pump", { flow: 2 })
  expect(await recorded()).toMatchObject([{ atMs: recordedMs }, { atMs: arrivedMs, untimed: true }])
  expect(devices.newestMs()).toBe(arrivedMs)
})

test("the limit of unknown assets counts across revisions of the plant and restarts", async () => {
  const first = await startIntake("event", 2)
  await send(first.intake, "one", { flow: 1 })
  await apply(1)
  await send(first.intake, "two", { flow: 1 })
  await apply(2)
  await send(first.intake, "three", { flow: 1 })
  expect(await letters()).toEqual(["too-many-assets"])
  await first.devices.save()

  const second = await startIntake("event", 2)
  await send(second.intake, "three", { flow: 1 })
  await send(second.intake, "two", { flow: 1 })
  expect(await letters()).toEqual(["too-many-assets", "too-many-assets"])
})

test("while the intake is held nothing enters the log and nothing is settled, and then all of it, in order", async () => {
  const { intake } = await startIntake("event")
  await send(intake, "pump", { ts: recordedMs, flow: 1 })
  let settled = 0
  let sent: Promise<void>[] = []
  const held = intake.hold(async () => {
    sent = [1, 2, 3].map((at) =>
      send(intake, "pump", { ts: recordedMs + at, flow: at }).then(() => {
        settled++
      }),
    )
    // A commit of the log's own: whatever was in the way to it is in it now.
    await apply(1)
    expect(await recorded()).toHaveLength(1)
    expect(settled).toBe(0)
    throw new Error("the work failed")
  })
  await expect(held).rejects.toThrow("the work failed")
  await Promise.all(sent)
  expect((await recorded()).map((record) => record.atMs - recordedMs)).toEqual([0, 1, 2, 3])
})

test("after a crash the newest time is that of the log, though the registry has not been saved", async () => {
  const { intake } = await startIntake("event")
  await send(intake, "pump", { ts: recordedMs, flow: 1 })
  await send(intake, "pump", { flow: 1 })
  const ingest = await openIngest()
  expect(ingest.newestMs()).toBeUndefined()
  await ingest.catchUp()
  expect(ingest.newestMs()).toBe(recordedMs)
})

async function openIngest(): Promise<Ingest> {
  const ingest = createIngest({
    log,
    database,
    catalogue,
    clock: new ManualClock(),
    plantClock: "event",
    logger: pino({ level: "silent" }),
    metrics: new Registry(),
    settings: { host: "127.0.0.1", port: 0, maxPayloadBytes: 1000, maxConnections: 1, maxAssets: 10 },
  })
  await ingest.prepare()
  return ingest
}

/** Resolves when the catalogue has it. */
function apply(revision: number): Promise<void> {
  const source = `plant: small\nsites: [{ id: default }]`
  return announce(log, catalogue, plantRevision(source, { plant: "small", revision }))
}
