import type { Clock } from "../../clock.ts"
import { isBroken, isOf } from "./trouble.ts"

const pauseMs = 100
const longestMs = 3000

/** What Kafka answers for a moment after a topic was made, a broker came or went, or the cluster started. */
const passing = [
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_LEADER_EPOCH",
  "FENCED_LEADER_EPOCH",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_LOAD_IN_PROGRESS",
  "NOT_COORDINATOR_FOR_GROUP",
] as const

export function isPassing(error: unknown): boolean {
  return isOf(error, ...passing)
}

/**
 * Asks again for some seconds where the answer is one that passes: nobody needs to hear of it. A connection that broke
 * is made anew once: what comes of that tells whether the server is gone.
 */
export async function settled<R>(clock: Clock, signal: AbortSignal, question: () => Promise<R>): Promise<R> {
  const endMs = clock.now() + longestMs
  for (let broken = 0; ; ) {
    try {
      return await question()
    } catch (error) {
      if (isBroken(error)) broken++
      const mayPass = isPassing(error) || (isBroken(error) && broken === 1)
      if (signal.aborted || clock.now() > endMs || !mayPass) throw error
      await clock.sleep(pauseMs, signal)
    }
  }
}
