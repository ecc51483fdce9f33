import { cpSync } from "node:fs"
import { expect, test } from "vitest"
import { Positions } from "../../core/db/positions.ts"
import { partitionOf } from "../../core/log/partition.ts"
import type { PlantClock } from "../../core/service.ts"
import { topics } from "../../core/topics.ts"
import type {
  AssetEvent,
  Detection,
  DetectionRecord,
  Reading,
  TelemetryRecord,
} from "../../core/vocabulary.ts"
import { createRules } from "../../rules/index.ts"
import { onPostgres } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { giveAndTake, oddAndOther } from "../takeover.ts"
import { until } from "../until.ts"
import { openPlantFiles, partitions, scratch } from "./plant-files.ts"
import { plantSource, startMs } from "./setup.ts"
import { rules, signals } from "./streams.ts"

const minute = 60_000
const hour = 60 * minute
const assets = ["P1", "P2", "P3"]

/** A plant's files and a rules stage over them; opened again over the same files it goes on. */
async function open(
  directory: string,
  plantClock: PlantClock,
  { clock = new ManualClock(startMs), isBehind = false } = {},
) {
  const source = plantSource(signals, rules, assets)
  const { context, warnings, close } = await openPlantFiles(directory, { source, clock, isBehind })
  const { log, database } = context
  const stage = createRules({ ...context, plantClock })
  await stage.prepare()
  await stage.start()
  const found = async (): Promise<DetectionRecord[]> => {
    const records: DetectionRecord[] = []
    for await (const { value } of log.read(topics.detections)) records.push(value)
    return records
  }
  return {
    log,
    database,
    clock,
    stage,
    warnings,
    found,
    send: (records: readonly TelemetryRecord[]) =>
      log.append(
        topics.telemetry,
        records.map((value) => ({ key: value.kind === "tick" ? "tick" : value.asset, value })),
      ),
    close: () => close(stage),
  }
}

function reading(asset: string, minutes: number, values: Record<string, number>): Reading {
  const atMs = startMs + minutes * minute
  return { kind: "reading", site: "north", asset, atMs, arrivedMs: atMs, values }
}

function installed(asset: string, minutes: number, component: string): AssetEvent {
  const atMs = startMs + minutes * minute
  const attributes = { component }
  return {
    kind: "event",
    code: "component-installed",
    site: "north",
    asset,
    atMs,
    arrivedMs: atMs,
    attributes,
  }
}

/** Two days of three machines that vibrate too much now and then, and drive on. */
const history = Array.from({ length: 288 }, (_, at) =>
  assets.map((asset, turn) =>
    reading(asset, at * 10, {
      vibration: (at + turn * 20) % 60 < 12 ? 7 : 2,
      power: 50 + (at % 5),
      mileage: at * 5 + turn,
    }),
  ),
).flat()

/** Everything was evaluated once each partition has passed on the last hour. */
async function settled(found: () => Promise<DetectionRecord[]>): Promise<DetectionRecord[]> {
  const used = new Set(assets.map((asset) => partitionOf(asset, partitions))).size
  const lastStep = startMs + 47 * hour
  let records: DetectionRecord[] = []
  await until(async () => {
    records = await found()
    return records.filter(({ kind, atMs }) => kind === "tick" && atMs === lastStep).length >= used
  })
  return records
}

const isDetection = (record: DetectionRecord): record is Detection =>
  record.kind !== "tick" && record.kind !== "maintained"
const byAsset = (records: readonly DetectionRecord[]) =>
  assets.map((asset) => records.filter(isDetection).filter((one) => one.asset === asset))

async function undisturbed(): Promise<DetectionRecord[]> {
  const plant = await open(scratch(), "event")
  await plant.send(history)
  const records = await settled(plant.found)
  await plant.close()
  return records
}

test("history in pieces, with stops between them, gives the detections of history in one piece", async () => {
  const expected = byAsset(await undisturbed())
  expect(expected.every((steps) => steps.length > 10)).toBe(true)
  const directory = scratch()
  for (let at = 0; at < history.length; at += 200) {
    const plant = await open(directory, "event")
    for (const one of history.slice(at, at + 200)) await plant.send([one])
    if (at + 200 >= history.length) {
      expect(JSON.stringify(byAsset(await settled(plant.found)))).toBe(JSON.stringify(expected))
    }
    await plant.close()
  }
})

