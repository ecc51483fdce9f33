import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Transaction } from "kysely"
import { beforeEach, expect, onTestFinished, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import type { Database } from "../../core/db/database.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { Reading } from "../../core/vocabulary.ts"
import { DeviceRegistry } from "../../ingest/registry.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"

let directory: string
let catalogue: Catalogue

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millwright-registry-"))
  const log = await EmbeddedLog.open(join(directory, "log.db"), { partitions: 4, clock: new ManualClock() })
  catalogue = new Catalogue(log)
  return async () => {
    await log.close()
    await rm(directory, { recursive: true })
  }
})

/** The registry of a process of its own over the same tables. */
async function startRegistry(wrap: (database: Database) => Database = (database) => database) {
  const database = await openDatabase(join(directory, "plant.db"))
  onTestFinished(() => database.close())
  const registry = new DeviceRegistry(wrap(database), catalogue)
  await registry.start()
  return registry
}

function reading(asset: string, atMs: number, site = "north"): Reading {
  return { kind: "reading", site, asset, atMs, arrivedMs: atMs, values: { flow: 1 } }
}

test("several processes add to what the others saw, and none takes anything back", async () => {
  const [one, two] = [await startRegistry(), await startRegistry()]
  one.saw(reading("P-1", 20), true)
  one.saw(reading("P-1", 30), true)
  two.saw(reading("P-1", 10), false)
  two.saw(reading("P-1", 25), false)
  two.saw(reading("P-2", 5), false)
  await Promise.all([one.save(), two.save()])
  two.saw(reading("P-1", 28, "south"), false)
  two.clockAhead("P-1", 7)
  await two.save()
  await one.save()

  const later = await startRegistry()
  const device = { known: false, aheadMs: 0 }
  expect(later.list()).toEqual([
    { ...device, asset: "P-1", site: "south", firstMs: 10, lastMs: 30, records: 5, aheadMs: 7 },
    { ...device, asset: "P-2", site: "north", firstMs: 5, lastMs: 5, records: 1 },
  ])
  expect(later.newestMs()).toBe(30)
  expect(later.newestMsOf("P-2")).toBe(30)
})

test("many processes that save many devices at once lose none", async () => {
  const registries = await Promise.all(Array.from({ length: 4 }, () => startRegistry()))
  for (let round = 0; round < 3; round++) {
    for (const [at, registry] of registries.entries()) {
      for (let n = 0; n < 600; n++) registry.saw(reading(`P-${(n * 7 + at) % 600}`, round), true)
    }
    await Promise.all(registries.map((registry) => registry.save()))
  }
  const records = (await startRegistry()).list().map((device) => device.records)
  expect(records).toEqual(Array(600).fill(12))
})

test("what could not be saved is saved later, once", async () => {
  let isBroken = true
  const registry = await startRegistry((database) => ({
    ...database,
    transaction: <T, R>(work: (trx: Transaction<T>) => Promise<R>) =>
      isBroken ? Promise.reject(new Error("the disk is full")) : database.transaction(work),
  }))
  registry.saw(reading("P-1", 10), true)
  await expect(registry.save()).rejects.toThrow("the disk is full")
  registry.saw(reading("P-1", 20), true)
  isBroken = false
  await registry.save()
  await registry.save()
  expect((await startRegistry()).list()).toMatchObject([
    { asset: "P-1", firstMs: 10, lastMs: 20, records: 2 },
  ])
})
