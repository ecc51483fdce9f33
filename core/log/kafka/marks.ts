import type { Cluster } from "kafkajs"
import { MillwrightError } from "../../errors.ts"
import type { Position } from "../log.ts"
import { isOf } from "./trouble.ts"

/** For each partition the oldest record kept (inclusive) and the end (exclusive). */
export type Marks = { readonly low: readonly Position[]; readonly high: readonly Position[] }

export async function marksOf(cluster: Cluster, topic: string): Promise<Marks> {
  const [low, high] = await Promise.all([mark(cluster, topic, true), highMarks(cluster, topic)])
  return { low, high }
}

export function highMarks(cluster: Cluster, topic: string): Promise<readonly Position[]> {
  return mark(cluster, topic, false)
}

async function mark(cluster: Cluster, topic: string, fromBeginning: boolean): Promise<readonly Position[]> {
  try {
    await cluster.addTargetTopic(topic)
    const partitions = cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => ({ partition: partitionId }))
    const found = await cluster.fetchTopicsOffset([{ topic, partitions, fromBeginning }])
    const positions = new Array<Position>(partitions.length).fill(0)
    for (const one of found.flatMap((each) => each.partitions)) positions[one.partition] = Number(one.offset)
    return positions
  } catch (error) {
    await refreshWhereStale(cluster, error)
    throw error
  }
}

/** Kafka's answers that mean: ask another broker. kafkajs asks where they are only when told to. */
export async function refreshWhereStale(cluster: Cluster, error: unknown): Promise<void> {
  if (isOf(error, "NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PARTITION")) {
    await cluster.refreshMetadata()
  }
}

/** A position that Kafka does not have: going on there would skip what comes until Kafka has caught up with it. */
export function lost(topic: string, partition: number, position: Position, end: Position): MillwrightError {
  return new MillwrightError(
    "LOG_LOST",
    `Kafka's topic ${topic} ends at ${end} in partition ${partition}, but ${position} was read before: ` +
      "the topic was made anew, or Kafka was restored from an older copy. Restore Kafka and the database from the same " +
      "time, or begin with an empty log: docs/services.md, Backup.",
  )
}
