import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, test } from "vitest"
import { z } from "zod"
import { systemClock } from "../../core/clock.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { LogRecord } from "../../core/log/log.ts"
import { SqliteThread } from "../../core/sqlite/thread.ts"
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
})

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
  const append = async (n: number) => {
    const appended = log.append(kept, [{ key: "a", value: { n } }])
    await clock.advance(10)
    await appended
  }
  for (const n of [1, 2, 3]) await append(n)
  const seen: LogRecord<{ n: number }>[] = []
  const subscription = await log.subscribe(kept, "slow", reader(seen))
  while (seen.length < 3) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(120_000)
  await append(4)
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
  for (let n = 0; n < 20; n++) {
    const appended = log.append(small, [{ key: "a", value: { n } }])
    await clock.advance(10)
    await appended
  }
  await log.maintain()
  const left = await numbers(log, small)
  expect(left.length).toBeGreaterThan(0)
  expect(left.length).toBeLessThan(8)
  expect(left.at(-1)).toBe(19)
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
