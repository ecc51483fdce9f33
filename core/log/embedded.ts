import type { Logger } from "pino"
import { type Clock, every } from "../clock.ts"
import { MillwrightError, messageOf } from "../errors.ts"
import { requireFormat } from "../sqlite/format.ts"
import { SqliteThread, type Statement } from "../sqlite/thread.ts"
import type { Topic } from "../topics.ts"
import { EmbeddedTopic, type Entry } from "./embedded-topic.ts"
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
} from "./log.ts"

export type EmbeddedLogOptions = {
  readonly partitions: number
  readonly clock: Clock
  /**
   * The least time between two commits: a record that comes alone is committed at once, a stream of them shares
   * its fsyncs. Detections and orders never wait for it.
   */
  readonly lingerMs?: number
  readonly maintenanceMs?: number
  readonly logger?: Logger
}

const schema = `
  CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS topic (
    name TEXT PRIMARY KEY, next INTEGER NOT NULL, bytes INTEGER NOT NULL, newest TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS consumer_group (
    topic TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (topic, name)
  );
`

type Waiting = { isDurable(): boolean; resolve(): void; reject(error: Error): void }

/**
 * The log in one SQLite file. Every append waits for the next commit, which takes the records of all topics that
 * have come meanwhile (group commit); the file's writer is a thread of its own. Positions count per topic.
 */
export class EmbeddedLog implements Log {
  readonly partitions: number
  private readonly writer: SqliteThread
  private readonly reader: SqliteThread
  private readonly clock: Clock
  private readonly lingerMs: number
  private readonly topics = new Map<string, EmbeddedTopic<unknown>>()
  private readonly opening = new Map<string, Promise<EmbeddedTopic<unknown>>>()
  private readonly stop = new AbortController()
  private readonly maintained: Promise<void>
  private waiting: Waiting[] = []
  private flushing: Promise<void> | undefined
  private lastCommitMs = Number.NEGATIVE_INFINITY
  /** Ends the wait for company: somebody appended what must not wait. */
  private hurry = new AbortController()

  private constructor(writer: SqliteThread, reader: SqliteThread, options: EmbeddedLogOptions) {
    this.writer = writer
    this.reader = reader
    this.partitions = options.partitions
    this.clock = options.clock
    this.lingerMs = options.lingerMs ?? 5
    this.maintained = every(this.clock, options.maintenanceMs ?? 60_000, this.stop.signal, async () => {
      try {
        await this.maintain()
      } catch (error) {
        options.logger?.error(
          { error: messageOf(error) },
          "the log could not be maintained; it is tried again",
        )
      }
    })
  }

  /** Opens or creates the file. Throws `LOG_PARTITIONS_CHANGED` where it was made with another number of partitions. */
  static async open(path: string, options: EmbeddedLogOptions): Promise<EmbeddedLog> {
    const writer = await SqliteThread.open(path)
    try {
      await requireFormat(writer, { path, format: 1, schema })
      await requirePartitions(writer, path, options.partitions)
    } catch (error) {
      await writer.close()
      throw error
    }
    return new EmbeddedLog(writer, SqliteThread.reader(path), options)
  }

  async append<T>(topic: Topic<T>, records: readonly NewRecord<T>[]): Promise<void> {
    if (records.length === 0) return
    if (this.stop.signal.aborted) throw new MillwrightError("LOG_CLOSED", "the log is closed")
    const target = this.topics.get(topic.name) ?? (await this.topic(topic))
    target.add(records)
    const last = target.end - 1
    if (!topic.patient) this.hurry.abort()
    return new Promise((resolve, reject) => {
      this.waiting.push({ isDurable: () => target.isDurable(last), resolve, reject })
      this.flushing ??= this.flush()
    })
  }

  async subscribe<T>(topic: Topic<T>, group: string, consumer: Consumer<T>): Promise<Subscription> {
    const target = await this.topic(topic)
    await this.writer.run("INSERT OR IGNORE INTO consumer_group VALUES (?, ?, 0)", [topic.name, group])
    return target.group(group).join(target, consumer)
  }

  async follow<T>(
    topic: Topic<T>,
    each: (record: LogRecord<T>) => void | Promise<void>,
  ): Promise<Subscription> {
    return (await this.topic(topic)).follow(each)
  }

