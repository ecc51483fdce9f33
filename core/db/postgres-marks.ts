import type { Kysely, Migration } from "kysely"
import type { Session } from "./postgres-session.ts"

/** Longer than anybody waits for the answer to a commit. */
const marksKeptMs = 30 * 86_400_000

/**
 * For each session the newest of its transactions, written by each as its first statement. Where the answer to a
 * commit was lost, the row says whether it came about.
 */
export const markMigrations: Record<string, Migration> = {
  "001-commit-mark": {
    async up(db) {
      await db.schema
        .createTable("commit_mark")
        .addColumn("session", "text", (column) => column.primaryKey())
        .addColumn("number", "bigint", (column) => column.notNull())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .execute()
    },
  },
}

export type MarkTables = { commit_mark: { session: string; number: number; at_ms: number } }

/** A transaction: the session that ran it, its number there, and when it began. */
export type Mark = { readonly session: string; readonly number: number; readonly atMs: number }

/** The lock comes before the first look at the data: what was committed while this one queued is then seen. */
export function beginning(mark: Mark, queue: string | undefined): string {
  return [
    "begin isolation level serializable",
    ...(queue === undefined ? [] : [`lock table "${queue}" in exclusive mode`]),
    "insert into commit_mark (session, number, at_ms) " +
      `values ('${mark.session}', ${mark.number}, ${mark.atMs}) ` +
      "on conflict (session) do update set number = excluded.number, at_ms = excluded.at_ms",
  ].join("; ")
}

/**
 * Whether this transaction of a session that was lost came about. Writes the row itself, since only that waits for a
 * server process that is still at it, or keeps it out.
 */
export async function hasCommitted(other: Session, { session, number, atMs }: Mark): Promise<boolean> {
  const { rows } = await other.executeQuery<{ readonly number: number }>({
    sql:
      "insert into commit_mark (session, number, at_ms) values ($1, 0, $2) " +
      "on conflict (session) do update set at_ms = excluded.at_ms returning number",
    parameters: [session, atMs],
  })
  return rows[0]?.number === number
}

export async function forgetOldMarks(db: Kysely<MarkTables>, nowMs: number): Promise<void> {
  await db
    .deleteFrom("commit_mark")
    .where("at_ms", "<", nowMs - marksKeptMs)
    .execute()
}
