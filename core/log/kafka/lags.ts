import type { Admin, Cluster } from "kafkajs"
import type { Lag, Position } from "../log.ts"
import { marksOf } from "./marks.ts"

export type LagSource = {
  readonly admin: Admin
  readonly cluster: Cluster
  readonly prefix: string
  /** What a member of this process has been handed already, where it owns the partition. */
  readonly live: (group: string, topic: string, partition: number) => Position | undefined
}

/** The name on Kafka of the members that read one topic as one group. */
export function groupIdOf(prefix: string, group: string, topic: string): string {
  return `${prefix}${group}.${topic}`
}

/** Asks Kafka for every group under the prefix: some requests for each, so not for asking many times a second. */
export async function lagsOf({ admin, cluster, prefix, live }: LagSource): Promise<readonly Lag[]> {
  const ours = (name: string) => name.startsWith(prefix)
  const topics = (await admin.listTopics()).filter(ours).map((name) => name.slice(prefix.length))
  const { groups } = await admin.listGroups()
  const lags: Lag[] = []
  for (const { groupId } of groups.filter((one) => ours(one.groupId))) {
    const rest = groupId.slice(prefix.length)
    const topic = longest(topics.filter((name) => rest.endsWith(`.${name}`)))
    if (topic === undefined) continue
    const group = rest.slice(0, -topic.length - 1)
    const { low, high } = await marksOf(cluster, `${prefix}${topic}`)
    const committed = await admin.fetchOffsets({ groupId, topics: [`${prefix}${topic}`] })
    let behind = 0
    let uncommitted = 0
    for (const { partition, offset } of committed.flatMap(({ partitions }) => partitions)) {
      const end = high[partition] ?? 0
      // -1: never told. What retention has deleted nobody is behind with.
      const derived = Math.max(Number(offset), low[partition] ?? 0)
      const handed = Math.max(live(group, topic, partition) ?? derived, low[partition] ?? 0)
      behind += Math.max(0, end - handed)
      uncommitted += Math.max(0, end - derived)
    }
    lags.push({ topic, group, behind, uncommitted })
  }
  return lags
}

function longest(names: readonly string[]): string | undefined {
  return [...names].sort((a, b) => b.length - a.length)[0]
}
