import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { pino } from "pino"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import { replayFiles } from "../../simulators/index.ts"
import { mergeByTime } from "../../simulators/replay/merge.ts"
import type { ReplayOptions, ReplayProgress } from "../../simulators/replay/publish.ts"
import type { ReplaySource } from "../../simulators/replay/sources.ts"
import { readTime } from "../../simulators/replay/times.ts"
import { ManualClock } from "../manual-clock.ts"
import { until } from "../until.ts"
import { startBroker, type TestBroker, withoutRepeats } from "./broker.ts"

let broker: TestBroker
let directory: string
let clock: ManualClock
beforeEach(async () => {
  broker = await startBroker()
  directory = mkdtempSync(join(tmpdir(), "replay-"))
  clock = new ManualClock()
})
afterEach(async () => {
  await broker.close()
  rmSync(directory, { recursive: true })
})

function file(name: string, lines: readonly string[]): string {
  const path = join(directory, name)
  writeFileSync(path, lines.join("\n"))
  return path
}

const wide = (path: string): ReplaySource => ({
  kind: "wide",
  file: path,
  time: "datetime",
  asset: "machine-{machineID}",
})

function run(
  sources: readonly ReplaySource[],
  options: Partial<ReplayOptions> = {},
  {
    signal,
    onProgress = () => {},
  }: { signal?: AbortSignal; onProgress?: (progress: ReplayProgress) => void } = {},
): Promise<ReplayProgress> {
  const all: ReplayOptions = {
    sources,
    url: broker.url,
    topics: { telemetry: "v1/{site}/{asset}/telemetry", events: "v1/{site}/{asset}/events" },
    site: "pdm",
    speed: Number.POSITIVE_INFINITY,
    inFlight: 50,
    offsetMinutes: 0,
    skipBadRows: false,
    clock,
    logger: pino({ level: "silent" }),
    ...options,
  }
  return replayFiles(all, onProgress, signal ?? new AbortController().signal)
}

