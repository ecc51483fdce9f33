import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Kafka, logLevel } from "kafkajs"
import { pino } from "pino"
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest"
import { z } from "zod"
import { systemClock } from "../../core/clock.ts"
import { MillwrightError } from "../../core/errors.ts"
import { briefly, clusterOf, Line as KafkaLine } from "../../core/log/kafka/line.ts"
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from "../../core/log/kafka/log.ts"
import { settled } from "../../core/log/kafka/settle.ts"
import { ensureTopic, topicConfig } from "../../core/log/kafka/topic.ts"
import type { Consumer, Log, LogRecord, NewRecord } from "../../core/log/log.ts"
import type { Topic } from "../../core/topics.ts"
import { type KafkaServer, startKafka } from "../../services/kafka.ts"
import { logContract } from "../contract/log.ts"
import { errorAt, type KafkaProxy, producedErrorAt, requests, startKafkaProxy } from "./log-proxy.ts"
import { type Value, valueTopic } from "./log-topic.ts"

/** kafkajs declares this as an enum of values that it does not export. */
const topicResource = 2
const shared = inject("servers").kafka
const turn = () => new Promise((resolve) => setImmediate(resolve))
const opened: Log[] = []

type Line = {
  readonly level: number
  readonly msg: string
  readonly server?: string
  readonly records?: number
}

/** What an operator is told. */
function listening(level = "info") {
  const lines: Line[] = []
  const logger = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) })
  return { lines, logger }
}

function options(overrides: Partial<KafkaLogOptions> = {}): KafkaLogOptions {
  return {
    brokers: [shared],
    prefix: `test-${randomBytes(6).toString("hex")}.`,
    replication: 1,
    partitions: 8,
    clock: systemClock,
    logger: pino({ level: "silent" }),
    ...overrides,
  }
}

async function openLog(overrides: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  const log = await openKafkaLog(options(overrides))
  opened.push(log)
  return log
}

const proxies: KafkaProxy[] = []

/** Opens a log whose answers from Kafka the test may change. */
async function openThrough(overrides: Partial<KafkaLogOptions> = {}) {
  const proxy = await startKafkaProxy(shared)
  proxies.push(proxy)
  return { proxy, log: await openLog({ brokers: [proxy.address], ...overrides }) }
}

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close()
  for (const proxy of proxies.splice(0)) await proxy.close()
})

function adminOf(broker: string) {
  return new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).admin()
}

