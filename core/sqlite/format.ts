import { MillwrightError } from "../errors.ts"
import type { SqliteThread } from "./thread.ts"

/**
 * Makes the tables of a new file and marks it with their format. Throws `DIRECTORY_UNUSABLE` for a file that a
 * version with another format has written: its rows would be misread.
 */
export async function requireFormat(
  thread: SqliteThread,
  { path, format, schema }: { readonly path: string; readonly format: number; readonly schema: string },
): Promise<void> {
  const [{ user_version: found = 0 } = {}] = await thread.all("PRAGMA user_version")
  const [{ tables = 0 } = {}] = await thread.all("SELECT count(*) AS tables FROM sqlite_master")
  if (Number(tables) === 0) return thread.script(`${schema}; PRAGMA user_version = ${format}`)
  if (Number(found) === format) return
  throw new MillwrightError(
    "DIRECTORY_UNUSABLE",
    `${path} has format ${found}, this version of Millwright reads ${format}: start with an empty directory, or with the version that wrote it (CHANGELOG.md)`,
  )
}
