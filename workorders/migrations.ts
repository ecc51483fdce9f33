import { type Kysely, type Migration, sql } from "kysely"
import { z } from "zod"
import { partitionOf } from "../core/log/partition.ts"
import { automationRuns } from "./migration-automations.ts"
import { lifeCycle } from "./migration-life-cycle.ts"
import { urgency } from "./migration-urgency.ts"
import type { WorkOrderTables } from "./tables.ts"

const assetOf = z.object({ order: z.object({ asset: z.string() }) })

/** `partitions` is the log's. */
export function workOrderMigrations(partitions: number): Record<string, Migration> {
  return {
    ...migrations,
    "002-outbox-partition": outboxPartition(partitions),
    "003-life-cycle": lifeCycle,
    "004-automation-runs": automationRuns,
    "005-urgency": urgency,
  }
}

const migrations: Record<string, Migration> = {
  "001-work-orders": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("work_order")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("number", "bigint", (column) => column.notNull().unique())
        .addColumn("type", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull())
        .addColumn("open", "integer", (column) => column.notNull())
        .addColumn("site", "text", (column) => column.notNull())
        .addColumn("asset", "text", (column) => column.notNull())
        .addColumn("component", "text")
        .addColumn("merge_key", "text", (column) => column.notNull())
        .addColumn("title", "text", (column) => column.notNull())
        .addColumn("priority", "integer", (column) => column.notNull())
        .addColumn("requested_ms", "bigint", (column) => column.notNull())
        .addColumn("due_ms", "bigint", (column) => column.notNull())
        .addColumn("finished_ms", "bigint")
        .addColumn("version", "integer", (column) => column.notNull())
        .addColumn("details", "text", (column) => column.notNull())
        .addColumn("findings", "text", (column) => column.notNull())
        .addColumn("finding_count", "integer", (column) => column.notNull())
        .addColumn("episodes", "text", (column) => column.notNull())
        .execute()
      // One open order per need is a law of the store, whoever writes to it.
      await db.schema
        .createIndex("work_order_open_need")
        .on("work_order")
        .column("merge_key")
        .unique()
        .where(sql.ref("open"), "=", sql.lit(1))
        .execute()
      for (const filter of ["state", "type", "site", "asset", "priority"]) {
        await db.schema
          .createIndex(`work_order_by_${filter}`)
          .on("work_order")
          .columns([filter, "number"])
          .execute()
      }
      await db.schema
        .createIndex("work_order_open_on_asset")
        .on("work_order")
        .column("asset")
        .where(sql.ref("open"), "=", sql.lit(1))
        .execute()
      await db.schema.createIndex("work_order_counts").on("work_order").columns(["state", "type"]).execute()
      await db.schema
        .createTable("order_alias")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("order_id", "text", (column) => column.notNull().references("work_order.id"))
        .execute()
      await db.schema
        .createTable("component_replacement")
        .addColumn("asset", "text", (column) => column.notNull())
        .addColumn("component", "text", (column) => column.notNull())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("component_replacement_key", ["asset", "component"])
        .execute()
      await db.schema
        .createTable("order_history")
        .addColumn("order_id", "text", (column) => column.notNull().references("work_order.id"))
        .addColumn("sequence", "integer", (column) => column.notNull())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .addColumn("actor", "text", (column) => column.notNull())
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("note", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("order_history_key", ["order_id", "sequence"])
        .execute()
      await db.schema
        .createTable("order_outbox")
        .addColumn("id", "bigint", (column) => column.primaryKey())
        .addColumn("event", "text", (column) => column.notNull())
        .execute()
      await db.schema
        .createTable("order_sequence")
        .addColumn("name", "text", (column) => column.primaryKey())
        .addColumn("last", "bigint", (column) => column.notNull())
        .execute()
      await (db as Kysely<Pick<WorkOrderTables, "order_sequence">>)
        .insertInto("order_sequence")
        .values([
          { name: "order", last: 0 },
          { name: "event", last: 0 },
        ])
        .execute()
    },
  },
}

function outboxPartition(partitions: number): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .alterTable("order_outbox")
        .addColumn("partition", "integer", (column) => column.notNull().defaultTo(0))
        .execute()
      await db.schema
        .createIndex("order_outbox_by_partition")
        .on("order_outbox")
        .columns(["partition", "id"])
        .execute()
      const tables = db as Kysely<WorkOrderTables>
      for (const { id, event } of await tables.selectFrom("order_outbox").select(["id", "event"]).execute()) {
        const partition = partitionOf(assetOf.parse(JSON.parse(event)).order.asset, partitions)
        await tables.updateTable("order_outbox").set({ partition }).where("id", "=", id).execute()
      }
    },
  }
}
