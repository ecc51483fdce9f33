import type { SqliteThread, Statement } from "../sqlite/thread.ts"
import type { Topic } from "../topics.ts"
import { Group, Member, type Source, type Stretch } from "./group.ts"
import type { Lag, LogRecord, NewRecord, Position, Subscription } from "./log.ts"
import { partitionOf } from "./partition.ts"

/** How a record is written: [position, partition, key, value]. */
type Line = readonly [Position, number, string, unknown]

/** One row of the topic's table: up to `rowRecords` records as one JSON text. */
export type Entry = {
  readonly first: Position
  readonly last: Position
  readonly bytes: number
  readonly records: readonly LogRecord<unknown>[]
}

const rowRecords = 1000
/** Rows that a reader takes at a time: bounds what is parsed in one turn of the event loop. */
const readRows = 8
/** Records kept in memory for consumers that keep up, in bytes of their JSON; who is further behind reads the file. */
const tailBytes = 8_388_608

/** One topic: its table, its tail in memory, and the groups that read it. */
export class EmbeddedTopic<T> implements Source<T> {
  /** The position of the next record to be appended. */
  end: Position
  private readonly topic: Topic<T>
  private readonly writer: SqliteThread
  private readonly reader: SqliteThread
  private readonly table: string
  private readonly partitions: number
  private readonly groups = new Map<string, Group<T>>()
  private readonly followers = new Set<Member<T>>()
  private pending: LogRecord<unknown>[] = []
  /** The pending records as they are written, in the same order. */
  private lines: string[] = []
  private tail: Entry[] = []
  private tailSize = 0
  /** Everything before this is on the disk. */
  private durable: Position
  private bytes: number
  private arrival = signal()

  private constructor(
    topic: Topic<T>,
    threads: { writer: SqliteThread; reader: SqliteThread },
    state: { partitions: number; end: Position; bytes: number; groups: ReadonlyMap<string, Position> },
  ) {
    this.topic = topic
    this.writer = threads.writer
    this.reader = threads.reader
    this.table = tableOf(topic)
    this.partitions = state.partitions
    this.end = state.end
    this.durable = state.end
    this.bytes = state.bytes
    for (const [name, position] of state.groups) this.groups.set(name, new Group(this.partitions, position))
  }

  static async open<T>(
    topic: Topic<T>,
    threads: { writer: SqliteThread; reader: SqliteThread },
    partitions: number,
  ): Promise<EmbeddedTopic<T>> {
    const { writer } = threads
    await writer.script(`CREATE TABLE IF NOT EXISTS ${tableOf(topic)} (
      first INTEGER PRIMARY KEY, last INTEGER NOT NULL, at_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, body TEXT NOT NULL
    )`)
    await writer.run("INSERT OR IGNORE INTO topic VALUES (?, 0, 0)", [topic.name])
    const [state] = await writer.all("SELECT next, bytes FROM topic WHERE name = ?", [topic.name])
    const groups = await writer.all("SELECT name, position FROM consumer_group WHERE topic = ?", [topic.name])
    return new EmbeddedTopic(topic, threads, {
      partitions,
      end: Number(state?.next ?? 0),
      bytes: Number(state?.bytes ?? 0),
      groups: new Map(groups.map(({ name, position }) => [String(name), Number(position)])),
    })
  }

  /** Takes all of these records or, where one is not JSON, throws and takes none. */
  add(records: readonly NewRecord<T>[]): void {
    const texts = records.map(({ value }) => JSON.stringify(value))
    records.forEach(({ key, value, partition }, at) => {
      const position = this.end++
      const owner = partition ?? partitionOf(key, this.partitions)
      this.lines.push(`[${position},${owner},${JSON.stringify(key)},${texts[at]}]`)
      this.pending.push({ partition: owner, position, key, appendedMs: 0, value })
    })
  }

  /** Everything added since the last commit, as rows to write. */
  take(nowMs: number): { entries: readonly Entry[]; statements: readonly Statement[] } | undefined {
    if (this.pending.length === 0) return undefined
    const entries: Entry[] = []
    const rows: (readonly [Position, Position, number, number, string])[] = []
    let bytes = 0
    for (let at = 0; at < this.pending.length; at += rowRecords) {
      const records = this.pending.slice(at, at + rowRecords)
      // Only now is the time of the commit known, which all records of a row share.
      for (const record of records) (record as { appendedMs: number }).appendedMs = nowMs
      const text = `[${this.lines.slice(at, at + rowRecords).join(",")}]`
      const first = records[0]?.position ?? 0
      const last = first + records.length - 1
      entries.push({ first, last, bytes: text.length, records })
      rows.push([first, last, nowMs, text.length, text])
      bytes += text.length
    }
    this.pending = []
    this.lines = []
    return {
      entries,
      statements: [
        { sql: `INSERT INTO ${this.table} VALUES (?, ?, ?, ?, ?)`, rows },
        {
          sql: "UPDATE topic SET next = ?, bytes = bytes + ? WHERE name = ?",
          params: [this.end, bytes, this.topic.name],
        },
      ],
    }
  }

