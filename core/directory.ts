import { chmodSync, existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import Database from "better-sqlite3"
import { MillwrightError, messageOf } from "./errors.ts"

export type HeldDirectory = {
  readonly path: string
  file(name: string): string
  release(): void
}

const lockFile = "lock.sqlite"

/** Whether a plant was ever kept there. */
export function holdsPlant(path: string): boolean {
  return existsSync(join(path, lockFile))
}

/**
 * Takes a data directory for this process alone. The lock is SQLite's own lock on a file, which the system lets go
 * of when the process ends, however it ends. Throws `DIRECTORY_IN_USE` or `DIRECTORY_UNUSABLE`.
 */
export function holdDirectory(path: string): HeldDirectory {
  let lock: Database.Database
  try {
    const isNew = mkdirSync(path, { recursive: true }) !== undefined
    // Telemetry, orders and the control socket are nobody else's business; a directory that was there has its rights.
    if (isNew) chmodSync(path, 0o700)
    lock = new Database(join(path, lockFile), { timeout: 0 })
  } catch (cause) {
    throw new MillwrightError(
      "DIRECTORY_UNUSABLE",
      `the data directory ${path} can't be used: ${messageOf(cause)}. Make it writable, or set another (MILLWRIGHT_DIRECTORY)`,
      { cause },
    )
  }
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
  } catch (cause) {
    lock.close()
    throw new MillwrightError(
      "DIRECTORY_IN_USE",
      `the data directory ${path} is in use by another Millwright process: stop it, or give this one another directory (MILLWRIGHT_DIRECTORY)`,
      { cause },
    )
  }
  return { path, file: (name) => join(path, name), release: () => lock.close() }
}
