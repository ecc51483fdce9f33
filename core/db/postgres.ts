import {
  type CompiledQuery,
  type DatabaseConnection,
  Kysely,
  type Migration,
  type QueryResult,
  type Transaction,
} from "kysely"
import type { ClientConfig } from "pg"
import type { Logger } from "pino"
import type { Clock } from "../clock.ts"
import { MillwrightError, messageOf } from "../errors.ts"
import { Reach } from "../reach.ts"
import type { Database } from "./database.ts"
import { nestedQueryGuard } from "./guard.ts"
import { migrateRoom } from "./migrate.ts"
import {
  beginning,
  forgetOldMarks,
  hasCommitted,
  type Mark,
  type MarkTables,
  markMigrations,
} from "./postgres-marks.ts"
import { kyselyOn, postgresDialect, Session } from "./postgres-session.ts"
import { Sessions } from "./postgres-sessions.ts"
import { Clash, explainPostgres, Lost } from "./postgres-trouble.ts"

export type PostgresOptions = {
  /** postgres://user@host:port/database */
  readonly url: string
  /** Takes the place of the URL's. */
  readonly password?: string | undefined
  /** The authority's certificate (PEM): speak TLS and check the server's against it. */
  readonly ca?: string | undefined
  /** At most so many at once, 2 or more. */
  readonly connections: number
  readonly clock: Clock
  readonly logger: Logger
  /** False: what finds no server throws `SERVER_UNREACHABLE` at once. */
  readonly waits?: boolean
  /** Ends every wait for the server, also later on. */
  readonly signal?: AbortSignal | undefined
  /** Told of the server before it is waited for. */
  readonly meets?: ((server: Reach) => void) | undefined
  /** How long the answer to a query may take; then the server counts as away. Default 60 s. */
  readonly answerMs?: number
  /** 0 to 1: how long to wait before a transaction that clashed runs again. */
  readonly random?: () => number
}

export type PostgresDatabase = Database & { readonly reach: Reach }

const mostTries = 40
const longestAnswerMs = 60_000
const firstPauseMs = 2
const longestPauseMs = 250
/** Running work is given so long to end at a close; then its connections are cut. */
const closeMs = 5000
const goodbyeMs = 1000

/** All processes that bring tables up to date take turns, whichever room it is. */
const migrationLock = 4_771_203_116

/**
 * Connects and waits for the server, from version 13 on. Throws `CONFIG_INVALID` for a URL that is none,
 * `SERVER_UNREACHABLE` where nobody waits, `STORE_FAILED` where tables can't be made.
 */