// It copies files, as a kill leaves them. Those of a server are its own: the servers' tests kill it.
if (!onPostgres)
  test("after a kill the detections since the checkpoint come again with the same content, and none is missing", async () => {
    const expected = byAsset(await undisturbed())
    const [first, second] = [scratch(), scratch()]
    const killed = await open(first, "event")
    await killed.send(history.slice(0, 400))
    await until(async () => (await killed.found()).length > 20)
    await killed.clock.advance(15_000)
    const before = (await killed.found()).length
    await killed.send(history.slice(400, 700))
    await until(async () => (await killed.found()).length > before + 10)
    cpSync(first, second, { recursive: true })
    await killed.close()

    const plant = await open(second, "event")
    await plant.send(history.slice(700))
    const records = await settled(plant.found)
    await plant.close()
    const told = records.filter(isDetection)
    expect(told.length).toBeGreaterThan(expected.flat().length)
    for (const [at, steps] of byAsset(records).entries()) {
      const once = new Map(steps.map((step) => [`${step.episode} ${step.sequence}`, JSON.stringify(step)]))
      for (const step of steps) {
        expect(once.get(`${step.episode} ${step.sequence}`)).toBe(JSON.stringify(step))
      }
      expect([...once.values()]).toEqual(expected[at]?.map((step) => JSON.stringify(step)))
    }
  })

test("a tick comes after every detection up to its time, in the partition that it is about", async () => {
  const plant = await open(scratch(), "event")
  await plant.send(history)
  await settled(plant.found)
  for await (const { partition, value, position } of plant.log.read(topics.detections)) {
    if (value.kind !== "tick") continue
    expect(value.atMs % hour).toBe(0)
    const mine = assets.filter((asset) => partitionOf(asset, partitions) === partition)
    expect(mine.length).toBeGreaterThan(0)
    for await (const later of plant.log.read(topics.detections, { partition, from: position + 1 })) {
      // Assets share a partition but not a clock: one of them may still be some minutes behind.
      if (later.value.kind === "tick" || mine.length === 1)
        expect(later.value.atMs).toBeGreaterThan(value.atMs)
    }
  }
  await plant.close()
})

test("an installation is told after what it ended, also where nothing was open, late, and again", async () => {
  const plant = await open(scratch(), "event")
  await plant.send([
    reading("P1", 0, { vibration: 7 }),
    installed("P1", 60, "bearing"),
    installed("P1", 60, "bearing"),
    installed("P1", 40, "bearing"),
    installed("P1", 90, "seal"),
    installed("P1", 90, "gearbox"),
    installed("P9", 90, "bearing"),
    { ...installed("P1", 90, "bearing"), code: "component-removed" },
    reading("P1", 120, { vibration: 2 }),
  ])
  const words = (record: DetectionRecord) =>
    `${(record.atMs - startMs) / minute} ${record.kind} ${"component" in record ? record.component : ""}`.trim()
  let mine: string[] = []
  await until(async () => {
    mine = []
    for await (const { value } of plant.log.read(topics.detections, {
      partition: partitionOf("P1", partitions),
    })) {
      mine.push(words(value))
    }
    return mine.includes("120 tick")
  })
  expect(mine).toEqual([
    "0 opened bearing",
    "0 tick",
    "45 raised bearing",
    "60 cleared bearing",
    "60 maintained bearing",
    "60 tick",
    "60 maintained bearing",
    // With the installation at 40, which came late, the episode had ended by then.
    "0 amended bearing",
    "40 cleared bearing",
    "40 maintained bearing",
    "90 maintained seal",
    "120 tick",
  ])
  await plant.close()
})

