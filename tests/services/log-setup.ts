import { randomBytes } from "node:crypto"
import { type Admin, Kafka, logLevel } from "kafkajs"
import { pino } from "pino"
import { inject, onTestFinished } from "vitest"
import { systemClock } from "../../core/clock.ts"
import { type KafkaLog, type KafkaLogOptions, openKafkaLog } from "../../core/log/kafka/log.ts"
import type { Consumer, LogRecord, NewRecord } from "../../core/log/log.ts"
import { startKafkaProxy } from "./log-proxy.ts"
import type { Value } from "./log-topic.ts"

/** The brokers that all tests share. */
export const shared = inject("servers").kafka

type Line = {
  readonly level: number
  readonly msg: string
  readonly server?: string
  readonly records?: number
}

/** What an operator is told. */
export function listening(level = "info") {
  const lines: Line[] = []
  const logger = pino({ level }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) })
  return { lines, logger }
}

/** Settings of a log that has its topics to itself. */
export function options(overrides: Partial<KafkaLogOptions> = {}): KafkaLogOptions {
  return {
    brokers: [shared],
    prefix: `test-${randomBytes(6).toString("hex")}.`,
    replication: 1,
    partitions: 8,
    clock: systemClock,
    logger: pino({ level: "silent" }),
    ...overrides,
  }
}

/** Open until the test has ended. */
export async function openLog(overrides: Partial<KafkaLogOptions> = {}): Promise<KafkaLog> {
  const log = await openKafkaLog(options(overrides))
  onTestFinished(() => log.close())
  return log
}

/** Opens a log whose answers from Kafka the test may change. */
export async function openThrough(overrides: Partial<KafkaLogOptions> = {}) {
  const proxy = await startKafkaProxy(shared)
  onTestFinished(() => proxy.close())
  return { proxy, log: await openLog({ brokers: [proxy.address], ...overrides }) }
}

/** Asks Kafka itself, past the log. */
export async function administer<R>(work: (admin: Admin) => Promise<R>): Promise<R> {
  const admin = new Kafka({ brokers: [shared], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

export async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

/** Remembers what it is handed and what it owns; goes on where it was. */
export class Recorder implements Consumer<Value> {
  readonly seen: LogRecord<Value>[] = []
  readonly owned = new Set<number>()
  readonly positions: Map<number, number>

  constructor(positions = new Map<number, number>()) {
    this.positions = positions
  }

  async load(partition: number): Promise<number> {
    this.owned.add(partition)
    return this.positions.get(partition) ?? 0
  }

  async process(records: readonly LogRecord<Value>[]): Promise<void> {
    for (const record of records) {
      this.seen.push(record)
      this.positions.set(record.partition, record.position + 1)
    }
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.owned.delete(partition)
  }

  get numbers(): number[] {
    return this.seen.map(({ value }) => value.n).sort((a, b) => a - b)
  }
}

export const values = (from: number, to: number): NewRecord<Value>[] =>
  Array.from({ length: to - from }, (_, at) => ({
    key: `asset-${(from + at) % 16}`,
    value: { n: from + at },
  }))

export const upTo = (end: number) => Array.from({ length: end }, (_, n) => n)

/** Asks again and again, but leaves the processor to the servers meanwhile. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await systemClock.sleep(5)
}

/** The numbers of each key in the order in which they were seen. */
export function byKey(seen: readonly LogRecord<Value>[]): number[][] {
  const keys = new Map<string, number[]>()
  for (const { key, value } of seen) keys.set(key, [...(keys.get(key) ?? []), value.n])
  return [...keys.values()]
}
