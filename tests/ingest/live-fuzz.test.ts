import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { pino } from "pino"
import { expect, onTestFinished, test } from "vitest"
import { z } from "zod"
import { type Clock, systemClock } from "../../core/clock.ts"
import type { Log } from "../../core/log/log.ts"
import { parsePlant } from "../../core/plant.ts"
import { topics } from "../../core/topics.ts"
import type { AssetEvent, Reading } from "../../core/vocabulary.ts"
import { createDecoder } from "../../ingest/decode/decoder.ts"
import { startPipeline } from "../pipeline.ts"
import { hostileMessages, type Message } from "./fuzz.ts"
import { connectRaw } from "./raw-mqtt.ts"

const isLong = process.env.MILLWRIGHT_LONG === "1"
const count = isLong ? 1_000_000 : 100_000
const seed = 20240501
const connections = 4
const batchSize = 500
/** What the second half of the messages may add to the heap: nothing that grows with their number. */
const mayGrowBytes = 16 * 1_048_576
/** When the messages come: what is a time in the future must not depend on when this test is run. */
const arrivedMs = Date.UTC(2026, 0, 1)

const plantFile = fileURLToPath(new URL("fuzz-plant.yaml", import.meta.url))
const logLine = z.object({ msg: z.string(), error: z.string().default("") })
setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

test(`of ${count} hostile messages each is stored, in dead letters, or refused for a reason, and memory stays`, async () => {
  const dropped = new Map<string, number>()
  const logger = pino({ level: "warn" }, { write: (line: string) => noteDropped(dropped, line) })
  const shiftMs = arrivedMs - systemClock.now()
  const clock: Clock = { now: () => systemClock.now() + shiftMs, sleep: systemClock.sleep }
  const pipeline = await startPipeline({ plant: plantFile, plantClock: "event", clock, logger })
  onTestFinished(() => pipeline.close())
  const { app } = pipeline
  const { port } = app.ingest
  const clients = await Promise.all(
    Array.from({ length: connections }, (_, at) => connectRaw(port, `fuzz-${at}`)),
  )
  let refused = 0
  let halfwayBytes = 0
  let turn = 0
  for (const batch of inBatches(hostileMessages(seed, count))) {
    // The connections take turns, so that it is known in which order the broker hears what.
    const allowed = batch.filter(({ topic }) => !isForbidden(topic))
    const isWhole = await clients[turn % connections]?.publish(allowed)
    if (!isWhole) expect.fail("the broker closed a connection that broke no rule")
    refused += await sendForbidden(port, batch)
    turn++
    if (turn === count / batchSize / 2) {
      await pipeline.settled()
      halfwayBytes = heapBytes()
    }
  }
  for (const client of clients) await client.close()
  await pipeline.settled()
  const grownBytes = heapBytes() - halfwayBytes
  console.log(`${count} messages, ${refused} refused; heap ${halfwayBytes >> 10} KiB + ${grownBytes >> 10}`)

  expect(grownBytes).toBeLessThan(mayGrowBytes)
  expect(app.health().ok).toBe(true)
  expect(await differences(app.log)).toEqual([])
  expect([...dropped.keys()].sort()).toEqual([
    "# is not allowed in PUBLISH",
    "+ is not allowed in PUBLISH",
    "empty topic not allowed in PUBLISH",
    "topic has too many levels",
    "topics with $ are the broker's own",
  ])
  expect([...dropped.values()].reduce((sum, one) => sum + one, 0)).toBe(refused)
}, 1_800_000)

/** Topics that MQTT 3.1.1 forbids, that are the broker's own, or that have too many levels for it. */
function isForbidden(topic: string): boolean {
  return topic === "" || /[#+]|^\$/.test(topic) || topic.split("/").length > 100
}

/** Each on a connection of its own, which the broker must close. Gives how many there were. */
async function sendForbidden(port: number, batch: readonly Message[]): Promise<number> {
  const forbidden = batch.filter(({ topic }) => isForbidden(topic))
  const sent = forbidden.map(async (message, at) => {
    const client = await connectRaw(port, `forbidden-${at}`)
    if (await client.publish([message])) expect.fail(`${message.topic} was acknowledged`)
  })
  await Promise.all(sent)
  return forbidden.length
}

function* inBatches(messages: Iterable<Message>): Generator<readonly Message[]> {
  let batch: Message[] = []
  for (const message of messages) {
    batch.push(message)
    if (batch.length < batchSize) continue
    yield batch
    batch = []
  }
}

/** Records and letters of which the log has more (below 0) or fewer than the messages give. */
async function differences(log: Log): Promise<[string, number][]> {
  const open = new Map<string, number>()
  const plant = parsePlant(readFileSync(plantFile, "utf8"))
  const decoder = createDecoder(plant, { maxPayloadBytes: 1_048_576, maxDiscoveredAssets: 10_000 })
  for (const { topic, payload } of hostileMessages(seed, count)) {
    if (isForbidden(topic)) continue
    // As the wire gives it: half a surrogate pair arrives as U+FFFD.
    const arrived = Buffer.from(topic).toString()
    const { records, faults } = decoder.decode(arrived, payload, arrivedMs)
    for (const record of records) tally(open, 1, recordText(record))
    for (const { reason } of faults) tally(open, 1, letterText(reason, arrived, payload))
  }
  for await (const { value } of log.read(topics.telemetry)) {
    if (value.kind !== "tick" && value.kind !== "action") tally(open, -1, recordText(value))
  }
  for await (const { value } of log.read(topics.deadLetters)) {
    tally(open, -1, letterText(value.reason, value.topic, Buffer.from(value.payload, "base64")))
  }
  return [...open]
}

/** Without its arrival, and without a time that was made up then. */
function recordText(record: Reading | AssetEvent): string {
  const atMs = record.untimed === true ? "made up" : record.atMs
  return JSON.stringify({ ...record, arrivedMs: 0, atMs })
}

function letterText(reason: string, topic: string, payload: Buffer): string {
  return `${reason} ${topic} ${payload.toString("base64")}`
}

/** Counts up what is expected and down what is found; only differences stay. */
function tally(open: Map<string, number>, by: 1 | -1, text: string): void {
  const key =
    text.length > 200 ? `${text.slice(0, 100)}… ${createHash("sha256").update(text).digest("hex")}` : text
  const left = (open.get(key) ?? 0) + by
  if (left === 0) open.delete(key)
  else open.set(key, left)
}

/** Counts, by its reason, each connection that the broker says it closed. */
function noteDropped(dropped: Map<string, number>, line: string): void {
  const { msg, error } = logLine.parse(JSON.parse(line))
  const reason = msg === "MQTT client dropped" ? error.replace(/^\$SYS\S*: /, "") : msg
  dropped.set(reason, (dropped.get(reason) ?? 0) + 1)
}

function heapBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
