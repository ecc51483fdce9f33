import type { Batch } from "kafkajs"
import type { Logger } from "pino"
import { type Clock, every } from "../../clock.ts"
import { MillwrightError, messageOf } from "../../errors.ts"
import type { Consumer, LogRecord, Position, Subscription } from "../log.ts"
import { lost, type Marks } from "./marks.ts"
import { type Shape, toRecord } from "./record.ts"
import type { Offset, Session, SessionListener } from "./session.ts"
import { isPassing } from "./settle.ts"

/** How long to wait before joining again after kafkajs has given up; longer each time that Kafka refuses. */
const rejoinMs = 1000
const longestRejoinMs = 30_000
/** A broker that has just started may tell an end that is too low for a moment: so often is it asked again. */
const endAskedTimes = 5
const askAgainMs = 1000
const retentionCheckMs = 30_000
/** How long giving up partitions waits for Kafka to hear how far the group has come. */
const tellMs = 1000

type Owned = {
  /** The next record to hand over. */
  position: Position
  committed: Position
  /** What Kafka was told last. */
  told: Position
  /** Asked for once more, since what came was further on. */
  sought?: Position
}

export type MemberOptions = {
  readonly topic: string
  readonly shape: Shape
  /** Between two records of it others may be missing. */
  readonly compacted: boolean
  readonly clock: Clock
  readonly logger: Logger
  /** A new stay in the group. */
  readonly openSession: (listener: SessionListener) => Session
  /** Where the partitions begin and end now. Waits out an outage, until the signal. */
  readonly marks: (signal: AbortSignal) => Promise<Marks>
  /** Told each time that Kafka does not let this member in, and once it has. */
  readonly refused: (reason: unknown) => void
  readonly accepted: () => void
}

/** One member of a group: its partitions, and the handing over of their records one batch at a time. */
export class Member<T> implements Subscription, SessionListener {
  readonly done: Promise<void>
  /** Resolves when the first share of partitions was loaded; rejects with what stopped this member before. */
  readonly joined: Promise<void>
  private readonly consumer: Consumer<T>
  private readonly options: MemberOptions
  private readonly owned = new Map<number, Owned>()
  private readonly stop = new AbortController()
  private session: Session
  private turn: Promise<void> = Promise.resolve()
  private failure: { readonly error: unknown } | undefined
  /** Rises with every change of partitions: what was begun for an older one is given up. */
  private generation = 0
  /** Changes of partitions that are not through yet. */
  private changes = 0
  /** Kafka waits for this member to agree. */
  private owesAgreement = false
  /** Since it was last in the group: how often it was refused. */
  private refusals = 0
  private wasIn = false
  private join!: { resolve(): void; reject(error: unknown): void }

  constructor(consumer: Consumer<T>, options: MemberOptions) {
    this.consumer = consumer
    this.options = options
    this.joined = new Promise((resolve, reject) => {
      this.join = { resolve, reject }
    })
    this.session = options.openSession(this)
    this.done = this.run()
    // Whoever subscribed decides what a failure means; until then it must not end the process.
    this.joined.catch(() => {})
    this.done.catch(() => {})
    every(options.clock, retentionCheckMs, this.stop.signal, () => this.passDeleted()).catch((error) =>
      this.fail(error),
    )
  }

  get partitions(): readonly number[] {
    return [...this.owned.keys()]
  }

  commit(partition: number, position: Position): void {
    const one = this.owned.get(partition)
    if (one !== undefined && position > one.committed) one.committed = position
  }

  position(partition: number): Position {
    return this.owned.get(partition)?.position ?? 0
  }

  close(): Promise<void> {
    this.stop.abort()
    return this.done
  }

  assigned(partitions: readonly number[]): void {
    const generation = ++this.generation
    this.owesAgreement = false
    this.refusals = 0
    this.wasIn = true
    this.options.accepted()
    this.change(async () => {
      // Nothing is left after a rebalance that this member agreed to; one that was thrown out has it all.
      await this.release()
      await this.load(partitions, generation)
      if (generation === this.generation) this.join.resolve()
    })
  }

