import { join } from "node:path"
import { pino } from "pino"
import { Registry } from "prom-client"
import { onTestFinished } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import type { PositionTables } from "../../core/db/positions.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { OrderRequest } from "../../core/orders.ts"
import { parsePlant } from "../../core/plant.ts"
import { topics } from "../../core/topics.ts"
import { createWorkOrders } from "../../workorders/index.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { announce, plantRevision } from "../revision.ts"
import { until } from "../until.ts"
import { people } from "./office.ts"
import { at, scratch } from "./requests.ts"
import { isSettled } from "./settled.ts"

/** Carries work orders out as a server does, for a plant with these automations. Opened again there, it goes on. */
export async function plant(automations: string, directory?: string) {
  const clock = new ManualClock(at(0))
  const where = directory ?? (await scratch())
  const log = await EmbeddedLog.open(join(where, "log.sqlite"), { partitions: 4, clock, lingerMs: 0 })
  const database = await openDatabase(join(where, "plant.sqlite"))
  const catalogue = new Catalogue(log)
  await catalogue.start()
  const newStage = () =>
    createWorkOrders({
      log,
      database,
      catalogue,
      clock,
      plantClock: "wall",
      logger: pino({ level: "silent" }),
      metrics: new Registry(),
    })
  let stage = newStage()
  let number = 0
  const tables = () => database.tables<WorkOrderTables>()
  onTestFinished(async () => {
    await stage.close()
    await catalogue.close()
    await log.close()
    await database.close()
  })

  async function apply(list: string): Promise<void> {
    const source = `${people}\nautomations:\n${list}\n`
    number += 1
    const before = catalogue.newest()
    const ids = parsePlant(source).automations.map(({ id }) => id)
    const known = new Set(before?.plant.automations.map(({ id }) => id))
    const since = ids.map((id) => [id, known.has(id) ? before?.automationSinceMs(id) : clock.now()])
    const automationsSinceMs = Object.fromEntries(since)
    await announce(log, catalogue, plantRevision(source, { revision: number, automationsSinceMs }))
  }

  /** All that was asked for became orders, and all that these set off was done. */
  async function settled(): Promise<void> {
    await until(async () => {
      await clock.advance(1000)
      return isSettled(log, database)
    })
  }

  async function request(...requests: readonly OrderRequest[]): Promise<void> {
    await log.append(
      topics.workOrderRequests,
      requests.map((value) => ({ key: value.asset, value })),
    )
    await settled()
  }

  await stage.prepare()
  await apply(automations)
  await stage.start()
  return {
    clock,
    log,
    database,
    apply,
    request,
    settled,
    get automations() {
      return stage.automations
    },
    async perform(actor: string, order: string, command: CommandName, input: unknown = {}) {
      await stage.perform({ order, command, input }, { actor, atMs: clock.now() })
      await settled()
    },
    get: async (order: string) => (await stage.get(order)).order,
    /** Who did what to an order: "system created". */
    async history(order: string): Promise<readonly string[]> {
      const { history } = await stage.get(order)
      return history.map(({ actor, kind }) => `${actor} ${kind}`)
    },
    async notes(order: string): Promise<readonly string[]> {
      return (await stage.get(order)).history.map(({ note }) => note)
    },
    /** "bearings 2 not-possible: assign not-possible, approval done", newest first. */
    async runs(filter: { readonly automation?: string; readonly order?: string } = {}) {
      const runs = await stage.automations.runs(filter)
      return runs.map(
        ({ automation, sequence, outcome, steps }) =>
          `${automation} ${sequence} ${outcome}: ${steps.map((one) => `${one.step} ${one.outcome}`).join(", ")}`,
      )
    },
    /** As after a crash: what was read since the beginning comes again. `change` is made to the tables before. */
    async crash(change: (db: ReturnType<typeof tables>) => Promise<unknown> = async () => {}) {
      await stage.close()
      const positions = database.tables<PositionTables>()
      await positions
        .updateTable("log_position")
        .set({ position: 0 })
        .where("consumer", "=", "automations")
        .execute()
      await change(tables())
      stage = newStage()
      await stage.prepare()
      await stage.start()
      const ends = new Map<number, number>()
      for await (const { partition, position } of log.read(topics.workOrderEvents))
        ends.set(partition, position + 1)
      await until(async () => {
        const rows = await positions
          .selectFrom("log_position")
          .select(["partition", "position"])
          .where("consumer", "=", "automations")
          .execute()
        return rows.every(({ partition, position }) => Number(position) >= (ends.get(partition) ?? 0))
      })
      await settled()
    },
  }
}

export const urgent = `
  - id: urgent-pumps
    description: Bearings of pumps are never left waiting
    when: created
    if: 'order.type == "predictive" && order.priority <= 3 && asset.class == "pump"'
    then:
      - priority: 1
      - approval: ask
      - assign: [tina]
      - notify: { to: supervisor, text: "{number} on {asset}: {title}, priority {priority}" }
      - followUp: { title: "Check the alignment of {asset}", priority: 3 }
`
