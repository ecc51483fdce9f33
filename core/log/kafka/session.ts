import type { Batch, Consumer as KafkaConsumer } from "kafkajs"
import type { Logger } from "pino"
import { type Clock, every } from "../../clock.ts"
import { messageOf } from "../../errors.ts"
import type { Position } from "../log.ts"
import { Gatherer } from "./gather.ts"
import { forEver, type Line } from "./line.ts"

/** A member that was silent for so long is taken for dead: its partitions go to others. */
const sessionTimeout = 10_000
/** How long a member may take to finish the batch in hand and to save, before a rebalance leaves it out. */
const rebalanceTimeout = 60_000
const heartbeatInterval = 1000
/** How long Kafka keeps an answer back while there is nothing, ms: also how long a change of partitions waits. */
const patienceMs = 1000
/** Of one answer, and so of what a consumer is handed at a time. */
const answerBytes = 2_097_152
const partitionBytes = 524_288
/** The least time between two answers of a patient topic: many small ones would cost more than what they bring. */
const patientMs = 50
const commitMs = 1000
/** How long leaving the group may take: without a goodbye the others wait for the session to end. */
const leaveMs = 5000

/** What a session tells its member. */
export type SessionListener = {
  /** Kafka has shared out the partitions anew: these are now this member's. None is read before `begin`. */
  assigned(partitions: readonly number[]): void
  /**
   * Kafka is about to share out the partitions anew. False: not yet, this member has still to save. It is asked again
   * soon; until it agrees nobody else gets its partitions.
   */
  agrees(): boolean
  /**
   * True: it did not agree, has nothing left to save since, and was not asked again. Where Kafka takes its heartbeat
   * all the same nothing will be shared out, and the member would have no partitions for good.
   */
  isForgotten(): boolean
  /** Deals with what was read of several partitions. Never rejects. */
  handle(batches: readonly Batch[]): Promise<void>
  /** How far the group has come where Kafka does not know it yet. */
  untold(): readonly Offset[]
  told(offsets: readonly Offset[]): void
}

export type Offset = { readonly partition: number; readonly position: Position }

export type SessionOptions = {
  readonly topic: string
  readonly groupId: string
  readonly partitions: number
  readonly patient: boolean
  readonly line: Line
  /** Whether Kafka answers, as far as is known. */
  readonly isAnswering: () => boolean
  readonly clock: Clock
  readonly logger: Logger
}

/** One stay of a member in its group on Kafka, until it leaves or kafkajs gives up. */
export class Session {
  /** Resolves with the reason once the session is over without `close`. */
  readonly ended: Promise<unknown>
  private readonly options: SessionOptions
  private readonly listener: SessionListener
  private readonly consumer: KafkaConsumer
  private readonly stop = new AbortController()
  private readonly gatherer: Gatherer<Batch>
  private heartbeat: (() => Promise<void>) | undefined
  private handedMs = Number.NEGATIVE_INFINITY
  private end: (error: unknown) => void = () => {}

  constructor(options: SessionOptions, listener: SessionListener) {
    this.options = options
    this.listener = listener
    this.gatherer = new Gatherer((batches) => this.hand(batches))
    this.ended = new Promise((resolve) => {
      this.end = resolve
    })
    this.consumer = options.line.kafka.consumer({
      groupId: options.groupId,
      sessionTimeout,
      rebalanceTimeout,
      heartbeatInterval,
      minBytes: 1,
      maxWaitTimeInMs: patienceMs,
      maxBytes: answerBytes,
      maxBytesPerPartition: partitionBytes,
      allowAutoTopicCreation: false,
      retry: { ...forEver, restartOnFailure: async () => false },
    })
    this.listen()
  }

  /** Joins, in the background: `assigned` tells when, `ended` that it came to nothing. */
  start(): void {
    const { clock } = this.options
    const { signal } = this.stop
    const work = [
      this.run(),
      every(clock, heartbeatInterval, signal, () => this.beat()),
      every(clock, commitMs, signal, () => this.commit()),
    ]
    Promise.all(work).catch((error: unknown) => this.end(error))
  }