/** Lets a lost connection be tried again and again. */
async function passTimeUntil(done: Promise<unknown>): Promise<void> {
  let isDone = false
  const watched = done.finally(() => {
    isDone = true
  })
  while (!isDone) {
    await clock.advance(1000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await watched
}

const at = (payload: Record<string, unknown>) => Date.parse(String(payload.ts))

describe("a replay", () => {
  test("merges files in order of time, though each is sorted by machine and only then by time", async () => {
    const telemetry = file("telemetry.csv", [
      "datetime,machineID,volt,rotate",
      "2015-01-01 06:00:00,1,176.2,418.5",
      "2015-01-01 07:00:00,1,162.9,402.7",
      "2015-01-01 06:00:00,2,171,",
      "2015-01-01 08:00:00,2,,450.25",
    ])
    const errors = file("errors.csv", ["datetime,machineID,errorID", "2015-01-01 07:00:00,2,error1"])
    const maint = file("maint.csv", [
      "datetime,machineID,comp",
      "2015-01-01 07:30:00,1,comp4",
      "2014-06-01 06:00:00,2,comp2",
    ])
    await run([
      wide(telemetry),
      { kind: "events", file: errors, time: "datetime", asset: "machine-{machineID}", code: "{errorID}" },
      {
        kind: "events",
        file: maint,
        time: "datetime",
        asset: "machine-{machineID}",
        code: "component-installed",
        attributes: { component: "{comp}" },
      },
    ])
    const telemetryOf = (machine: number) => `v1/pdm/machine-${machine}/telemetry`
    const eventsOf = (machine: number) => `v1/pdm/machine-${machine}/events`
    const hour = (text: string) => `2015-01-01T${text}:00.000Z`
    expect(broker.received).toEqual([
      {
        topic: eventsOf(2),
        payload: { code: "component-installed", component: "comp2", ts: "2014-06-01T06:00:00.000Z" },
      },
      { topic: telemetryOf(1), payload: { ts: hour("06:00"), values: { volt: 176.2, rotate: 418.5 } } },
      { topic: telemetryOf(2), payload: { ts: hour("06:00"), values: { volt: 171 } } },
      { topic: telemetryOf(1), payload: { ts: hour("07:00"), values: { volt: 162.9, rotate: 402.7 } } },
      { topic: eventsOf(2), payload: { code: "error1", ts: hour("07:00") } },
      { topic: eventsOf(1), payload: { code: "component-installed", component: "comp4", ts: hour("07:30") } },
      { topic: telemetryOf(2), payload: { ts: hour("08:00"), values: { rotate: 450.25 } } },
    ])
  })

  test("sends samples of one asset at one time in one message, unless they contradict", async () => {
    const path = file("long.csv", [
      "time,asset,signal,value",
      "2020-01-01T00:00:00Z,a,flow,1",
      "2020-01-01T00:00:00Z,a,level,2",
      "2020-01-01T00:00:00Z,b,flow,3",
      "2020-01-01T00:00:01Z,b,flow,4",
      "2020-01-01T00:00:01Z,b,flow,5",
    ])
    const source: ReplaySource = {
      kind: "long",
      file: path,
      time: "time",
      asset: "{asset}",
      signal: "signal",
      value: "value",
    }
    const { records, messages } = await run([source])
    expect(broker.received.map(({ payload }) => payload.values)).toEqual([
      { flow: 1, level: 2 },
      { flow: 3 },
      { flow: 4 },
      { flow: 5 },
    ])
    expect([records, messages]).toEqual([5, 4])
  })

  test("takes every other column as an attribute of an event, numbers as numbers", async () => {
    const path = file("events.csv", [
      "time,asset,code,component,meter,note",
      '0,p,component-installed,007,1250.5,"a, b"',
    ])
    await run([{ kind: "events", file: path, time: "time", asset: "{asset}", code: "{code}" }])
    expect(broker.received[0]?.payload).toEqual({
      code: "component-installed",
      component: "007",
      meter: 1250.5,
      note: "a, b",
      ts: "1970-01-01T00:00:00.000Z",
    })
  })

  test("follows the given topics and takes only the given signals", async () => {
    const path = file("t.csv", ["datetime,machineID,volt,rotate", "2015-01-01,1,1,2"])
    const topics = { telemetry: "plant/{asset}/data/{site}", events: "e" }
    await run([{ ...wide(path), kind: "wide", signals: ["rotate"] }], { topics })
    expect(broker.received).toMatchObject([
      { topic: "plant/machine-1/data/pdm", payload: { values: { rotate: 2 } } },
    ])
  })

  test("ends with the totals, every record counted, every byte, every acknowledgement", async () => {
    const lines = Array.from({ length: 2000 }, (_, n) => `${1_500_000_000 + n},${n % 3},${n}`)
    const path = file("t.csv", ["datetime,machineID,volt", ...lines])
    const seen: ReplayProgress[] = []
    const end = await run([wide(path)], {}, { onProgress: (progress) => seen.push(progress) })
    expect(seen.at(-1)).toEqual(end)
    expect(end).toEqual({
      records: 2000,
      totalRecords: 2000,
      bytes: lines.join("\n").length,
      totalBytes: lines.join("\n").length,
      badRows: 0,
      messages: 2000,
      acknowledged: broker.received.length,
      eventMs: (1_500_000_000 + 1999) * 1000,
    })
  })

  test("loses nothing and keeps each asset's order when the broker goes away in the middle", async () => {
    const lines = Array.from({ length: 3000 }, (_, n) => `${1_500_000_000 + n},${n % 3},${n}`)
    const path = file("t.csv", ["datetime,machineID,volt", ...lines])
    const loss = broker.downAfter(700)
    const done = run([wide(path)])
    await loss
    await broker.up()
    await passTimeUntil(broker.downAfter(900))
    await broker.up()
    await passTimeUntil(done)
    const end = await done
    const unique = withoutRepeats(broker.received)
    expect(unique.map(({ payload }) => payload.values)).toEqual(lines.map((_, n) => ({ volt: n })))
    expect(end.acknowledged).toBe(3000)
  })

  test("goes at a multiple of the recording's own time", async () => {
    const path = file("t.csv", ["datetime,machineID,volt", "0,1,0", "60,1,1", "120,1,2"])
    const done = run([wide(path)], { speed: 10 })
    await until(() => broker.received.length === 1)
    await clock.advance(5999)
    expect(broker.received.length).toBe(1)
    await clock.advance(1)
    await until(() => broker.received.length === 2)
    await clock.advance(6000)
    await done
    expect(broker.received.map(({ payload }) => at(payload))).toEqual([0, 60_000, 120_000])
  })

  test("stops when it is told to, with what is in flight acknowledged", async () => {
    const path = file("t.csv", ["datetime,machineID,volt", "0,1,0", "60,1,1", "120,1,2"])
    const stop = new AbortController()
    const done = run([wide(path)], { speed: 1 }, { signal: stop.signal })
    await until(() => broker.received.length === 1)
    stop.abort()
    expect(await done).toMatchObject({ records: 1, totalRecords: 3, messages: 1, acknowledged: 1 })
  })

  test("stops when it is told to, though the broker is away and the window full", async () => {
    const lines = Array.from({ length: 500 }, (_, n) => `${n},1,${n}`)
    const path = file("t.csv", ["datetime,machineID,volt", ...lines])
    const stop = new AbortController()
    const loss = broker.downAfter(100)
    const done = run([wide(path)], { inFlight: 20 }, { signal: stop.signal })
    await loss
    stop.abort()
    await clock.advance(5000)
    expect((await done).acknowledged).toBeLessThanOrEqual(100)
    await broker.up()
  })
})

describe("a file that is bad", () => {
  const header = "datetime,machineID,volt"
  test.each([
    ["a word for a number", "2015-01-01,1,high", 'line 3, column "volt": expected a number, got "high"'],
    ["infinity", "2015-01-01,1,Infinity", 'line 3, column "volt": expected a number, got "Infinity"'],
    ["no time", "yesterday,1,2", 'line 3, column "datetime": expected a time, got "yesterday"'],
    ["a missing column", "2015-01-01,1", "line 3, expected 3 columns, found 2"],
    ["an asset that no topic can hold", "2015-01-01,a/b,1", 'line 3, asset "machine-a/b"'],
  ])("with %s is named with line and column, and nothing of it is sent", async (_, line, message) => {
    const path = file("bad.csv", [header, "2015-01-01,1,1", line, "2015-01-02,1,1"])
    await expect(run([wide(path)])).rejects.toMatchObject({
      code: "PAYLOAD_INVALID",
      message: expect.stringContaining(`${path} ${message}`),
    })
    expect(broker.received).toEqual([])
  })

  test("can be replayed all the same, its bad rows counted", async () => {
    const path = file("bad.csv", [
      header,
      "x,1,1",
      "2015-01-01,1,1",
      "2015-01-01,1,high",
      "2015-01-02,1,2",
      "2015",
    ])
    const end = await run([wide(path)], { skipBadRows: true })
    expect(end).toMatchObject({ records: 2, totalRecords: 2, badRows: 3, acknowledged: 2 })
    expect(end.bytes).toBeLessThanOrEqual(end.totalBytes)
    expect(broker.received.map(({ payload }) => payload.values)).toEqual([{ volt: 1 }, { volt: 2 }])
  })

  test("names the columns that there are when one is missing", async () => {
    const path = file("t.csv", ["time,machineID,volt", "0,1,1"])
    await expect(run([wide(path)])).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining('no column "datetime"; its columns are time, machineID, volt'),
    })
  })

  test("is one that is empty, not there, or in no order at all", async () => {
    await expect(run([wide(file("empty.csv", []))])).rejects.toMatchObject({ code: "PAYLOAD_INVALID" })
    await expect(run([wide(join(directory, "none.csv"))])).rejects.toThrow(/none\.csv/)
    const backwards = Array.from({ length: 1100 }, (_, n) => `${2000 - n},1,1`)
    await expect(run([wide(file("back.csv", [header, ...backwards]))])).rejects.toThrow(/Sort it by time/)
  })
})

