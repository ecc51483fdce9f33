import { hostname } from "node:os"
import type { Admin, Cluster, RetryOptions } from "kafkajs"
import type { Logger } from "pino"
import { type Clock, every } from "../../clock.ts"
import { MillwrightError } from "../../errors.ts"
import type { Reach } from "../../reach.ts"
import type { Topic } from "../../topics.ts"
import {
  boundIn,
  type Consumer,
  type Lag,
  type Log,
  type LogRecord,
  type NewRecord,
  type Position,
  type ReadRange,
  type Subscription,
} from "../log.ts"
import { Appender } from "./appender.ts"
import { Follower } from "./follower.ts"
import { groupIdOf, lagsOf } from "./lags.ts"
import { briefly, clusterOf, forEver, type KafkaAccess, type KafkaLogin, Line } from "./line.ts"
import { highMarks, type Marks, marksOf } from "./marks.ts"
import { Member } from "./member.ts"
import { KafkaReach, type Refusable } from "./reach.ts"
import { Reader } from "./reader.ts"
import { shapeOf } from "./record.ts"
import { Sender } from "./sender.ts"
import { Session } from "./session.ts"
import { settled } from "./settle.ts"
import { ensureTopic } from "./topic.ts"
import { kafkaTrouble } from "./trouble.ts"

export type KafkaLogOptions = {
  /** host:port each. */
  readonly brokers: readonly string[]
  /** What the names of topics and groups on Kafka begin with. */
  readonly prefix: string
  /** Copies of each partition that new topics are made with. */
  readonly replication: number
  readonly partitions: number
  readonly clock: Clock
  readonly logger: Logger
  /** A server waits for Kafka, at start and later; a command throws `SERVER_UNREACHABLE` at once. Default true. */
  readonly waits?: boolean
  readonly ssl?: boolean | { readonly ca: readonly string[] }
  readonly sasl?: KafkaLogin
  /** Names this process to Kafka and in the events it makes. Default: the host's name. */
  readonly clientId?: string
  readonly lingerMs?: number
  /** Told before Kafka is waited for. */
  readonly meets?: (server: Reach) => void
  /** Ends the wait at opening. */
  readonly signal?: AbortSignal | undefined
}

/** How often Kafka is asked whether it is there, ms: nobody else may be asking for a while. */
const watchMs = 5000

/**
 * Waits until Kafka answers, and tells the operator while it does not. Throws `SERVER_UNREACHABLE` where nobody wants
 * to wait or `signal` ends the wait.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const log = new KafkaLog(options)
  options.meets?.(log.reach)
  try {
    await log.meet(options.signal)
    return log
  } catch (error) {
    await log.close()
    throw error
  }
}

/**
 * The log on Kafka: one topic for each of ours, made with the stated partitions, retention and compaction. The position
 * of a group is what its consumers load; what Kafka is told of it serves `lags` and Kafka's own tools. Retention is
 * Kafka's and does not wait for a group: what is deleted unread is told as an error.
 */
export class KafkaLog implements Log {
  readonly partitions: number
  readonly reach: KafkaReach
  private readonly options: KafkaLogOptions
  private readonly access: KafkaAccess
  private readonly logger: Logger
  private readonly stop = new AbortController()
  /** Of each question that Kafka has not answered yet. */
  private readonly asked = new Set<AbortController>()
  private readonly line: Line
  private readonly admin: Admin
  private readonly cluster: Cluster
  private readonly appender: Appender
  private readonly ensured = new Map<string, Promise<void>>()
  private readonly members = new Map<Member<unknown>, { readonly group: string; readonly topic: string }>()
  private readonly open = new Set<{ close(): Promise<void> | void }>()
  private watching: Promise<void> = Promise.resolve()
  private poke = new AbortController()
  private asking: Promise<readonly Lag[]> | undefined
  private lastLags: readonly Lag[] = []

  /** Opens no connection: see `openKafkaLog`. */
  constructor(options: KafkaLogOptions) {
    const { brokers, partitions, prefix, clock, logger, waits = true, lingerMs = 20 } = options
    const clientId = options.clientId ?? hostname()
    this.options = options
    this.partitions = partitions
    this.logger = logger
    this.access = {
      brokers,
      clientId,
      ssl: options.ssl ?? false,
      ...(options.sasl && { sasl: options.sasl }),
    }
    this.reach = new KafkaReach({
      name: "Kafka",
      where: brokers.join(", "),
      clock,
      logger,
      waits,
      explain: (error) => kafkaTrouble(error, brokers),
    })
    this.line = this.newLine(briefly)
    this.admin = this.line.kafka.admin()
    this.cluster = clusterOf(this.line)
    const sender = new Sender({ clock, logger, reach: this.reach, openLine: () => this.newLine(briefly) })
    this.appender = new Appender({
      prefix,
      partitions,
      clientId,
      clock,
      sender,
      ensure: (topic) => this.ensure(topic),
      lingerMs,
    })
  }

