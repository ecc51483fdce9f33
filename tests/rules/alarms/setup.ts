import { Audit } from "../../../core/audit.ts"
import type { Log } from "../../../core/log/log.ts"
import type { PlantClock } from "../../../core/service.ts"
import { topics } from "../../../core/topics.ts"
import type { Action, AlarmStep, Announcement } from "../../../core/vocabulary.ts"
import { createAlarms } from "../../../rules/alarms/index.ts"
import { ManualClock } from "../../manual-clock.ts"
import { until } from "../../until.ts"
import { openPlantFiles } from "../plant-files.ts"
import { startMs } from "./steps.ts"

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
  const { context, warnings, close } = await openPlantFiles(directory, { source, clock })
  const { log, database, metrics } = context
  const audit = new Audit(database)
  await audit.migrate()
  const stage = createAlarms({ ...context, log: logFor(log), plantClock })
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
    close: () => close(stage),
  }
}
