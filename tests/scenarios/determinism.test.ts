import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { pino } from "pino"
import { Registry } from "prom-client"
import { beforeAll, expect, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { openSqliteDatabase } from "../../core/db/sqlite.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { parsePlant } from "../../core/plant.ts"
import type { StageContext } from "../../core/service.ts"
import { topics } from "../../core/topics.ts"
import type { AssetEvent, Reading } from "../../core/vocabulary.ts"
import { createDecoder } from "../../ingest/decode/decoder.ts"
import { createRules } from "../../rules/index.ts"
import { createScheduler } from "../../scheduler/index.ts"
import { createWorkOrders } from "../../workorders/index.ts"
import { createLoad } from "../crash/load.ts"
import { ManualClock } from "../manual-clock.ts"
import { announce, plantRevision } from "../revision.ts"

const runs = { numRuns: process.env.MILLWRIGHT_LONG === "1" ? 50 : 3 }
const timeout = 900_000
const source = readFileSync(new URL("../crash/plant.yaml", import.meta.url), "utf8")
const telemetry = recordedTelemetry()

/** All that a plant's stages tell each other and the world, as text, in the order in which they told it. */
type Told = {
  readonly detections: readonly string[]
  readonly requests: readonly string[]
  readonly orderEvents: readonly string[]
}

let undisturbed: Told
beforeAll(async () => {
  undisturbed = await inScratch(async (directory) => {
    await run(directory, telemetry)
    return told(directory)
  })
})

test("the recorded telemetry makes detections, requests and orders enough to compare", () => {
  expect(undisturbed.detections.length).toBeGreaterThan(1000)
  expect(undisturbed.requests.length).toBeGreaterThan(300)
  expect(undisturbed.orderEvents.length).toBeGreaterThan(300)
})

test("the same log, replayed into fresh stages, gives everything byte for byte, however it is cut into batches", async () => {
  await inScratch(async (directory) => {
    await run(directory, telemetry, 7)
    expect(await told(directory)).toEqual(undisturbed)
  })
})

test("stopped and started again after any records, the stages tell the same, and nothing twice", {
  timeout,
}, async () => {
  await fc.assert(
    fc.asyncProperty(cuts(1, 4), (stops) =>
      inScratch(async (directory) => {
        let from = 0
        for (const to of [...stops, telemetry.length]) {
          await run(directory, telemetry.slice(from, to))
          from = to
        }
        expect(await told(directory)).toEqual(undisturbed)
      }),
    ),
    runs,
  )
})

test("with tables older than the log the stages repeat what they told, without a change, and go on", {
  timeout,
}, async () => {
  await fc.assert(
    fc.asyncProperty(cuts(2, 2), ([older = 0, newer = 0]) =>
      inScratch(async (directory) => {
        await run(directory, telemetry.slice(0, older))
        copyFileSync(join(directory, "tables.sqlite"), join(directory, "older.sqlite"))
        await run(directory, telemetry.slice(older, newer))
        copyFileSync(join(directory, "older.sqlite"), join(directory, "tables.sqlite"))
        await run(directory, telemetry.slice(newer))
        const { detections, orderEvents } = await told(directory)
        expect(firstOfEach(detections)).toEqual(firstOfEach(undisturbed.detections))
        // Not the requests: a raise that is told again after its episode has ended asks for the order once more, by
        // the same id but with that step as its finding. The store knows the order and changes nothing.
        expect(firstOfEach(orderEvents)).toEqual(firstOfEach(undisturbed.orderEvents))
      }),
    ),
    // In this one an episode is raised and ends between the tables and the end of the log.
    { ...runs, examples: [[[2776, 3010]]] },
  )
})

/** Places in the telemetry, in order. */
function cuts(minLength: number, maxLength: number): fc.Arbitrary<number[]> {
  return fc
    .uniqueArray(fc.nat(telemetry.length), { minLength, maxLength })
    .map((places) => places.toSorted((a, b) => a - b))
}

function firstOfEach(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}

/** Some days of the machines that the crash tests use, decoded as the intake does. */
function recordedTelemetry(): readonly (Reading | AssetEvent)[] {
  const decoder = createDecoder(parsePlant(source))
  const { gateways } = createLoad(7, 4)
  const longest = Math.max(...gateways.map((messages) => messages.length))
  const messages = Array.from({ length: longest }, (_, at) => gateways.flatMap((one) => one[at] ?? []))
  return messages
    .flat()
    .flatMap(({ topic, payload }) => decoder.decode(topic, Buffer.from(payload), 1_800_000_000_000).records)
}

async function inScratch<R>(work: (directory: string) => Promise<R>): Promise<R> {
  const directory = mkdtempSync(join(tmpdir(), "determinism-"))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function openLog(directory: string, clock = new ManualClock()): Promise<EmbeddedLog> {
  return EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 8, clock, lingerMs: 0 })
}

/** Opens a plant's files, has its stages deal with these records, appended so many at a time, and closes it again. */
async function run(
  directory: string,
  records: readonly (Reading | AssetEvent)[],
  atOnce = records.length,
): Promise<void> {
  const clock = new ManualClock()
  const log = await openLog(directory, clock)
  const database = await openSqliteDatabase(join(directory, "tables.sqlite"))
  const catalogue = await openCatalogue(log)
  const context: StageContext = {
    log,
    database,
    catalogue,
    clock,
    plantClock: "event",
    logger: pino({ level: "silent" }),
    metrics: new Registry(),
  }
  const stages = [createWorkOrders(context), createScheduler(context), createRules(context)]
  for (const stage of stages) await stage.prepare()
  for (const stage of stages) await stage.start()
  for (let at = 0; at < records.length; at += atOnce) {
    const batch = records.slice(at, at + atOnce)
    await log.append(
      topics.telemetry,
      batch.map((value) => ({ key: value.asset, value })),
    )
  }
  // Checkpoints come with time; what is committed was passed on before.
  while ((await log.lags()).some((lag) => lag.uncommitted > 0)) {
    await clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const stage of stages.toReversed()) await stage.close()
  await catalogue.close()
  await log.close()
  await database.close()
}

async function openCatalogue(log: EmbeddedLog): Promise<Catalogue> {
  const catalogue = new Catalogue(log)
  await catalogue.start()
  if (catalogue.newest() === undefined)
    await announce(log, catalogue, plantRevision(source, { plant: "crash" }))
  return catalogue
}

async function told(directory: string): Promise<Told> {
  const log = await openLog(directory)
  const texts = async (topic: Parameters<typeof log.read>[0]) => {
    const found: string[] = []
    for await (const { partition, key, value } of log.read(topic)) {
      found.push(`${partition} ${key} ${JSON.stringify(value)}`)
    }
    return found
  }
  const all = {
    detections: await texts(topics.detections),
    requests: await texts(topics.workOrderRequests),
    orderEvents: await texts(topics.workOrderEvents),
  }
  await log.close()
  return all
}
