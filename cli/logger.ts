import { destination, type Logger, pino } from "pino"
import type { Settings } from "../core/config.ts"

/** One JSON object a line, to standard output or to a file. */
export function serverLogger({ logLevel }: Settings, file?: string): Logger {
  return pino(
    { level: logLevel, base: null },
    destination({ dest: file ?? 1, mkdir: true, sync: file === undefined }),
  )
}

/** For commands whose output is their answer. */
export function quietLogger(): Logger {
  return pino({ level: "warn", base: null }, destination({ dest: 2, sync: true }))
}
