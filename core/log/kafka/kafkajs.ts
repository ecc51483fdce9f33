import { createRequire } from "node:module"
import { isOf, isUnanswered } from "./trouble.ts"
import { readRecord, writeRecord } from "./wire.ts"

type RequestQueue = {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

type Brokers = {
  readonly targetTopics: ReadonlySet<string>
  readonly brokerPool: { refreshMetadata(topics: readonly string[]): Promise<void> }
  refreshMetadata(): Promise<void>
}

type Broker = {
  apiVersions(): Promise<unknown>
  disconnect(): Promise<void>
}

/** A member of a group, as kafkajs has it. */
type Group = {
  readonly groupId: string
  readonly cluster: { findGroupCoordinator(of: { readonly groupId: string }): Promise<Coordinator> }
  /** There once it has joined. */
  readonly offsetManager: { coordinator: Coordinator } | null
  coordinator: Coordinator
}

/** The broker that has a group. */
type Coordinator = Readonly<Record<string, unknown>>

type GroupCalls = Record<(typeof groupCalls)[number], (this: Group, ...how: unknown[]) => Promise<unknown>>

/** A question that Kafka has not answered yet: where the partitions of these topics are. */
type Refresh = { readonly topics: ReadonlySet<string>; readonly answer: Promise<void> }

const load = createRequire(import.meta.url)
/** kafkajs does not offer these, so they are asked for by their paths: its version is pinned, and tests hold what we rely on. */
const paths = {
  broker: "kafkajs/src/broker/index.js",
  cluster: "kafkajs/src/cluster/index.js",
  group: "kafkajs/src/consumer/consumerGroup.js",
  queue: "kafkajs/src/network/requestQueue/index.js",
  record: "kafkajs/src/protocol/recordBatch/record/v0/index.js",
  recordDecoder: "kafkajs/src/protocol/recordBatch/record/v0/decoder.js",
} as const

/** What kafkajs asks the broker of a group over and over, once a member is in. */
const groupCalls = ["heartbeat", "fetch"] as const

/** The group may be with another broker. */
const elsewhere = ["NOT_COORDINATOR_FOR_GROUP", "GROUP_COORDINATOR_NOT_AVAILABLE"] as const

let isMended = false

/** Changes to kafkajs 2.2.4: three mend faults, three are for what they save, of which docs/results.md has the figures. */
export function mendKafkajs(): void {
  if (isMended) return
  isMended = true
  refreshWhatIsWanted()
  leaveWhatDoesNotAnswer()
  lookForTheGroup()
  restWhileNothingWaits()
  // kafkajs loads what encodes and decodes with the first request of a kind, and then finds ours.
  replace(paths.record, writeRecord)
  replace(paths.recordDecoder, readRecord)
}

/**
 * Whoever wants fresh metadata while it is being asked for gets that same answer from kafkajs, also where a topic was
 * added since, of which the question did not know: a topic that is not there then counts as there, and is never made.
 * Here a question is shared only where it has all the topics that are wanted; else another one follows it.
 */
function refreshWhatIsWanted(): void {
  const { prototype } = load(paths.cluster) as { readonly prototype: Brokers }
  if (typeof prototype.refreshMetadata !== "function") throw unexpected(paths.cluster)
  const underWay = new WeakMap<Brokers, Refresh>()
  prototype.refreshMetadata = async function refreshWanted() {
    for (let other = underWay.get(this); other !== undefined; other = underWay.get(this)) {
      const { topics, answer } = other
      if ([...this.targetTopics].every((topic) => topics.has(topic))) return answer
      // Why it failed is told to whoever asked it.
      await answer.catch(() => {})
    }
    const topics = new Set(this.targetTopics)
    const answer = this.brokerPool.refreshMetadata([...topics]).finally(() => underWay.delete(this))
    underWay.set(this, { topics, answer })
    return answer
  }
}

/**
 * Where a broker takes a connection but does not answer the first request on it, kafkajs fails and keeps the connection;
 * from then on it counts the broker as connected, and each request fails ("Broker not connected") for as long as that
 * one lasts, also when the broker answers again. Here it goes, so that the next attempt begins with one of its own.
 */
function leaveWhatDoesNotAnswer(): void {
  const { prototype } = load(paths.broker) as { readonly prototype: Broker }
  const ask = prototype.apiVersions
  if (typeof ask !== "function") throw unexpected(paths.broker)
  // The first request of all. Nobody else may connect before `connect` has ended.
  prototype.apiVersions = async function askOrLeave() {
    try {
      return await ask.call(this)
    } catch (error) {
      await this.disconnect()
      throw error
    }
  }
}

/**
 * Where a broker says that it has the group no longer, as each does for a moment while it starts, kafkajs takes that for
 * a new sharing-out of partitions: the member gives up all it has, and waits for what nobody announced. Where the
 * broker is gone kafkajs asks it until it comes back, and the group has nobody who reads as long. Here the broker that
 * has the group is looked for; the member stays what it is unless that one says otherwise.
 */
function lookForTheGroup(): void {
  const { prototype } = load(paths.group) as { readonly prototype: GroupCalls }
  const underWay = new WeakMap<Group, Promise<void>>()
  function look(group: Group): Promise<void> {
    const looking = underWay.get(group) ?? findGroup(group).finally(() => underWay.delete(group))
    underWay.set(group, looking)
    return looking
  }
  for (const call of groupCalls) {
    const ask = prototype[call]
    if (typeof ask !== "function") throw unexpected(paths.group)
    prototype[call] = async function askOrLook(...how) {
      try {
        return await ask.apply(this, how)
      } catch (error) {
        if (!isOf(error, ...elsewhere) && !isUnanswered(error)) throw error
        await look(this)
        // Not the error itself, by which kafkajs would know a rebalance. After this one it fetches again, soon.
        throw new Error("the broker of this group was looked for again", { cause: error })
      }
    }
  }
}

async function findGroup(group: Group): Promise<void> {
  try {
    group.coordinator = await group.cluster.findGroupCoordinator({ groupId: group.groupId })
    if (group.offsetManager !== null) group.offsetManager.coordinator = group.coordinator
  } catch {
    // Nobody can say yet: the next heartbeat fails too, and it is looked for again.
  }
}

/**
 * After every answer kafkajs looks for requests that wait their turn, and then each millisecond for ever, on every
 * connection, also where none waits. (Node 24 warns of its negative delay.) Here it looks again while there is one.
 */
function restWhileNothingWaits(): void {
  const { prototype } = load(paths.queue) as { readonly prototype: RequestQueue }
  const schedule = prototype.scheduleCheckPendingRequests
  if (typeof schedule !== "function") throw unexpected(paths.queue)
  prototype.scheduleCheckPendingRequests = function restingCheck() {
    if (this.pending.length > 0) schedule.call(this)
  }
}

function replace(path: string, ours: unknown): void {
  if (typeof load(path) !== "function") throw unexpected(path)
  const cached = load.cache[load.resolve(path)]
  if (cached === undefined) throw unexpected(path)
  cached.exports = ours
}

function unexpected(path: string): Error {
  return new Error(`${path} is not what it was in kafkajs 2.2.4: look whether the change is still needed`)
}
