import { pino } from "pino"
import { beforeEach, onTestFinished } from "vitest"
import { systemClock } from "../../core/clock.ts"
import type { Database } from "../../core/db/database.ts"
import { openPostgresDatabase, type PostgresOptions } from "../../core/db/postgres.ts"
import { ownDatabase } from "./own-database.ts"

export type Tables = { counter: { id: string; value: number; note?: string } }

type Line = { readonly level: number; readonly msg: string }

/** For each test of a file tables of its own, and what an operator is told in it. */
export function ownTables() {
  const lines: Line[] = []
  const logger = pino({ level: "debug" }, { write: (line) => lines.push(JSON.parse(line)) })
  let url: string

  beforeEach(async () => {
    lines.length = 0
    const own = await ownDatabase()
    url = own.url
    return own.remove
  })

  return {
    lines: lines as readonly Line[],
    url: () => url,
    errors: () => lines.filter(({ level }) => level >= 50).map(({ msg }) => msg),
    forget() {
      lines.length = 0
    },
    async open(options: Partial<PostgresOptions> = {}) {
      const database = await openPostgresDatabase({
        url,
        connections: 4,
        clock: systemClock,
        logger,
        ...options,
      })
      onTestFinished(() => database.close())
      return database
    },
  }
}

/** Makes the table with its one counter at 0. */
export async function migrate(database: Database): Promise<void> {
  await database.migrate("tests", {
    "001-counter": {
      async up(db) {
        await db.schema
          .createTable("counter")
          .addColumn("id", "text", (column) => column.primaryKey())
          .addColumn("value", "bigint", (column) => column.notNull())
          .addColumn("note", "text")
          .execute()
        await db.insertInto("counter").values({ id: "one", value: 0 }).execute()
      },
    },
  })
}

export async function value(database: Database): Promise<number> {
  const db = database.tables<Tables>()
  return (await db.selectFrom("counter").select("value").executeTakeFirstOrThrow()).value
}

/** Adds one, and counts how often it was asked to. */
export function increment(database: Database, queue?: keyof Tables) {
  const runs = { count: 0, between: async () => {} }
  const done = () =>
    database.transaction<Tables, string>(async (trx) => {
      runs.count += 1
      const { value: before } = await trx.selectFrom("counter").select("value").executeTakeFirstOrThrow()
      await runs.between()
      await trx
        .updateTable("counter")
        .set({ value: before + 1 })
        .execute()
      return "done"
    }, queue)
  return { runs, done }
}
