import type { Producer, TopicMessages } from "kafkajs"
import type { Logger } from "pino"
import type { Clock } from "../../clock.ts"
import { briefly, type Line } from "./line.ts"
import type { KafkaReach } from "./reach.ts"
import { isOf } from "./trouble.ts"

/** kafkajs numbers the records of each partition with 32 bits and goes wrong where they are full. */
const producerRecords = 1_000_000_000
/** How long closing waits for a server that takes its time. */
const closeMs = 5000

/** Kafka's answers after which a producer's numbers of its records are no longer those that the server expects. */
const numberingErrors = [
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "DUPLICATE_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
] as const

export const tooLargeErrors = ["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"] as const

export type SenderOptions = {
  readonly clock: Clock
  readonly logger: Logger
  readonly reach: KafkaReach
  readonly openLine: () => Line
}

type Connected = { readonly producer: Producer; records: number }

/**
 * Sends one request at a time, again and again until Kafka has acknowledged it. The producer is idempotent: records
 * are numbered, so that the server takes a repeated request once.
 */
export class Sender {
  private readonly options: SenderOptions
  private readonly stop = new AbortController()
  private line: Line | undefined
  private connected: Connected | undefined
  private isCut = false

  constructor(options: SenderOptions) {
    this.options = options
  }

  /** Resolves once every copy that must be is written. Rejects where the request itself is refused, and when closing. */
  async send(topicMessages: TopicMessages[], records: number): Promise<void> {
    const { reach } = this.options
    const isTrouble = (error: unknown) => !this.isCut && !isOf(error, ...tooLargeErrors)
    const request = () => this.request(topicMessages, records)
    try {
      await reach.taken("records", request, this.stop.signal, isTrouble)
    } catch (error) {
      // Where only the size is wrong Kafka takes records.
      if (isOf(error, ...tooLargeErrors)) reach.accepted("records")
      throw error
    }
  }

  /** From now on nothing is repeated: what is under way is waited for, but not for a server that is gone. */
  async close(idle: Promise<void>): Promise<void> {
    this.stop.abort()
    if (!this.options.reach.isReached) this.cut()
    const enough = new AbortController()
    const tooLong = this.options.clock.sleep(closeMs, enough.signal).then(() => this.cut())
    await idle
    await Promise.race([this.connected?.producer.disconnect(), tooLong])
    enough.abort()
    this.cut()
  }

  private async request(topicMessages: TopicMessages[], records: number): Promise<void> {
    const connected = await this.connect()
    try {
      await connected.producer.sendBatch({ topicMessages, acks: -1 })
      connected.records += records
      if (connected.records > producerRecords) this.connected = undefined
    } catch (error) {
      if (!isOf(error, ...numberingErrors, ...tooLargeErrors)) throw error
      // A new producer begins to number anew. What of this request was written is written twice: its records have
      // ids, and none of them was acknowledged, so nothing that came later stands in between.
      this.connected = undefined
      if (isOf(error, ...tooLargeErrors)) throw error
      this.options.logger.warn(
        { err: error },
        "Kafka no longer knows the numbers of this producer: another takes over",
      )
      const next = await this.connect()
      await next.producer.sendBatch({ topicMessages, acks: -1 })
    }
  }

  private async connect(): Promise<Connected> {
    if (this.connected !== undefined) return this.connected
    this.line?.cut()
    this.line = this.options.openLine()
    const producer = this.line.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: briefly,
      // Every record names its partition: the same on every adapter, see partition.ts.
      createPartitioner:
        () =>
        ({ message }) =>
          message.partition ?? 0,
    })
    await producer.connect()
    this.connected = { producer, records: 0 }
    return this.connected
  }

  private cut(): void {
    this.isCut = true
    this.line?.cut()
  }
}
