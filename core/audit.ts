import { type Kysely, type Migration, sql, type Transaction } from "kysely"
import type { Database } from "./db/database.ts"

export type AuditEntry = {
  readonly atMs: number
  /** A person's id. */
  readonly actor: string
  /** What was done: "plant.apply", "dead-letters.replay". */
  readonly action: string
  readonly subject: string
  readonly detail: string
}

type AuditTables = {
  audit: { id: number; at_ms: number; actor: string; action: string; subject: string; detail: string }
}

const migrations: Record<string, Migration> = {
  "001-audit": {
    async up(db) {
      await db.schema
        .createTable("audit")
        .addColumn("id", "bigint", (column) => column.primaryKey())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .addColumn("actor", "text", (column) => column.notNull())
        .addColumn("action", "text", (column) => column.notNull())
        .addColumn("subject", "text", (column) => column.notNull())
        .addColumn("detail", "text", (column) => column.notNull())
        .execute()
    },
  },
}

/** Who did what to the plant, and when. Entries are only ever added. */
export class Audit {
  private readonly database: Database

  constructor(database: Database) {
    this.database = database
  }

  async migrate(): Promise<void> {
    await this.database.migrate("audit", migrations)
  }

  /** Adds an entry in the transaction of the change itself, so that neither is there without the other. */
  async record<T>(trx: Transaction<T>, { atMs, ...entry }: AuditEntry): Promise<void> {
    await (trx as unknown as Kysely<AuditTables>)
      .insertInto("audit")
      .values({ id: sql`(select coalesce(max(id), 0) + 1 from audit)`, at_ms: atMs, ...entry })
      .execute()
  }

  /** The newest entries, newest first. */
  async list(limit: number): Promise<readonly AuditEntry[]> {
    const rows = await this.database
      .tables<AuditTables>()
      .selectFrom("audit")
      .selectAll()
      .orderBy("id", "desc")
      .limit(limit)
      .execute()
    return rows.map(({ at_ms, actor, action, subject, detail }) => ({
      atMs: at_ms,
      actor,
      action,
      subject,
      detail,
    }))
  }
}
