import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { Registry } from "prom-client"
import { onTestFinished } from "vitest"
import { Audit } from "../../../core/audit.ts"
import { Catalogue } from "../../../core/catalogue.ts"
import { EmbeddedLog } from "../../../core/log/embedded.ts"
import type { Log } from "../../../core/log/log.ts"
import type { PlantClock } from "../../../core/service.ts"
import { topics } from "../../../core/topics.ts"
import type { Action, AlarmStep, Announcement } from "../../../core/vocabulary.ts"
import { createAlarms } from "../../../rules/alarms/index.ts"
import { openDatabase } from "../../database.ts"
import { ManualClock } from "../../manual-clock.ts"
import { startMs } from "./steps.ts"

export const partitions = 4

const source = `
plant: test
sites: [{ id: north }, { id: south }, { id: east }]
classes: [{ id: pump, signals: { vibration: { unit: mm/s } }, components: [bearing] }, { id: fan }]
assets:
  - { id: P1, site: north, class: pump }
  - { id: F1, site: north, class: fan }
rules:
  - id: vibration
    kind: threshold
    for: { class: pump }
    component: bearing
    signal: vibration
    params: { levels: [{ severity: warning, above: 7.1 }] }
people:
  - { id: jonas, name: Jonas, roles: [technician] }
  - { id: erika, name: Erika, roles: [engineer] }
  - { id: rita, name: Rita, roles: [requester] }
`

export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "alarms-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

/** Lets everything that waits for nothing but the event loop and the disk go on until this holds. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}

type Options = {
  readonly plantClock?: PlantClock
  readonly nowMs?: number
  /** Takes the place of the log for the stage. */
  readonly logFor?: (log: Log) => Log
}

/** The stage over a plant's files; opened again over the same files it goes on. */
export async function open(
  directory: string,
  { plantClock = "event", nowMs = startMs, logFor = (log) => log }: Options = {},
) {
  const clock = new ManualClock(nowMs)
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions, clock, lingerMs: 0 })
  const database = await openDatabase(join(directory, "plant.sqlite"))
  const catalogue = new Catalogue(log)
  await catalogue.start()
  if (catalogue.newest() === undefined) {
    const more = { changedIn: {}, effectiveMs: 0, author: "test", reason: "test", atMs: 0 }
    await log.append(topics.catalogue, [
      { key: "test", value: { revision: 1, plant: "test", source, ...more } },
    ])
    await catalogue.knows(1)
  }
  const audit = new Audit(database)
  await audit.migrate()
  const warnings: string[] = []
  const metrics = new Registry()
  const stage = createAlarms({
    log: logFor(log),
    database,
    catalogue,
    clock,
    plantClock,
    logger: pino({ level: "warn" }, { write: (line) => warnings.push(line) }),
    metrics,
  })
  await stage.prepare()

  async function all<T>(topic: Parameters<typeof log.read<T>>[0]): Promise<T[]> {
    const records: T[] = []
    for await (const { value } of log.read(topic)) records.push(value)
    return records
  }
  return {
    log,
    database,
    clock,
    stage,
    warnings,
    metrics,
    audit,
    send: (steps: readonly AlarmStep[]) =>
      log.append(
        topics.alarms,
        steps.map((value) => ({ key: value.site, value })),
      ),
    told: () => all<Announcement>(topics.announcements),
    async actions() {
      const records = await all(topics.telemetry)
      return records.filter((one): one is Action => one.kind === "action")
    },
    /** Everything that was sent is in the tables and what it announced is in the log. */
    settled: () => until(async () => (await log.lags()).every(({ uncommitted }) => uncommitted === 0)),
    async close() {
      try {
        await stage.close()
      } finally {
        await catalogue.close()
        await log.close()
        await database.close()
      }
    },
  }
}