async function administer<R>(
  work: (admin: ReturnType<typeof adminOf>) => Promise<R>,
  broker = shared,
): Promise<R> {
  const admin = adminOf(broker)
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

/** As retention does. */
function deleteBefore(topic: string, offset: string): Promise<void> {
  return administer(async (admin) => {
    // kafkajs finds the partition only if it was asked about the topic before.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 3, offset }] })
  })
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

/** Remembers what it is handed and what it owns; goes on where it was. */
class Recorder implements Consumer<Value> {
  readonly seen: LogRecord<Value>[] = []
  readonly owned = new Set<number>()
  readonly positions: Map<number, number>

  constructor(positions = new Map<number, number>()) {
    this.positions = positions
  }

  async load(partition: number): Promise<number> {
    this.owned.add(partition)
    return this.positions.get(partition) ?? 0
  }

  async process(records: readonly LogRecord<Value>[]): Promise<void> {
    for (const record of records) {
      this.seen.push(record)
      this.positions.set(record.partition, record.position + 1)
    }
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.owned.delete(partition)
  }

  get numbers(): number[] {
    return this.seen.map(({ value }) => value.n).sort((a, b) => a - b)
  }
}

const values = (from: number, to: number, keys = 16): NewRecord<Value>[] =>
  Array.from({ length: to - from }, (_, at) => ({
    key: `asset-${(from + at) % keys}`,
    value: { n: from + at },
  }))

const upTo = (end: number) => Array.from({ length: end }, (_, n) => n)

/** Asks again and again, but leaves the processor to the servers meanwhile. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await systemClock.sleep(5)
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
  const line = new KafkaLine(access, pino({ level: "silent" }), { retry: briefly })
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

test("a sharing-out that Kafka announces and never makes leaves nobody without partitions", async () => {
  const { proxy, log } = await openThrough()
  const topic = valueTopic("announced")
  const recorder = new Recorder()
  await log.subscribe(topic, "readers", recorder)
  await log.append(topic, values(0, 20))
  await until(() => recorder.seen.length === 20)
  const rebalanceInProgress = 27
  let announced = 0
  proxy.change((request, answer) => {
    if (request === requests.heartbeat && announced++ === 0) answer.writeInt16BE(rebalanceInProgress, errorAt)
  })
  await until(() => recorder.owned.size === 0)
  await log.append(topic, values(20, 40))
  await until(() => recorder.seen.length === 40)
  expect(recorder.numbers).toEqual(upTo(40))
})

test("a member whose broker no longer has its group looks for the one that has, and keeps its partitions", async () => {
  const { lines, logger } = listening()
  const { proxy, log } = await openThrough({ logger })
  const topic = valueTopic("moved")
  const recorder = new Recorder()
  await log.subscribe(topic, "readers", recorder)
  const notCoordinator = 16
  const ofGroups: readonly number[] = [requests.findCoordinator, requests.joinGroup, requests.heartbeat]
  const asked: number[] = []
  const beats = () => asked.filter((request) => request === requests.heartbeat).length
  proxy.change((request, answer) => {
    if (!ofGroups.includes(request)) return
    asked.push(request)
    if (request === requests.heartbeat && beats() <= 2) answer.writeInt16BE(notCoordinator, errorAt)
  })
  await until(() => beats() === 4)
  const { heartbeat, findCoordinator } = requests
  expect(asked).toEqual([heartbeat, findCoordinator, heartbeat, findCoordinator, heartbeat, heartbeat])
  await log.append(topic, values(0, 20))
  await until(() => recorder.seen.length === 20)
  expect(recorder.owned.size).toBe(8)
  expect(lines).toEqual([])
})

test("a group that Kafka does not let in is told once, with what to do, and shown until it does", async () => {
  const { lines, logger } = listening()
  const { proxy, log } = await openThrough({ logger })
  const topic = valueTopic("forbidden")
  await log.append(topic, values(0, 20))
  const groupAuthorizationFailed = 30
  let refusals = 0
  proxy.change((request, answer) => {
    if (request !== requests.joinGroup || refusals === 2) return
    refusals++
    answer.writeInt16BE(groupAuthorizationFailed, errorAt)
  })
  const recorder = new Recorder()
  const subscribing = log.subscribe(topic, "readers", recorder)
  await until(() => log.reach.state !== "running")
  expect(log.reach.state).toMatch(/refuses group test-\w+\.readers\.forbidden .* may not join its groups/)
  // What is appended is taken all the same.
  expect(log.reach.isReached).toBe(true)
  await log.append(topic, values(20, 30))
  await subscribing
  expect(log.reach.state).toBe("running")
  await until(() => recorder.seen.length === 30)
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [50, expect.stringMatching(/refuses group .*Give kafka.user the rights .*Trying again$/)],
    [30, expect.stringMatching(/^Kafka takes group .* again$/)],
  ])
})

test("while Kafka refuses records, that is what is wrong, whatever else it answers; closing does not wait", async () => {
  const { lines, logger } = listening()
  const { proxy, log } = await openThrough({ logger })
  const [refused, other] = [valueTopic("refused"), valueTopic("other")]
  await log.append(refused, values(0, 1))
  await log.append(other, values(0, 1))
  const notEnoughReplicas = 19
  let isRefusing = true
  proxy.change((request, answer) => {
    if (request !== requests.produce || !isRefusing) return
    answer.writeInt16BE(notEnoughReplicas, producedErrorAt(answer))
  })
  const waiting = log.append(refused, values(1, 2))
  await until(() => !log.reach.isReached)
  expect(log.reach.state).toMatch(/refuses records .*too few copies/)
  expect(await collect(log.read(other))).toHaveLength(1)
  await log.ends(refused)
  expect(log.reach.isReached).toBe(false)
  expect((await log.lags()).length).toBe(0)
  isRefusing = false
  await waiting
  expect([log.reach.isReached, log.reach.state]).toEqual([true, "running"])
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [50, expect.stringMatching(/refuses records: too few copies .*Start the brokers.*Trying again$/)],
    [30, "Kafka takes records again"],
  ])
  isRefusing = true
  const pending = expect(log.append(refused, values(2, 3))).rejects.toThrow(MillwrightError)
  await until(() => !log.reach.isReached)
  await log.close()
  await pending
})

test("a member has saved what it gives up before another one loads it", async () => {
  const { prefix } = options()
  const topic = valueTopic("handed")
  const [first, second] = [await openLog({ prefix }), await openLog({ prefix })]
  const owners = new Map<number, string>()
  const overlaps: number[] = []
  const member = (name: string): Consumer<Value> => ({
    load: async (partition) => {
      if (owners.has(partition)) overlaps.push(partition)
      owners.set(partition, name)
      return 0
    },
    process: async () => {},
    revoked: async (partitions) => {
      // Saving takes a while, in which the others wait.
      for (let turns = 0; turns < 1000; turns++) await turn()
      for (const partition of partitions) owners.delete(partition)
    },
  })
  const share = (name: string) => [...owners.values()].filter((owner) => owner === name).length
  const one = await first.subscribe(topic, "readers", member("one"))
  const two = await second.subscribe(topic, "readers", member("two"))
  await until(() => share("one") === 4 && share("two") === 4)
  await two.close()
  await until(() => share("one") === 8)
  await one.close()
  expect(overlaps).toEqual([])
})

test("the partitions of a process that is killed go to the others", async () => {
  const { prefix } = options()
  const topic = valueTopic("shared")
  const log = await openLog({ prefix })
  await log.append(topic, values(0, 80))
  const script = fileURLToPath(new URL("log-member.ts", import.meta.url))
  const child = spawn(process.execPath, ["--import", "tsx", script, shared, prefix, topic.name, "readers"], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let said = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text
  })
  await until(() => said.includes("joined"))
  const recorder = new Recorder()
  await log.subscribe(topic, "readers", recorder)
  await until(() => recorder.owned.size === 4)
  child.kill("SIGKILL")
  await once(child, "exit")
  await log.append(topic, values(80, 120))
  await until(() => recorder.owned.size === 8)
  await until(() => new Set(recorder.numbers).size === 120)
  for (const numbers of byKey(recorder.seen)) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
})

test("lags tell how far every group is, in whichever process its members are", async () => {
  const { prefix } = options()
  const [here, there] = [await openLog({ prefix }), await openLog({ prefix })]
  const topic = valueTopic("watched.closely")
  await here.append(topic, values(0, 50))
  const recorder = new Recorder()
  const subscription = await here.subscribe(topic, "some.readers", recorder)
  await until(() => recorder.seen.length === 50)
  await until(async () => (await there.lags()).length === 1)
  expect(await here.lags()).toEqual([
    { topic: topic.name, group: "some.readers", behind: 0, uncommitted: 50 },
  ])
  for (const [partition, position] of recorder.positions) subscription.commit(partition, position)
  await until(async () => (await there.lags())[0]?.uncommitted === 0)
  expect(await there.lags()).toEqual([
    { topic: topic.name, group: "some.readers", behind: 0, uncommitted: 0 },
  ])
  await expect(there.declareDead(topic, "some.readers")).rejects.toMatchObject({ code: "USAGE" })
  await subscription.close()
  await there.declareDead(topic, "some.readers")
  await there.declareDead(topic, "some.readers")
  expect(await there.lags()).toEqual([])
})

test("reading leaves no group behind, also when it is broken off", async () => {
  const { prefix } = options()
  const log = await openLog({ prefix })
  const topic = valueTopic("read")
  await log.append(topic, values(0, 1000))
  for await (const { value } of log.read(topic)) if (value.n >= 0) break
  const follower = await log.follow(topic, () => {})
  await follower.close()
  const { groups } = await administer((admin) => admin.listGroups())
  expect(groups.filter(({ groupId }) => groupId.startsWith(prefix))).toEqual([])
})

describe("when Kafka goes away", () => {
  let own: KafkaServer
  beforeAll(async () => {
    own = await startKafka()
  })
  afterAll(async () => {
    await own.dispose()
  })
  afterEach(async () => {
    await own.start()
  })
  const openOwn = (overrides: Partial<KafkaLogOptions> = {}) =>
    openLog({ brokers: [own.address], ...overrides })

  test("nothing acknowledged is lost, and each key keeps its order, when it is killed under load", async () => {
    const { lines, logger } = listening()
    const log = await openOwn({ logger })
    const topic = valueTopic("load")
    const recorder = new Recorder()
    await log.subscribe(topic, "readers", recorder)
    let appended = 0
    const acknowledged: number[] = []
    const take = (count: number) => {
      appended += count
      return appended - count
    }
    const append = (count: number) =>
      Promise.all(
        values(take(count), appended).map(async (record) => {
          await log.append(topic, [record])
          acknowledged.push(record.value.n)
        }),
      )
    for (let kills = 0; kills < 2; kills++) {
      const load = Array.from({ length: 20 }, async () => {
        for (let rounds = 0; rounds < 20; rounds++) await append(10)
      })
      await until(() => acknowledged.length > kills * 4000 + 500)
      await own.kill()
      await own.start()
      await Promise.all(load)
    }
    expect(acknowledged).toHaveLength(8000)
    const stored = await collect(log.read(topic))
    for (const all of [stored, recorder.seen]) {
      await until(() => new Set(all.map(({ value }) => value.n)).size === 8000)
      // A repeated record may follow itself; its first place counts.
      for (const numbers of byKey(all)) {
        const first = [...new Set(numbers)]
        expect(first).toEqual([...first].sort((a, b) => a - b))
      }
    }
    const outages = lines.filter(({ server }) => server === "Kafka")
    expect(outages.filter(({ level }) => level === 50).length).toBeLessThanOrEqual(2)
    expect(outages.filter(({ msg }) => msg === "Kafka answers again").length).toBeLessThanOrEqual(2)
  })

  test("one line tells that it is gone and one that it answers again; consumers go on where they were", async () => {
    const { lines, logger } = listening()
    const log = await openOwn({ logger })
    const topic = valueTopic("paused")
    await log.append(topic, values(0, 40))
    const recorder = new Recorder()
    await log.subscribe(topic, "readers", recorder)
    await until(() => recorder.seen.length === 40)
    await own.stop()
    await until(() => !log.reach.isReached)
    expect(log.reach.state).toContain("ECONNREFUSED")
    expect(await log.lags()).toEqual([])
    const waiting = log.append(topic, values(40, 60))
    await own.start()
    await waiting
    await until(() => recorder.seen.length >= 60)
    expect(recorder.numbers).toEqual(upTo(60))
    await until(() => log.reach.isReached)
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      [50, expect.stringMatching(/^Kafka at .* can't be used: nothing listens there.*Trying again$/)],
      [30, "Kafka answers again"],
    ])
  })

  test("closing does not wait for it: what was not acknowledged is rejected", async () => {
    const log = await openOwn()
    const topic = valueTopic("closing")
    await log.append(topic, values(0, 10))
    const recorder = new Recorder()
    const subscription = await log.subscribe(topic, "readers", recorder)
    await own.kill()
    const pending = Promise.allSettled([log.append(topic, values(10, 20)), log.ends(topic)])
    await until(() => !log.reach.isReached)
    await log.close()
    for (const outcome of await pending) {
      expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(MillwrightError) })
    }
    await subscription.done
    expect(recorder.owned.size).toBe(0)
  })

  test("however many wait for it, no signal has the listeners of all of them", async () => {
    const log = await openOwn()
    const topic = valueTopic("awaited")
    await log.append(topic, values(0, 1))
    const warnings: Error[] = []
    const keep = (warning: Error) => void warnings.push(warning)
    process.on("warning", keep)
    await own.stop()
    const waiting = upTo(16).map(() => log.ends(topic))
    await until(() => !log.reach.isReached)
    await own.start()
    await Promise.all(waiting)
    process.off("warning", keep)
    expect(warnings).toEqual([])
  })

  test("opening waits for it, and says so once", async () => {
    await own.stop()
    const { lines, logger } = listening()
    const opening = openOwn({ logger })
    await until(() => lines.length === 1)
    await own.start()
    const log = await opening
    await log.append(valueTopic("late"), values(0, 1))
    expect(lines.map(({ level }) => level)).toEqual([50, 30])
  })

  test("a command does not wait", async () => {
    await own.stop()
    await expect(openOwn({ waits: false })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringContaining("Start it, or set the right address"),
    })
  })
})

test.each([
  ["a host that is not there", { brokers: ["nowhere.invalid:9092"] }, /no such host|can't be looked up/],
  ["a broker that speaks no TLS", { ssl: true }, /kafka\.tls/],
  [
    "a broker that asks for no password",
    { sasl: { mechanism: "plain", username: "a", password: "b" } },
    /takes no user and password/,
  ],
] as const)("%s is told in one line, and tried again until nobody waits any more", async (_, wrong, why) => {
  const { lines, logger } = listening()
  const patience = new AbortController()
  const opening = openKafkaLog(options({ ...wrong, logger, signal: patience.signal }))
  const ended = expect(opening).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
  await until(() => lines.length > 0)
  patience.abort()
  await ended
  expect(lines.map(({ msg }) => msg)).toEqual([expect.stringMatching(why)])
})

function byKey(seen: readonly LogRecord<Value>[]): number[][] {
  const keys = new Map<string, number[]>()
  for (const { key, value } of seen) keys.set(key, [...(keys.get(key) ?? []), value.n])
  return [...keys.values()]
}
