import { createRequire } from "node:module"
import fc from "fast-check"
import { expect, test } from "vitest"
import { readRecord, writeRecord } from "../../core/log/kafka/wire.ts"

const load = createRequire(import.meta.url)
const kafkajs = load("kafkajs/src/protocol/recordBatch/record/v0/index.js")
const kafkajsReads = load("kafkajs/src/protocol/recordBatch/record/v0/decoder.js")
const Decoder = load("kafkajs/src/protocol/decoder.js")

const text = fc.string({ unit: "grapheme", maxLength: 200 })
const bytes = fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some))
const record = fc.record({
  offsetDelta: fc.nat(2 ** 31 - 1),
  timestampDelta: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  key: fc.option(fc.oneof(text, bytes)),
  value: fc.option(fc.oneof(text, bytes)),
  headers: fc.dictionary(text, fc.oneof(text, bytes), { maxKeys: 6, noNullPrototype: true }),
})
const around = fc.record({
  firstOffset: fc.maxSafeNat().map((n) => String(Math.floor(n / 4))),
  firstTimestamp: fc.integer({ min: 0, max: 4e12 }).map(String),
  maxTimestamp: fc.integer({ min: 0, max: 4e12 }).map(String),
  timestampType: fc.constantFrom(0, 1),
  magicByte: fc.constant(2),
  isControlBatch: fc.boolean(),
})

test("a record is written to the very bytes that kafkajs makes of it", () => {
  fc.assert(
    fc.property(record, (one) => {
      expect(writeRecord(one).buffer.toString("hex")).toBe(kafkajs(one).buffer.toString("hex"))
    }),
    { numRuns: 1000 },
  )
})

test("a record is read as kafkajs reads it, but for its headers", () => {
  fc.assert(
    fc.property(record, around, (one, batch) => {
      const written = new Decoder(kafkajs(one).buffer).readVarIntBytes()
      const expected = kafkajsReads(new Decoder(written), batch)
      expect(readRecord(new Decoder(written), batch)).toEqual({ ...expected, headers: {} })
    }),
    { numRuns: 1000 },
  )
})

test("kafkajs uses ours from the first request on", async () => {
  const { mendKafkajs } = await import("../../core/log/kafka/kafkajs.ts")
  mendKafkajs()
  expect(load("kafkajs/src/protocol/recordBatch/record/v0/index.js")).toBe(writeRecord)
  expect(load("kafkajs/src/protocol/recordBatch/record/v0/decoder.js")).toBe(readRecord)
  const Queue = load("kafkajs/src/network/requestQueue/index.js")
  const resting = new Queue({
    maxInFlightRequests: 1,
    requestTimeout: 1,
    clientId: "a",
    broker: "b",
    logger: {},
  })
  resting.scheduleCheckPendingRequests()
  expect(resting.throttleCheckTimeoutId).toBeNull()
  resting.pending.push({})
  resting.scheduleCheckPendingRequests()
  expect(resting.throttleCheckTimeoutId).not.toBeNull()
  resting.destroy()
})

test("kafkajs shares a question for metadata with those alone whose topics it has", async () => {
  const { mendKafkajs } = await import("../../core/log/kafka/kafkajs.ts")
  mendKafkajs()
  const Cluster = load("kafkajs/src/cluster/index.js")
  const cluster = new Cluster({ logger: { namespace: () => ({}) }, brokers: [] })
  const asked: string[][] = []
  let fail: (error: Error) => void = () => {}
  cluster.brokerPool.refreshMetadata = async (topics: string[]) => {
    asked.push(topics)
    if (asked.length > 1) return
    await new Promise((_, reject) => {
      fail = reject
    })
  }
  const first = Promise.allSettled([cluster.refreshMetadata(), cluster.refreshMetadata()])
  const second = Promise.allSettled([cluster.addTargetTopic("added")])
  // Both have asked by then, or wait.
  await new Promise((resolve) => setImmediate(resolve))
  expect(asked).toEqual([[]])
  fail(new Error("it went away"))
  expect(await first).toMatchObject([{ status: "rejected" }, { status: "rejected" }])
  expect(await second).toMatchObject([{ status: "fulfilled" }])
  expect(asked).toEqual([[], ["added"]])
})

test("kafkajs keeps no connection on which the first request was not answered", async () => {
  const { mendKafkajs } = await import("../../core/log/kafka/kafkajs.ts")
  mendKafkajs()
  const Broker = load("kafkajs/src/broker/index.js")
  let isConnected = false
  const connectionPool = {
    isConnected: () => isConnected,
    getConnection: async () => {
      isConnected = true
    },
    send: () => Promise.reject(new Error("it does not answer")),
    destroy: async () => {
      isConnected = false
    },
  }
  const broker = new Broker({ connectionPool, logger: { namespace: () => ({}) } })
  await expect(broker.connect()).rejects.toThrow("it does not answer")
  // It would say that it is connected already.
  await expect(broker.connect()).rejects.toThrow("it does not answer")
})
