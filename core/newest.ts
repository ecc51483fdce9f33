import type { Log, LogRecord } from "./log/log.ts"
import type { Topic } from "./topics.ts"

const firstStep = 4096

/**
 * What `pick` takes of a topic's newest records, at most `limit`, oldest first. Goes back from the ends in growing
 * steps until there is enough, so a short list of a long topic costs little. Between partitions the time of
 * appending decides which is newer.
 */
export async function newest<T, R>(
  log: Log,
  topic: Topic<T>,
  limit: number,
  pick: (record: LogRecord<T>) => R | undefined,
): Promise<readonly R[]> {
  const found: { readonly appendedMs: number; readonly position: number; readonly picked: R }[] = []
  let to = await log.ends(topic)
  for (let step = firstStep; to.some((end) => end > 0); step *= 2) {
    const from = to.map((end) => Math.max(0, end - step))
    /** For each partition when the oldest record read so far was appended. */
    const reachedMs = to.map(() => Number.NEGATIVE_INFINITY)
    for await (const record of log.read(topic, { from, to })) {
      const { partition, position, appendedMs } = record
      if (reachedMs[partition] === Number.NEGATIVE_INFINITY) reachedMs[partition] = appendedMs
      const picked = pick(record)
      if (picked !== undefined) found.push({ appendedMs, position, picked })
    }
    found.sort((a, b) => a.appendedMs - b.appendedMs || a.position - b.position)
    found.splice(0, Math.max(0, found.length - limit))
    const oldestMs = found[0]?.appendedMs
    // What is left in a partition is older than what was read of it: it can't take the place of what was found.
    const mayHoldNewer = from.some(
      (rest, partition) => rest > 0 && (reachedMs[partition] ?? 0) > (oldestMs ?? 0),
    )
    if (found.length >= limit && !mayHoldNewer) break
    to = from
  }
  return found.map(({ picked }) => picked)
}
