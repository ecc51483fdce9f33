import type { Logger } from "pino"
import type { Clock } from "../clock.ts"
import type { Position } from "../log/log.ts"
import type { Database } from "./database.ts"
import { type Claim, Positions, type Reached } from "./positions.ts"
import { Replaced } from "./replaced.ts"

type Parts = { readonly database: Database; readonly clock: Clock; readonly logger: Logger }

type Reader = {
  readonly consumer: string
  readonly topic: string
  /** Said in the log: "another process has taken over this partition of the historian". */
  readonly of: string
}

/**
 * The partitions of a topic that this process derives from, and how far each is derived: between what the log hands
 * out and what other processes have claimed in the store since.
 */
export class Claims {
  readonly positions: Positions
  private readonly held = new Map<number, Claim>()
  private readonly replaced: Replaced
  private readonly database: Database
  private readonly logger: Logger
  private readonly of: string

  constructor({ database, clock, logger }: Parts, { consumer, topic, of }: Reader) {
    this.positions = new Positions(database, consumer, topic)
    this.replaced = new Replaced(consumer, topic, clock)
    this.database = database
    this.logger = logger
    this.of = of
  }

  /** The log has given this partition to this process. */
  async take(partition: number): Promise<Claim> {
    const claim = await this.positions.claim(partition)
    this.held.set(partition, claim)
    this.replaced.remove([partition])
    return claim
  }

  /** The log has taken these away. */
  release(partitions: readonly number[]): void {
    for (const partition of partitions) this.held.delete(partition)
    this.replaced.remove(partitions)
  }

  holds(partition: number): boolean {
    return this.held.has(partition)
  }

  /** Each with the position that was saved last. */
  all(): readonly Claim[] {
    return [...this.held.values()]
  }

  /** Of the partitions that are held: up to the last of the positions (exclusive) named for each. */
  reached(positions: Iterable<readonly [partition: number, position: Position]>): readonly Reached[] {
    return [...new Map(positions)].flatMap(([partition, position]) => {
      const claim = this.held.get(partition)
      return claim === undefined ? [] : { claim, position }
    })
  }

  /** Gives those that were saved, as they are still ours; the others are given up. */
  async save(reached: readonly Reached[]): Promise<readonly Reached[]> {
    if (reached.length === 0) return []
    const owned = await this.database.transaction((trx) => this.positions.saveOwned(trx, reached))
    return this.saved(reached, owned)
  }

  /** As `save`, after a transaction with `positions.saveOwned` that wrote what was derived as well. */
  saved(reached: readonly Reached[], owned: ReadonlySet<number>): readonly Reached[] {
    return reached.filter(({ claim, position }) => {
      if (!owned.has(claim.partition)) {
        this.giveUp(claim.partition)
        return false
      }
      this.held.set(claim.partition, { ...claim, position })
      return true
    })
  }

  /** Another process has claimed it since: the log will follow. */
  giveUp(partition: number): void {
    if (!this.held.delete(partition)) return
    this.logger.warn({ partition }, `another process has taken over this partition of the ${this.of}`)
    this.replaced.add(partition)
  }

  /** To be called about each second. Throws `OWNER_REPLACED`, see `Replaced`. */
  check(): void {
    this.replaced.check()
  }
}