  /** Resolves once Kafka has answered; from then on it is watched. */
  async meet(signal?: AbortSignal): Promise<void> {
    await this.ask(() => this.connect(), { also: signal })
    if (this.reach.waits) this.watching = this.watch()
  }

  append<T>(topic: Topic<T>, records: readonly NewRecord<T>[]): Promise<void> {
    return this.appender.append(topic, records)
  }

  async subscribe<T>(topic: Topic<T>, group: string, consumer: Consumer<T>): Promise<Subscription> {
    await this.ensure(topic)
    const name = this.nameOf(topic)
    const { clock, prefix } = this.options
    const logger = this.logger.child({ topic: topic.name, group })
    const groupId = groupIdOf(prefix, group, topic.name)
    const refusable: Refusable = `group ${groupId}`
    const member = new Member<T>(consumer, {
      topic: name,
      shape: shapeOf(topic),
      compacted: topic.compacted,
      clock,
      logger,
      openSession: (listener) =>
        new Session(
          {
            topic: name,
            groupId,
            partitions: this.partitions,
            patient: topic.patient,
            line: this.newLine(forEver),
            isAnswering: () => this.reach.isAnswering,
            clock,
            logger,
          },
          listener,
        ),
      marks: (signal) => this.marks(name, signal),
      refused: (reason) => void this.reach.refused(refusable, reason),
      accepted: () => this.reach.accepted(refusable),
    })
    const told = member as unknown as Member<unknown>
    this.members.set(told, { group, topic: topic.name })
    this.keep(member, () => {
      this.members.delete(told)
      this.reach.forget(refusable)
    })
    await member.joined
    return member
  }

  async follow<T>(
    topic: Topic<T>,
    each: (record: LogRecord<T>) => void | Promise<void>,
  ): Promise<Subscription> {
    await this.ensure(topic)
    const { low, high } = await this.marks(this.nameOf(topic))
    const follower = new Follower(this.reader<T>(topic, new Map(low.entries())), high, each)
    this.keep(follower, () => {})
    await follower.caughtUp
    return follower
  }

  async *read<T>(topic: Topic<T>, { partition, from, to }: ReadRange = {}): AsyncGenerator<LogRecord<T>> {
    await this.ensure(topic)
    const { low, high } = await this.marks(this.nameOf(topic))
    const ends = high.map((end, at) => Math.min(end, boundIn(to, at, end)))
    const starts = [...low.entries()]
      .filter(([at]) => partition === undefined || partition === at)
      .map(([at, oldest]) => [at, Math.max(oldest, boundIn(from, at, 0))] as const)
    const reader = this.reader<T>(topic, new Map(starts))
    const isLeft = (at: number, position: Position) => position < (ends[at] ?? 0)
    this.open.add(reader)
    try {
      for (;;) {
        for (const [at, position] of reader.positions) if (!isLeft(at, position)) reader.positions.delete(at)
        if (reader.positions.size === 0) return
        for (const { partition: at, records } of await reader.next()) {
          for (const record of records) if (isLeft(at, record.position)) yield record
        }
      }
    } finally {
      this.open.delete(reader)
      reader.close()
    }
  }

  async ends(topic: Topic<unknown>): Promise<readonly Position[]> {
    await this.ensure(topic)
    const name = this.nameOf(topic)
    return this.ask(() => highMarks(this.cluster, name), { about: `topic ${name}` })
  }

  /** While Kafka is away a server tells what it knew last: whoever scrapes metrics must not wait for it. */
  async lags(): Promise<readonly Lag[]> {
    if (this.reach.waits && !this.reach.isAnswering) return this.lastLags
    this.asking ??= this.askLags().finally(() => {
      this.asking = undefined
    })
    return this.asking
  }

  /** Throws `USAGE` while the group has members. */
  async declareDead(topic: Topic<unknown>, group: string): Promise<void> {
    const groupId = groupIdOf(this.options.prefix, group, topic.name)
    const about = `group ${groupId}` as const
    const { groups } = await this.ask(() => this.admin.describeGroups([groupId]), { about })
    const found = groups.find((one) => one.groupId === groupId)
    if (found === undefined || found.state === "Dead") return
    if (found.members.length > 0) {
      throw new MillwrightError(
        "USAGE",
        `the group ${group} still reads ${topic.name}: stop its ${found.members.length} members first`,
      )
    }
    await this.ask(() => this.admin.deleteGroups([groupId]), { about })
  }

