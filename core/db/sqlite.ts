import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type Transaction,
} from "kysely"
import { messageOf } from "../errors.ts"
import { SqliteThread, type SqlValue } from "../sqlite/thread.ts"
import type { Database } from "./database.ts"
import { failedBefore, type NestedQueryGuard, nestedQueryGuard } from "./guard.ts"
import { migrateRoom } from "./migrate.ts"

/** Opens or makes the file. Rejects with `STORE_FAILED` when it can't be used. */
export async function openSqliteDatabase(path: string): Promise<Database> {
  const thread = await SqliteThread.open(path)
  const guard = nestedQueryGuard()
  const connection = new Connection(thread)
  const db = new Kysely<unknown>({ dialect: dialect(connection, guard) })
  return {
    tables: <T>() => db as unknown as Kysely<T>,
    transaction: <T, R>(work: (trx: Transaction<T>) => Promise<R>) =>
      db.transaction().execute((trx) => guard.during(() => work(trx as unknown as Transaction<T>))),
    migrate: (room, migrations) => migrateRoom(db, room, migrations),
    async close() {
      guard.check()
      await connection.acquire()
      try {
        await thread.close()
      } finally {
        connection.release()
      }
    },
  }
}

function dialect(connection: Connection, guard: NestedQueryGuard): Dialect {
  const driver: Driver = {
    async init() {},
    async acquireConnection() {
      guard.check()
      await connection.acquire()
      return connection
    },
    beginTransaction: () => connection.begin(),
    commitTransaction: () => connection.commit(),
    rollbackTransaction: () => connection.rollback(),
    async releaseConnection() {
      connection.release()
    },
    async destroy() {},
  }
  return {
    createDriver: () => driver,
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new TransactionalDdlAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  }
}

/** SQLite can take a failed migration back whole; Kysely's own adapter leaves that off. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/** The one connection there is, lent to one at a time in the order of asking. */
class Connection implements DatabaseConnection {
  private readonly thread: SqliteThread
  private turn: Promise<void> = Promise.resolve()
  private endTurn: () => void = () => {}
  private transaction: { failure?: unknown } | undefined

  constructor(thread: SqliteThread) {
    this.thread = thread
  }

  async acquire(): Promise<void> {
    const turn = this.turn
    let end = () => {}
    this.turn = new Promise((resolve) => {
      end = resolve
    })
    await turn
    this.endTurn = end
  }

  release(): void {
    this.endTurn()
  }

  async begin(): Promise<void> {
    // Immediate: taking the write lock later, after a read, could fail where another process wrote in between.
    await this.thread.run("begin immediate")
    this.transaction = {}
  }

  async commit(): Promise<void> {
    this.refuseAfterFailure()
    await this.thread.run("commit")
    this.transaction = undefined
  }

  async rollback(): Promise<void> {
    this.transaction = undefined
    try {
      await this.thread.run("rollback")
    } catch (error) {
      // SQLite rolls back by itself on some errors (a full disk); that error is the one to be told.
      if (!messageOf(error).includes("no transaction is active")) throw error
    }
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    this.refuseAfterFailure()
    try {
      const { rows, changes } = await this.thread.run(sql, parameters.map(toSqlValue))
      return { rows: rows as unknown as R[], numAffectedRows: BigInt(changes) }
    } catch (error) {
      if (this.transaction !== undefined) this.transaction.failure = error
      throw error
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }

  /** As PostgreSQL has it: a failed statement fails its transaction, also where its error was caught. */
  private refuseAfterFailure(): void {
    const failure = this.transaction?.failure
    if (failure !== undefined) throw failedBefore(failure)
  }
}

/** better-sqlite3 binds every number as a real; a whole one has to go as a bigint to stay an integer. */
function toSqlValue(value: unknown): SqlValue {
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : (value as SqlValue)
}
