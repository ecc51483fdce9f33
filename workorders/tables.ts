import { type Kysely, type Migration, sql } from "kysely"
import { partitionOf } from "../core/log/partition.ts"
import { type OrderEvent, type OrderState, type OrderType, orderEvent } from "../core/vocabulary.ts"

/** What is asked for has a column; what is only shown is JSON text: `details`, `findings`. */
export type OrderRow = {
  readonly id: string
  /** 12 is shown as WO-000012. */
  readonly number: number
  readonly type: OrderType
  readonly state: OrderState
  /** 1 while the need still stands: the states between requested and finished. */
  readonly open: 0 | 1
  readonly site: string
  readonly asset: string
  readonly component: string | null
  readonly merge_key: string
  readonly title: string
  readonly priority: number
  readonly requested_ms: number
  readonly due_ms: number
  readonly finished_ms: number | null
  readonly version: number
  readonly details: string
  readonly findings: string
  /** All that ever came; `findings` keeps fewer. */
  readonly finding_count: number
  /** JSON: the newest sequence taken from each episode, which is how a repeat is known. */
  readonly episodes: string
}

export type WorkOrderTables = {
  work_order: OrderRow
  /** Ids that were asked for and merged into another order. */
  order_alias: { readonly id: string; readonly order_id: string }
  /** The newest replacement of each component that was told: what is told again settles nothing. */
  component_replacement: { readonly asset: string; readonly component: string; readonly at_ms: number }
  order_history: {
    readonly order_id: string
    readonly sequence: number
    readonly at_ms: number
    readonly actor: string
    readonly kind: OrderEvent["kind"]
    readonly note: string
  }
  /** Events that are still to be published, in the order of their ids, by the owner of the asset's partition. */
  order_outbox: { readonly id: number; readonly partition: number; readonly event: string }
  /** The last number given out. Raised in the transaction that uses it, so numbers have no gaps. */
  order_sequence: { readonly name: "order" | "event"; readonly last: number }
}

/** `partitions` is the log's. */
export function workOrderMigrations(partitions: number): Record<string, Migration> {
  return { ...migrations, "002-outbox-partition": outboxPartition(partitions) }
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
        const partition = partitionOf(orderEvent.parse(JSON.parse(event)).order.asset, partitions)
        await tables.updateTable("order_outbox").set({ partition }).where("id", "=", id).execute()
      }
    },
  }
}
