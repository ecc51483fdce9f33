import { randomUUID } from "node:crypto"
import { Socket } from "node:net"
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from "kysely"
import { Client, type ClientConfig, type QueryResult as PgResult, type QueryConfig, types } from "pg"
import { MillwrightError, messageOf } from "../errors.ts"
import { failedBefore } from "./guard.ts"
import { Clash, isClash, isLoss, isSilence, Lost, stateOf } from "./postgres-trouble.ts"

const int8 = 20
const connectMs = 10_000
const keepAliveMs = 10_000
/**
 * A server process whose client has vanished without a word gives up its transaction and its locks after half a
 * minute: before those who wait for the locks take the server for silent.
 * An index is worth its detour: reading a whole table makes a serializable transaction clash with all who write there.
 * A commit that was reported is on the disk, whatever the server's default is.
 */
const settings = [
  "set idle_in_transaction_session_timeout = '30s'",
  "set session characteristics as transaction isolation level read committed",
  "set enable_seqscan = off",
  "set jit = off",
  "select set_config('synchronous_commit', 'local', false) where current_setting('synchronous_commit') = 'off'",
].join("; ")

/** Our own, not pg's for the whole process: instants, counts and positions are whole numbers that a double holds. */
const parsers: NonNullable<ClientConfig["types"]> = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    oid === int8 ? Number : types.getTypeParser(oid, format as "text"),
}

/** One connection to the server. Throws `Lost` once it is gone, `Clash`, and for all else `STORE_FAILED`. */
export class Session implements DatabaseConnection {
  /** Names the session in `commit_mark`. */
  readonly id = randomUUID()
  private readonly client: Client
  private readonly socket: Socket
  private readonly where: string
  /** How long an answer may take; undefined: for ever. */
  private answerMs: number | undefined
  private turn: Promise<unknown> = Promise.resolve()
  private transaction: { failure?: unknown } | undefined
  private lost: Lost | undefined
  private clash: Clash | undefined

  private constructor(config: ClientConfig, where: string, answerMs: number) {
    this.where = where
    this.answerMs = answerMs
    // Held on to, so that it can be cut: `Client.end` waits for a server that may never answer.
    this.socket = new Socket()
    this.client = new Client({
      ...config,
      types: parsers,
      stream: () => this.socket,
      keepAlive: true,
      keepAliveInitialDelayMillis: keepAliveMs,
      connectionTimeoutMillis: connectMs,
      fallback_application_name: "millwright",
    })
    // Also while nobody uses it: without a listener a server that goes away would end the process.
    this.client.on("error", (error) => this.lose(error))
    this.client.on("end", () => this.lose(new Error("Connection terminated")))
  }

  /**
   * Rejects with `Lost`, for whatever reason there is no connection. A query whose answer takes longer than `answerMs`
   * loses it: a server that stands still, or packets that vanish, would keep whoever asks for a quarter of an hour.
   */
  static async open(config: ClientConfig, where: string, answerMs: number): Promise<Session> {
    const session = new Session(config, where, answerMs)
    const setup: TimedQuery = { text: settings, query_timeout: answerMs }
    try {
      await session.client.connect()
      await session.client.query(setup)
    } catch (error) {
      session.destroy()
      throw new Lost(error)
    }
    return session
  }

  /** Why the newest transaction could not go on, where it may if it runs again. */
  get interruption(): Lost | Clash | undefined {
    return this.lost ?? this.clash
  }

  /** Can be lent to the next one. */
  get isUsable(): boolean {
    return this.lost === undefined && this.transaction === undefined
  }

  /** Work whose answers may take as long as they do. */
  async patiently<R>(work: () => Promise<R>): Promise<R> {
    const { answerMs } = this
    this.answerMs = undefined
    try {
      return await work()
    } finally {
      this.answerMs = answerMs
    }
  }

  async begin(statements: string): Promise<void> {
    this.clash = undefined
    // Before it is known to have begun: a session that was left half way is not lent again.
    this.transaction = {}
    await this.send(statements)
  }

  /** Throws `Lost` where the answer did not come: whether it was committed is then not known. */
  async commit(): Promise<void> {
    this.refuseAfterFailure()
    await this.send("commit")
    this.transaction = undefined
  }

