import type { Cluster } from "kafkajs"
import type { Logger } from "pino"
import type { Clock } from "../../clock.ts"
import { MillwrightError } from "../../errors.ts"
import type { LogRecord, Position } from "../log.ts"
import { clusterOf, type Line } from "./line.ts"
import { lost, marksOf, refreshWhereStale } from "./marks.ts"
import type { KafkaReach } from "./reach.ts"
import { type Message, type Shape, toRecord } from "./record.ts"
import { settled } from "./settle.ts"
import { isOf } from "./trouble.ts"

/** How long Kafka keeps an answer back while there is nothing, ms. */
const patienceMs = 1000
/** Of one answer: bounds what is parsed in one turn of the event loop. */
const answerBytes = 2_097_152
const partitionBytes = 1_048_576

type Answer = {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly messages: readonly Message[] }[]
  }[]
}

export type Fetched<T> = {
  readonly partition: number
  readonly records: readonly LogRecord<T>[]
  /** The position after them. */
  readonly next: Position
}

/** Reads partitions of a topic without a group, answer by answer: the next is asked for when the last was dealt with. */
export class Reader<T> {
  /** For each partition that is read the position of its next record. Whoever reads may delete from it. */
  readonly positions: Map<number, Position>
  private readonly topic: string
  private readonly line: Line
  private readonly cluster: Cluster
  private readonly reach: KafkaReach
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly shape: Shape
  private readonly stop = new AbortController()

  constructor(
    topic: string,
    positions: Map<number, Position>,
    {
      line,
      reach,
      clock,
      logger,
      shape,
    }: {
      readonly line: Line
      readonly reach: KafkaReach
      readonly clock: Clock
      readonly logger: Logger
      readonly shape: Shape
    },
  ) {
    this.topic = topic
    this.positions = positions
    this.line = line
    this.cluster = clusterOf(line)
    this.reach = reach
    this.clock = clock
    this.logger = logger
    this.shape = shape
  }

  /**
   * What came next, in order within each partition; none where nothing came for a moment. Waits out an outage. Rejects
   * after `close`, and with `LOG_LOST`.
   */
  next(): Promise<readonly Fetched<T>[]> {
    const { signal } = this.stop
    const isTrouble = (error: unknown) => !signal.aborted && !(error instanceof MillwrightError)
    const work = () => settled(this.clock, signal, () => this.ask())
    return this.reach.taken(`topic ${this.topic}`, work, signal, isTrouble)
  }

  get isClosed(): boolean {
    return this.stop.signal.aborted
  }

  close(): void {
    this.stop.abort()
    this.line.cut()
  }

  private async ask(): Promise<readonly Fetched<T>[]> {
    try {
      await this.cluster.connect()
      await this.cluster.addTargetTopic(this.topic)
      const leaders = this.cluster.findLeaderForPartitions(this.topic, [...this.positions.keys()])
      const answers = await Promise.all(
        Object.entries(leaders).map(([nodeId, partitions]) => this.fetch(nodeId, partitions)),
      )
      // Only now that all have answered: what one broker sent is asked for again when another one failed.
      const fetched = answers.flat()
      for (const { partition, next } of fetched) this.positions.set(partition, next)
      return fetched
    } catch (error) {
      if (isOf(error, "OFFSET_OUT_OF_RANGE")) {
        await this.clamp()
        return []
      }
      await refreshWhereStale(this.cluster, error)
      throw error
    }
  }

  private async fetch(nodeId: string, partitions: readonly number[]): Promise<readonly Fetched<T>[]> {
    const broker = await this.cluster.findBroker({ nodeId })
    const answer = (await broker.fetch({
      maxWaitTime: patienceMs,
      minBytes: 1,
      maxBytes: answerBytes,
      topics: [
        {
          topic: this.topic,
          partitions: partitions.map((partition) => ({
            partition,
            fetchOffset: String(this.positions.get(partition)),
            maxBytes: partitionBytes,
          })),
        },
      ],
    })) as Answer
    return answer.responses.flatMap((response) =>
      response.partitions.flatMap(({ partition, messages }) => this.take(partition, messages)),
    )
  }

  private take(partition: number, messages: readonly Message[]): Fetched<T>[] {
    const from = this.positions.get(partition)
    const last = messages.at(-1)
    if (from === undefined || last === undefined) return []
    const records: LogRecord<T>[] = []
    for (const message of messages) {
      // An answer begins where the batch of records begins that the position lies in.
      if (Number(message.offset) < from || message.isControlRecord === true) continue
      const record = toRecord<T>(message, partition, { shape: this.shape, logger: this.logger })
      if (record !== undefined) records.push(record)
    }
    return [{ partition, records, next: Math.max(from, Number(last.offset) + 1) }]
  }

  /** Retention took the records away that were to be read next. */
  private async clamp(): Promise<void> {
    const { low, high } = await marksOf(this.cluster, this.topic)
    for (const [partition, position] of this.positions) {
      const [oldest, end] = [low[partition] ?? 0, high[partition] ?? 0]
      if (position > end) throw lost(this.topic, partition, position, end)
      if (position < oldest) this.positions.set(partition, oldest)
    }
  }
}
