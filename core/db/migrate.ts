import { type Kysely, type Migration, Migrator } from "kysely"
import { MillwrightError, messageOf } from "../errors.ts"

/**
 * Runs the migrations of a room that have not run yet. `schema` is where a server keeps the tables; a file has only
 * one. Throws `STORE_FAILED` with the room and the migration that failed.
 */
export async function migrateRoom(
  db: Kysely<unknown>,
  room: string,
  migrations: Readonly<Record<string, Migration>>,
  schema?: string,
): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => ({ ...migrations }) },
    migrationTableName: `${room}_migration`,
    migrationLockTableName: `${room}_migration_lock`,
    ...(schema === undefined ? {} : { migrationTableSchema: schema }),
  })
  const { error, results = [] } = await migrator.migrateToLatest()
  if (error === undefined) return
  if (error instanceof MillwrightError && error.code === "NESTED_QUERY") throw error
  const failed = results.find(({ status }) => status === "Error")
  throw new MillwrightError(
    "STORE_FAILED",
    `the tables of ${room} can't be brought up to date${failed ? ` (${failed.migrationName})` : ""}: ${messageOf(error)}`,
    { cause: error },
  )
}
