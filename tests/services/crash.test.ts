import { mkdtempSync, rmSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, onTestFinished, test } from "vitest"
import type { App } from "../../app.ts"
import { systemClock } from "../../core/clock.ts"
import { loadSettings } from "../../core/config.ts"
import type { Log } from "../../core/log/log.ts"
import { topics } from "../../core/topics.ts"
import { addressesOf } from "../../services/deployment.ts"
import { startInflux } from "../../services/influx.ts"
import { startKafka } from "../../services/kafka.ts"
import { startMosquitto } from "../../services/mosquitto.ts"
import { startPostgres } from "../../services/postgres.ts"
import { keyOf, uniform } from "../../simulators/machines/noise.ts"
import { createPublisher, type Publisher } from "../../simulators/publisher.ts"
import { type Content, namesIn, readContent } from "../crash/content.ts"
import { createLoad, type Load } from "../crash/load.ts"
import { runLoad } from "../crash/run.ts"
import { expectSame, summaryOf } from "../crash/same.ts"
import { applyPlant, dealtWith, lookOn, type Plant, preparePlant } from "./plant.ts"

const isLong = process.env.MILLWRIGHT_LONG === "1"
const seed = Number(process.env.MILLWRIGHT_SEED ?? 1)
const days = isLong ? 60 : 12
const rounds = isLong ? 3 : 1
const stages = ["ingest", "historian", "rules-1", "rules-2", "scheduler", "workorders"]
const file = new URL("../crash/plant.yaml", import.meta.url)

/** Something that is done to the plant once so much of the load is in the log. */
type Blow = { readonly share: number; readonly name: string; strike(app: App): Promise<void> }

/** One process on files takes the load, and nothing happens to it. */
const expected = (async () => {
  const directory = mkdtempSync(join(tmpdir(), "crash-"))
  try {
    const load = createLoad(seed, days)
    await runLoad(directory, load, [])
    const content = await readContent(loadSettings({ env: {}, overrides: { directory, partitions: 8 } }))
    // What else is said on the plant's own broker is not Millwright's to hear.
    const letters = [...content.deadLetters].filter((letter) => !letter.includes('"unknown-topic"'))
    return { load, content: { ...content, deadLetters: new Set(letters) } }
  } finally {
    rmSync(directory, { recursive: true })
  }
})()

test("each stage and each server is killed in turn: the content is that of one process on files, undisturbed", {
  timeout: isLong ? 3_600_000 : 600_000,
}, async () => {
  const { load, content } = await expected
  const servers = await ownServers()
  const { kafka, influx, postgres, mosquitto } = servers
  const plant = await preparePlant(addressesOf(servers), impatient)
  onTestFinished(() => plant.dispose())
  const again = (name: string) => async () => {
    await plant.process(name).kill()
    plant.process(name).start()
  }
  const restart = (server: { kill(): Promise<void>; start(): Promise<void> }) => async () => {
    await server.kill()
    await server.start()
  }
  const blows = inTurn([
    ...stages.map((name) => ({ name, strike: again(name) })),
    { name: "Kafka", strike: restart(kafka) },
    { name: "PostgreSQL", strike: restart(postgres) },
    // It keeps what it acknowledged in memory until it saves or stops: docs/services.md.
    {
      name: "mosquitto",
      async strike() {
        await mosquitto.stop()
        await mosquitto.start()
      },
    },
  ])
  /** Down for most of the time: history lags, everything else goes on. */
  const outage: Blow[] = [
    { share: 0.1, name: "InfluxDB away", strike: () => influx.kill() },
    {
      share: 0.95,
      name: "InfluxDB back",
      async strike({ log }) {
        const lags = await log.lags()
        expect(lags.find(({ group }) => group === "historian")?.uncommitted).toBeGreaterThan(1000)
        await influx.start()
      },
    },
  ]
  const found = await runOnServers(plant, stages, mosquitto.url, load, [...blows, ...outage])
  expectSame(found, content, load)
})

test("a rules worker joins and one is killed under load: as one worker, undisturbed", {
  timeout: 600_000,
}, async () => {
  const { load, content } = await expected
  const servers = await ownServers()
  const plant = await preparePlant(addressesOf(servers), impatient)
  onTestFinished(() => plant.dispose())
  const first = stages.filter((name) => name !== "rules-2")
  const found = await runOnServers(plant, first, servers.mosquitto.url, load, [
    { share: 0.25, name: "rules-2 joins", strike: async () => plant.process("rules-2").start() },
    { share: 0.5, name: "rules-1 killed", strike: () => plant.process("rules-1").kill() },
    { share: 0.75, name: "rules-1 joins again", strike: async () => plant.process("rules-1").start() },
  ])
  expectSame(found, content, load)
})

