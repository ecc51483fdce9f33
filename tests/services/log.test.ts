import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Kafka, logLevel } from "kafkajs"
import { pino } from "pino"
import { expect, test } from "vitest"
import { z } from "zod"
import { systemClock } from "../../core/clock.ts"
import { briefly, clusterOf, Line } from "../../core/log/kafka/line.ts"
import { openKafkaLog } from "../../core/log/kafka/log.ts"
import { settled } from "../../core/log/kafka/settle.ts"
import { ensureTopic, topicConfig } from "../../core/log/kafka/topic.ts"
import type { Topic } from "../../core/topics.ts"
import { logContract } from "../contract/log.ts"
import {
  administer,
  collect,
  listening,
  openLog,
  options,
  Recorder,
  shared,
  until,
  upTo,
  values,
} from "./log-setup.ts"
import { valueTopic } from "./log-topic.ts"

/** kafkajs declares this as an enum of values that it does not export. */
const topicResource = 2

/** As retention does. */
function deleteBefore(topic: string, offset: string): Promise<void> {
  return administer(async (admin) => {
    // kafkajs finds the partition only if it was asked about the topic before.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 3, offset }] })
  })
}

logContract("Kafka", async () => {
  const own = options()
  let log = await openKafkaLog(own)
  return {
    log,
    async reopen() {
      await log.close()
      log = await openKafkaLog(own)
      return log
    },
    dispose: () => log.close(),
  }
})

test("topics are made with the stated partitions, retention and compaction", async () => {
  const { prefix } = options()
  const log = await openLog({ prefix })
  const kept = valueTopic("kept", { retention: { ms: 3_600_000, bytes: 8e8 } })
  const newest = valueTopic("newest", { retention: { ms: 7_200_000, bytes: 8e6 }, compacted: true })
  await log.append(kept, values(0, 1))
  await log.append(newest, values(0, 1))
  const names = [`${prefix}kept`, `${prefix}newest`]
  const { resources } = await administer((admin) =>
    admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: topicResource, name })),
    }),
  )
  const configs = resources.map(({ configEntries }) =>
    Object.fromEntries(configEntries.map(({ configName, configValue }) => [configName, configValue])),
  )
  expect(configs).toMatchObject([
    {
      "cleanup.policy": "delete",
      "retention.ms": "3600000",
      "retention.bytes": "100000000",
      "segment.bytes": "25000000",
      "message.timestamp.type": "LogAppendTime",
      "max.message.bytes": "16000000",
    },
    {
      "cleanup.policy": "compact",
      "min.compaction.lag.ms": "7200000",
      "segment.bytes": "16777216",
      "message.timestamp.type": "LogAppendTime",
    },
  ])
  const { topics } = await administer((admin) => admin.fetchTopicMetadata({ topics: names }))
  expect(topics.map(({ partitions }) => partitions.length)).toEqual([8, 8])
})

test("three copies of a topic are kept by at least two brokers before an append resolves", () => {
  const config = topicConfig(valueTopic("safe"), { partitions: 8, replication: 3 })
  expect(config).toContainEqual({ name: "min.insync.replicas", value: "2" })
})

test("a topic with another number of partitions is refused, naming both numbers", async () => {
  const { prefix } = options()
  await (await openLog({ prefix })).append(valueTopic("split"), values(0, 1))
  const other = await openLog({ prefix, partitions: 16 })
  const refused = { code: "LOG_PARTITIONS_CHANGED", message: expect.stringMatching(/has 8 .* says 16/) }
  await expect(other.append(valueTopic("split"), values(0, 1))).rejects.toMatchObject(refused)
  await expect(other.subscribe(valueTopic("split"), "readers", new Recorder())).rejects.toMatchObject(refused)
})