describe("merging", () => {
  async function* stream(items: readonly { atMs: number; from: number }[]) {
    yield* items
  }

  test("is a stable sort by time", async () => {
    const times = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(fc.array(times, { maxLength: 12 }), async (lists) => {
        const streams = lists.map((list, from) =>
          list.toSorted((a, b) => a - b).map((atMs, n) => ({ atMs, from, n })),
        )
        const merged: unknown[] = []
        for await (const item of mergeByTime(streams.map(stream))) merged.push(item)
        expect(merged).toEqual(streams.flat().toSorted((a, b) => a.atMs - b.atMs))
      }),
    )
  })
})

describe("a time", () => {
  test.each([
    ["2015-01-01 06:00:00", "2015-01-01T06:00:00.000Z"],
    ["2015-01-01T06:00", "2015-01-01T06:00:00.000Z"],
    ["2015-01-01", "2015-01-01T00:00:00.000Z"],
    ["2015-01-01T06:00:00.250Z", "2015-01-01T06:00:00.250Z"],
    ["2015-01-01T06:00:00+02:00", "2015-01-01T04:00:00.000Z"],
    ["2015-01-01 06:00:00 -0530", "2015-01-01T11:30:00.000Z"],
    ["1420092000", "2015-01-01T06:00:00.000Z"],
    ["1420092000.5", "2015-01-01T06:00:00.500Z"],
    ["1420092000000", "2015-01-01T06:00:00.000Z"],
  ])("%s is read as %s", (text, iso) => {
    expect(new Date(readTime(text, 0) ?? 0).toISOString()).toBe(iso)
  })

  test("without an offset is the given one ahead of UTC; with one of its own or as a count it is not", () => {
    expect(readTime("2015-01-01 06:00:00", 120)).toBe(Date.UTC(2015, 0, 1, 4))
    expect(readTime("2015-01-01 06:00:00Z", 120)).toBe(Date.UTC(2015, 0, 1, 6))
    expect(readTime("1420092000", 120)).toBe(Date.UTC(2015, 0, 1, 6))
  })

  test.each(["", "2015-02-30", "2015-13-01", "06:00", "1.1.2015", "2015-01-01 25:00:00"])(
    "%j is none",
    (text) => {
      expect(readTime(text, 0)).toBeUndefined()
    },
  )
})

