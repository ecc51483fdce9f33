import { randomUUID } from "node:crypto"
import { pino } from "pino"
import { inject } from "vitest"
import { systemClock } from "../core/clock.ts"
import type { Database } from "../core/db/database.ts"
import { openPostgresDatabase } from "../core/db/postgres.ts"
import { openSqliteDatabase } from "../core/db/sqlite.ts"
import { ownDatabase } from "./services/own-database.ts"

/** Given only in the run with servers: `npm run test:services`. */
export const onPostgres = (inject("servers") as unknown) !== undefined

type Own = Awaited<ReturnType<typeof ownDatabase>>
const made = new Map<string, Promise<Own>>()

/**
 * The tables of this path, which are found again where it is opened again: a SQLite file or, in the run with
 * servers, a database on PostgreSQL. ":memory:" is another one each time.
 */
export async function openDatabase(path: string): Promise<Database> {
  if (!onPostgres) return openSqliteDatabase(path)
  const key = path === ":memory:" ? `${path}${randomUUID()}` : path
  const own = made.get(key) ?? ownDatabase()
  made.set(key, own)
  const { url, remove } = await own
  const database = await openPostgresDatabase({
    url,
    connections: 4,
    clock: systemClock,
    logger: pino({ level: "silent" }),
  })
  if (path !== ":memory:") return database
  // Gone at once: each look at the tables there are would go through those of all tests before.
  return {
    ...database,
    async close() {
      await database.close()
      if (made.delete(key)) await remove()
    },
  }
}

/** What was made for the tests so far; no file has to be removed, since those go with their directory. */
export async function removeDatabases(): Promise<void> {
  const all = [...made.values()]
  made.clear()
  for (const own of all) await (await own).remove()
}
