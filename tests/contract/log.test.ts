import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, test } from "vitest"
import { z } from "zod"
import { systemClock } from "../../core/clock.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { LogRecord } from "../../core/log/log.ts"
import { partitionOf } from "../../core/log/partition.ts"
import { SqliteThread } from "../../core/sqlite/thread.ts"
import type { Topic } from "../../core/topics.ts"
import { ManualClock } from "../manual-clock.ts"
import { logContract } from "./log.ts"

const options = { partitions: 8, clock: systemClock, lingerMs: 1 }

async function scratch(): Promise<{ path: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "millwright-log-"))
  return { path: join(directory, "log.sqlite"), remove: () => rm(directory, { recursive: true }) }
}

logContract("a SQLite file", async () => {
  const { path, remove } = await scratch()
  let log = await EmbeddedLog.open(path, options)
  return {
    log,
    async reopen() {
      await log.close()
      log = await EmbeddedLog.open(path, options)
      return log
    },
    async dispose() {
      await log.close()
      await remove()
    },
  }
})

test("a file made with another number of partitions is refused, naming both numbers", async () => {
  const { path, remove } = await scratch()
  await (await EmbeddedLog.open(path, options)).close()
  await expect(EmbeddedLog.open(path, { ...options, partitions: 16 })).rejects.toThrow(
    /made with 8 .* says 16/,
  )
  await remove()
})

test("a file that another version has written in another format is refused, and left as it was", async () => {
  const { path, remove } = await scratch()
  await (await EmbeddedLog.open(path, options)).close()
  const other = await SqliteThread.open(path)
  await other.script("PRAGMA user_version = 99")
  await other.close()
  await expect(EmbeddedLog.open(path, options)).rejects.toMatchObject({
    code: "DIRECTORY_UNUSABLE",
    message: expect.stringMatching(/format 99.*reads 1/),
  })
  await remove()
})

const topic = (retention: { ms: number; bytes: number }, compacted = false) => ({
  name: "kept",
  schema: z.object({ n: z.number() }),
  retention,
  compacted,
  patient: true,
})

/** Appends one number after the other, each in a commit of its own. */
async function append(
  log: EmbeddedLog,
  to: ReturnType<typeof topic>,
  clock: ManualClock,
  values: readonly number[],
): Promise<void> {
  for (const n of values) {
    const appended = log.append(to, [{ key: "a", value: { n } }])
    await clock.advance(10)
    await appended
  }
}

async function numbers(log: EmbeddedLog, of: ReturnType<typeof topic>): Promise<number[]> {
  const all: number[] = []
  for await (const { value } of log.read(of)) all.push(value.n)
  return all
}

const reader = (positions: LogRecord<{ n: number }>[]) => ({
  load: async () => 0,
  process: async (records: readonly LogRecord<{ n: number }>[]) => void positions.push(...records),
  revoked: async () => {},
})

test("records past their age go, but never before the slowest group has passed them or is declared dead", async () => {
  const { path, remove } = await scratch()
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1e12 })
  const kept = topic({ ms: 60_000, bytes: 1e9 })
  await append(log, kept, clock, [1, 2, 3])
  const seen: LogRecord<{ n: number }>[] = []
  const subscription = await log.subscribe(kept, "slow", reader(seen))
  while (seen.length < 3) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(120_000)
  await append(log, kept, clock, [4])
  await log.maintain()
  expect(await numbers(log, kept)).toEqual([1, 2, 3, 4])
  const second = seen[1]
  if (second === undefined) throw new Error("nothing was read")
  subscription.commit(second.partition, second.position + 1)
  await log.maintain()
  expect(await numbers(log, kept)).toEqual([3, 4])
  await subscription.close()
  await log.declareDead(kept, "slow")
  await log.maintain()
  expect(await numbers(log, kept)).toEqual([4])
  await log.close()
  await remove()
})

test("a topic past its size loses its oldest records", async () => {
  const { path, remove } = await scratch()
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1e12 })
  const small = topic({ ms: 1e12, bytes: 100 })
  await append(
    log,
    small,
    clock,
    Array.from({ length: 20 }, (_, n) => n),
  )
  await log.maintain()
  const left = await numbers(log, small)
  expect(left.length).toBeGreaterThan(0)
  expect(left.length).toBeLessThan(8)
  expect(left.at(-1)).toBe(19)
  await log.close()
  await remove()
})

test("retention keeps up with any number of commits", async () => {
  const { path, remove } = await scratch()
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1e12 })
  const kept = topic({ ms: 1000, bytes: 1e9 })
  await append(log, kept, clock, [1])
  // As many rows as a plant commits in an hour: written beside the log, since only their number matters.
  const writer = await SqliteThread.open(path)
  const rows = Array.from({ length: 25_000 }, (_, at) => [
    at + 1,
    at + 1,
    clock.now(),
    30,
    `[[${at + 1},0,"a",{"n":0}]]`,
  ])
  await writer.transaction([
    { sql: 'INSERT INTO "records:kept" VALUES (?, ?, ?, ?, ?)', rows },
    { sql: "UPDATE topic SET next = 25001 WHERE name = 'kept'" },
  ])
  await writer.close()
  await log.close()
  const again = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1e12 })
  await append(again, kept, clock, [2])
  await clock.advance(5000)
  await append(again, kept, clock, [3])
  await again.maintain()
  expect(await numbers(again, kept)).toEqual([3])
  await again.close()
  await remove()
})

