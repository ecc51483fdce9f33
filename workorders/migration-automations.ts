import type { Kysely, Migration } from "kysely"

/** What automations of the plant file did. */
export const automationRuns: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable("automation_run")
      .addColumn("automation", "text", (column) => column.notNull())
      .addColumn("order_id", "text", (column) => column.notNull().references("work_order.id"))
      .addColumn("sequence", "integer", (column) => column.notNull())
      .addColumn("event", "text", (column) => column.notNull())
      .addColumn("revision", "integer", (column) => column.notNull())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addColumn("outcome", "text", (column) => column.notNull())
      .addColumn("steps", "text", (column) => column.notNull())
      .addColumn("problem", "text", (column) => column.notNull())
      .addPrimaryKeyConstraint("automation_run_key", ["order_id", "sequence", "automation"])
      .execute()
    const index = (name: string) => db.schema.createIndex(name).on("automation_run")
    await index("automation_run_by_time").columns(["at_ms", "order_id", "sequence", "automation"]).execute()
    await index("automation_run_by_automation").columns(["automation", "outcome", "at_ms"]).execute()
  },
}