  async rollback(): Promise<void> {
    if (this.transaction === undefined || this.lost !== undefined) return
    await this.send("rollback")
    this.transaction = undefined
  }

  async executeQuery<R>({ sql, parameters }: Pick<CompiledQuery, "sql" | "parameters">) {
    this.refuseAfterFailure()
    try {
      const { command, rowCount, rows } = await this.send(sql, parameters)
      const result: QueryResult<R> = { rows: rows as R[] }
      return changes.has(command) ? { ...result, numAffectedRows: BigInt(rowCount ?? 0) } : result
    } catch (error) {
      if (this.transaction !== undefined) this.transaction.failure = error
      throw error
    }
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query)
  }

  /** Says good-bye; resolves when the server has closed the connection. */
  async end(): Promise<void> {
    if (this.lost === undefined) await this.client.end()
  }

  /** Cuts the connection; whoever waits for an answer is told `Lost`. */
  destroy(): void {
    this.lose(new Error("the connection was given up"))
    this.socket.destroy()
  }

  /** One at a time, as the protocol has it. */
  private async send(text: string, parameters: readonly unknown[] = []): Promise<PgResult> {
    const query: TimedQuery = {
      text,
      ...(parameters.length > 0 && { values: parameters.map(toText) }),
      ...(this.answerMs !== undefined && { query_timeout: this.answerMs }),
    }
    const result = this.turn.then(() => this.client.query(query))
    // Whoever asked hears of a failure; the next in line only waits.
    this.turn = result.catch(() => {})
    try {
      return await result
    } catch (error) {
      throw this.understood(error)
    }
  }

  private understood(error: unknown): Error {
    if (isLoss(error)) this.lose(error)
    if (isSilence(error)) {
      this.lose(error)
      // Its answer may still come, and is nobody's.
      this.socket.destroy()
    }
    if (this.lost !== undefined) return this.lost
    if (isClash(error)) {
      this.clash = new Clash(error)
      return this.clash
    }
    const state = stateOf(error)
    const hint =
      state === "42501" ? ". The user of postgres.url must be allowed to create and change tables there" : ""
    return new MillwrightError(
      "STORE_FAILED",
      `PostgreSQL at ${this.where}: ${messageOf(error)}${state === undefined ? "" : ` (${state})`}${hint}`,
      { cause: error },
    )
  }

  private lose(cause: unknown): void {
    this.lost ??= new Lost(cause)
  }

  /** A failed statement fails its transaction, also where its error was caught. */
  private refuseAfterFailure(): void {
    const failure = this.transaction?.failure
    if (failure === undefined) return
    throw failure instanceof Lost || failure instanceof Clash ? failure : failedBefore(failure)
  }
}

/** pg knows the time limit of a single query, its types do not. */
type TimedQuery = QueryConfig<unknown[]> & { readonly query_timeout?: number }

/** The commands that count rows which they touched. */
const changes = new Set(["INSERT", "UPDATE", "DELETE", "MERGE"])

/** PostgreSQL's text has no NUL; refusing one text for it would stop a stage for good. */
function toText(value: unknown): unknown {
  return typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\ufffd") : value
}

export function postgresDialect(driver: Pick<Driver, "acquireConnection"> & Partial<Driver>): Dialect {
  const nothing = async () => {}
  const noTransaction = async () => {
    throw new MillwrightError("STORE_FAILED", "a transaction is begun by Database.transaction only")
  }
  const whole: Driver = {
    init: nothing,
    releaseConnection: nothing,
    destroy: nothing,
    beginTransaction: noTransaction,
    commitTransaction: noTransaction,
    rollbackTransaction: noTransaction,
    ...driver,
  }
  return {
    createDriver: () => whole,
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createAdapter: () => new PostgresAdapter(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  }
}

/** Queries and transactions on this connection alone. */
export function kyselyOn(session: Session, begin: string): Kysely<unknown> {
  return new Kysely({
    dialect: postgresDialect({
      acquireConnection: async () => session,
      beginTransaction: () => session.begin(begin),
      commitTransaction: () => session.commit(),
      rollbackTransaction: () => session.rollback(),
    }),
  })
}
