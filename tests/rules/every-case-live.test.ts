import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { Registry } from "prom-client"
import { afterAll, expect, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { topics } from "../../core/topics.ts"
import { type Detection, isDetection, type TelemetryRecord } from "../../core/vocabulary.ts"
import { createRules } from "../../rules/index.ts"
import { ruleKinds } from "../../rules/kinds.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { announce, plantRevision } from "../revision.ts"
import { until } from "../until.ts"
import { everyCase } from "./every-case.ts"
import { engineOf, revisionOf, startMs } from "./setup.ts"

const hour = 3_600_000
const cases = await everyCase()
const reached = new Set<string>()

// One log and one database for all: to open these takes longer than a case.
const directory = mkdtempSync(join(tmpdir(), "rules-live-"))
const clock = new ManualClock(startMs)
const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 1, clock, lingerMs: 0 })
const database = await openDatabase(join(directory, "plant.sqlite"))
const catalogue = new Catalogue(log)
await catalogue.start()
afterAll(async () => {
  await catalogue.close()
  await log.close()
  await database.close()
  rmSync(directory, { recursive: true })
})

/** The stage has seen nothing yet of any asset. */
async function forget(): Promise<void> {
  const tables = database.tables<{ rule_state: object; rule_clock: object }>()
  await tables.deleteFrom("rule_state").execute()
  await tables.deleteFrom("rule_clock").execute()
}

/** Has a stage evaluate the records and stops it; gives what it found. */
async function live(records: readonly TelemetryRecord[], endMs: number): Promise<Detection[]> {
  const from = (await log.ends(topics.detections))[0] ?? 0
  const stage = createRules({
    log,
    database,
    catalogue,
    clock,
    plantClock: "event",
    logger: pino({ level: "silent" }),
    metrics: new Registry(),
  })
  await stage.prepare()
  await stage.start()
  // The next hour comes after all that was found before it.
  const tick: TelemetryRecord = { kind: "tick", atMs: endMs }
  await log.append(
    topics.telemetry,
    [...records, tick].map((value) => ({ key: "case", value })),
  )
  let found: Detection[] = []
  await until(async () => {
    let isPassed = false
    found = []
    for await (const { value } of log.read(topics.detections, { partition: 0, from })) {
      if (value.kind === "tick") isPassed ||= value.atMs === endMs
      else if (isDetection(value)) found.push(value)
    }
    return isPassed
  })
  await stage.close()
  return found
}

test.each(cases.map((one, at) => [one.name, at + 1, one] as const))(
  "live, with a stop in between, it finds the same: %s",
  async (_, revision, { source, records }) => {
    // It takes the place of those before it, from the beginning of time.
    const effectiveMs = Number.MIN_SAFE_INTEGER + revision
    // A tick of the log says nothing of one asset: what only the clock brings about is left out.
    const sent = records.filter(({ kind }) => kind !== "tick")
    const { engine } = engineOf([revisionOf(source, revision, effectiveMs)])
    const expected = sent.flatMap((record) => engine.apply(record))
    for (const { ruleKind } of expected) reached.add(ruleKind)

    await announce(log, catalogue, plantRevision(source, { revision, effectiveMs }))
    const newestMs = Math.max(...sent.map(({ atMs }) => atMs))
    const endMs = Math.ceil(newestMs / hour) * hour + hour
    const half = Math.ceil(sent.length / 2)
    const found = [
      ...(await live(sent.slice(0, half), endMs)),
      ...(await live(sent.slice(half), endMs + hour)),
    ]
    await forget()
    expect(found.map((step) => JSON.stringify(step))).toEqual(expected.map((step) => JSON.stringify(step)))
  },
)

test("the cases reach every kind of rule live", () => {
  expect([...reached].sort()).toEqual(Object.keys(ruleKinds).sort())
})