  async *read<T>(topic: Topic<T>, { partition, from, to }: ReadRange = {}): AsyncGenerator<LogRecord<T>> {
    const target = await this.topic(topic)
    const end = Math.min(target.durableEnd, typeof to === "object" ? Math.max(...to) : (to ?? Infinity))
    const isAsked = (record: LogRecord<T>) =>
      (partition === undefined || record.partition === partition) &&
      record.position >= boundIn(from, record.partition, 0) &&
      record.position < boundIn(to, record.partition, end)
    for (let position = typeof from === "object" ? Math.min(...from) : (from ?? 0); position < end; ) {
      const stretch = await target.stored(position)
      if (stretch === undefined) return
      for (const record of stretch.records) {
        if (record.position >= end) return
        if (isAsked(record)) yield record
      }
      position = stretch.nextPosition
    }
  }

  async ends(topic: Topic<unknown>): Promise<readonly Position[]> {
    const { end } = await this.topic(topic)
    // Positions count per topic, so a member that has read everything stands there in each of its partitions.
    return new Array<Position>(this.partitions).fill(end)
  }

  async lags(): Promise<readonly Lag[]> {
    return [...this.topics.values()].flatMap((topic) => topic.lags())
  }

  async declareDead(topic: Topic<unknown>, group: string): Promise<void> {
    await this.writer.run("DELETE FROM consumer_group WHERE topic = ? AND name = ?", [topic.name, group])
    ;(await this.topic(topic)).forget(group)
  }

  /** Remembers where the groups are, and lets go of what is too old or too much and passed by all of them. */
  async maintain(): Promise<void> {
    for (const topic of this.topics.values()) {
      await this.writer.transaction(topic.groupStatements())
      await topic.retain(this.clock.now())
    }
  }

  async close(): Promise<void> {
    if (this.stop.signal.aborted) return
    this.stop.abort()
    await this.flushing
    await this.maintained
    for (const topic of this.topics.values()) {
      await topic.close()
      await this.writer.transaction(topic.groupStatements())
    }
    await this.reader.close()
    await this.writer.close()
  }

  /** Opens a topic once, however many ask at the same time. The map can't know each topic's own type of value. */
  private topic<T>(topic: Topic<T>): Promise<EmbeddedTopic<T>> {
    let opening = this.opening.get(topic.name) as Promise<EmbeddedTopic<T>> | undefined
    if (opening === undefined) {
      const threads = { writer: this.writer, reader: this.reader }
      opening = EmbeddedTopic.open(topic, threads, this.partitions).then((opened) => {
        this.topics.set(topic.name, opened as unknown as EmbeddedTopic<unknown>)
        return opened
      })
      this.opening.set(topic.name, opening as Promise<unknown> as Promise<EmbeddedTopic<unknown>>)
    }
    return opening
  }

  private async flush(): Promise<void> {
    while (this.waiting.length > 0) {
      const rest = this.lastCommitMs + this.lingerMs - this.clock.now()
      // Even without a wait, one turn of the event loop lets the messages of the same socket read come along.
      if (rest > 0) await this.clock.sleep(rest, this.hurry.signal)
      else await new Promise((resolve) => setImmediate(resolve))
      if (this.hurry.signal.aborted) this.hurry = new AbortController()
      this.lastCommitMs = this.clock.now()
      await this.commit(this.lastCommitMs)
    }
    this.flushing = undefined
  }

  private async commit(nowMs: number): Promise<void> {
    try {
      const taken: [EmbeddedTopic<unknown>, readonly Entry[]][] = []
      const statements: Statement[] = []
      for (const topic of this.topics.values()) {
        const rows = topic.take(nowMs)
        if (rows === undefined) continue
        taken.push([topic, rows.entries])
        statements.push(...rows.statements)
      }
      await this.writer.transaction(statements)
      for (const [topic, entries] of taken) topic.committed(entries)
    } catch (error) {
      const waiting = this.waiting
      this.waiting = []
      for (const topic of this.topics.values()) topic.discard()
      for (const { reject } of waiting) reject(error as Error)
      return
    }
    const waiting = this.waiting
    this.waiting = []
    for (const one of waiting) {
      if (one.isDurable()) one.resolve()
      else this.waiting.push(one)
    }
  }
}

async function requirePartitions(writer: SqliteThread, path: string, partitions: number): Promise<void> {
  await writer.run("INSERT OR IGNORE INTO setting VALUES ('partitions', ?)", [String(partitions)])
  const [row] = await writer.all("SELECT value FROM setting WHERE name = 'partitions'")
  if (row?.value === String(partitions)) return
  throw new MillwrightError(
    "LOG_PARTITIONS_CHANGED",
    `${path} was made with ${row?.value} partitions, the configuration says ${partitions}: ` +
      "an asset's records would change their partition. Set it back, or start with an empty directory.",
  )
}
