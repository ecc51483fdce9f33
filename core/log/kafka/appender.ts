import type { Message, TopicMessages } from "kafkajs"
import type { Clock } from "../../clock.ts"
import { MillwrightError } from "../../errors.ts"
import type { Topic } from "../../topics.ts"
import type { NewRecord } from "../log.ts"
import { partitionOf } from "../partition.ts"
import { EventHeaders } from "./event.ts"
import { type Sender, tooLargeErrors } from "./sender.ts"
import { mostRecordBytes } from "./topic.ts"
import { isOf } from "./trouble.ts"

/** What one request takes at most. Kafka takes 100 MB in all and, by its defaults, 1 MB for a partition. */
const requestBytes = 8_000_000
const partitionBytes = 900_000
const requestRecords = 5000
/** What a record has beside key and value: its headers, and Kafka's own fields. */
const overheadBytes = 300

/** One call of `append`. */
type Append = {
  /** Records that are not durable yet. */
  left: number
  hasFailed: boolean
  resolve(): void
  reject(error: unknown): void
}

type Outgoing = {
  readonly topic: Topic<unknown>
  readonly message: Message
  readonly partition: number
  readonly bytes: number
  readonly append: Append
}

export type AppenderOptions = {
  readonly prefix: string
  readonly partitions: number
  readonly clientId: string
  readonly clock: Clock
  readonly sender: Sender
  /** Makes sure that the topic is there. */
  readonly ensure: (topic: Topic<unknown>) => Promise<void>
  /** The least time between two requests while everybody is patient, ms. */
  readonly lingerMs: number
}

/**
 * The log's one way in. Every append waits for the next request, which takes the records of all topics that have come
 * meanwhile; one request at a time, so that records keep the order in which they came.
 */
export class Appender {
  private readonly options: AppenderOptions
  private readonly headers: EventHeaders
  private queue: Outgoing[] = []
  private flushing: Promise<void> | undefined
  private isClosed = false
  private lastRequestMs = Number.NEGATIVE_INFINITY
  /** Ends the wait for company: somebody appended what must not wait. */
  private hurry = new AbortController()

  constructor(options: AppenderOptions) {
    this.options = options
    this.headers = new EventHeaders(options.clientId)
  }

  append<T>(topic: Topic<T>, records: readonly NewRecord<T>[]): Promise<void> {
    if (this.isClosed) return Promise.reject(new MillwrightError("LOG_CLOSED", "the log is closed"))
    if (records.length === 0) return Promise.resolve()
    const nowMs = this.options.clock.now()
    return new Promise((resolve, reject) => {
      const append: Append = { left: records.length, hasFailed: false, resolve, reject }
      // All of them before the first is taken: where one is not JSON, this throws and none is.
      const outgoing = records.map((record) => this.outgoing(topic, record, nowMs, append))
      for (const one of outgoing) this.queue.push(one)
      if (!topic.patient) this.hurry.abort()
      this.flushing ??= this.flush()
    })
  }

  /** Waits for what was appended, but not for a server that is gone: those appends are rejected. */
  async close(): Promise<void> {
    this.isClosed = true
    this.hurry.abort()
    await this.options.sender.close(this.flushing ?? Promise.resolve())
  }

