import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { pino } from "pino"
import { expect, onTestFinished, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import { topics } from "../../core/topics.ts"
import type { AssetEvent, Reading } from "../../core/vocabulary.ts"
import { createDecoder } from "../../ingest/decode/decoder.ts"
import { startPipeline } from "../pipeline.ts"
import { hostileMessages, type Message } from "./fuzz.ts"
import { connectRaw, type RawClient } from "./raw-mqtt.ts"

const isLong = process.env.MILLWRIGHT_LONG === "1"
const count = isLong ? 1_000_000 : 100_000
const seed = 20240501
const connections = 4
const batchSize = 500
/** What the second half of the messages may add to the heap: nothing that grows with their number. */
const mayGrowBytes = 16 * 1_048_576

const plantFile = fileURLToPath(new URL("fuzz-plant.yaml", import.meta.url))
setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

test(`of ${count} hostile messages over MQTT each is stored, in dead letters, or refused for a reason, and memory stays`, {
  timeout: isLong ? 1_200_000 : 180_000,
}, async () => {
  const dropped = new Map<string, number>()
  const logger = pino({ level: "warn" }, { write: (line: string) => noteDropped(dropped, line) })
  const pipeline = await startPipeline({ plant: plantFile, plantClock: "event", logger })
  onTestFinished(() => pipeline.close())
  const { app } = pipeline
  const sender = await createSender(app.ingest.port)
  const refused = new Set<number>()
  let at = 0
  let halfway = 0
  for (const message of hostileMessages(seed, count)) {
    if (!(await sender.send(message))) refused.add(at)
    at++
    if (at === count / 2) {
      await sender.flush()
      await pipeline.settled()
      halfway = heapBytes()
    }
  }
  await sender.close()
  await pipeline.settled()
  expect(heapBytes() - halfway).toBeLessThan(mayGrowBytes)
  expect(app.health().ok).toBe(true)

  const open = new Map<string, number>()
  tallyExpected(open, refused)
  for await (const { value } of app.log.read(topics.telemetry)) {
    if (value.kind !== "tick") tally(open, -1, recordText(value))
  }
  for await (const { value } of app.log.read(topics.deadLetters)) {
    const payload = Buffer.from(value.payload, "base64")
    tally(open, -1, letterText(value.reason, value.topic, payload))
  }
  expect([...open]).toEqual([])
  console.log(`${count} messages: ${refused.size} refused: ${JSON.stringify([...dropped])}`)
  expect([...dropped.keys()].sort()).toEqual([])
  expect([...dropped.values()].reduce((sum, one) => sum + one, 0)).toBe(refused.size)
})

/** Four connections that take turns, so that it is known in which order the broker hears what. */
async function createSender(port: number) {
  const clients = await Promise.all(
    Array.from({ length: connections }, (_, at) => connectRaw(port, `fuzz-${at}`)),
  )
  let batch: Message[] = []
  let turn = 0

  async function flush(): Promise<void> {
    const client = clients[turn++ % connections] as RawClient
    if (!(await client.publish(batch))) throw new Error("the broker closed a connection that it should keep")
    batch = []
  }

  return {
    flush,
    /** False when the broker refused it. */
    async send(message: Message): Promise<boolean> {
      if (mayBeRefused(message.topic)) {
        await flush()
        const client = await connectRaw(port, "fuzz-refused")
        const isTaken = await client.publish([message])
        await client.close()
        return isTaken
      }
      batch.push(message)
      if (batch.length === batchSize) await flush()
      return true
    },
    async close(): Promise<void> {
      await flush()
      for (const client of clients) await client.close()
    },
  }
}

/** Topics that MQTT 3.1.1 forbids, that are the broker's own, or that have too many levels for it. */
function mayBeRefused(topic: string): boolean {
  return topic === "" || /[#+\0]|^\$/.test(topic) || topic.split("/").length > 100
}

/** What the log must have of these messages: one more of each record and letter that they give. */
function tallyExpected(open: Map<string, number>, refused: ReadonlySet<number>): void {
  const plant = parsePlant(readFileSync(plantFile, "utf8"))
  const decoder = createDecoder(plant, { maxPayloadBytes: 1_048_576, maxDiscoveredAssets: 10_000 })
  let at = 0
  for (const { topic, payload } of hostileMessages(seed, count)) {
    if (refused.has(at++)) continue
    // As the wire gives it: half a surrogate pair arrives as U+FFFD.
    const arrived = Buffer.from(topic).toString()
    const { records, faults } = decoder.decode(arrived, payload, arrivedMs)
    for (const record of records) tally(open, 1, recordText(record))
    for (const { reason } of faults) tally(open, 1, letterText(reason, arrived, payload))
  }
}

const arrivedMs = Date.UTC(2025, 0, 1)

/** Without its arrival, and without a time that stands for it. */
function recordText(record: Reading | AssetEvent): string {
  const atMs = record.atMs === record.arrivedMs ? "arrival" : record.atMs
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

function noteDropped(dropped: Map<string, number>, line: string): void {
  const { msg, error } = JSON.parse(line) as { msg: string; error?: string }
  const reason = `${msg}: ${error?.replace(/^\S*\$\S*: /, "")}`
  dropped.set(reason, (dropped.get(reason) ?? 0) + 1)
}

function heapBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
