import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectAsync } from "mqtt"
import { pino } from "pino"
import { Registry } from "prom-client"
import { expect, onTestFinished, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { systemClock } from "../../core/clock.ts"
import type { Database } from "../../core/db/database.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { createIngest } from "../../ingest/index.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { openSocket } from "./raw-mqtt.ts"

test("a registry that could not be saved is told, and keeps the broker from closing no more than the rest", async () => {
  const directory = await mkdtemp(join(tmpdir(), "millwright-ingest-"))
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 4, clock: systemClock })
  const database = await openDatabase(join(directory, "database.sqlite"))
  onTestFinished(async () => {
    await log.close()
    await database.close()
    await rm(directory, { recursive: true })
  })
  let isGone = false
  const failing: Database = {
    ...database,
    transaction: (work) =>
      isGone ? Promise.reject(new Error("the database is gone")) : database.transaction(work),
  }
  const catalogue = new Catalogue(log)
  await catalogue.start()
  const clock = new ManualClock()
  const ingest = createIngest({
    log,
    database: failing,
    catalogue,
    clock,
    plantClock: "wall",
    logger: pino({ level: "silent" }),
    metrics: new Registry(),
    settings: { host: "127.0.0.1", port: 0, maxPayloadBytes: 10_000, maxConnections: 10, maxAssets: 10 },
  })
  await ingest.prepare()
  await ingest.start()
  const { port } = ingest
  const publisher = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 })
  await publisher.publishAsync("v1/north/P-101/telemetry", '{"flow":1}', { qos: 1 })

  isGone = true
  const failed = expect(ingest.done).rejects.toThrow("the database is gone")
  await clock.advance(5000)
  await failed
  const disconnected = new Promise<void>((resolve) => publisher.once("close", () => resolve()))
  await expect(ingest.close()).rejects.toThrow("the database is gone")
  await disconnected
  await expect(openSocket(port)).rejects.toMatchObject({ code: "ECONNREFUSED" })
  await catalogue.close()
})
