import fc from "fast-check"
import { afterEach, describe, expect, test } from "vitest"
import { z } from "zod"
import type { Consumer, Log, LogRecord, NewRecord } from "../../core/log/log.ts"
import { partitionOf } from "../../core/log/partition.ts"
import type { Topic } from "../../core/topics.ts"

type Value = { readonly n: number }
let topics = 0

/** Every test has a topic of its own, since a server keeps the others'. */
function freshTopic(overrides: Partial<Topic<Value>> = {}): Topic<Value> {
  return {
    name: `contract-${process.pid}-${topics++}`,
    schema: z.object({ n: z.number() }),
    retention: { ms: 86_400_000, bytes: 1e9 },
    compacted: false,
    patient: true,
    ...overrides,
  }
}

/** A consumer that remembers what it saw, and goes on where it had committed. */
class Recorder implements Consumer<Value> {
  readonly seen: LogRecord<Value>[] = []
  readonly owned = new Set<number>()
  readonly positions: Map<number, number>
  private watchers: { readonly enough: () => boolean; readonly resolve: () => void }[] = []

  constructor(positions = new Map<number, number>()) {
    this.positions = positions
  }

  async load(partition: number): Promise<number> {
    this.owned.add(partition)
    this.check()
    return this.positions.get(partition) ?? 0
  }

  async process(records: readonly LogRecord<Value>[]): Promise<void> {
    for (const record of records) {
      this.seen.push(record)
      this.positions.set(record.partition, record.position + 1)
    }
    this.check()
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.owned.delete(partition)
    this.check()
  }

  get numbers(): number[] {
    return this.seen.map(({ value }) => value.n)
  }

  until(enough: () => boolean): Promise<void> {
    if (enough()) return Promise.resolve()
    return new Promise((resolve) => this.watchers.push({ enough, resolve }))
  }

  has(count: number): Promise<void> {
    return this.until(() => this.seen.length >= count)
  }

  private check(): void {
    const ready = this.watchers.filter(({ enough }) => enough())
    this.watchers = this.watchers.filter((watcher) => !ready.includes(watcher))
    for (const { resolve } of ready) resolve()
  }
}

const records = (from: number, to: number, assets = 5): NewRecord<Value>[] =>
  Array.from({ length: to - from }, (_, at) => ({
    key: `asset-${(from + at) % assets}`,
    value: { n: from + at },
  }))

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of source) all.push(one)
  return all
}

function byKey(seen: readonly LogRecord<Value>[]): Map<string, number[]> {
  const keys = new Map<string, number[]>()
  for (const { key, value } of seen) keys.set(key, [...(keys.get(key) ?? []), value.n])
  return keys
}

/** Between partitions no order is promised. */
function inOrder(seen: readonly LogRecord<Value>[]): readonly LogRecord<Value>[] {
  return [...seen].sort((a, b) => a.partition - b.partition || a.position - b.position)
}

export type OpenedLog = {
  readonly log: Log
  /** Closes and opens again on the same data. */
  reopen(): Promise<Log>
  dispose(): Promise<void>
}