  agrees(): boolean {
    if (this.changes === 0 && this.owned.size === 0) return true
    this.generation++
    this.owesAgreement = true
    if (this.changes === 0) {
      this.session.pause(this.partitions)
      this.change(() => this.release())
    }
    return false
  }

  isForgotten(): boolean {
    return this.owesAgreement && this.changes === 0
  }

  async handle(batches: readonly Batch[]): Promise<void> {
    await this.exclusively(async () => {
      const records: LogRecord<T>[] = []
      const ends = new Map<Owned, Position>()
      for (const batch of batches) {
        const one = this.owned.get(batch.partition)
        if (one === undefined || !(await this.follows(batch, one))) continue
        this.collect(batch, one.position, records)
        ends.set(one, Math.max(one.position, Number(batch.lastOffset()) + 1))
      }
      if (records.length > 0) await this.consumer.process(records)
      for (const [one, end] of ends) one.position = end
    })
  }

  untold(): readonly Offset[] {
    return [...this.owned]
      .filter(([, one]) => one.committed !== one.told)
      .map(([partition, { committed }]) => ({ partition, position: committed }))
  }

  told(offsets: readonly Offset[]): void {
    for (const { partition, position } of offsets) {
      const one = this.owned.get(partition)
      if (one !== undefined) one.told = position
    }
  }

  private async run(): Promise<void> {
    const { signal } = this.stop
    const stopped = new Promise<"stopped">((resolve) => {
      signal.addEventListener("abort", () => resolve("stopped"))
    })
    this.session.start()
    while (!signal.aborted) {
      const over = await Promise.race([stopped, this.session.ended])
      if (over !== "stopped") await this.rejoin(over)
    }
    if (this.failure === undefined) {
      this.session.pause(this.partitions)
      await this.exclusively(() => this.release())
    }
    // After a failure no checkpoint: what was derived can't be trusted, and the next owner goes on from the last one.
    this.owned.clear()
    await this.session.close()
    this.join.reject(this.failure?.error ?? new MillwrightError("LOG_CLOSED", "the log is closed"))
    if (this.failure !== undefined) throw this.failure.error
  }

  /** kafkajs has given up, and forgot who it was: everything is given back and loaded anew. */
  private async rejoin(reason: unknown): Promise<void> {
    const { clock, marks, openSession } = this.options
    const { signal } = this.stop
    this.generation++
    this.owesAgreement = false
    await this.exclusively(() => this.release())
    await this.session.close()
    try {
      // Where Kafka is gone this waits for it, and Reach tells; otherwise the reason is this group's own.
      await marks(signal)
    } catch (error) {
      if (signal.aborted) return
      this.fail(error)
      return
    }
    await clock.sleep(this.pauseAfter(reason), signal)
    if (signal.aborted) return
    this.session = openSession(this)
    this.session.start()
  }

  /** Tells why this member is not in its group; gives how long to wait before it is joined again, ms. */
  private pauseAfter(reason: unknown): number {
    const { logger, refused } = this.options
    const fellOut = this.wasIn
    this.wasIn = false
    const error = messageOf(reason)
    // As a cluster starts its groups can't be joined at first: that is no news.
    if (isPassing(reason)) logger.debug({ error }, "this group can't be joined yet")
    else if (fellOut) logger.warn({ error }, "this consumer fell out of its group, and joins it again")
    else {
      refused(reason)
      return Math.min(rejoinMs * 2 ** this.refusals++, longestRejoinMs)
    }
    return rejoinMs
  }

  private async load(partitions: readonly number[], generation: number): Promise<void> {
    const isOver = () => generation !== this.generation || this.stop.signal.aborted
    for (const partition of partitions) {
      if (isOver()) return
      const position = await this.consumer.load(partition)
      this.owned.set(partition, { position, committed: position, told: -1 })
    }
    if (isOver() || partitions.length === 0) return
    const marks = await this.marks()
    for (const [partition, one] of this.owned) {
      await this.checkEnd(partition, one.position, marks)
      if (isOver()) return
      this.skipDeleted(partition, one, marks)
      this.session.begin(partition, one.position)
    }
    await this.session.commit()
  }

