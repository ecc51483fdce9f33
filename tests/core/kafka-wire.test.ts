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

/** A member of a group, with the two brokers between which its group moves. */
async function memberOfGroup() {
  const { mendKafkajs } = await import("../../core/log/kafka/kafkajs.ts")
  mendKafkajs()
  const Group = load("kafkajs/src/consumer/consumerGroup.js")
  const asked: string[] = []
  const first = { heartbeat: () => ask("first"), fails: undefined as Error | undefined }
  const second = { heartbeat: () => ask("second") }
  async function ask(name: "first" | "second") {
    asked.push(name)
    if (name === "first" && first.fails !== undefined) throw first.fails
  }
  const find = { answer: async (): Promise<unknown> => second }
  const cluster = {
    findGroupCoordinator: ({ groupId }: { readonly groupId: string }) => {
      asked.push(`who has ${groupId}`)
      return find.answer()
    },
    refreshMetadataIfNecessary: () => first.heartbeat(),
  }
  const logger = { namespace: () => ({ debug: () => {} }) }
  const group = new Group({ groupId: "readers", cluster, logger, instrumentationEmitter: { emit: () => {} } })
  Object.assign(group, { memberId: "one", coordinator: first, offsetManager: { coordinator: first } })
  return { group, asked, first, second, find }
}

const { createErrorFromCode } = load("kafkajs/src/protocol/error.js")
const { isRebalancing, KafkaJSConnectionError, KafkaJSGroupCoordinatorNotFound } =
  load("kafkajs/src/errors.js")
const groupAnswers = { coordinatorNotAvailable: 15, notCoordinator: 16, unknownMember: 25, rebalance: 27 }

test.each([
  ["says that it has the group no longer", createErrorFromCode(groupAnswers.notCoordinator)],
  ["says that groups can't be used there", createErrorFromCode(groupAnswers.coordinatorNotAvailable)],
  ["is gone", new KafkaJSConnectionError("connect ECONNREFUSED", { code: "ECONNREFUSED" })],
])(
  "where the broker of its group %s, kafkajs looks for the one that has it, and does not join anew",
  async (_, why) => {
    for (const what of ["heartbeat", "fetch"]) {
      const { group, asked, first, second } = await memberOfGroup()
      first.fails = why
      const failure = await group[what]({ interval: -1 }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(Error)
      // It is tried again, and no change of partitions.
      expect(failure).not.toHaveProperty("retriable", false)
      expect(isRebalancing(failure)).toBe(false)
      expect(asked).toEqual(["first", "who has readers"])
      expect(group.offsetManager.coordinator).toBe(second)
      await group.heartbeat({ interval: -1 })
      expect(asked).toEqual(["first", "who has readers", "second"])
    }
  },
)

test("where no broker can say yet who has the group, kafkajs asks again with the next heartbeat", async () => {
  const { group, asked, first, find } = await memberOfGroup()
  first.fails = createErrorFromCode(groupAnswers.notCoordinator)
  find.answer = () => Promise.reject(new KafkaJSGroupCoordinatorNotFound("nobody knows"))
  for (let beats = 0; beats < 2; beats++) {
    const failure = await group.heartbeat({ interval: -1 }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Error)
    expect(failure).not.toHaveProperty("retriable", false)
  }
  expect(asked).toEqual(["first", "who has readers", "first", "who has readers"])
})

test.each([groupAnswers.rebalance, groupAnswers.unknownMember])(
  "what the broker of its group says of the member itself (%i) kafkajs hears as it was said",
  async (code) => {
    const { group, asked, first } = await memberOfGroup()
    first.fails = createErrorFromCode(code)
    await expect(group.heartbeat({ interval: -1 })).rejects.toBe(first.fails)
    expect(asked).toEqual(["first"])
  },
)