/** Short intervals, so that a blow often meets something half done. */
const impatient = {
  MILLWRIGHT_PARTITIONS: "8",
  MILLWRIGHT_PLANT_CLOCK: "event",
  MILLWRIGHT_LOG_LEVEL: "warn",
  MILLWRIGHT_RULES_CHECKPOINT: "100ms",
  MILLWRIGHT_HISTORIAN_FLUSH: "50ms",
}

async function ownServers() {
  const started = await Promise.all([startKafka(), startInflux(), startPostgres(), startMosquitto()])
  onTestFinished(async () => void (await Promise.all(started.map((server) => server.dispose()))))
  const [kafka, influx, postgres, mosquitto] = started
  return { kafka, influx, postgres, mosquitto }
}

/** Each in turn, in an order and at moments that the seed decides. */
function inTurn(blows: readonly Omit<Blow, "share">[]): Blow[] {
  const all = Array.from({ length: rounds }, (_, round) =>
    blows.toSorted((a, b) => chance(`${round} ${a.name}`) - chance(`${round} ${b.name}`)),
  ).flat()
  return all.map((blow, at) => ({
    ...blow,
    share: 0.05 + (0.85 * (at + chance(`share ${at}`))) / all.length,
  }))
}

function chance(name: string): number {
  return uniform(keyOf(seed, name), 0)
}

/** Publishes the load to the plant's broker while the blows fall, and gives what the stores hold in the end. */
async function runOnServers(
  plant: Plant,
  running: readonly string[],
  url: string,
  load: Load,
  blows: readonly Blow[],
): Promise<Content> {
  const orFailed = <T>(work: Promise<T>) => Promise.race([plant.failed, work])
  await applyPlant(plant.settings, await readFile(file, "utf8"))
  for (const name of running) plant.process(name).start()
  await orFailed(plant.areWell(running))
  const app = await lookOn(plant.settings)
  const publishers = load.gateways.map(() =>
    createPublisher({ url, inFlight: 200, clock: systemClock, logger: pino({ level: "silent" }) }),
  )
  try {
    const arrivals = await watchArrivals(app.log, load)
    for (const publisher of publishers) await publisher.start()
    const sending = publish(load, publishers)
    for (const blow of blows.toSorted((a, b) => a.share - b.share)) {
      await orFailed(arrivals.reach(blow.share))
      await orFailed(blow.strike(app))
    }
    await orFailed(sending)
    await orFailed(arrivals.reach(1))
    await orFailed(dealtWith(app.log))
    await arrivals.close()
  } finally {
    for (const publisher of publishers) await publisher.close()
    await app.close()
  }
  await plant.stop()
  const content = await readContent(plant.settings)
  console.log(`seed ${seed}: ${blows.map(({ name }) => name).join(", ")}; ${summaryOf(load, content)}`)
  return content
}

async function publish({ gateways, introductions }: Load, publishers: readonly Publisher[]): Promise<void> {
  const sendAll = async (from: number, to?: number) => {
    const sent = publishers.map(async (publisher, at) => {
      for (const { topic, payload } of gateways[at]?.slice(from, to) ?? [])
        await publisher.send(topic, payload)
      await publisher.settled()
    })
    await Promise.all(sent)
  }
  // Plans begin with the first hour that the clock shows: every machine is heard in it before time goes on.
  await sendAll(0, introductions)
  await sendAll(introductions)
}

/** Follows the telemetry in the log; `reach` resolves once this share of what the load sends is in it. */
async function watchArrivals(log: Log, { sent }: Load) {
  const missing = new Set([...sent.samples.keys(), ...sent.events])
  const whole = missing.size
  let waiting: { readonly share: number; readonly resolve: () => void }[] = []
  const subscription = await log.follow(topics.telemetry, ({ value }) => {
    if (value.kind === "tick" || value.kind === "action") return
    for (const name of namesIn(value)) missing.delete(name)
    const share = 1 - missing.size / whole
    for (const { resolve } of waiting.filter((one) => one.share <= share)) resolve()
    waiting = waiting.filter((one) => one.share > share)
  })
  return {
    reach: (share: number) =>
      1 - missing.size / whole >= share
        ? Promise.resolve()
        : new Promise<void>((resolve) => waiting.push({ share, resolve })),
    close: () => subscription.close(),
  }
}
