import type { Consumer, LogRecord, Position, Subscription } from "./log.ts"

/** Where a member reads: the records from a position on, and a wait for more. */
export interface Source<T> {
  /** The next stretch of records from `position` on, none after it missing; undefined at the end. */
  after(position: Position): Promise<Stretch<T> | undefined>
  /** Where to begin for a partition whose owner has dealt with everything before `position`. */
  startFor(partition: number, position: Position): Position
  /** Resolves when there may be more past `position`. */
  more(position: Position): Promise<void>
}

export type Stretch<T> = { readonly records: readonly LogRecord<T>[]; readonly nextPosition: Position }

const nothingToRead = Number.MAX_SAFE_INTEGER

type Owned = { from: Position; committed: Position; delivered: Position }

/** One member of a group within this process: its partitions, and the loop that hands it their records. */
export class Member<T> implements Subscription {
  readonly done: Promise<void>
  private readonly owned = new Map<number, Owned>()
  private readonly source: Source<T>
  private readonly consumer: Consumer<T>
  private readonly leave: (member: Member<T>) => Promise<void>
  private turn: Promise<void> = Promise.resolve()
  /** The position of the next record to read. */
  cursor: Position = nothingToRead
  private closing = false
  private failure: { readonly error: unknown } | undefined
  private wake: () => void = () => {}

  constructor(source: Source<T>, consumer: Consumer<T>, leave: (member: Member<T>) => Promise<void>) {
    this.source = source
    this.consumer = consumer
    this.leave = leave
    this.done = this.run()
    // Whoever subscribed decides what a failure means; until then it must not end the process.
    this.done.catch(() => {})
  }

  get partitions(): readonly number[] {
    return [...this.owned.keys()]
  }

  commit(partition: number, position: Position): void {
    const owned = this.owned.get(partition)
    if (owned !== undefined && position > owned.committed) owned.committed = position
  }

  position(partition: number): Position {
    return this.owned.has(partition) ? this.cursor : 0
  }

  /** Resolves when everything before this position was processed. Rejects with what stopped this member. */
  async reached(position: Position): Promise<void> {
    while (this.cursor < position && !this.closing) await this.exclusively(() => this.step())
    this.check()
  }

  /** Up to where everything handed to this member is committed. */
  lowWater(): Position {
    let low = this.cursor
    for (const { committed, delivered } of this.owned.values()) {
      if (committed < delivered) low = Math.min(low, committed)
    }
    return low
  }

  /** Throws what stopped this member, if anything did. */
  check(): void {
    if (this.failure !== undefined) throw this.failure.error
  }

  /** Gives up these partitions once the batch in hand is done. */
  revoke(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return Promise.resolve()
    return this.exclusively(async () => {
      await this.consumer.revoked(partitions)
      for (const partition of partitions) this.owned.delete(partition)
      if (this.owned.size === 0) this.cursor = nothingToRead
    })
  }

  assign(partitions: readonly number[]): Promise<void> {
    if (partitions.length === 0) return Promise.resolve()
    return this.exclusively(async () => {
      for (const partition of partitions) {
        const from = await this.consumer.load(partition)
        this.owned.set(partition, { from, committed: from, delivered: from })
        this.cursor = Math.min(this.cursor, this.source.startFor(partition, from))
      }
      this.wake()
    })
  }

  async close(): Promise<void> {
    if (this.closing) return this.done
    this.closing = true
    this.wake()
    await this.done
    await this.revoke(this.partitions)
    await this.leave(this)
    this.check()
  }

  private async run(): Promise<void> {
    while (!this.closing) {
      const more = await this.exclusively(() => this.step())
      if (!more) await this.idle()
    }
    if (this.failure === undefined) return
    // What it derived can't be trusted, so no checkpoint: the next owner goes on from the last one.
    this.owned.clear()
    await this.leave(this)
    this.check()
  }

