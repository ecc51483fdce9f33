import { expect, test } from "vitest"
import { Positions } from "../../../core/db/positions.ts"
import type { Log } from "../../../core/log/log.ts"
import { partitionOf } from "../../../core/log/partition.ts"
import { topics } from "../../../core/topics.ts"
import type { AlarmStep, Announcement } from "../../../core/vocabulary.ts"
import type { AlarmTables } from "../../../rules/alarms/tables.ts"
import { giveAndTake, oddAndOther } from "../../takeover.ts"
import { until } from "../../until.ts"
import { partitions, scratch } from "../plant-files.ts"
import { open } from "./setup.ts"
import { id, limits, minute, startMs, step, words } from "./steps.ts"

const identify = (told: Announcement) => topics.announcements.identify?.(told) ?? ""

/** Each announcement once, and that repeats have the same content. */
function once(told: readonly Announcement[]): Announcement[] {
  const found = new Map<string, Announcement>()
  for (const one of told) {
    const before = found.get(identify(one))
    if (before !== undefined) expect(one).toEqual(before)
    found.set(identify(one), before ?? one)
  }
  return [...found.values()]
}

const ended = (number: number, minutes: number): AlarmStep => {
  const { openedAtMs } = step(number, 0)
  return step(number, minutes, { kind: "cleared", sequence: 1, openedAtMs })
}

test("steps become the list, and what matters is told under the site's key", async () => {
  const plant = await open(scratch())
  await plant.stage.start()
  await plant.send([step(1, 0), step(2, 1, { site: "south", quiet: "shelved" }), step(3, 2), ended(1, 3)])
  await plant.settled()
  expect((await plant.told()).map(words)).toEqual(["0 alarm P1", "2 alarm P3", "3 cleared P1"])
  for await (const { key, value } of plant.log.read(topics.announcements)) expect(key).toBe(value.site)
  const list = async (filter = {}) =>
    (await plant.stage.list(filter, startMs)).alarms.map(({ asset, state, told }) => [asset, state, told])
  expect(await list()).toEqual([
    ["P3", "open", "singly"],
    ["P2", "open", null],
  ])
  expect(await list({ state: "all", site: "north" })).toEqual([
    ["P3", "open", "singly"],
    ["P1", "cleared", "singly"],
  ])
  expect(await list({ state: "all", limit: 1 })).toHaveLength(1)
  expect(await list({ severity: "trip" })).toEqual([])
  expect(await plant.stage.get(id(1))).toMatchObject({ incident: id(1), alarms: [{ asset: "P1" }] })
  expect(await plant.stage.get(id(1).slice(0, 8))).toMatchObject({ incident: id(1) })
  await expect(plant.stage.get(id(9))).rejects.toMatchObject({ code: "NOT_FOUND" })
  await expect(plant.stage.get("%")).rejects.toMatchObject({ code: "USAGE" })
  const [report] = await plant.stage.report({ site: "north", fromMs: startMs, toMs: startMs + 60 * minute })
  expect(report).toMatchObject({ site: "north", alarms: 2 })
  await plant.close()
  await plant.stage.done
})

test("a storm of 10,000 alarms is told in some digests, all of it is listed, and little is kept", async () => {
  const plant = await open(scratch())
  // Half an hour of them at one site, a tenth of them trips; what comes from the other site is told as ever.
  const storm = Array.from({ length: 10_000 }, (_, n) =>
    step(n, (n * 30) / 10_000, { asset: `P${n % 500}`, severity: n % 10 === 0 ? "trip" : "alarm" }),
  )
  await plant.send(storm)
  await plant.send([step(20_000, 31, { site: "south" })])
  await plant.stage.start()
  await plant.settled()
  // The site's clock goes on with its next step.
  await plant.send([step(30_000, 120, { asset: "P9" })])
  await plant.settled()

  const told = await plant.told()
  const north = told.filter(({ site }) => site === "north")
  expect(north.length).toBeLessThan(80)
  const singly = north.flatMap((one) => ("step" in one ? [one.step.episode] : []))
  const digests = north.flatMap((one) => (one.kind === "digest" ? [one] : []))
  expect(singly.length + digests.reduce((sum, { incidents }) => sum + incidents, 0)).toBe(10_001)
  expect(digests.length).toBeLessThanOrEqual(5)
  expect(north.filter(({ kind }) => kind === "flood-began")).toHaveLength(1)
  expect(north.at(-1)).toMatchObject({ kind: "alarm", step: { asset: "P9" } })
  expect(told.filter(({ site }) => site === "south").map(words)).toEqual(["31 alarm P20000"])

  const db = plant.database.tables<AlarmTables>()
  const rows = await db.selectFrom("alarm").select(["episode", "told"]).execute()
  expect(rows).toHaveLength(10_002)
  expect(rows.every((row) => row.told !== null)).toBe(true)
  expect(await db.selectFrom("alarm_outbox").selectAll().execute()).toEqual([])
  const states = await db.selectFrom("alarm_site").select("state").execute()
  expect(states).toHaveLength(2)
  for (const { state } of states) expect(state.length).toBeLessThan(1000)
  const [report] = await plant.stage.report({ site: "north", fromMs: startMs, toMs: startMs + 240 * minute })
  expect(report).toMatchObject({ alarms: 10_001, bySeverity: { trip: 1000, alarm: 9000, warning: 1 } })
  await plant.close()
})