/** What every adapter of the port `Log` promises. `open` gives an empty log with 8 partitions. */
export function logContract(name: string, open: () => Promise<OpenedLog>): void {
  describe(`the log on ${name}`, () => {
    const opened: OpenedLog[] = []
    const fresh = async () => {
      const one = await open()
      opened.push(one)
      return one
    }
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.dispose()
    })

    test("what was appended is read back in order within each partition", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, records(0, 100))
      const all = await collect(log.read(topic))
      expect(all).toHaveLength(100)
      for (const record of all) expect(record.partition).toBe(partitionOf(record.key, log.partitions))
      for (const [, numbers] of byKey(all)) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    })

    test("a range of one partition is read from its first position to before its last", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, records(0, 60))
      const partition = partitionOf("asset-1", log.partitions)
      const all = await collect(log.read(topic, { partition }))
      const from = all[2]?.position ?? 0
      const to = all[5]?.position ?? 0
      expect(await collect(log.read(topic, { partition, from, to }))).toEqual(all.slice(2, 5))
    })

    test("a record may name its partition", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, [{ key: "tick", partition: 6, value: { n: 1 } }])
      expect((await collect(log.read(topic, { partition: 6 }))).map(({ value }) => value.n)).toEqual([1])
    })

    test("values come back equal as JSON, whether from memory or from the store", async () => {
      const { log } = await fresh()
      await fc.assert(
        fc.asyncProperty(fc.array(fc.jsonValue(), { minLength: 1, maxLength: 20 }), async (values) => {
          const topic: Topic<unknown> = { ...freshTopic(), schema: z.unknown() }
          const live: unknown[] = []
          const follower = await log.follow(topic, ({ value }) => void live.push(value))
          await log.append(
            topic,
            values.map((value) => ({ key: "k", value })),
          )
          const stored = (await collect(log.read(topic))).map(({ value }) => value)
          await follower.close()
          expect(JSON.stringify(stored)).toBe(JSON.stringify(values))
          expect(JSON.stringify(live)).toBe(JSON.stringify(values.slice(0, live.length)))
        }),
        { numRuns: 10 },
      )
    })

    test("a group sees each record once, in order per key, those from before it joined included", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, records(0, 50))
      const recorder = new Recorder()
      const subscription = await log.subscribe(topic, "readers", recorder)
      await log.append(topic, records(50, 120))
      await recorder.has(120)
      await subscription.close()
      expect([...recorder.numbers].sort((a, b) => a - b)).toEqual(records(0, 120).map(({ value }) => value.n))
      for (const [, numbers] of byKey(recorder.seen))
        expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    })

    test("groups don't take records from each other", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      const [one, two] = [new Recorder(), new Recorder()]
      const subscriptions = [await log.subscribe(topic, "one", one), await log.subscribe(topic, "two", two)]
      await log.append(topic, records(0, 30))
      await Promise.all([one.has(30), two.has(30)])
      for (const subscription of subscriptions) await subscription.close()
    })

    test("a consumer goes on at the positions that it loads", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, records(0, 40))
      const first = new Recorder()
      const subscription = await log.subscribe(topic, "readers", first)
      await first.has(40)
      await subscription.close()
      await log.append(topic, records(40, 55))
      const second = new Recorder(first.positions)
      const again = await log.subscribe(topic, "readers", second)
      await second.has(15)
      await again.close()
      expect([...second.numbers].sort((a, b) => a - b)).toEqual(records(40, 55).map(({ value }) => value.n))
    })

    test("members share the partitions; who leaves gives them up; none is owned twice", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      const positions = new Map<number, number>()
      const [one, two] = [new Recorder(positions), new Recorder(positions)]
      const first = await log.subscribe(topic, "readers", one)
      await one.until(() => one.owned.size === log.partitions)
      const second = await log.subscribe(topic, "readers", two)
      await Promise.all([one.until(() => one.owned.size === 4), two.until(() => two.owned.size === 4)])
      expect([...one.owned].filter((partition) => two.owned.has(partition))).toEqual([])
      await log.append(topic, records(0, 80, 16))
      await first.close()
      expect(one.owned.size).toBe(0)
      await two.until(() => two.owned.size === log.partitions)
      await log.append(topic, records(80, 100, 16))
      await two.until(() => new Set([...one.numbers, ...two.numbers]).size === 100)
      await second.close()
    })

    test("a consumer that fails stops its subscription with that error, and its partitions go to the others", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      const positions = new Map<number, number>()
      const failing = new Recorder()
      failing.process = () => Promise.reject(new Error("disk full"))
      const subscription = await log.subscribe(topic, "readers", failing)
      const failed = expect(subscription.done).rejects.toThrow("disk full")
      await log.append(topic, records(0, 20))
      await failed
      const healthy = new Recorder(positions)
      const other = await log.subscribe(topic, "readers", healthy)
      await healthy.has(20)
      await other.close()
    })

    test("follow hands over what is there before it resolves, and then what comes", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, records(0, 10))
      const seen: number[] = []
      let enough = () => {}
      const all = new Promise<void>((resolve) => {
        enough = resolve
      })
      const subscription = await log.follow(topic, ({ value }) => {
        seen.push(value.n)
        if (seen.length === 15) enough()
      })
      expect(seen).toHaveLength(10)
      await log.append(topic, records(10, 15))
      await all
      await subscription.close()
      expect([...seen].sort((a, b) => a - b)).toEqual(records(0, 15).map(({ value }) => value.n))
    })

    test("a member that has read everything stands at the ends", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, records(0, 33))
      const ends = await log.ends(topic)
      const recorder = new Recorder()
      const subscription = await log.subscribe(topic, "readers", recorder)
      await recorder.has(33)
      // One more record makes sure that the batch before it is over.
      await log.append(topic, records(33, 34))
      await recorder.has(34)
      ends.forEach((end, partition) => {
        expect(subscription.position(partition)).toBeGreaterThanOrEqual(end - 1)
      })
      await subscription.close()
    })

    test("after a restart the records are there and positions go on rising", async () => {
      const one = await fresh()
      const topic = freshTopic()
      await one.log.append(topic, records(0, 25))
      const before = await collect(one.log.read(topic))
      const log = await one.reopen()
      expect(inOrder(await collect(log.read(topic)))).toEqual(inOrder(before))
      await log.append(topic, records(25, 30))
      const after = await collect(log.read(topic))
      expect(after).toHaveLength(30)
      for (const [, numbers] of byKey(after)) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
    })

    test("concurrent appends keep the order in which they were called", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await Promise.all(
        Array.from({ length: 50 }, (_, n) => log.append(topic, [{ key: "one", value: { n } }])),
      )
      expect((await collect(log.read(topic))).map(({ value }) => value.n)).toEqual(
        Array.from({ length: 50 }, (_, n) => n),
      )
    })

    test("a closed log refuses to append", async () => {
      const { log } = await fresh()
      const topic = freshTopic()
      await log.append(topic, records(0, 1))
      await log.close()
      await expect(log.append(topic, records(1, 2))).rejects.toMatchObject({ code: "LOG_CLOSED" })
    })
  })
}
