import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { beforeEach, expect, onTestFinished, test } from "vitest"
import { Audit } from "../../core/audit.ts"
import { Catalogue } from "../../core/catalogue.ts"
import type { Database } from "../../core/db/database.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { Log } from "../../core/log/log.ts"
import { PlantRegister } from "../../core/plant-register.ts"
import { type PlantRevision, topics } from "../../core/topics.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"

let directory: string
let log: EmbeddedLog

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millwright-register-"))
  log = await EmbeddedLog.open(join(directory, "log.db"), {
    partitions: 4,
    clock: new ManualClock(),
    lingerMs: 0,
  })
  return async () => {
    await log.close()
    await rm(directory, { recursive: true })
  }
})

async function openTables(): Promise<Database> {
  const database = await openDatabase(join(directory, "plant.db"))
  onTestFinished(() => database.close())
  return database
}

/** The register of a process of its own over the same tables. */
async function startRegister(through: Log = log): Promise<PlantRegister> {
  const register = new PlantRegister(await openTables(), through, { problems: [], warnings: [] })
  await register.start()
  return register
}

const source = (site: string) => `plant: test\nsites: [{ id: ${site} }]`

function apply(register: PlantRegister, site: string, base?: number, effectiveMs = 0) {
  return register.apply({
    source: source(site),
    actor: "erika",
    reason: site,
    base,
    nowMs: 1,
    effectiveMs,
  })
}

async function announced(): Promise<number[]> {
  const revisions: number[] = []
  for await (const { value } of log.read(topics.catalogue)) revisions.push(value.revision)
  return revisions
}

test("of several who apply at once against one revision, one wins and the others are told PLANT_CHANGED", async () => {
  const registers = await Promise.all(Array.from({ length: 4 }, () => startRegister()))
  const outcomes = await Promise.allSettled(registers.map((register, at) => apply(register, `site-${at}`, 0)))
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "PLANT_CHANGED" })
  }
  expect(await announced()).toEqual([1])
})

test("those who apply without a base get a revision each, one after the other", async () => {
  const registers = await Promise.all(Array.from({ length: 4 }, () => startRegister()))
  const made = await Promise.all(
    registers.map((register, at) => apply(register, `site-${at}`, undefined, 10 - at)),
  )
  const revisions = made.map((revision) => revision as PlantRevision).sort((a, b) => a.revision - b.revision)
  expect(revisions.map(({ revision }) => revision)).toEqual([1, 2, 3, 4])
  const effective = revisions.map(({ effectiveMs }) => effectiveMs)
  expect(effective).toEqual(effective.toSorted((a, b) => a - b))
  // Two processes may tell one revision, in any order; the newest stands last, since a compacted topic keeps that.
  const told = await announced()
  expect(new Set(told)).toEqual(new Set([1, 2, 3, 4]))
  expect(told.at(-1)).toBe(4)
  const catalogue = new Catalogue(log)
  await catalogue.start()
  expect(catalogue.newest()?.number).toBe(4)
  await catalogue.close()
  const entries = await new Audit(await openTables()).list(10)
  expect(entries.map(({ subject }) => subject)).toEqual(
    [4, 3, 2, 1].map((revision) => `revision ${revision}`),
  )
})

test("a revision that was told late, after a newer one, is followed by the newer one again", async () => {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let isHeld: () => void = () => {}
  const held = new Promise<void>((resolve) => {
    isHeld = resolve
  })
  const append: Log["append"] = async (topic, records) => {
    isHeld()
    await released
    await log.append(topic, records)
  }
  const slow = await startRegister(Object.assign(Object.create(log) as Log, { append }))
  const fast = await startRegister()
  const first = apply(slow, "one")
  await held
  await apply(fast, "two")
  expect(await announced()).toEqual([1, 2])
  release()
  await first
  expect(await announced()).toEqual([1, 2, 1, 2])
})

test("what a process wrote and did not tell before it died is told by the next", async () => {
  const append: Log["append"] = () => Promise.reject(new Error("killed"))
  const dying = await startRegister(Object.assign(Object.create(log) as Log, { append }))
  await expect(apply(dying, "one")).rejects.toThrow("killed")
  await Promise.all([startRegister(), startRegister()])
  expect(new Set(await announced())).toEqual(new Set([1]))
})

test("since when an automation is there outlives its changes, and begins anew when it was gone", async () => {
  const register = await startRegister()
  const one = "{ id: one, when: created, then: [{ priority: 1 }] }"
  const applied = async (nowMs: number, ...automations: readonly string[]) => {
    const list = automations.join(", ")
    const text = `${source("north")}\nautomations: [${list}]`
    const revision = await register.apply({ source: text, actor: "erika", reason: "", nowMs, effectiveMs: 0 })
    return revision?.automationsSinceMs
  }
  expect(await applied(10, one)).toEqual({ one: 10 })
  expect(await applied(20, one.replace("1 }", "2 }"), one.replace("one", "two"))).toEqual({
    one: 10,
    two: 20,
  })
  expect(await applied(30, one.replace("one", "two"))).toEqual({ two: 20 })
  expect(await applied(40, one, one.replace("one", "two"))).toEqual({ one: 40, two: 20 })
})

test("entries of the audit that are made at the same time are all there, each with its number", async () => {
  const databases = await Promise.all(Array.from({ length: 4 }, openTables))
  const entry = { atMs: 1, actor: "erika", action: "test", detail: "" }
  const record = (database: Database, subject: string) =>
    database.transaction((trx) => new Audit(database).record(trx, { ...entry, subject }))
  await Promise.all(databases.map((database) => new Audit(database).migrate()))
  await Promise.all(
    databases.flatMap((database, at) => Array.from({ length: 5 }, (_, n) => record(database, `${at}-${n}`))),
  )
  const [database] = databases
  const listed = await new Audit(database as Database).list(100)
  expect(new Set(listed.map(({ subject }) => subject)).size).toBe(20)
})

test("a log that was begun anew is told every revision once more", async () => {
  const register = await startRegister()
  await apply(register, "north")
  await apply(register, "south")
  await log.close()
  log = await EmbeddedLog.open(join(directory, "new-log.db"), {
    partitions: 4,
    clock: new ManualClock(),
    lingerMs: 0,
  })
  expect(await announced()).toEqual([])
  await startRegister()
  expect(await announced()).toEqual([1, 2])
  await startRegister()
  expect(await announced()).toEqual([1, 2])
})

test("after the tables were restored from an older copy, the next revision follows the one in force, with a warning", async () => {
  const register = await startRegister()
  await apply(register, "north")
  const { warnings } = await register.compare(source("south"), 5)
  expect(warnings).toEqual([
    expect.stringMatching(/revision 5 is in force, and the database knows 1: .* becomes revision 6/),
  ])
  const request = { source: source("south"), actor: "erika", reason: "again", nowMs: 1, effectiveMs: 0 }
  expect(await register.apply({ ...request, known: 5 })).toMatchObject({ revision: 6 })
  expect(await announced()).toEqual([1, 6])
})
