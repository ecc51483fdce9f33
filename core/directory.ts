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

/** Makes it where it is not there, for its owner alone. Throws `DIRECTORY_UNUSABLE`. */
export function makeDirectory(path: string): void {
  try {
    const isNew = mkdirSync(path, { recursive: true }) !== undefined
    // Telemetry, orders and the control socket are nobody else's business; a directory that was there has its rights.
    if (isNew) chmodSync(path, 0o700)
  } catch (cause) {
    throw unusable(path, cause)
  }
}

/**
 * Takes a data directory for this process alone. The lock is SQLite's own lock on a file, which the system lets go
 * of when the process ends, however it ends. Throws `DIRECTORY_IN_USE` or `DIRECTORY_UNUSABLE`, and `STORE_FAILED`
 * where SQLite itself is missing.
 */
export function holdDirectory(path: string): HeldDirectory {
  makeDirectory(path)
  const lock = openLock(path)
  try {
    lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
  } catch (cause) {
    lock.close()
    if (codeOf(cause) === "SQLITE_NOTADB")
      throw new MillwrightError(
        "DIRECTORY_UNUSABLE",
        `${join(path, lockFile)} is damaged: it holds nothing but the lock, so remove that file and start again`,
        { cause },
      )
    throw new MillwrightError(
      "DIRECTORY_IN_USE",
      `the data directory ${path} is in use by another Millwright process: stop it, or give this one another directory (MILLWRIGHT_DIRECTORY)`,
      { cause },
    )
  }
  return { path, file: (name) => join(path, name), release: () => lock.close() }
}

function openLock(path: string): Database.Database {
  try {
    return new Database(join(path, lockFile), { timeout: 0 })
  } catch (cause) {
    if (messageOf(cause).includes("bindings file") || codeOf(cause) === "ERR_DLOPEN_FAILED")
      throw new MillwrightError(
        "STORE_FAILED",
        `SQLite can't be loaded by Node ${process.version}: it was not built, or for another one. Run: npm rebuild better-sqlite3`,
        { cause },
      )
    throw unusable(path, cause)
  }
}

function unusable(path: string, cause: unknown): MillwrightError {
  return new MillwrightError(
    "DIRECTORY_UNUSABLE",
    `the data directory ${path} can't be used: ${messageOf(cause)}. Make it writable, or set another (MILLWRIGHT_DIRECTORY)`,
    { cause },
  )
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined
}
