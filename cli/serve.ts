import { type App, openApp, type StageName, stageNames } from "../app.ts"
import type { Clock } from "../core/clock.ts"
import { isShared, type Settings } from "../core/config.ts"
import { MillwrightError } from "../core/errors.ts"
import { serveControl } from "./control.ts"
import { serverLogger } from "./logger.ts"

export type Serving = {
  readonly settings: Settings
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Default: all. */
  readonly stages?: readonly StageName[]
  /** Where the server's log goes instead of standard output. */
  readonly logFile?: string
}

/** Runs a server until `signal` aborts or a stage fails; `work` runs beside it and ends with it. */
export async function serve(
  { settings, clock, signal, stages = stageNames, logFile }: Serving,
  work: (app: App, ending: AbortSignal) => Promise<void>,
): Promise<void> {
  const logger = serverLogger(settings, logFile)
  const app = await open({ settings, clock, signal, stages, logger })
  if (app === undefined) return
  const ended = new AbortController()
  const ending = AbortSignal.any([signal, ended.signal])
  try {
    await app.start()
    // Where all is kept by servers a command asks them itself, and no directory is this process's alone.
    const control = isShared(settings) ? undefined : await serveControl(app)
    try {
      await Promise.race([work(app, ending), app.failed])
    } finally {
      ended.abort()
      await control?.close()
    }
  } finally {
    await app.close()
  }
}

/** Undefined when it was told to stop while it still waited for a server. */
async function open(
  options: Parameters<typeof openApp>[0] & { readonly signal: AbortSignal },
): Promise<App | undefined> {
  try {
    return await openApp(options)
  } catch (error) {
    const hasStopped = error instanceof MillwrightError && error.code === "SERVER_UNREACHABLE"
    if (options.signal.aborted && hasStopped) return undefined
    throw error
  }
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