export async function openPostgresDatabase(options: PostgresOptions): Promise<PostgresDatabase> {
  const { connections, clock, logger, waits = true, meets, random = Math.random } = options
  const { answerMs = longestAnswerMs } = options
  const { config, where, explain } = target(options)
  const reach = new Reach({ name: "PostgreSQL", where, clock, logger, waits, explain })
  meets?.(reach)
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  const sessions = new Sessions(() => Session.open(config, where, answerMs), connections)
  const guard = nestedQueryGuard()
  let transactions = 0
  let running = 0
  let ended: () => void = () => {}
  let closed: Promise<void> | undefined

  async function admitted<R>(work: () => Promise<R>): Promise<R> {
    if (closed !== undefined) {
      throw new MillwrightError("STORE_FAILED", `the database on PostgreSQL at ${where} was closed here`)
    }
    running += 1
    try {
      return await work()
    } finally {
      running -= 1
      if (running === 0) ended()
    }
  }

  /** On a connection, another one where it is lost. */
  function connected<R>(work: (session: Session) => Promise<R>): Promise<R> {
    return reach.until(
      () => sessions.lend(work),
      signal,
      (error) => error instanceof Lost,
    )
  }

  /** Again, with pauses of chance so that the same ones don't meet again, where another was in the way. */
  async function persistently<R>(work: () => Promise<R>): Promise<R> {
    for (let tries = 1; ; tries++) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof Clash)) throw error
        if (tries === mostTries) {
          throw new MillwrightError(
            "STORE_FAILED",
            `PostgreSQL at ${where}: other transactions were in the way ${tries} times: ${messageOf(error)}`,
            { cause: error },
          )
        }
        logger.debug(
          { where, tries, reason: error.message },
          "a transaction runs again because another one was in its way",
        )
        // Also at a shutdown: without pauses all tries would meet the same transaction.
        await clock.sleep(random() * Math.min(firstPauseMs * 2 ** tries, longestPauseMs))
      }
    }
  }

  /** Undefined where the connection was lost in the commit and nothing was committed. */
  async function attempt<T, R>(
    work: (trx: Transaction<T>) => Promise<R>,
    queue: string | undefined,
  ): Promise<{ readonly result: R } | undefined> {
    transactions += 1
    const number = transactions
    const { done, doubtful } = await connected(async (session) => {
      const mark: Mark = { session: session.id, number, atMs: clock.now() }
      const begin = beginning(mark, queue)
      let done = undefined as { readonly result: R } | undefined
      try {
        await kyselyOn(session, begin)
          .transaction()
          .execute(async (trx) => {
            done = { result: await guard.during(() => work(trx as unknown as Transaction<T>)) }
          })
        return { done }
      } catch (error) {
        // What the work made of it does not matter: it could not go on.
        const { interruption = error } = session
        if (done === undefined || !(interruption instanceof Lost)) throw interruption
        return { done, doubtful: mark }
      }
    })
    if (doubtful === undefined) return done
    return (await connected((other) => hasCommitted(other, doubtful))) ? done : undefined
  }

  async function migrate(room: string, migrations: Readonly<Record<string, Migration>>): Promise<void> {
    guard.check()
    const inTurn = async (session: Session) => {
      try {
        await session.executeQuery({ sql: "select pg_advisory_lock($1)", parameters: [migrationLock] })
        const { rows } = await session.executeQuery<{ readonly schema: string | null }>({
          sql: "select current_schema() as schema",
          parameters: [],
        })
        await migrateRoom(kyselyOn(session, "begin"), room, migrations, rows[0]?.schema ?? undefined)
      } catch (error) {
        throw session.interruption ?? error
      } finally {
        if (session.isUsable) {
          await session.executeQuery({ sql: "select pg_advisory_unlock($1)", parameters: [migrationLock] })
        }
      }
    }
    // A process waits for those before it, and what has to be rewritten may be large.
    const patiently = (session: Session) => session.patiently(() => inTurn(session))
    await admitted(() => persistently(() => connected(patiently)))
  }

  async function end(): Promise<void> {
    if (running > 0) {
      const idle = new Promise<void>((resolve) => {
        ended = resolve
      })
      // What waits for a server that is away would wait for ever.
      if (!reach.isReached) stop.abort()
      await withoutEnd(idle, closeMs)
      stop.abort()
      if (running > 0) sessions.destroy()
      await idle
    }
    await withoutEnd(sessions.end(), goodbyeMs)
    sessions.destroy()
  }

  /** Waits for what may never come, at most so long. */
  async function withoutEnd(what: Promise<void>, ms: number): Promise<void> {
    const waited = new AbortController()
    await Promise.race([what, clock.sleep(ms, waited.signal)])
    waited.abort()
  }

  const single: DatabaseConnection = {
    executeQuery: (query: CompiledQuery) =>
      admitted(() => persistently(() => connected((session) => session.executeQuery(query)))),
    async *streamQuery<R>(query: CompiledQuery) {
      yield (await single.executeQuery(query)) as QueryResult<R>
    },
  }
  const db = new Kysely<unknown>({
    dialect: postgresDialect({
      async acquireConnection() {
        guard.check()
        return single
      },
    }),
  })

  const database: PostgresDatabase = {
    reach,
    tables: <T>() => db as unknown as Kysely<T>,
    async transaction(work, queue) {
      guard.check()
      return admitted(() =>
        persistently(async () => {
          for (;;) {
            const done = await attempt(work, queue)
            if (done !== undefined) return done.result
          }
        }),
      )
    },
    migrate,
    async close() {
      guard.check()
      closed ??= end()
      await closed
    },
  }
  try {
    await migrate("database", markMigrations)
    await forgetOldMarks(database.tables<MarkTables>(), clock.now())
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

function target({ url, password, ca }: PostgresOptions) {
  let at: URL
  try {
    at = new URL(url)
  } catch {
    // The error itself would show the password.
    throw new MillwrightError("CONFIG_INVALID", "postgres.url: expected postgres://user@host:port/database")
  }
  if (password !== undefined) at.password = encodeURIComponent(password)
  const user = decodeURIComponent(at.username)
  const database = decodeURIComponent(at.pathname.slice(1)) || user
  const config: ClientConfig = {}
  if (ca !== undefined) {
    at.searchParams.delete("sslmode")
    config.ssl = { ca }
  }
  config.connectionString = at.href
  const where = `${at.hostname}:${at.port || "5432"}/${database}`
  return { config, where, explain: explainPostgres({ user, database }) }
}
