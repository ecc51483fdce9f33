import { type Kysely, type Migration, sql } from "kysely"
import { workOrder } from "../core/orders.ts"
import { waitingStates } from "./ageing.ts"
import { workedMs } from "./estimates.ts"
import type { WorkOrderTables } from "./tables.ts"

const details = workOrder.pick({ template: true, work: true })
const perRound = 500

/** By what waiting orders get more urgent, and what finished ones tell of how long such work takes. */
export const urgency: Migration = {
  async up(db: Kysely<unknown>) {
    for (const [name, type] of [
      ["aged", "integer"],
      ["template", "text"],
      ["worked_ms", "bigint"],
    ] as const) {
      await db.schema.alterTable("work_order").addColumn(name, type).execute()
    }
    const tables = db as Kysely<WorkOrderTables>
    await tables.updateTable("work_order").set({ aged: 0 }).where("state", "in", waitingStates).execute()
    await fillWork(tables)
    await db.schema
      .createIndex("work_order_by_age")
      .on("work_order")
      .columns(["aged", "requested_ms", "id"])
      .where(sql.ref("aged"), "is not", null)
      .execute()
    // All that estimates are made of, so that no order has to be read for them.
    await db.schema
      .createIndex("work_order_worked")
      .on("work_order")
      .columns(["template", "finished_ms", "number", "asset", "worked_ms"])
      .where(sql.ref("worked_ms"), "is not", null)
      .execute()
  },
}

async function fillWork(db: Kysely<WorkOrderTables>): Promise<void> {
  for (let after = 0; ; ) {
    const rows = await db
      .selectFrom("work_order")
      .select(["id", "number", "state", "details"])
      .where("number", ">", after)
      .orderBy("number")
      .limit(perRound)
      .execute()
    for (const { id, state, details: text } of rows) {
      // An order that can't be read any more is for the audit to tell of.
      const { data } = details.safeParse(JSON.parse(text))
      if (data === undefined) continue
      const content = { template: data.template, worked_ms: workedMs({ state, ...data }) }
      await db.updateTable("work_order").set(content).where("id", "=", id).execute()
    }
    after = rows.at(-1)?.number ?? after
    if (rows.length < perRound) return
  }
}
