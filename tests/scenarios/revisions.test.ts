import { readFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { pino } from "pino"
import { Registry } from "prom-client"
import { expect, test } from "vitest"
import { type App, openApp } from "../../app.ts"
import { Catalogue } from "../../core/catalogue.ts"
import { type Clock, systemClock } from "../../core/clock.ts"
import { loadSettings } from "../../core/config.ts"
import { openSqliteDatabase } from "../../core/db/sqlite.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { Log, NewRecord } from "../../core/log/log.ts"
import { type Topic, topics } from "../../core/topics.ts"
import type { TelemetryRecord } from "../../core/vocabulary.ts"
import { createRules } from "../../rules/index.ts"
import { createLoad } from "../crash/load.ts"
import type { Message } from "../ingest/fuzz.ts"
import { connectRaw, type RawClient } from "../ingest/raw-mqtt.ts"
import { ManualClock } from "../manual-clock.ts"
import { scratchDirectory, startPipeline } from "../pipeline.ts"

const file = "tests/crash/plant.yaml"
const source = readFileSync(file, "utf8")
const startMs = Date.UTC(2026, 0, 1)

/** The plant with another limit for a warning; with `onChange: reset` each change ends what its rule had found. */
function changed(above: number, onChange: "keep" | "reset" = "keep"): string {
  const text = source
    .replace("severity: warning, above: 5", `severity: warning, above: ${above}`)
    .replace("signal: vibration\n    params:", `signal: vibration\n    onChange: ${onChange}\n    params:`)
  if (!text.includes(`severity: warning, above: ${above}`))
    throw new Error(`${file} has no such limit any more`)
  return text
}

function apply(app: App, content: string) {
  return app.apply({ source: content, actor: "engineer", reason: "test" })
}

function reading(asset: string, atMs: number, arrivedMs = atMs): NewRecord<TelemetryRecord> {
  return {
    key: asset,
    value: { kind: "reading", site: "north", asset, atMs, arrivedMs, values: { vibration: 1 } },
  }
}

async function openPlant(directory: string, plantClock: "wall" | "event") {
  const settings = loadSettings({ env: {}, overrides: { directory, plantClock } })
  // The time of day stands still; only the log waits a moment between its commits.
  const clock: Clock = { now: () => startMs, sleep: systemClock.sleep }
  return openApp({ settings, clock, logger: pino({ level: "silent" }) })
}

async function withPlant(plantClock: "wall" | "event", work: (app: App) => Promise<void>): Promise<void> {
  const directory = await scratchDirectory()
  const app = await openPlant(directory, plantClock)
  try {
    await work(app)
  } finally {
    await app.close()
    await rm(directory, { recursive: true })
  }
}

test.each(["keep", "reset"] as const)(
  "rules that change while data flows (%s): the log, replayed into fresh rules, gives the same detections byte for byte",
  async (onChange) => {
    const pipeline = await startPipeline({ plant: file, plantClock: "event" })
    const directory = await scratchDirectory()
    try {
      const { app } = pipeline
      const loads = createLoad(7, 4).gateways.map((messages) =>
        messages.map(({ topic, payload }) => ({ topic, payload: Buffer.from(payload) })),
      )
      const clients = await Promise.all(loads.map((_, at) => connectRaw(app.ingest.port, `gateway-${at}`)))
      let publishing = true
      const published = Promise.all(clients.map((client, at) => publishAll(client, loads[at] ?? []))).finally(
        () => {
          publishing = false
        },
      )
      let changes = 0
      while (publishing) {
        if ((await recordsIn(app.log)) < changes * 150) {
          await new Promise((resolve) => setImmediate(resolve))
          continue
        }
        changes++
        await apply(app, changed(changes % 2 === 0 ? 5 : 4.5, onChange))
      }
      await published
      expect(changes).toBeGreaterThan(10)
      for (const client of clients) await client.close()
      await pipeline.settled()
      const live = await texts(app.log, topics.detections)
      const ended = live.filter((text) => text.includes("rule-changed")).length
      if (onChange === "keep") expect(ended).toBe(0)
      else expect(ended).toBeGreaterThan(10)
      expect(await replayed(app.log, directory)).toEqual(live)
    } finally {
      await pipeline.close()
      await rm(directory, { recursive: true })
    }
  },
  120_000,
)

test("the first revision counts from the beginning while nothing has come in, and after all that has otherwise", async () => {
  await withPlant("event", async (app) => {
    expect(await apply(app, source)).toMatchObject({ effectiveMs: 0 })
  })
  await withPlant("event", async (app) => {
    await app.log.append(topics.telemetry, [reading("M-01", startMs - 5000), reading("M-02", startMs - 9000)])
    expect(await apply(app, source)).toMatchObject({ effectiveMs: startMs - 4999 })
  })
  await withPlant("wall", async (app) => {
    expect(await apply(app, source)).toMatchObject({ effectiveMs: 0 })
  })
  await withPlant("wall", async (app) => {
    // By the wall it is the arrival that counts, whatever time the sample tells.
    await app.log.append(topics.telemetry, [reading("M-01", startMs - 5000, startMs)])
    expect(await apply(app, source)).toMatchObject({ effectiveMs: startMs + 1 })
  })
})

test("a revision never counts from before the one that it follows", async () => {
  await withPlant("event", async (app) => {
    const times = { actor: "engineer", reason: "test", nowMs: 0 }
    await app.plant.apply({ ...times, source, effectiveMs: startMs })
    await app.log.append(topics.telemetry, [reading("M-01", startMs - 5000)])
    expect(await apply(app, changed(4.5))).toMatchObject({ revision: 2, effectiveMs: startMs })
  })
})

test("who applied a plant file finds its revision in the catalogue", async () => {
  await withPlant("event", async (app) => {
    for (const [at, limit] of [4.1, 4.2, 4.3].entries()) {
      await apply(app, changed(limit))
      expect(app.catalogue.newest()?.number).toBe(at + 1)
    }
    expect(await apply(app, changed(4.3))).toBeUndefined()
  })
})

/** A few at a time, so that the stream goes on while revisions are made. */
async function publishAll(client: RawClient, messages: readonly Message[]): Promise<void> {
  for (let at = 0; at < messages.length; at += 8) {
    if (!(await client.publish(messages.slice(at, at + 8)))) throw new Error("the broker closed a connection")
  }
}

async function recordsIn(log: Log): Promise<number> {
  return Math.max(...(await log.ends(topics.telemetry)))
}

/** In order within each partition. */
async function texts<T>(log: Log, topic: Topic<T>): Promise<string[]> {
  const found: { partition: number; text: string }[] = []
  for await (const { partition, value } of log.read(topic))
    found.push({ partition, text: JSON.stringify(value) })
  return found.sort((a, b) => a.partition - b.partition).map(({ partition, text }) => `${partition} ${text}`)
}

/** What fresh rules find in this plant's telemetry when they have known all its revisions from the start. */
async function replayed(recorded: Log, directory: string): Promise<string[]> {
  const clock = new ManualClock()
  const { partitions } = recorded
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions, clock, lingerMs: 0 })
  const database = await openSqliteDatabase(join(directory, "tables.sqlite"))
  await copy(recorded, log, topics.catalogue)
  await copy(recorded, log, topics.telemetry)
  const catalogue = new Catalogue(log)
  await catalogue.start()
  const logger = pino({ level: "silent" })
  const rules = createRules({
    log,
    database,
    catalogue,
    clock,
    plantClock: "event",
    logger,
    metrics: new Registry(),
  })
  await rules.prepare()
  await rules.start()
  while ((await log.lags()).some((lag) => lag.uncommitted > 0)) {
    await clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const found = await texts(log, topics.detections)
  await rules.close()
  await catalogue.close()
  await log.close()
  await database.close()
  return found
}

async function copy<T>(from: Log, to: Log, topic: Topic<T>): Promise<void> {
  const records: NewRecord<T>[] = []
  for await (const { partition, key, value } of from.read(topic)) records.push({ partition, key, value })
  await to.append(topic, records)
}