test("under the clock wall a digest falls due while nothing comes", async () => {
  const plant = await open(scratch(), { plantClock: "wall" })
  await plant.stage.start()
  await plant.send(Array.from({ length: 15 }, (_, n) => step(n, 0)))
  await plant.settled()
  expect((await plant.stage.list({}, startMs)).floods).toEqual([
    { site: "north", sinceMs: startMs, waiting: 5 },
  ])
  await plant.clock.advance(10 * minute + 7000)
  await until(async () => (await plant.told()).some(({ kind }) => kind === "flood-ended"))
  expect((await plant.told()).slice(10).map(words)).toEqual([
    "0 flood-began",
    "10 digest 5+0-0",
    "10 flood-ended",
  ])
  expect((await plant.stage.list({}, startMs)).floods).toEqual([])
  await plant.close()
})

test("after restarts between any steps the operator has heard the same", async () => {
  const steps = Array.from({ length: 60 }, (_, n) =>
    n % 3 === 2 ? ended(n - 1, n / 2) : step(n, n / 2, { asset: `P${n % 7}` }),
  )
  const undisturbed = await open(scratch())
  await undisturbed.send(steps)
  await undisturbed.stage.start()
  await undisturbed.settled()
  const expected = await undisturbed.told()
  expect(expected.some(({ kind }) => kind === "digest")).toBe(true)
  await undisturbed.close()
  const directory = scratch()
  for (let at = 0; at < steps.length; at += 13) {
    const plant = await open(directory)
    await plant.send(steps.slice(at, at + 13))
    await plant.stage.start()
    await plant.settled()
    if (at + 13 >= steps.length) expect(await plant.told()).toEqual(expected)
    await plant.close()
  }
})

/** A log that keeps announcements, and then fails as if the process had died before it heard so. */
function dying(log: Log, after: number): Log {
  let left = after
  const append: Log["append"] = async (topic, records) => {
    await log.append(topic, records)
    left -= 1
    if (topic.name === "announcements" && left < 0) throw new Error("killed")
  }
  return Object.assign(Object.create(log), { append })
}

test("what was told when the process died is told again with the same id and content, and nothing is decided anew", async () => {
  const directory = scratch()
  const first = await open(directory, { plantClock: "wall", logFor: (log) => dying(log, 0) })
  await first.send(Array.from({ length: 15 }, (_, n) => step(n, 0)))
  await first.stage.start()
  await expect(first.stage.done).rejects.toThrow("killed")
  await first.close()
  // It comes back when the digest is long due, and there is more to count.
  const second = await open(directory, { plantClock: "wall", nowMs: startMs + 60 * minute })
  await second.send([step(99, 8)])
  await second.stage.start()
  await second.settled()
  await second.clock.advance(7000)
  await until(async () => (await second.told()).some(({ kind }) => kind === "flood-ended"))
  const told = await second.told()
  expect(told.filter(({ kind }) => kind === "flood-began")).toHaveLength(2)
  expect(once(told).slice(10).map(words)).toEqual(["0 flood-began", "10 digest 6+0-0", "10 flood-ended"])
  await second.close()
})

test("steps that come again change nothing", async () => {
  const plant = await open(scratch())
  await plant.stage.start()
  const steps = [...Array.from({ length: 14 }, (_, n) => step(n, 0)), ended(3, 1)]
  await plant.send(steps)
  await plant.send(steps)
  await plant.settled()
  const told = await plant.told()
  expect(told).toEqual(once(told))
  expect(told).toHaveLength(limits.above + 1)
  expect((await plant.stage.list({}, startMs)).floods).toEqual([
    { site: "north", sinceMs: startMs, waiting: 4 },
  ])
  await plant.close()
})

test("when another process takes a partition over, the others go on, and so does it once it comes back", async () => {
  const plant = await open(scratch())
  const [lost, other] = oddAndOther(["north", "south", "east", "west", "hall 1", "hall 2"], partitions)
  await plant.stage.start()
  await plant.send([step(1, 0, { site: lost })])
  await plant.settled()
  await new Positions(plant.database, "alarms", topics.alarms.name).claim(partitionOf(lost, partitions))
  await plant.send([step(2, 1, { site: lost }), step(3, 1, { site: other })])
  await until(() => plant.warnings.length > 0)
  await until(async () => (await plant.told()).length === 2)
  expect((await plant.told()).map(words).sort()).toEqual(["0 alarm P1", "1 alarm P3"])
  await giveAndTake(plant.log, topics.alarms, "alarms")
  await plant.settled()
  expect((await plant.told()).map(words).sort()).toEqual(["0 alarm P1", "1 alarm P2", "1 alarm P3"])
  await plant.close()
})

test("a partition that another process claimed and the log leaves here stops the stage", async () => {
  const plant = await open(scratch())
  await plant.stage.start()
  await plant.send([step(1, 0)])
  await plant.settled()
  await new Positions(plant.database, "alarms", topics.alarms.name).claim(partitionOf("north", partitions))
  await plant.send([step(2, 1)])
  await until(() => plant.warnings.length > 0)
  const stopped = expect(plant.stage.done).rejects.toMatchObject({ code: "OWNER_REPLACED" })
  await plant.clock.advance(32_000)
  await stopped
  await plant.close()
})

test("alarms that ended more than 400 days ago are forgotten", async () => {
  const plant = await open(scratch())
  await plant.stage.start()
  const day = 24 * 60
  await plant.send([step(1, 0), ended(1, 1), step(2, 2), step(3, 400 * day)])
  await plant.settled()
  const listed = async () =>
    (await plant.stage.list({ state: "all" }, startMs)).alarms.map(({ asset }) => asset).sort()
  expect(await listed()).toEqual(["P1", "P2", "P3"])
  await plant.send([step(4, 401 * day)])
  await plant.settled()
  expect(await listed()).toEqual(["P2", "P3", "P4"])
  await plant.close()
})