  /** Reads this partition from here on. */
  begin(partition: number, position: Position): void {
    const { topic } = this.options
    this.tell(() => {
      this.consumer.seek({ topic, partition, offset: String(position) })
      this.consumer.resume([{ topic, partitions: [partition] }])
    })
  }

  /** Reads nothing more before `begin`; the heart goes on beating. */
  pause(partitions: readonly number[]): void {
    const { topic } = this.options
    this.tell(() => this.consumer.pause([{ topic, partitions: [...partitions] }]))
  }

  /** Tells Kafka how far the group has come: for whoever looks at it from outside, not for us. */
  async commit(): Promise<void> {
    const { topic } = this.options
    const offsets = this.listener.untold()
    if (offsets.length === 0) return
    try {
      await this.consumer.commitOffsets(
        offsets.map(({ partition, position }) => ({ topic, partition, offset: String(position) })),
      )
      this.listener.told(offsets)
    } catch (error) {
      this.options.logger.debug(
        { error: messageOf(error) },
        "Kafka was not told how far the group is; it will be",
      )
    }
  }

  /** Leaves the group; without a goodbye where Kafka does not answer. */
  async close(): Promise<void> {
    const { clock, line, logger, isAnswering } = this.options
    this.stop.abort()
    if (!isAnswering()) return line.cut()
    const enough = new AbortController()
    const left = this.commit()
      .then(() => this.consumer.disconnect())
      .catch((error: unknown) =>
        logger.debug({ error: messageOf(error) }, "a group was left without goodbye"),
      )
    await Promise.race([left, clock.sleep(leaveMs, enough.signal)])
    enough.abort()
    line.cut()
  }

  private listen(): void {
    const { topic } = this.options
    const { GROUP_JOIN, REBALANCING, HEARTBEAT, CRASH } = this.consumer.events
    this.consumer.on(GROUP_JOIN, ({ payload }) => {
      const partitions = payload.memberAssignment[topic] ?? []
      // At once, since kafkajs would begin where the group's offsets on Kafka say.
      this.pause(partitions)
      if (!this.stop.signal.aborted) this.listener.assigned(partitions)
    })
    this.consumer.on(REBALANCING, () => {
      // kafkajs tells this before it joins again, and does so later where this throws: its heart goes on beating.
      if (!this.stop.signal.aborted && !this.listener.agrees()) {
        throw new Error("partitions are still being saved, the group is joined again after that")
      }
    })
    this.consumer.on(HEARTBEAT, () => {
      if (this.listener.isForgotten()) this.end(new Error("Kafka shares nothing out anew after all"))
    })
    this.consumer.on(CRASH, ({ payload }) => this.end(payload.error))
  }

  private async run(): Promise<void> {
    const { topic, partitions } = this.options
    await this.consumer.connect()
    await this.consumer.subscribe({ topics: [topic], fromBeginning: true })
    await this.consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: partitions,
      eachBatch: ({ batch, heartbeat }) => {
        this.heartbeat = heartbeat
        return this.gatherer.add(batch)
      },
    })
  }

  /** Hands over all batches of one answer together: one transaction downstream instead of one for each partition. */
  private async hand(batches: readonly Batch[]): Promise<void> {
    const { clock, patient } = this.options
    await this.listener.handle(batches)
    const restMs = this.handedMs + patientMs - clock.now()
    if (patient && restMs > 0) await clock.sleep(restMs, this.stop.signal)
    this.handedMs = clock.now()
  }

  /** While a batch is in hand kafkajs waits, and its heart with it. */
  private async beat(): Promise<void> {
    if (!this.gatherer.isBusy || this.heartbeat === undefined) return
    try {
      await this.heartbeat()
    } catch (error) {
      // A rebalance, mostly: kafkajs meets it again after the batch, which nothing may break off.
      this.options.logger.debug({ error: messageOf(error) }, "a heartbeat was not answered well")
    }
  }

  /** kafkajs refuses once it has given up; `ended` then tells, and everything is loaded anew. */
  private tell(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.options.logger.debug({ error: messageOf(error) }, "the consumer is over")
    }
  }
}
