import { type App, openApp } from "../app.ts"
import type { Clock } from "../core/clock.ts"
import type { Settings } from "../core/config.ts"
import { serveControl } from "./control.ts"
import { serverLogger } from "./logger.ts"

export type Serving = {
  readonly settings: Settings
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Where the server's log goes instead of standard output. */
  readonly logFile?: string
}

/** Runs a server until `signal` aborts or a stage fails; `work` runs beside it and ends with it. */
export async function serve(
  { settings, clock, signal, logFile }: Serving,
  work: (app: App, ending: AbortSignal) => Promise<void>,
): Promise<void> {
  const app = await openApp({ settings, clock, logger: serverLogger(settings, logFile) })
  const ended = new AbortController()
  const ending = AbortSignal.any([signal, ended.signal])
  try {
    await app.start()
    const control = await serveControl(app)
    try {
      await Promise.race([work(app, ending), app.failed])
    } finally {
      ended.abort()
      await control.close()
    }
  } finally {
    await app.close()
  }
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
