import type { Topic } from "../topics.ts"

/** Where a record stands in its partition. Rises within a partition; may have gaps. */
export type Position = number

export type NewRecord<T> = {
  /** Records with one key share a partition, and so keep their order. */
  readonly key: string
  readonly value: T
  /** Puts the record in this partition instead of the key's. */
  readonly partition?: number
}

export type LogRecord<T> = {
  readonly partition: number
  readonly position: Position
  readonly key: string
  /** When it was appended; retention counts from here. */
  readonly appendedMs: number
  readonly value: T
}

/** A member of a group. The log calls one of these at a time and waits for it. */
export interface Consumer<T> {
  /**
   * Asked when this member becomes the owner of a partition: the position to begin at (0: the oldest kept). With
   * several processes a partition may be loaded again after it was revoked, and others with it that stay here.
   */
  load(partition: number): Promise<Position>
  /** Records of owned partitions, in order within each. Rejecting stops the subscription and rejects `done`. */
  process(records: readonly LogRecord<T>[]): Promise<void>
  /** Told before these partitions go to another member or the subscription closes: the last moment to checkpoint. */
  revoked(partitions: readonly number[]): Promise<void>
}

export interface Subscription {
  /**
   * Up to where (exclusive) this partition is safely derived from; the log may forget what every group has passed.
   * Kafka's own retention does not wait for that: there a group must keep up, and what it missed is told as an error.
   */
  commit(partition: number, position: Position): void
  /** Every record of this partition before here was processed; reaches `ends()` when there is nothing left to do. */
  position(partition: number): Position
  /** Waits for the batch in hand, tells `revoked`, and leaves the group. */
  close(): Promise<void>
  /** Resolves after `close`; rejects with what `process`, `load` or `revoked` threw. */
  readonly done: Promise<void>
}

/** How far a group is behind, for health and metrics. */
export type Lag = {
  readonly topic: string
  readonly group: string
  /** Records that it has yet to be handed. */
  readonly behind: number
  /** Records that a restart would hand it again, those behind included: 0 when all is derived and saved. */
  readonly uncommitted: number
}

/**
 * Named topics of records, split by key into partitions; the only way from one stage to the next.
 * Values are JSON: what is appended and what is read are equal as JSON, and nobody changes either.
 */
export interface Log {
  readonly partitions: number
  /**
   * Resolves once the records are durable, in the order in which `append` was called. Rejects rather than drops; a
   * record that was rejected as the log closed may be there all the same.
   */
  append<T>(topic: Topic<T>, records: readonly NewRecord<T>[]): Promise<void>
  /** Joins a group: its members share the partitions, each partition has one owner, delivery is at least once. */
  subscribe<T>(topic: Topic<T>, group: string, consumer: Consumer<T>): Promise<Subscription>
  /** Everything from the oldest record on, without a group. Resolves once what was there at the call was handed over. */
  follow<T>(topic: Topic<T>, each: (record: LogRecord<T>) => void | Promise<void>): Promise<Subscription>
  /** The records there are at the call, in order within each partition. */
  read<T>(topic: Topic<T>, range?: ReadRange): AsyncIterable<LogRecord<T>>
  /** For each partition the position that the next record will have at least. */
  ends(topic: Topic<unknown>): Promise<readonly Position[]>
  /** Of every group that was ever seen, in whichever process its members are. */
  lags(): Promise<readonly Lag[]>
  /** Forgets a group that will not come back, so that it no longer holds back retention or counts as behind. */
  declareDead(topic: Topic<unknown>, group: string): Promise<void>
  close(): Promise<void>
}

export type ReadRange = {
  readonly partition?: number
  /** Inclusive; a list has one for each partition. */
  readonly from?: Position | readonly Position[]
  /** Exclusive; a list has one for each partition. */
  readonly to?: Position | readonly Position[]
}

/** The bound of a range in this partition. */
export function boundIn(
  bound: Position | readonly Position[] | undefined,
  partition: number,
  otherwise: Position,
): Position {
  return (typeof bound === "object" ? bound[partition] : bound) ?? otherwise
}
