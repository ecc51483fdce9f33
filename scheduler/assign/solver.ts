import { once } from "node:events"
import { Worker } from "node:worker_threads"
import { type Clock, systemClock } from "../../core/clock.ts"
import type { Program } from "./program.ts"

type Limits = {
  readonly seed: number
  /** Of branch and bound: with the same number the same result, however fast the machine. */
  readonly nodes: number
  /** Good enough is this close to the best possible. */
  readonly gap: number
  readonly seconds: number
}

export type Question = { readonly program: Program; readonly limits: Limits }

/** `values` by column; null where nothing was found within the limits. */
export type Reply = {
  readonly values: Float64Array | null
  readonly timedOut: boolean
  readonly proven: boolean
}

export interface Solver {
  /** Rejects with what HiGHS failed with, and when `signal` aborts; it is of no use any more then. */
  solve(question: Question, signal: AbortSignal): Promise<Reply>
  close(): Promise<void>
}

/** HiGHS looks at the clock now and then; so long after its limit, at most a twentieth of it, it is not waited for. */
const graceMs = 500

/** HiGHS on a thread of its own, which begins with the first question and takes one at a time. */
export function highsSolver(clock: Clock = systemClock): Solver {
  let thread: { readonly worker: Worker; readonly ended: AbortSignal } | undefined
  return {
    async solve(question, signal) {
      signal.throwIfAborted()
      thread ??= startThread()
      const { worker, ended } = thread
      const late = new AbortController()
      const answered = new AbortController()
      const limitMs = question.limits.seconds * 1000
      const guard = clock
        .sleep(limitMs + Math.min(graceMs, limitMs / 20), answered.signal)
        .then(() => late.abort())
      const stop = AbortSignal.any([signal, ended, late.signal])
      try {
        const message = once(worker, "message", { signal: stop })
        worker.postMessage(question)
        const [reply] = (await message) as [Reply]
        return reply
      } catch (error) {
        if (late.signal.aborted) {
          thread = undefined
          await worker.terminate()
          return { values: null, timedOut: true, proven: false }
        }
        throw stop.aborted ? stop.reason : error
      } finally {
        answered.abort()
        await guard
      }
    },
    async close() {
      await thread?.worker.terminate()
    },
  }
}

/** `ended` tells why the thread is no more, also where it ends without a word, as it does when its memory runs out. */
function startThread(): { readonly worker: Worker; readonly ended: AbortSignal } {
  const worker = new Worker(new URL("./highs.js", import.meta.url))
  const ended = new AbortController()
  worker.on("error", (error) => ended.abort(error))
  worker.on("exit", () => ended.abort(new Error("the solver's thread has ended")))
  return { worker, ended: ended.signal }
}