  private outgoing<T>(
    topic: Topic<T>,
    { key, value, partition }: NewRecord<T>,
    nowMs: number,
    append: Append,
  ): Outgoing {
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`a record of ${topic.name} has a value that is not JSON`)
    const body = Buffer.from(text)
    const owner = partition ?? partitionOf(key, this.options.partitions)
    return {
      topic: topic as Topic<unknown>,
      message: { key, value: body, partition: owner, headers: this.headers.of(topic, value, nowMs) },
      partition: owner,
      bytes: body.length + key.length + overheadBytes,
      append,
    }
  }

  private async flush(): Promise<void> {
    const { clock, lingerMs } = this.options
    while (this.queue.length > 0) {
      const restMs = this.lastRequestMs + lingerMs - clock.now()
      // Even without a wait, one turn of the event loop lets the messages of the same socket read come along.
      if (restMs > 0) await clock.sleep(restMs, this.hurry.signal)
      else await new Promise((resolve) => setImmediate(resolve))
      if (this.hurry.signal.aborted) this.hurry = new AbortController()
      this.lastRequestMs = clock.now()
      await this.send(this.take())
    }
    this.flushing = undefined
  }

  /** The next records, as many as one request may have; at least one. */
  private take(): readonly Outgoing[] {
    const sizes = new Map<string, number[]>()
    let bytes = 0
    let count = 0
    for (const { topic, partition, bytes: added } of this.queue) {
      let ofTopic = sizes.get(topic.name)
      if (ofTopic === undefined) {
        ofTopic = []
        sizes.set(topic.name, ofTopic)
      }
      const size = (ofTopic[partition] ?? 0) + added
      // What is too large for company goes alone, so that its refusal concerns nobody else.
      if (count > 0 && (size > partitionBytes || bytes + added > requestBytes || count === requestRecords))
        break
      ofTopic[partition] = size
      bytes += added
      count++
      if (size > partitionBytes) break
    }
    return this.queue.splice(0, count)
  }

  /** Settles each of these records, one way or the other. */
  private async send(batch: readonly Outgoing[]): Promise<void> {
    const ready = await this.withTopics(batch)
    if (ready.length === 0) return
    try {
      await this.options.sender.send(topicMessages(ready, this.options.prefix), ready.length)
      for (const { append } of ready) {
        append.left--
        if (append.left === 0 && !append.hasFailed) append.resolve()
      }
    } catch (error) {
      if (ready.length > 1 && isOf(error, ...tooLargeErrors)) {
        const half = Math.ceil(ready.length / 2)
        await this.send(ready.slice(0, half))
        return this.send(ready.slice(half))
      }
      if (isOf(error, ...tooLargeErrors)) return fail(ready, tooLarge(ready[0], this.options.prefix, error))
      const reason = error instanceof MillwrightError ? error : closedBefore(error)
      // When the log closes nobody waits for a server that is gone: the next request would not fare better.
      fail([...ready, ...this.queue.splice(0)], reason)
    }
  }

  /** Without the records of appends that have failed, and of topics that can't be used, which fail here. */
  private async withTopics(batch: readonly Outgoing[]): Promise<readonly Outgoing[]> {
    for (const topic of new Set(batch.map((one) => one.topic))) {
      try {
        await this.options.ensure(topic)
      } catch (error) {
        fail(
          batch.filter((one) => one.topic === topic),
          error,
        )
      }
    }
    return batch.every(({ append }) => !append.hasFailed)
      ? batch
      : batch.filter(({ append }) => !append.hasFailed)
  }
}

function fail(records: readonly Outgoing[], error: unknown): void {
  for (const { append } of records) {
    append.hasFailed = true
    append.reject(error)
  }
}

function closedBefore(cause: unknown): MillwrightError {
  return new MillwrightError("LOG_CLOSED", "the log was closed before Kafka had taken this record", { cause })
}

function tooLarge(one: Outgoing | undefined, prefix: string, cause: unknown): MillwrightError {
  return new MillwrightError(
    "RECORD_TOO_LARGE",
    `a record of ${one?.bytes} bytes is more than Kafka takes for the topic ${prefix}${one?.topic.name}. Set the ` +
      `topic's max.message.bytes (Millwright makes it ${mostRecordBytes}) above mqtt.maxPayloadBytes by half, and its ` +
      "segment.bytes above that; or set mqtt.maxPayloadBytes lower.",
    { cause },
  )
}

function topicMessages(records: readonly Outgoing[], prefix: string): TopicMessages[] {
  const byTopic = new Map<string, Message[]>()
  for (const { topic, message } of records) {
    const messages = byTopic.get(topic.name)
    if (messages === undefined) byTopic.set(topic.name, [message])
    else messages.push(message)
  }
  return [...byTopic].map(([name, messages]) => ({ topic: `${prefix}${name}`, messages }))
}
