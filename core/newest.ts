import type { Log, LogRecord } from "./log/log.ts"
import type { Topic } from "./topics.ts"

const firstStep = 4096

/**
 * What `pick` takes of a topic's newest records, at most `limit`, oldest first. Goes back from the end in growing
 * steps until there is enough, so a short list of a long topic costs little, and no more than `limit` is held.
 */
export async function newest<T, R>(
  log: Log,
  topic: Topic<T>,
  limit: number,
  pick: (record: LogRecord<T>) => R | undefined,
): Promise<readonly R[]> {
  let found: R[] = []
  let to = Math.max(...(await log.ends(topic)))
  for (let step = firstStep; to > 0 && found.length < limit; step *= 2) {
    const from = Math.max(0, to - step)
    const older: R[] = []
    for await (const record of log.read(topic, { from, to })) {
      const picked = pick(record)
      if (picked === undefined) continue
      older.push(picked)
      if (older.length > limit - found.length) older.shift()
    }
    found = [...older, ...found]
    to = from
  }
  return found
}