test("where retention has taken everything away, members and followers stand at the end", async () => {
  const { path, remove } = await scratch()
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1e12 })
  const kept = topic({ ms: 1000, bytes: 1e9 })
  await append(log, kept, clock, [1, 2, 3])
  await clock.advance(5000)
  await log.maintain()
  expect(await numbers(log, kept)).toEqual([])
  await log.close()
  const again = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1e12 })
  const subscription = await again.subscribe(kept, "readers", reader([]))
  const follower = await again.follow(kept, () => {})
  const ends = await again.ends(kept)
  while (subscription.position(0) < (ends[0] ?? 0)) await new Promise((resolve) => setImmediate(resolve))
  await follower.close()
  await subscription.close()
  await again.close()
  await remove()
})

test("a consumer that has dealt with everything is handed nothing again, also where it owns silent partitions", async () => {
  const { path, remove } = await scratch()
  const log = await EmbeddedLog.open(path, options)
  const kept = topic({ ms: 1e12, bytes: 1e9 })
  for (let n = 0; n < 50; n++) await log.append(kept, [{ key: "a", value: { n } }])
  const ends = await log.ends(kept)
  const seen: LogRecord<{ n: number }>[] = []
  // Only the partition that ever had a record has a position; the others were never heard of.
  const owner = partitionOf("a", options.partitions)
  const load = async (partition: number) => (partition === owner ? (ends[partition] ?? 0) : 0)
  const subscription = await log.subscribe(kept, "readers", { ...reader(seen), load })
  expect((await log.lags()).find(({ group }) => group === "readers")).toMatchObject({ behind: 0 })
  expect(subscription.position(owner)).toBe(ends[owner])
  await subscription.close()
  expect(seen).toEqual([])
  await log.close()
  await remove()
})

test("records of many megabytes are taken, in commits and rows of a bounded size", async () => {
  const { path, remove } = await scratch()
  const log = await EmbeddedLog.open(path, options)
  const large = { ...topic({ ms: 1e12, bytes: 1e12 }), schema: z.unknown() } as unknown as Topic<{
    text: string
  }>
  const text = "x".repeat(1_000_000)
  await Promise.all(
    Array.from({ length: 40 }, () =>
      log.append(large, [
        { key: "a", value: { text } },
        { key: "b", value: { text: "" } },
      ]),
    ),
  )
  await log.close()
  const rows = SqliteThread.reader(path)
  const [found] = await rows.all(
    'SELECT max(bytes) AS largest, sum(last - first + 1) AS records FROM "records:kept"',
  )
  await rows.close()
  expect(Number(found?.records)).toBe(80)
  expect(Number(found?.largest)).toBeLessThan(2_200_000)
  await remove()
})

test("a round of maintenance that fails is told, and the next one is made", async () => {
  const { path, remove } = await scratch()
  const clock = new ManualClock()
  const told: string[] = []
  const logger = pino({ level: "error" }, { write: (line: string) => void told.push(line) })
  const log = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1000, logger })
  const kept = topic({ ms: 1000, bytes: 1e9 })
  await append(log, kept, clock, [1])
  const other = await SqliteThread.open(path)
  await other.script('ALTER TABLE "records:kept" RENAME TO away')
  await clock.advance(2500)
  while (told.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await other.script('ALTER TABLE away RENAME TO "records:kept"')
  await other.close()
  await append(log, kept, clock, [2])
  while ((await numbers(log, kept)).includes(1)) {
    await clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await log.close()
  await remove()
})

test("a compacted topic keeps the newest record of every key, whatever its age", async () => {
  const { path, remove } = await scratch()
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(path, { partitions: 8, clock, maintenanceMs: 1e12 })
  const compacted = topic({ ms: 1000, bytes: 1e9 }, true)
  for (const [key, n] of [
    ["a", 1],
    ["b", 2],
    ["a", 3],
    ["a", 4],
  ] as const) {
    const appended = log.append(compacted, [{ key, value: { n } }])
    await clock.advance(10)
    await appended
  }
  await clock.advance(5000)
  await log.maintain()
  expect(await numbers(log, compacted)).toEqual([2, 4])
  await log.close()
  await remove()
})

test("an append of something that is not JSON is refused whole, and takes nobody else's along", async () => {
  const { path, remove } = await scratch()
  const log = await EmbeddedLog.open(path, options)
  const kept = topic({ ms: 1e12, bytes: 1e9 })
  await log.append(kept, [{ key: "a", value: { n: 1 } }])
  const cyclic: { n: number; self?: unknown } = { n: 2 }
  cyclic.self = cyclic
  const good = log.append(kept, [{ key: "a", value: { n: 3 } }])
  const bad = log.append(kept, [
    { key: "a", value: { n: 4 } },
    { key: "a", value: cyclic },
  ])
  await expect(bad).rejects.toThrow(/circular/i)
  await good
  expect(await numbers(log, kept)).toEqual([1, 3])
  await log.close()
  await remove()
})