const data = join(process.env.MILLWRIGHT_DATA ?? "../shared/data", "pdm")
describe.skipIf(!existsSync(data))(`the recording in ${data}`, () => {
  test("is replayed whole, in order of time, to assets and signals that its plant file knows", async () => {
    const events = (name: string) => ({
      kind: "events" as const,
      file: join(data, name),
      time: "datetime",
      asset: "machine-{machineID}",
    })
    const end = await run(
      [
        wide(join(data, "telemetry.csv")),
        { ...events("errors.csv"), code: "{errorID}" },
        { ...events("maint.csv"), code: "component-installed", attributes: { component: "{comp}" } },
      ],
      { inFlight: 500 },
    )
    expect(end).toMatchObject({ records: 21_809, messages: 21_809, acknowledged: 21_809, badRows: 0 })
    const times = broker.received.map(({ payload }) => at(payload))
    expect(times.every((time, n) => time >= (times[n - 1] ?? 0))).toBe(true)

    const plant = parsePlant(readFileSync("examples/azure-pdm/plant.yaml", "utf8"))
    const assets = new Set(plant.assets.map(({ id }) => id))
    const signals = Object.keys(plant.classes[0]?.signals ?? {})
    for (const { topic, payload } of broker.received) {
      expect(assets.has(topic.split("/")[2] ?? "")).toBe(true)
      if (payload.values) expect(Object.keys(payload.values)).toEqual(signals)
    }
  })
})
