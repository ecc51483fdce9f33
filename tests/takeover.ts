import type { Log } from "../core/log/log.ts"
import { partitionOf } from "../core/log/partition.ts"
import type { Topic } from "../core/topics.ts"

/**
 * Lets another member into the group and out again. Who was alone in it before is then asked to load the odd
 * partitions anew.
 */
export async function giveAndTake<T>(log: Log, topic: Topic<T>, group: string): Promise<void> {
  const other = await log.subscribe(topic, group, {
    load: async () => 0,
    process: async () => {},
    revoked: async () => {},
  })
  await other.close()
}

/** This log, whose followers are not handed anything yet. */
export function behind(log: Log): Log {
  const follow: Log["follow"] = (topic) => log.follow(topic, () => {})
  return Object.assign(Object.create(log), { follow })
}

/** The first of these whose partition is odd, and the first of another partition. */
export function oddAndOther(assets: readonly string[], partitions: number): readonly [string, string] {
  const odd = assets.find((asset) => partitionOf(asset, partitions) % 2 === 1)
  const other = assets.find(
    (asset) => odd !== undefined && partitionOf(asset, partitions) !== partitionOf(odd, partitions),
  )
  if (odd === undefined || other === undefined) throw new Error("these assets share a partition")
  return [odd, other]
}
