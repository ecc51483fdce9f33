import { setTimeout as delay } from "node:timers/promises"

/** Time is an argument: only this file touches the system's clock. Milliseconds since 1970, UTC. */
export interface Clock {
  now(): number
  /** Resolves after `ms`, or at once when `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    if (signal?.aborted) return
    try {
      await delay(ms, undefined, { signal })
    } catch (error) {
      if (!signal?.aborted) throw error
    }
  },
}

/** Calls `work` every `ms` until `signal` aborts, never twice at once. Rejects as soon as `work` does. */
export async function every(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  work: () => Promise<void> | void,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(ms, signal)
    if (!signal.aborted) await work()
  }
}
