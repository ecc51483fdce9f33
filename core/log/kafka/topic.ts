import type { Admin, Cluster, IResourceConfigEntry } from "kafkajs"
import type { Clock } from "../../clock.ts"
import { MillwrightError } from "../../errors.ts"
import type { Topic } from "../../topics.ts"
import { isOf } from "./trouble.ts"

const mebibyte = 1_048_576

/** Kafka deletes whole segments only: several to a partition, or its size would not be kept. */
const segmentsPerPartition = 4
const leastSegmentBytes = 16 * mebibyte
const mostSegmentBytes = 1024 * mebibyte
/** What one record may have. A segment takes it, and so does Kafka's largest request (100 MB by default). */
export const mostRecordBytes = 16_000_000

export type TopicSettings = {
  readonly partitions: number
  readonly replication: number
}

/** What a topic is made with: retention by the topic's own figures, the time of a record by the broker's clock. */
export function topicConfig(
  { retention, compacted }: Topic<unknown>,
  { partitions, replication }: TopicSettings,
): readonly IResourceConfigEntry[] {
  // Kafka bounds each partition.
  const bytes = Math.ceil(retention.bytes / partitions)
  const segment = Math.max(leastSegmentBytes, Math.min(mostSegmentBytes, bytes / segmentsPerPartition))
  const keeping: Readonly<Record<string, number | string>> = compacted
    ? // Every revision is needed for as long as what it applied to; the newest of each key for ever.
      { "cleanup.policy": "compact", "min.compaction.lag.ms": retention.ms }
    : { "cleanup.policy": "delete", "retention.ms": retention.ms, "retention.bytes": bytes }
  const config = {
    ...keeping,
    "message.timestamp.type": "LogAppendTime",
    "segment.bytes": Math.floor(segment),
    "max.message.bytes": mostRecordBytes,
    // With two copies written before an append resolves, one broker may be lost at any time.
    ...(replication >= 3 ? { "min.insync.replicas": 2 } : {}),
  }
  return Object.entries(config).map(([name, value]) => ({ name, value: String(value) }))
}

/**
 * Makes the topic where it is missing. One that is there keeps its settings, which are the operator's; only its
 * number of partitions must be right, else `LOG_PARTITIONS_CHANGED`.
 */
export async function ensureTopic(
  { admin, cluster, clock }: { readonly admin: Admin; readonly cluster: Cluster; readonly clock: Clock },
  name: string,
  topic: Topic<unknown>,
  settings: TopicSettings,
): Promise<void> {
  const { partitions, replication } = settings
  if (!(await isThere(cluster, name))) {
    await admin.createTopics({
      topics: [
        {
          topic: name,
          numPartitions: partitions,
          replicationFactor: replication,
          configEntries: [...topicConfig(topic, settings)],
        },
      ],
    })
  }
  // Also of one just made: two processes may do so at the same time, with different settings.
  await cluster.addTargetTopic(name)
  const count = await partitionsOf(cluster, name, clock)
  if (count === partitions) return
  throw new MillwrightError(
    "LOG_PARTITIONS_CHANGED",
    `Kafka's topic ${name} has ${count} partitions, the configuration says ${partitions}: an asset's records ` +
      `would change their partition. Set partitions to ${count}, or set another kafka.prefix to begin with new topics.`,
  )
}

/** A topic that another process makes just now, or a broker that has just started, has its partitions a moment later. */
async function partitionsOf(cluster: Cluster, name: string, clock: Clock): Promise<number> {
  for (let pauseMs = 10; pauseMs < 5000; pauseMs *= 2) {
    const count = cluster.findTopicPartitionMetadata(name).length
    if (count > 0) return count
    await clock.sleep(pauseMs)
    await cluster.refreshMetadata()
  }
  throw new Error(`it does not tell the partitions of ${name} yet`)
}

async function isThere(cluster: Cluster, name: string): Promise<boolean> {
  try {
    await cluster.addTargetTopic(name)
    return true
  } catch (error) {
    if (isOf(error, "UNKNOWN_TOPIC_OR_PARTITION")) return false
    throw error
  }
}
