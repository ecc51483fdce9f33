import { once } from "node:events"
import { pino } from "pino"
import { expect, onTestFinished, test } from "vitest"
import { topics } from "../../core/topics.ts"
import { keyOf, uniform } from "../../simulators/machines/noise.ts"
import { type Pipeline, startPipeline } from "../pipeline.ts"
import {
  closed,
  closeSocket,
  connectPacket,
  connectRaw,
  lengthOf,
  openSocket,
  packet,
  publishPacket,
} from "./raw-mqtt.ts"

const attacks = process.env.MILLWRIGHT_LONG === "1" ? 20_000 : 2000
const atOnce = 20
const message = (at: number) => ({
  topic: "v1/north/P-101/telemetry",
  payload: Buffer.from(`{"ts":${1_767_225_600_000 + at},"temperature":${at}}`),
})

test(`${attacks} connections that break the protocol neither end the broker nor disturb a sound one`, async () => {
  const { app } = await openPipeline()
  const sound = await connectRaw(app.ingest.port, "sound")
  let sent = 0
  for (let at = 0; at < attacks; at += atOnce) {
    const group = Array.from({ length: atOnce }, (_, turn) => attack(app.ingest.port, at + turn))
    expect(await sound.publish([message(sent++), message(sent++)])).toBe(true)
    await Promise.all(group)
  }
  await sound.close()

  const values: unknown[] = []
  for await (const { value } of app.log.read(topics.telemetry)) {
    if (value.kind === "reading" && value.asset === "P-101") values.push(value.values.temperature)
  }
  expect(values).toEqual(Array.from({ length: sent }, (_, at) => at))
  expect(app.health().ok).toBe(true)
}, 300_000)

test("a client that speaks MQTT 5 is refused, and the log says so by that name", async () => {
  const { app, warnings } = await openPipeline()
  const socket = await openSocket(app.ingest.port)
  socket.write(connectPacket("modern", 5))
  const [reply] = (await once(socket, "data")) as [Buffer]
  // CONNACK 1: unacceptable protocol version.
  expect([...reply]).toEqual([0x20, 2, 0, 1])
  await closed(socket)
  expect(warnings.join("")).toContain("MQTT 5")
})

test("a packet that says it has 256 MB is cut off after little more than the largest payload", async () => {
  const maxPayloadBytes = 1_048_576
  const { app, warnings } = await openPipeline({ "mqtt.maxPayloadBytes": maxPayloadBytes })
  const socket = await openSocket(app.ingest.port)
  socket.write(connectPacket("flood"))
  await once(socket, "data")
  socket.write(Buffer.concat([Buffer.of(0x32), lengthOf(268_435_455)]))
  const chunk = Buffer.alloc(65_536)
  let sentBytes = 0
  for (const ended = closed(socket); !socket.closed; sentBytes += chunk.length) {
    await Promise.race([ended, new Promise<void>((resolve) => socket.write(chunk, () => resolve()))])
  }
  // What the system's own buffers hold on both sides comes on top.
  expect(sentBytes).toBeLessThan(16 * maxPayloadBytes)
  expect(warnings.join("")).toContain("larger than mqtt.maxPayloadBytes")
})

test("a client that only pings, however often, is not taken for one with an endless packet", async () => {
  const { app, warnings } = await openPipeline({ "mqtt.maxPayloadBytes": 1024 })
  const pings = 150_000
  const socket = await openSocket(app.ingest.port)
  socket.write(connectPacket("listener"))
  await once(socket, "data")
  socket.write(Buffer.alloc(2 * pings, Buffer.of(0xc0, 0)))
  const answered = new Promise<string>((resolve) => {
    let left = 2 * pings
    socket.on("data", (data: Buffer) => {
      left -= data.length
      if (left === 0) resolve("answered")
    })
  })
  expect(await Promise.race([answered, closed(socket)])).toBe("answered")
  expect(warnings).toEqual([])
  await closeSocket(socket)
})

async function openPipeline(
  overrides: Readonly<Record<string, unknown>> = {},
): Promise<Pipeline & { readonly warnings: readonly string[] }> {
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line: string) => warnings.push(line) })
  const pipeline = await startPipeline({ overrides, logger })
  onTestFinished(() => pipeline.close())
  return { ...pipeline, warnings }
}

/** Says something wrong, and hangs up. */
async function attack(port: number, at: number): Promise<void> {
  const socket = await openSocket(port)
  socket.resume()
  const key = keyOf(1, `attack ${at}`)
  const random = (n: number) => uniform(key, n)
  for (const bytes of hostileBytes(random, at)) {
    if (!socket.writable) break
    await new Promise<void>((resolve) => {
      socket.write(bytes, () => resolve())
    })
  }
  // Half of them stay until the broker lets them go: it must not keep what nobody uses.
  if (random(1) < 0.5) socket.end()
  else socket.destroy()
  await closed(socket)
}

function hostileBytes(random: (n: number) => number, at: number): readonly Buffer[] {
  const garbage = (length: number) =>
    Buffer.from(Array.from({ length }, (_, n) => Math.floor(256 * random(100 + n))))
  const whole = Math.floor(64 * random(2))
  const hello = connectPacket(`attack-${at}`)
  const publish = publishPacket({ topic: "v1/north/X-1/telemetry", payload: garbage(whole) }, 1)
  const kinds: readonly (() => readonly Buffer[])[] = [
    () => [garbage(whole)],
    () => [hello, garbage(whole)],
    () => [mutated(hello, random)],
    () => [hello.subarray(0, Math.floor(hello.length * random(3)))],
    () => [publish],
    () => [hello, hello],
    () => [hello, mutated(publish, random)],
    () => [hello, publish.subarray(0, Math.floor(publish.length * random(3)))],
    // A topic longer than its packet; a length of five bytes, which MQTT doesn't have; kinds it doesn't have.
    () => [hello, packet(0x32, Buffer.of(0xff, 0xff, 0x61))],
    () => [hello, Buffer.of(0x32, 0xff, 0xff, 0xff, 0xff, 0x01)],
    () => [hello, packet(16 * Math.floor(16 * random(3)), garbage(whole))],
    // Acknowledgements of nothing, subscriptions to anything, a message that is never released.
    () => [
      hello,
      packet(0x40, Buffer.of(0, 7)),
      packet(0x62, Buffer.of(0, 7)),
      packet(0x70, Buffer.of(0, 7)),
    ],
    () => [hello, packet(0x82, Buffer.concat([Buffer.of(0, 9, 0, whole), garbage(whole), Buffer.of(0)]))],
    () => [hello, Buffer.concat([Buffer.of(0x34), publish.subarray(1)])],
  ]
  return kinds[at % kinds.length]?.() ?? []
}

function mutated(bytes: Buffer, random: (n: number) => number): Buffer {
  const copy = Buffer.from(bytes)
  for (let n = 0; n < 3; n++) copy[Math.floor(copy.length * random(4 + n))] = Math.floor(256 * random(8 + n))
  return copy
}
