import { openSync } from "node:fs"
import { dirname } from "node:path"
import { destination, type Logger, pino } from "pino"
import type { Settings } from "../core/config.ts"
import { makeDirectory } from "../core/directory.ts"
import { MillwrightError, messageOf } from "../core/errors.ts"

/** One JSON object a line, to standard output or to a file. Throws `DIRECTORY_UNUSABLE` where that can't be written. */
export function serverLogger({ logLevel }: Settings, file?: string): Logger {
  const to = file === undefined ? { dest: 1, sync: true } : { dest: opened(file), sync: false }
  return pino({ level: logLevel, base: null }, destination(to))
}

/** For commands whose output is their answer. */
export function quietLogger(): Logger {
  return pino({ level: "warn", base: null }, destination({ dest: 2, sync: true }))
}

/** Not left to pino, which opens it later: a process that ends before that could not end its log. */
function opened(file: string): number {
  makeDirectory(dirname(file))
  try {
    return openSync(file, "a")
  } catch (cause) {
    throw new MillwrightError(
      "DIRECTORY_UNUSABLE",
      `the log ${file} can't be written: ${messageOf(cause)}: make it writable, or remove it`,
      { cause },
    )
  }
}
