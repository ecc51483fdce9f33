import { type Kysely, type Migration, sql } from "kysely"

const sqlText = "text"
/** The life of an order beyond its request: people, approvals, stock, money, and a history that can be checked. */
export const lifeCycle: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable("work_order").addColumn("cost_centre", sqlText).execute()
    await db.schema.alterTable("work_order").addColumn("timer_ms", "bigint").execute()
    await db.schema
      .alterTable("work_order")
      .addColumn("head", sqlText, (column) => column.notNull().defaultTo(""))
      .execute()
    for (const column of ["detail", "state", "previous", "hash"]) {
      await db.schema
        .alterTable("order_history")
        .addColumn(column, sqlText, (one) => one.notNull().defaultTo(""))
        .execute()
    }
    await db.schema.createIndex("work_order_by_timer").on("work_order").column("timer_ms").execute()
    await db.schema
      .createIndex("work_order_by_due")
      .on("work_order")
      .column("due_ms")
      .where(sql.ref("open"), "=", sql.lit(1))
      .execute()
    await db.schema
      .createIndex("work_order_open_by_number")
      .on("work_order")
      .column("number")
      .where(sql.ref("open"), "=", sql.lit(1))
      .execute()
    for (const [name, first] of [
      ["work_order_board", []],
      ["work_order_board_of_site", ["site"]],
    ] as const) {
      await db.schema
        .createIndex(name)
        .on("work_order")
        .columns([...first, "state", "priority", "due_ms", "number"])
        .execute()
    }
    await db.schema
      .createTable("order_person")
      .addColumn("order_id", sqlText, (column) => column.notNull().references("work_order.id"))
      .addColumn("person", sqlText, (column) => column.notNull())
      .addColumn("open", "integer", (column) => column.notNull())
      .addColumn("number", "bigint", (column) => column.notNull())
      .addPrimaryKeyConstraint("order_person_key", ["order_id", "person"])
      .execute()
    await db.schema
      .createIndex("order_person_by_person")
      .on("order_person")
      .columns(["person", "open", "number"])
      .execute()
    await db.schema
      .createTable("order_command")
      .addColumn("id", sqlText, (column) => column.primaryKey())
      .addColumn("order_id", sqlText, (column) => column.notNull().references("work_order.id"))
      .addColumn("sequence", "integer", (column) => column.notNull())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .execute()
    await db.schema
      .createTable("attachment_content")
      .addColumn("sha256", sqlText, (column) => column.primaryKey())
      .addColumn("content", sqlText, (column) => column.notNull())
      .execute()
    await db.schema
      .createTable("stock_level")
      .addColumn("part", sqlText, (column) => column.notNull())
      .addColumn("store", sqlText, (column) => column.notNull())
      .addColumn("on_hand", "double precision", (column) => column.notNull())
      .addColumn("reserved", "double precision", (column) => column.notNull())
      .addPrimaryKeyConstraint("stock_level_key", ["part", "store"])
      .execute()
    await db.schema
      .createTable("stock_move")
      .addColumn("id", "bigint", (column) => column.primaryKey())
      .addColumn("at_ms", "bigint", (column) => column.notNull())
      .addColumn("actor", sqlText, (column) => column.notNull())
      .addColumn("part", sqlText, (column) => column.notNull())
      .addColumn("store", sqlText, (column) => column.notNull())
      .addColumn("on_hand", "double precision", (column) => column.notNull())
      .addColumn("reserved", "double precision", (column) => column.notNull())
      .addColumn("order_id", sqlText)
      .addColumn("command", sqlText)
      .addColumn("note", sqlText, (column) => column.notNull())
      .execute()
    await db.schema.createIndex("stock_move_by_command").on("stock_move").column("command").execute()
    await db.schema.createIndex("stock_move_by_part").on("stock_move").columns(["part", "id"]).execute()
    await db.schema
      .createTable("budget_use")
      .addColumn("cost_centre", sqlText, (column) => column.notNull())
      .addColumn("year", "integer", (column) => column.notNull())
      .addColumn("committed", "double precision", (column) => column.notNull())
      .addColumn("spent", "double precision", (column) => column.notNull())
      .addPrimaryKeyConstraint("budget_use_key", ["cost_centre", "year"])
      .execute()
    await db.schema
      .createTable("asset_code")
      .addColumn("hash", sqlText, (column) => column.primaryKey())
      .addColumn("asset", sqlText, (column) => column.notNull())
      .addColumn("made_by", sqlText, (column) => column.notNull())
      .addColumn("made_ms", "bigint", (column) => column.notNull())
      .addColumn("revoked_ms", "bigint")
      .execute()
    await db.schema
      .createTable("request_count")
      .addColumn("key", sqlText, (column) => column.notNull())
      .addColumn("hour", "bigint", (column) => column.notNull())
      .addColumn("count", "integer", (column) => column.notNull())
      .addPrimaryKeyConstraint("request_count_key", ["key", "hour"])
      .execute()
  },
}
