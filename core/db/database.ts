import type { Kysely, Migration, Transaction } from "kysely"

/**
 * Tables, on SQLite or PostgreSQL, through one SQL layer. Instants are epoch milliseconds in bigint columns,
 * booleans 0 or 1, JSON is text. A query outside its surrounding `transaction` is refused with `NESTED_QUERY`.
 * A server that is away is waited for; where nobody wants to wait, and after a close, `SERVER_UNREACHABLE`.
 */
export interface Database {
  /**
   * Queries typed by a room's own tables. A query whose answer was lost is sent again: outside `transaction`
   * write only what may be written twice.
   */
  tables<T>(): Kysely<T>
  /**
   * All or nothing, as if transactions ran one after the other. Keep it short and without waiting for anything else.
   * `work` runs again after a clash with another transaction or a lost connection, so it changes nothing but the
   * tables: no variable of its surroundings. `queue` is the table for which those that name the same one wait in
   * turn; it spares the clashes of transactions that would always meet there.
   */
  transaction<T, R>(work: (trx: Transaction<T>) => Promise<R>, queue?: keyof T & string): Promise<R>
  /** Brings a room's tables up to date; names sort in the order to run. Each room keeps its own record of them. */
  migrate(room: string, migrations: Readonly<Record<string, Migration>>): Promise<void>
  /** Waits for running transactions. */
  close(): Promise<void>
}