  /** Waits for what is in flight, but not for a server that is gone. */
  async close(): Promise<void> {
    if (this.stop.signal.aborted) return
    this.stop.abort()
    for (const one of this.asked) one.abort()
    this.poke.abort()
    await this.appender.close()
    // What stopped one of them its own `done` has told.
    await Promise.allSettled([...this.open].map((one) => one.close()))
    this.line.cut()
    await this.watching
  }

  private nameOf(topic: Topic<unknown>): string {
    return `${this.options.prefix}${topic.name}`
  }

  private newLine(retry: RetryOptions): Line {
    return new Line(this.access, this.logger, { retry, onSocketTrouble: () => this.poke.abort() })
  }

  private reader<T>(topic: Topic<T>, positions: Map<number, Position>): Reader<T> {
    const { reach } = this
    const { clock } = this.options
    const logger = this.logger.child({ topic: topic.name })
    const line = this.newLine(briefly)
    return new Reader<T>(this.nameOf(topic), positions, { line, reach, clock, logger, shape: shapeOf(topic) })
  }

  private keep(one: Subscription, forget: () => void): void {
    this.open.add(one)
    const over = () => {
      this.open.delete(one)
      forget()
    }
    one.done.then(over, over)
  }

  /** Makes sure once that the topic is there, however many ask. */
  private ensure(topic: Topic<unknown>): Promise<void> {
    let ensuring = this.ensured.get(topic.name)
    if (ensuring === undefined) {
      const { admin, cluster } = this
      const name = this.nameOf(topic)
      ensuring = this.ask(
        () => ensureTopic({ admin, cluster, clock: this.options.clock }, name, topic, this.options),
        { about: `topic ${name}` },
      )
      this.ensured.set(topic.name, ensuring)
      // Whoever asks next tries again.
      ensuring.catch(() => this.ensured.delete(topic.name))
    }
    return ensuring
  }

  private marks(name: string, signal?: AbortSignal): Promise<Marks> {
    return this.ask(() => marksOf(this.cluster, name), { about: `topic ${name}`, also: signal })
  }

  /** Repeats a question to Kafka until it is answered, this log closes, or `also` aborts; `about` is what it may refuse. */
  private async ask<R>(
    question: () => Promise<R>,
    { about, also }: { readonly about?: Refusable; readonly also?: AbortSignal | undefined } = {},
  ): Promise<R> {
    const { signal } = this.stop
    if (signal.aborted) throw closed()
    // Of its own, since many wait at once, and one signal would have the listeners of all of them.
    const either = new AbortController()
    const end = () => either.abort()
    this.asked.add(either)
    if (also?.aborted) end()
    also?.addEventListener("abort", end)
    const isTrouble = (error: unknown) => !signal.aborted && !(error instanceof MillwrightError)
    const work = () => settled(this.options.clock, either.signal, question)
    try {
      return about === undefined
        ? await this.reach.until(work, either.signal, isTrouble)
        : await this.reach.taken(about, work, either.signal, isTrouble)
    } catch (error) {
      if (signal.aborted && !(error instanceof MillwrightError)) throw closed(error)
      throw error
    } finally {
      this.asked.delete(either)
      also?.removeEventListener("abort", end)
    }
  }

  private async connect(): Promise<void> {
    await this.cluster.connect()
    await this.cluster.refreshMetadata()
    await this.admin.connect()
  }

  private async askLags(): Promise<readonly Lag[]> {
    const live = (group: string, topic: string, partition: number): Position | undefined => {
      for (const [member, one] of this.members) {
        const isOwner = one.group === group && one.topic === topic && member.partitions.includes(partition)
        if (isOwner) return member.position(partition)
      }
      return undefined
    }
    const { admin, cluster } = this
    const { prefix } = this.options
    this.lastLags = await this.ask(() => lagsOf({ admin, cluster, prefix, live }), {
      about: "offsets of groups",
    })
    return this.lastLags
  }

  /** Asks Kafka from time to time, and as soon as a connection breaks, whether it is there. */
  private watch(): Promise<void> {
    const { clock } = this.options
    const { signal } = this.stop
    return every(clock, 0, signal, async () => {
      await clock.sleep(watchMs, this.poke.signal)
      if (signal.aborted) return
      this.poke = new AbortController()
      try {
        await this.ask(() => this.cluster.refreshMetadata())
      } catch (error) {
        if (!signal.aborted) throw error
      }
    })
  }
}

function closed(cause?: unknown): MillwrightError {
  return new MillwrightError("LOG_CLOSED", "the log is closed", cause === undefined ? {} : { cause })
}
