import type { Kysely, Migration, Transaction } from "kysely"

/**
 * Tables, on SQLite or PostgreSQL, through one SQL layer. Instants are epoch milliseconds in bigint columns,
 * booleans 0 or 1, JSON is text. A query outside its surrounding `transaction` is refused with `NESTED_QUERY`.
 */
export interface Database {
  /** Queries typed by a room's own tables. */
  tables<T>(): Kysely<T>
  /** All or nothing. Serialised on SQLite, so keep it short and without waiting for anything else. */
  transaction<T, R>(work: (trx: Transaction<T>) => Promise<R>): Promise<R>
  /** Brings a room's tables up to date; names sort in the order to run. Each room keeps its own record of them. */
  migrate(room: string, migrations: Readonly<Record<string, Migration>>): Promise<void>
  close(): Promise<void>
}