  /** Hands over one stretch; false when there is none. */
  private async step(): Promise<boolean> {
    if (this.owned.size === 0) return false
    const stretch = await this.source.after(this.cursor)
    if (stretch === undefined) return false
    const records = this.mine(stretch.records)
    if (records.length > 0) {
      for (const { partition, position } of records) this.ownedOf(partition).delivered = position + 1
      await this.consumer.process(records)
    }
    this.cursor = stretch.nextPosition
    return true
  }

  private mine(records: readonly LogRecord<T>[]): readonly LogRecord<T>[] {
    const isMine = ({ partition, position }: LogRecord<T>) => {
      const owned = this.owned.get(partition)
      return owned !== undefined && position >= owned.from && position >= owned.delivered
    }
    return records.every(isMine) ? records : records.filter(isMine)
  }

  private ownedOf(partition: number): Owned {
    const owned = this.owned.get(partition)
    if (owned === undefined) throw new Error(`partition ${partition} is not owned`)
    return owned
  }

  private idle(): Promise<void> {
    if (this.closing) return Promise.resolve()
    const woken = new Promise<void>((resolve) => {
      this.wake = resolve
    })
    if (this.owned.size === 0) return woken
    return Promise.race([woken, this.source.more(this.cursor)])
  }

  /** One thing at a time, and nothing after the first failure. */
  private exclusively<R>(work: () => Promise<R>): Promise<R | undefined> {
    const result = this.turn.then(async () => {
      if (this.failure !== undefined) return undefined
      try {
        return await work()
      } catch (error) {
        this.failure = { error }
        this.closing = true
        this.wake()
        return undefined
      }
    })
    this.turn = result.then(() => {})
    return result
  }
}

/** The members of one group on one topic within this process, and who owns what. */
export class Group<T> {
  /** Where the group stood when it was last heard of, for as long as it has no member that owns anything. */
  private remembered: Position
  private members: readonly Member<T>[] = []
  private readonly partitions: number
  private turn: Promise<void> = Promise.resolve()

  constructor(partitions: number, remembered: Position) {
    this.partitions = partitions
    this.remembered = remembered
  }

  get current(): readonly Member<T>[] {
    return this.members
  }

  /** The first position that some member has yet to read. */
  get cursor(): Position {
    return Math.min(...this.members.map((member) => member.cursor))
  }

  lowWater(): Position {
    const owners = this.members.filter((member) => member.partitions.length > 0)
    // While partitions are changing hands nobody may forget anything: the old mark stands.
    const owned = owners.reduce((sum, member) => sum + member.partitions.length, 0)
    if (owned === this.partitions) {
      this.remembered = Math.max(this.remembered, Math.min(...owners.map((member) => member.lowWater())))
    }
    return this.remembered
  }

  async join(source: Source<T>, consumer: Consumer<T>): Promise<Subscription> {
    const member = new Member(source, consumer, (leaving) => this.leave(leaving))
    this.members = [...this.members, member]
    await this.rebalance()
    member.check()
    return member
  }

  private async leave(member: Member<T>): Promise<void> {
    this.lowWater()
    this.members = this.members.filter((other) => other !== member)
    await this.rebalance()
  }

  /** Shares the partitions out evenly: first everybody gives up what is no longer theirs, then takes what is. */
  private rebalance(): Promise<void> {
    this.turn = this.turn.then(async () => {
      const members = this.members
      const wanted = members.map(
        (_, at) => new Set(range(this.partitions).filter((partition) => partition % members.length === at)),
      )
      await Promise.all(
        members.map((member, at) => member.revoke(member.partitions.filter((one) => !wanted[at]?.has(one)))),
      )
      await Promise.all(
        members.map((member, at) => {
          const has = new Set(member.partitions)
          return member.assign([...(wanted[at] ?? [])].filter((one) => !has.has(one)))
        }),
      )
    })
    return this.turn
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at)
}
