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

/** What one row holds at most, and so what a reader takes at a time. */
const rowRecords = 1000
const rowBytes = 1_048_576
/** What one commit takes of a topic at most; the rest waits for the next, so that no burst makes one huge statement. */
const commitBytes = 16_777_216
/** Rows that retention deletes in one transaction. */
const retainRows = 10_000
const nothing: ReadonlySet<Position> = new Set()
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
  /** For each partition the position of its newest record on the disk, -1 where there never was one. */
  private readonly newest: Position[]
  private arrival = signal()

  private constructor(
    topic: Topic<T>,
    threads: { writer: SqliteThread; reader: SqliteThread },
    state: {
      partitions: number
      end: Position
      bytes: number
      newest: Position[]
      groups: ReadonlyMap<string, Position>
    },
  ) {
    this.topic = topic
    this.writer = threads.writer
    this.reader = threads.reader
    this.table = tableOf(topic)
    this.partitions = state.partitions
    this.end = state.end
    this.durable = state.end
    this.bytes = state.bytes
    this.newest = state.newest
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
    await writer.run("INSERT OR IGNORE INTO topic VALUES (?, 0, 0, ?)", [
      topic.name,
      JSON.stringify(new Array<Position>(partitions).fill(-1)),
    ])
    const [state] = await writer.all("SELECT next, bytes, newest FROM topic WHERE name = ?", [topic.name])
    const groups = await writer.all("SELECT name, position FROM consumer_group WHERE topic = ?", [topic.name])
    return new EmbeddedTopic(topic, threads, {
      partitions,
      end: Number(state?.next ?? 0),
      bytes: Number(state?.bytes ?? 0),
      newest: JSON.parse(String(state?.newest)) as Position[],
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

  /** The next rows to write: everything added since the last commit, as far as one commit goes. */
  take(nowMs: number): { entries: readonly Entry[]; statements: readonly Statement[] } | undefined {
    if (this.pending.length === 0) return undefined
    const entries: Entry[] = []
    const rows: (readonly [Position, Position, number, number, string])[] = []
    const newest = [...this.newest]
    let bytes = 0
    let taken = 0
    while (taken < this.pending.length && bytes < commitBytes) {
      const count = this.rowLength(taken)
      const records = this.pending.slice(taken, taken + count)
      for (const record of records) {
        // Only now is the time of the commit known, which all records of a row share.
        ;(record as { appendedMs: number }).appendedMs = nowMs
        newest[record.partition] = record.position
      }
      const text = `[${this.lines.slice(taken, taken + count).join(",")}]`
      const first = records[0]?.position ?? 0
      const last = first + count - 1
      entries.push({ first, last, bytes: text.length, records })
      rows.push([first, last, nowMs, text.length, text])
      bytes += text.length
      taken += count
    }
    this.pending = this.pending.slice(taken)
    this.lines = this.lines.slice(taken)
    return {
      entries,
      statements: [
        { sql: `INSERT INTO ${this.table} VALUES (?, ?, ?, ?, ?)`, rows },
        {
          sql: "UPDATE topic SET next = ?, bytes = bytes + ?, newest = ? WHERE name = ?",
          params: [this.end, bytes, JSON.stringify(newest), this.topic.name],
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
      for (const { partition, position } of entry.records) this.newest[partition] = position
    }
    this.trimTail()
    const { arrive } = this.arrival
    this.arrival = signal()
    arrive()
  }

  /** A commit failed: whoever appended was told, so nothing of it may be written later. */
  discard(): void {
    this.pending = []
    this.lines = []
  }

  isDurable(position: Position): boolean {
    return position < this.durable
  }

  async after(position: Position): Promise<Stretch<T> | undefined> {
    if (position >= this.durable) return undefined
    const oldest = this.tail[0]
    if (oldest === undefined || position < oldest.first) {
      const passed = this.durable
      // What retention has taken away leaves nothing to hand over, but it is passed all the same.
      return (await this.stored(position)) ?? { records: [], nextPosition: passed }
    }
    const entry = this.tail.find(({ last }) => last >= position)
    if (entry === undefined) return undefined
    const records = entry.first >= position ? entry.records : entry.records.slice(position - entry.first)
    return { records: records as readonly LogRecord<T>[], nextPosition: entry.last + 1 }
  }

  startFor(partition: number, position: Position): Position {
    return position > (this.newest[partition] ?? -1) ? this.durable : position
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
    while ((await this.retainSome(nowMs)) === retainRows) {}
  }

  /** One statement's worth; gives the number of rows that went. */
  private async retainSome(nowMs: number): Promise<number> {
    const { ms, bytes } = this.topic.retention
    const passed = Math.min(this.durable, ...[...this.groups.values()].map((group) => group.lowWater()))
    const rows = await this.reader.all(
      `SELECT first, at_ms, bytes FROM ${this.table} WHERE last < ? ORDER BY first LIMIT ${retainRows}`,
      [passed],
    )
    let over = this.bytes - bytes
    const due = rows.filter((row) => {
      const isDue = Number(row.at_ms) < nowMs - ms || over > 0
      over -= Number(row.bytes)
      return isDue
    })
    const kept = due.length > 0 && this.topic.compacted ? await this.newestRows() : nothing
    const gone = due.filter((row) => !kept.has(Number(row.first)))
    if (gone.length === 0) return 0
    const freed = gone.reduce((sum, row) => sum + Number(row.bytes), 0)
    await this.writer.transaction([
      { sql: `DELETE FROM ${this.table} WHERE first = ?`, rows: gone.map((row) => [Number(row.first)]) },
      { sql: "UPDATE topic SET bytes = bytes - ? WHERE name = ?", params: [freed, this.topic.name] },
    ])
    this.bytes -= freed
    return gone.length
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

  /** How many of the pending lines from `at` on make a row. */
  private rowLength(at: number): number {
    let bytes = 0
    let count = 0
    while (count < rowRecords && at + count < this.lines.length && (count === 0 || bytes < rowBytes)) {
      bytes += this.lines[at + count]?.length ?? 0
      count++
    }
    return count
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