test("a topic is made also where Kafka is being asked about others just then", async () => {
  const access = { brokers: [shared], clientId: "test", ssl: false }
  const line = new Line(access, pino({ level: "silent" }), { retry: briefly })
  const admin = line.kafka.admin()
  const cluster = clusterOf(line)
  const patience = new AbortController()
  const { prefix, partitions, replication } = options()
  const topic = valueTopic("meanwhile")
  const name = `${prefix}${topic.name}`
  try {
    await cluster.connect()
    await admin.connect()
    // As a log does from time to time, of the topics it knows so far.
    const refreshing = cluster.refreshMetadata()
    await settled(systemClock, patience.signal, () =>
      ensureTopic({ admin, cluster, clock: systemClock }, name, topic, { partitions, replication }),
    )
    await refreshing
    expect(cluster.findTopicPartitionMetadata(name)).toHaveLength(partitions)
  } finally {
    line.cut()
  }
})

test("records are CloudEvents in binary mode", async () => {
  const { prefix } = options()
  const log = await openLog({ prefix, clientId: "press line 4" })
  await log.append(valueTopic("plain", { patient: true }), [{ key: "a", value: { n: 1 } }])
  await log.append(valueTopic("named", { patient: false, identify: ({ n }) => `number/${n}` }), [
    { key: "b", value: { n: 2 } },
  ])
  const script = fileURLToPath(new URL("outsider.ts", import.meta.url))
  const topics = [`${prefix}plain`, `${prefix}named`]
  const child = spawn(process.execPath, ["--import", "tsx", script, shared, `${prefix}outsider`, ...topics], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  type Seen = { topic: string; headers: Record<string, string>; value: string; key: string }
  const seen: Seen[] = []
  for await (const line of createInterface(child.stdout)) {
    seen.push(JSON.parse(line) as Seen)
    if (seen.length === 2) break
  }
  child.kill()
  await once(child, "exit")
  const [named, plain] = seen.sort((a, b) => a.topic.localeCompare(b.topic))
  const required = { ce_specversion: "1.0", ce_source: "/millwright/press%20line%204" }
  const event = {
    ...required,
    ce_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    "content-type": "application/json",
  }
  expect(named).toMatchObject({ key: "b", value: '{"n":2}' })
  expect(named?.headers).toEqual({ ...event, ce_type: "org.millwright.named", ce_id: "number/2" })
  expect(plain?.headers).toEqual({
    ...required,
    ce_type: "org.millwright.plain",
    ce_id: expect.stringMatching(/^[\da-f-]{36}\/\d+$/),
  })
})

test("a position that Kafka does not have stops the subscription with LOG_LOST, and skips nothing", async () => {
  const log = await openLog()
  const topic = valueTopic("restored")
  await log.append(topic, values(0, 20))
  const recorder = new Recorder(new Map(Array.from({ length: 8 }, (_, partition) => [partition, 1000])))
  await expect(log.subscribe(topic, "readers", recorder)).rejects.toMatchObject({
    code: "LOG_LOST",
    message: expect.stringMatching(/restored ends at \d+ in partition \d, but 1000 was read before/),
  })
})

test("a topic that is made anew under a running subscription stops it with LOG_LOST", async () => {
  const { prefix } = options()
  const log = await openLog({ prefix })
  const topic = valueTopic("remade")
  await log.append(topic, values(0, 80))
  const recorder = new Recorder()
  const subscription = await log.subscribe(topic, "readers", recorder)
  await until(() => recorder.seen.length === 80)
  const lost = expect(subscription.done).rejects.toMatchObject({ code: "LOG_LOST" })
  await administer((admin) => admin.deleteTopics({ topics: [`${prefix}remade`] }))
  const other = await openLog({ prefix })
  await until(async () => {
    const topics = await administer((admin) => admin.listTopics())
    return !topics.includes(`${prefix}remade`)
  })
  await other.append(topic, values(0, 16))
  await lost
  expect(recorder.seen).toHaveLength(80)
})

test("what retention deleted unread is told with its number, and the rest is handed over", async () => {
  const { prefix } = options()
  const { lines, logger } = listening("error")
  const log = await openLog({ prefix, logger })
  const topic = valueTopic("deleted")
  await log.append(
    topic,
    upTo(10).map((n) => ({ key: "one", partition: 3, value: { n } })),
  )
  await deleteBefore(`${prefix}deleted`, "7")
  const recorder = new Recorder(new Map([[3, 2]]))
  const subscription = await log.subscribe(topic, "slow", recorder)
  await until(() => recorder.seen.length === 3)
  expect(recorder.numbers).toEqual([7, 8, 9])
  expect(subscription.position(3)).toBe(10)
  expect(lines).toMatchObject([{ msg: expect.stringContaining("before they were read"), records: 5 }])
  expect((await collect(log.read(topic))).map(({ value }) => value.n)).toEqual([7, 8, 9])
})

test("a partition all of whose records were deleted counts as read to its end", async () => {
  const { prefix } = options()
  const log = await openLog({ prefix })
  const topic = valueTopic("emptied")
  await log.append(
    topic,
    upTo(4).map((n) => ({ key: "one", partition: 3, value: { n } })),
  )
  await deleteBefore(`${prefix}emptied`, "4")
  const subscription = await log.subscribe(topic, "readers", new Recorder())
  const [, , , end] = await log.ends(topic)
  expect(end).toBe(4)
  expect(subscription.position(3)).toBe(end)
  expect(await collect(log.read(topic))).toEqual([])
})

test("a record too large for its topic is refused with its size; the others are taken", async () => {
  const log = await openLog()
  const topic: Topic<unknown> = { ...valueTopic("large"), schema: z.unknown() }
  const small = [log.append(topic, [{ key: "a", value: 1 }])]
  const large = log.append(topic, [{ key: "a", value: "x".repeat(17_000_000) }])
  small.push(log.append(topic, [{ key: "a", value: 2 }]))
  await expect(large).rejects.toMatchObject({
    code: "RECORD_TOO_LARGE",
    message: expect.stringContaining("a record of 170003"),
  })
  await Promise.all(small)
  // Larger than what Kafka takes by its own defaults.
  await log.append(topic, [{ key: "a", value: "x".repeat(3_000_000) }])
  expect((await collect(log.read(topic))).map(({ value }) => String(value).length)).toEqual([1, 1, 3_000_000])
})

test("records of somebody else that have not the topic's shape are told and passed over", async () => {
  const { prefix } = options()
  const { lines, logger } = listening("error")
  const log = await openLog({ prefix, logger })
  const topic = valueTopic("mixed")
  await log.append(topic, [{ key: "a", partition: 0, value: { n: 1 } }])
  const foreign = ["pump on", "null", "{}", '{"n":"1"}', null]
  const messages = foreign.map((value) => ({ partition: 0, value }))
  const producer = new Kafka({ brokers: [shared], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  await producer.send({ topic: `${prefix}mixed`, messages })
  await producer.disconnect()
  await log.append(topic, [{ key: "a", partition: 0, value: { n: 2 } }])
  const recorder = new Recorder()
  const subscription = await log.subscribe(topic, "readers", recorder)
  await until(() => recorder.seen.length === 2)
  expect(recorder.numbers).toEqual([1, 2])
  expect(lines).toMatchObject(foreign.map(() => ({ msg: expect.stringContaining("not JSON") })))
  await until(() => subscription.position(0) === 7)
  expect((await collect(log.read(topic))).map(({ value }) => value.n)).toEqual([1, 2])
})

test("offsets without records are told and passed: somebody else's transaction was aborted", async () => {
  const { prefix } = options()
  const { lines, logger } = listening("warn")
  const log = await openLog({ prefix, logger })
  const topic = valueTopic("aborted")
  const record = (n: number) => [{ key: "one", partition: 3, value: { n } }]
  await log.append(topic, record(1))
  const recorder = new Recorder()
  await log.subscribe(topic, "readers", recorder)
  await until(() => recorder.seen.length === 1)
  const producer = new Kafka({ brokers: [shared], logLevel: logLevel.NOTHING }).producer({
    transactionalId: `${prefix}somebody`,
    idempotent: true,
    maxInFlightRequests: 1,
  })
  await producer.connect()
  const transaction = await producer.transaction()
  await transaction.send({ topic: `${prefix}aborted`, messages: [{ partition: 3, value: '{"n":2}' }] })
  await transaction.abort()
  await producer.disconnect()
  await log.append(topic, record(3))
  await until(() => recorder.seen.length === 2)
  expect(recorder.numbers).toEqual([1, 3])
  expect(lines).toMatchObject([{ msg: expect.stringContaining("no records at some offsets") }])
})
