import { AsyncLocalStorage } from "node:async_hooks"
import { MillwrightError, messageOf } from "../errors.ts"

/** Knows whether the code that asks was called from within a transaction that still runs. */
export type NestedQueryGuard = {
  during<R>(work: () => Promise<R>): Promise<R>
  /** Throws `NESTED_QUERY` inside `during`. */
  check(): void
}

/**
 * A query beside the transaction around it would wait for a connection that only the end of that transaction
 * sets free: on SQLite for ever. Refusing it at once turns a silent standstill into an error that says what to do.
 */
export function nestedQueryGuard(): NestedQueryGuard {
  const storage = new AsyncLocalStorage<{ running: boolean }>()
  let running = 0
  return {
    async during(work) {
      // Work begun inside but left running after the end keeps this store, so the end has to be written into it.
      const transaction = { running: true }
      running += 1
      try {
        return await storage.run(transaction, work)
      } finally {
        transaction.running = false
        running -= 1
        // On Node 20 and 22 a storage in use makes every promise of the process dearer: docs/results.md.
        if (running === 0) storage.disable()
      }
    },
    check() {
      if (storage.getStore()?.running !== true) return
      throw new MillwrightError(
        "NESTED_QUERY",
        "a query beside the running transaction would wait for it for ever: inside `transaction` use the trx it hands in",
      )
    },
  }
}

/** What every later statement of a transaction is told, also where the first error was caught. */
export function failedBefore(failure: unknown): MillwrightError {
  return new MillwrightError("STORE_FAILED", `the transaction failed before: ${messageOf(failure)}`, {
    cause: failure,
  })
}