  /** Gives all partitions up. */
  private async release(): Promise<void> {
    if (this.owned.size === 0) return
    const { clock } = this.options
    await this.consumer.revoked(this.partitions)
    // For a moment only: it does not matter to anybody but whoever looks at the group's lag.
    await Promise.race([this.session.commit(), clock.sleep(tellMs, this.stop.signal)])
    this.owned.clear()
  }

  /** Whether this batch is what comes next in its partition. Throws `LOG_LOST` where Kafka has less than was read. */
  private async follows(batch: Batch, one: Owned): Promise<boolean> {
    const { partition } = batch
    if (Number(batch.highWatermark) < one.position) {
      await this.checkEnd(partition, one.position, await this.marks())
      this.session.begin(partition, one.position)
      return false
    }
    const isGap = !this.options.compacted && Number(batch.messages[0]?.offset) > one.position
    if (!isGap) return true
    this.skipDeleted(partition, one, await this.marks())
    const missing = Number(batch.messages[0]?.offset) - one.position
    if (missing <= 0) return true
    // Asked for once more it is still not there: others' aborted transactions leave such gaps, and their compaction.
    if (one.sought === one.position) {
      this.options.logger.warn(
        { partition, position: one.position, records: missing },
        "Kafka has no records at some offsets that it kept: something else writes to this topic, or changed its settings",
      )
      return true
    }
    one.sought = one.position
    this.session.begin(partition, one.position)
    return false
  }

  private collect(batch: Batch, from: Position, into: LogRecord<T>[]): void {
    const { logger, shape } = this.options
    for (const message of batch.messages) {
      if (Number(message.offset) < from) continue
      const record = toRecord<T>(message, batch.partition, { shape, logger })
      if (record !== undefined) into.push(record)
    }
  }

  /** Throws `LOG_LOST` where the partition ends before this position. */
  private async checkEnd(partition: number, position: Position, { high }: Marks): Promise<void> {
    const { topic, clock } = this.options
    let end = high[partition] ?? 0
    for (let asked = 1; position > end; asked++) {
      if (asked === endAskedTimes) throw lost(topic, partition, position, end)
      await clock.sleep(askAgainMs, this.stop.signal)
      if (this.stop.signal.aborted) return
      end = (await this.marks()).high[partition] ?? 0
    }
  }

  /** What retention took away before this group had read it can only be told, and passed. */
  private skipDeleted(partition: number, one: Owned, { low }: Marks): void {
    const oldest = low[partition] ?? 0
    if (one.position >= oldest) return
    const { logger, compacted } = this.options
    if (one.position > 0 && !compacted) {
      logger.error(
        { partition, records: oldest - one.position },
        "Kafka's retention deleted records before they were read: give the topic more time and space",
      )
    }
    one.position = oldest
  }

  /** A partition all of whose rest was deleted hands over nothing more, but it has been read to its end. */
  private async passDeleted(): Promise<void> {
    if (this.owned.size === 0) return
    const marks = await this.marks()
    await this.exclusively(async () => {
      for (const [partition, one] of this.owned) {
        if (one.position >= (marks.low[partition] ?? 0)) continue
        this.skipDeleted(partition, one, marks)
        this.session.begin(partition, one.position)
      }
    })
  }

  private async marks(): Promise<Marks> {
    const { signal } = this.stop
    try {
      return await this.options.marks(signal)
    } catch (error) {
      if (signal.aborted) return { low: [], high: [] }
      throw error
    }
  }

  private change(work: () => Promise<void>): void {
    this.changes++
    this.exclusively(work)
      .finally(() => {
        this.changes--
      })
      .catch((error: unknown) => this.fail(error))
  }

  private fail(error: unknown): void {
    this.failure ??= { error }
    this.stop.abort()
  }

  /** One thing at a time, and nothing after the first failure. Never rejects. */
  private exclusively(work: () => Promise<void>): Promise<void> {
    const result = this.turn.then(async () => {
      if (this.failure !== undefined) return
      try {
        await work()
      } catch (error) {
        this.fail(error)
      }
    })
    this.turn = result
    return result
  }
}