  /** What was taken is on the disk: consumers may have it. */
  committed(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.durable = entry.last + 1
      this.bytes += entry.bytes
      this.tailSize += entry.bytes
      this.tail.push(entry)
    }
    this.trimTail()
    const { arrive } = this.arrival
    this.arrival = signal()
    arrive()
  }

  async after(position: Position): Promise<Stretch<T> | undefined> {
    if (position >= this.durable) return undefined
    const oldest = this.tail[0]
    if (oldest === undefined || position < oldest.first) return this.stored(position)
    const entry = this.tail.find(({ last }) => last >= position)
    if (entry === undefined) return undefined
    const records = entry.first >= position ? entry.records : entry.records.slice(position - entry.first)
    return { records: records as readonly LogRecord<T>[], nextPosition: entry.last + 1 }
  }

  more(position: Position): Promise<void> {
    return position < this.durable ? Promise.resolve() : this.arrival.arrived
  }

  /** The next stretch as the file has it; undefined at the end. */
  async stored(position: Position): Promise<Stretch<T> | undefined> {
    const rows = await this.reader.all(
      `SELECT last, at_ms, body FROM ${this.table}
       WHERE first >= coalesce((SELECT max(first) FROM ${this.table} WHERE first <= ?), 0) AND last >= ?
       ORDER BY first LIMIT ${readRows}`,
      [position, position],
    )
    const newest = rows.at(-1)
    if (newest === undefined) return undefined
    const records = rows.flatMap(({ at_ms, body }) => decode<T>(String(body), Number(at_ms)))
    return {
      records: records.filter((record) => record.position >= position),
      nextPosition: Number(newest.last) + 1,
    }
  }

  get durableEnd(): Position {
    return this.durable
  }

  group(name: string): Group<T> {
    let group = this.groups.get(name)
    if (group === undefined) {
      group = new Group(this.partitions, 0)
      this.groups.set(name, group)
    }
    return group
  }

  forget(group: string): void {
    this.groups.delete(group)
  }

  /** Hands over everything from the start on; resolves when what is there now was. */
  async follow(each: (record: LogRecord<T>) => void | Promise<void>): Promise<Subscription> {
    const follower: Member<T> = new Member<T>(
      this,
      {
        load: async () => 0,
        process: async (records) => {
          for (const record of records) await each(record)
        },
        revoked: async () => {},
      },
      async () => {
        this.followers.delete(follower)
      },
    )
    this.followers.add(follower)
    const target = this.durable
    await follower.assign(Array.from({ length: this.partitions }, (_, partition) => partition))
    await follower.reached(target)
    return follower
  }

  lags(): readonly Lag[] {
    return [...this.groups].map(([group, members]) => ({
      topic: this.topic.name,
      group,
      behind: Math.max(0, this.durable - (members.current.length > 0 ? members.cursor : members.lowWater())),
      uncommitted: Math.max(0, this.durable - members.lowWater()),
    }))
  }

  /** Statements that write down where each group stands. */
  groupStatements(): readonly Statement[] {
    return [...this.groups].map(([name, group]) => ({
      sql: "UPDATE consumer_group SET position = ? WHERE topic = ? AND name = ?",
      params: [group.lowWater(), this.topic.name, name],
    }))
  }

  /** Deletes rows that are too old or too much, from the oldest on, as far as every group has passed them. */
  async retain(nowMs: number): Promise<void> {
    const { ms, bytes } = this.topic.retention
    const passed = Math.min(this.durable, ...[...this.groups.values()].map((group) => group.lowWater()))
    const rows = await this.reader.all(
      `SELECT first, at_ms, bytes FROM ${this.table} WHERE last < ? ORDER BY first LIMIT 10000`,
      [passed],
    )
    const newest = this.topic.compacted ? await this.newestRows() : undefined
    const gone: Position[] = []
    let freed = 0
    for (const row of rows) {
      if (Number(row.at_ms) >= nowMs - ms && this.bytes - freed <= bytes) break
      if (newest?.has(Number(row.first))) continue
      gone.push(Number(row.first))
      freed += Number(row.bytes)
    }
    if (gone.length === 0) return
    this.bytes -= freed
    await this.writer.transaction([
      { sql: `DELETE FROM ${this.table} WHERE first = ?`, rows: gone.map((first) => [first]) },
      { sql: "UPDATE topic SET bytes = bytes - ? WHERE name = ?", params: [freed, this.topic.name] },
    ])
  }

  async close(): Promise<void> {
    const members = [...this.groups.values()].flatMap((group) => group.current)
    for (const member of [...members, ...this.followers]) await member.close()
  }

  /** The rows that hold the newest record of some key. Such topics are small: all of it is read. */
  private async newestRows(): Promise<ReadonlySet<Position>> {
    const rowOfKey = new Map<string, Position>()
    const rows = await this.reader.all(`SELECT first, body FROM ${this.table} ORDER BY first`)
    for (const { first, body } of rows) {
      for (const { key } of decode(String(body), 0)) rowOfKey.set(key, Number(first))
    }
    return new Set(rowOfKey.values())
  }

  /** Drops what every consumer has passed, so that it dies young, and what is over the budget. */
  private trimTail(): void {
    const passed = Math.min(
      ...[...this.groups.values()].map((group) => group.cursor),
      ...[...this.followers].map((follower) => follower.position(0)),
    )
    let drop = 0
    for (const { last, bytes } of this.tail) {
      if (last >= passed && this.tailSize <= tailBytes) break
      this.tailSize -= bytes
      drop++
    }
    if (drop > 0) this.tail.splice(0, drop)
  }
}

function tableOf(topic: Topic<unknown>): string {
  return `"records:${topic.name.replaceAll('"', '""')}"`
}

function decode<T>(text: string, appendedMs: number): LogRecord<T>[] {
  const lines = JSON.parse(text) as Line[]
  return lines.map(([position, partition, key, value]) => ({
    partition,
    position,
    key,
    appendedMs,
    value: value as T,
  }))
}

type Signal = { readonly arrived: Promise<void>; readonly arrive: () => void }

function signal(): Signal {
  let arrive = () => {}
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve
  })
  return { arrived, arrive }
}
