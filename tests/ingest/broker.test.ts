import { once } from "node:events"
import { rm } from "node:fs/promises"
import type { Socket } from "node:net"
import { join } from "node:path"
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt"
import { expect, onTestFinished, test } from "vitest"
import { Positions } from "../../core/db/positions.ts"
import { openSqliteDatabase } from "../../core/db/sqlite.ts"
import { partitionOf } from "../../core/log/partition.ts"
import { topics } from "../../core/topics.ts"
import { type Pipeline, scratchDirectory, startPipeline } from "../pipeline.ts"
import { detectionOf } from "./detection.ts"
import { closeSocket, connectPacket, connectRaw, openSocket, packet } from "./raw-mqtt.ts"

/** More than the system's buffers and Millwright's own take together: 32 MiB. */
const tooMany = 512
const chunk = "x".repeat(65_536)

test("a subscriber that does not read holds up no publisher: it misses what others send, who read get all", async () => {
  const { app, url } = await openPipeline()
  const stalled = await stalledSubscriber(app.ingest.port, "#")
  const reader = await connectTo(url)
  await reader.subscribeAsync("#", { qos: 1 })
  let heard = 0
  const heardAll = new Promise<void>((resolve) => {
    reader.on("message", () => {
      if (++heard === tooMany) resolve()
    })
  })
  const publisher = await connectRaw(app.ingest.port, "publisher")
  // A few at a time: the reader shares this process with the broker and must get its turn.
  for (let sent = 0; sent < tooMany; sent += 8) {
    const messages = Array.from({ length: 8 }, (_, at) => ({
      topic: "v1/north/P-101/telemetry",
      payload: Buffer.from(
        JSON.stringify({ ts: 1_767_225_600_000 + sent + at, temperature: at, note: chunk }),
      ),
    }))
    expect(await publisher.publish(messages)).toBe(true)
  }
  await heardAll
  const missed = await app.metrics.getSingleMetric("millwright_mqtt_missed_total")?.get()
  expect(missed?.values[0]?.value).toBeGreaterThan(0)
  await publisher.close()
  await closeSocket(stalled)
})

test("a server stops though a subscriber does not read, and remembers where to go on", async () => {
  const directory = await scratchDirectory()
  onTestFinished(() => rm(directory, { recursive: true }))
  const first = await startPipeline({ directory })
  const stalled = await stalledSubscriber(first.app.ingest.port, "v1/+/+/detections")
  const detections = Array.from({ length: tooMany }, (_, at) => detectionOf(at, { reason: chunk }))
  await first.app.log.append(
    topics.detections,
    detections.map((value) => ({ key: value.asset, value })),
  )
  await first.close()
  await closeSocket(stalled)

  const database = await openSqliteDatabase(join(directory, "database.sqlite"))
  onTestFinished(() => database.close())
  const partition = partitionOf("P-101", first.app.log.partitions)
  const { position } = await new Positions(database, "announcer", topics.detections.name).claim(partition)
  expect(position).toBeLessThan(tooMany)
})

test("nothing is kept for a client that is away, whatever session it asked for", async () => {
  const { url } = await openPipeline()
  const options: IClientOptions = { clientId: "panel", clean: false, reconnectPeriod: 0 }
  const before = await connectTo(url, options)
  await before.subscribeAsync("north/#", { qos: 1 })
  await before.endAsync()
  const publisher = await connectTo(url)
  await publisher.publishAsync("north/1", "away", { qos: 1 })

  const after = await connectTo(url, options)
  const heard = new Promise((resolve) => {
    after.on("message", (_topic, payload) => resolve(payload.toString()))
  })
  await after.subscribeAsync("north/#", { qos: 1 })
  await publisher.publishAsync("north/1", "back", { qos: 1 })
  expect(await heard).toBe("back")
})

test("a retained message goes to who listens now, and to nobody later", async () => {
  const { url } = await openPipeline()
  const now = await connectTo(url)
  await now.subscribeAsync("north/#", { qos: 1 })
  const publisher = await connectTo(url)
  const heardNow = new Promise((resolve) => {
    now.on("message", (_topic, payload) => resolve(payload.toString()))
  })
  await publisher.publishAsync("north/1", "first", { qos: 1, retain: true })
  expect(await heardNow).toBe("first")

  const later = await connectTo(url)
  const heard = new Promise((resolve) => {
    later.on("message", (_topic, payload) => resolve(payload.toString()))
  })
  await later.subscribeAsync("north/#", { qos: 1 })
  await publisher.publishAsync("north/1", "second", { qos: 1 })
  expect(await heard).toBe("second")
})

test("who speaks on Millwright's own topics is acknowledged and heard by nobody; the message is a dead letter", async () => {
  const { app, url } = await openPipeline()
  const panel = await connectTo(url)
  await panel.subscribeAsync("v1/#", { qos: 1 })
  const heard: string[] = []
  const heardLast = new Promise<void>((resolve) => {
    panel.on("message", (topic) => {
      heard.push(topic)
      if (topic === "v1/north/P-101/telemetry") resolve()
    })
  })
  const forger = await connectTo(url, { reconnectPeriod: 0 })
  await forger.publishAsync("v1/north/P-101/detections", '{"kind":"opened"}', { qos: 1 })
  await forger.publishAsync("v1/north/P-101/telemetry", '{"temperature":20}', { qos: 1 })
  await heardLast
  expect(heard).toEqual(["v1/north/P-101/telemetry"])
  const letters = await app.ingest.deadLetters.list({ limit: 10 })
  expect(letters.map(({ topic, reason }) => [topic, reason])).toEqual([
    ["v1/north/P-101/detections", "unknown-topic"],
  ])
})

async function openPipeline(): Promise<Pipeline> {
  const pipeline = await startPipeline({})
  onTestFinished(() => pipeline.close())
  return pipeline
}

async function connectTo(url: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await connectAsync(url, options)
  onTestFinished(() => client.endAsync(true))
  return client
}

/** Subscribes, and never reads again. */
async function stalledSubscriber(port: number, filter: string): Promise<Socket> {
  const socket = await openSocket(port)
  socket.write(connectPacket("stalled"))
  await once(socket, "data")
  const topic = Buffer.from(filter)
  socket.write(packet(0x82, Buffer.concat([Buffer.of(0, 1, 0, topic.length), topic, Buffer.of(0)])))
  await once(socket, "data")
  socket.pause()
  return socket
}