test("under the wall clock an installation is of the plant in effect at its arrival", async () => {
  const plant = await open(scratch(), "wall")
  const event = installed("P1", 0, "bearing")
  await plant.send([{ ...event, atMs: -1 }, { ...event, arrivedMs: -1 }, reading("P1", 0, { vibration: 7 })])
  await until(async () => (await plant.found()).some(isDetection))
  const told = (await plant.found()).filter(({ kind }) => kind === "maintained")
  expect(told.map(({ atMs }) => atMs)).toEqual([-1])
  await plant.close()
})

test("a tick of a silent partition is passed on", async () => {
  const plant = await open(scratch(), "event")
  await plant.log.append(topics.telemetry, [
    { key: "tick", partition: 2, value: { kind: "tick", atMs: startMs + 90 * minute } },
  ])
  await until(async () => (await plant.found()).length > 0)
  for await (const { partition, value } of plant.log.read(topics.detections)) {
    expect([partition, value]).toEqual([2, { kind: "tick", atMs: startMs + hour }])
  }
  await plant.close()
})

test("under the wall clock a delay runs out while nothing comes", async () => {
  const plant = await open(scratch(), "wall")
  await plant.send([reading("P1", 0, { vibration: 7 })])
  await until(async () => (await plant.found()).length > 0)
  await plant.clock.advance(46 * minute)
  await until(async () => (await plant.found()).length > 1)
  const steps = (await plant.found()).filter(isDetection)
  expect(steps.map(({ kind, severity, atMs }) => [kind, severity, (atMs - startMs) / minute])).toEqual([
    ["opened", "warning", 0],
    ["raised", "alarm", 45],
  ])
  await plant.close()
})

test("a state of a revision that following has yet to bring is gone on with", async () => {
  const directory = scratch()
  const before = await open(directory, "event")
  await before.send([reading("P1", 0, { vibration: 7 })])
  await until(async () => (await before.found()).some(isDetection))
  await before.close()
  const after = await open(directory, "event", { isBehind: true })
  await after.send([reading("P1", 60, { vibration: 2 }), reading("P1", 120, { vibration: 2 })])
  await until(async () => (await after.found()).some(({ kind }) => kind === "cleared"))
  await after.close()
})

test("a partition that another process claimed and the log leaves here stops the stage, which skips nothing so", async () => {
  const plant = await open(scratch(), "event")
  const [lost] = oddAndOther(assets, partitions)
  await plant.send([reading(lost, 0, { vibration: 7 })])
  await until(async () => (await plant.found()).some(isDetection))
  await new Positions(plant.database, "rules", topics.telemetry.name).claim(partitionOf(lost, partitions))
  await plant.clock.advance(15_000)
  await until(() => plant.warnings.length > 0)
  const stopped = expect(plant.stage.done).rejects.toMatchObject({ code: "OWNER_REPLACED" })
  await plant.clock.advance(31_000)
  await stopped
  await expect(plant.close()).rejects.toMatchObject({ code: "OWNER_REPLACED" })
})

test("when another process takes a partition over, the others go on, and so does it once it comes back", async () => {
  const plant = await open(scratch(), "event")
  const [lost, other] = oddAndOther(assets, partitions)
  const steps = async () =>
    (await plant.found()).filter(isDetection).map(({ asset, kind }) => `${asset} ${kind}`)
  await plant.send([reading(lost, 0, { vibration: 7 })])
  await until(async () => (await steps()).length === 1)
  await new Positions(plant.database, "rules", topics.telemetry.name).claim(partitionOf(lost, partitions))
  await plant.clock.advance(30_000)
  // The checkpoint that meets the new owner goes through the disk, which no clock waits for.
  await until(() => plant.warnings.length > 0)
  await plant.send([
    reading(lost, 60, { vibration: 2 }),
    reading(lost, 120, { vibration: 2 }),
    reading(other, 0, { vibration: 7 }),
  ])
  await until(async () => (await steps()).length === 2)
  expect(await steps()).toEqual([`${lost} opened`, `${other} opened`])

  await giveAndTake(plant.log, topics.telemetry, "rules")
  await until(async () => (await steps()).includes(`${lost} cleared`))
  // From the last checkpoint on, which was none: what was told before is told again.
  expect((await steps()).filter((step) => step === `${lost} opened`)).toHaveLength(2)
  await plant.close()
})
