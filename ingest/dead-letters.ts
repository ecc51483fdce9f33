import type { Migration } from "kysely"
import { Audit } from "../core/audit.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import type { Log, LogRecord } from "../core/log/log.ts"
import { newest } from "../core/newest.ts"
import { topics } from "../core/topics.ts"
import type { DeadLetter } from "../core/vocabulary.ts"
import type { Intake } from "./intake.ts"

type ReplayTables = { dead_letter_replay: { letter: string; at_ms: number; actor: string } }

const migrations: Record<string, Migration> = {
  "001-dead-letter-replay": {
    async up(db) {
      await db.schema
        .createTable("dead_letter_replay")
        .addColumn("letter", "text", (column) => column.primaryKey())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .addColumn("actor", "text", (column) => column.notNull())
        .execute()
    },
  },
}

export type DeadLetterQuery = {
  readonly reason?: DeadLetter["reason"] | undefined
  /** One letter, by its id or the start of it. */
  readonly id?: string | undefined
  /** The newest so many. */
  readonly limit: number
}

export type ReplayOutcome = {
  readonly replayed: number
  /** Letters cut at the payload limit: what is left of them is no message. */
  readonly truncated: number
}

/** Letters in hand during a replay, and characters of their payloads: what is sent, then remembered, together. */
const groupLetters = 1000
const groupCharacters = 8_388_608

/** What could not be taken, and a way to take it once the reason is mended (a rule of topics, an asset, a unit). */
export class DeadLetters {
  private readonly log: Log
  private readonly database: Database
  private readonly intake: Intake
  private readonly audit: Audit

  constructor(log: Log, database: Database, intake: Intake) {
    this.log = log
    this.database = database
    this.intake = intake
    this.audit = new Audit(database)
  }

  async start(): Promise<void> {
    await this.database.migrate("dead-letters", migrations)
  }

  /** Letters not replayed yet, oldest first. */
  async list(query: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    const found = await this.find(query, ({ value }) => value)
    return found.toSorted((a, b) => a.arrivedMs - b.arrivedMs)
  }

  /**
   * Sends letters through the intake again, with their own time of arrival. One that is refused again comes back as
   * a new letter. Throws `NOT_FOUND` when no letter is left to replay.
   */
  async replay(query: DeadLetterQuery, actor: string, nowMs: number): Promise<ReplayOutcome> {
    const chosen = await this.find(query, ({ position, value: { id, truncated } }) => ({
      position,
      id,
      truncated,
    }))
    const first = chosen[0]
    const last = chosen.at(-1)
    if (first === undefined || last === undefined)
      throw new MillwrightError("NOT_FOUND", "there are no such dead letters left to replay")
    const whole = new Set(chosen.filter(({ truncated }) => !truncated).map(({ id }) => id))
    const range = { from: first.position, to: last.position + 1 }
    let group: DeadLetter[] = []
    let characters = 0
    const sendGroup = async () => {
      await this.replayGroup(group, query, actor, nowMs)
      group = []
      characters = 0
    }
    for await (const { value } of this.log.read(topics.deadLetters, range)) {
      if (!whole.has(value.id)) continue
      const isFull = group.length >= groupLetters || characters >= groupCharacters
      const previous = group.at(-1)
      // Letters of one message follow one another, and must not be sent by two groups.
      if (isFull && previous !== undefined && sourceOf(value) !== sourceOf(previous)) await sendGroup()
      group.push(value)
      characters += value.payload.length
    }
    if (group.length > 0) await sendGroup()
    return { replayed: whole.size, truncated: chosen.length - whole.size }
  }

  private async replayGroup(
    letters: readonly DeadLetter[],
    query: DeadLetterQuery,
    actor: string,
    nowMs: number,
  ): Promise<void> {
    // Messages whose records share a message were kept once for each reason: they are sent once.
    const messages = new Map(letters.map((letter) => [sourceOf(letter), letter]))
    await Promise.all([...messages.values()].map((letter) => this.send(letter)))
    await this.database.transaction<ReplayTables, void>(async (trx) => {
      for (const { id } of letters) {
        await trx
          .insertInto("dead_letter_replay")
          .values({ letter: id, at_ms: nowMs, actor })
          .onConflict((conflict) => conflict.column("letter").doNothing())
          .execute()
      }
      await this.audit.record(trx, {
        atMs: nowMs,
        actor,
        action: "dead-letters.replay",
        subject: `${letters.length} letters`,
        detail: query.id ?? query.reason ?? "all",
      })
    })
  }

  /** What `pick` keeps of the newest letters that fit and were not replayed, in the order of the log. */
  private async find<R>(
    { reason, id, limit }: DeadLetterQuery,
    pick: (record: LogRecord<DeadLetter>) => R,
  ): Promise<readonly R[]> {
    const replayed = await this.replayed()
    return newest(this.log, topics.deadLetters, limit, (record) => {
      const { value } = record
      if (replayed.has(value.id)) return undefined
      if (reason !== undefined && value.reason !== reason) return undefined
      if (id !== undefined && !value.id.startsWith(id)) return undefined
      return pick(record)
    })
  }

  private send({ topic, payload, arrivedMs }: DeadLetter): Promise<void> {
    return new Promise((resolve, reject) => {
      this.intake.take(topic, Buffer.from(payload, "base64"), arrivedMs, (error) =>
        error ? reject(error) : resolve(),
      )
    })
  }

  private async replayed(): Promise<ReadonlySet<string>> {
    const rows = await this.database
      .tables<ReplayTables>()
      .selectFrom("dead_letter_replay")
      .select("letter")
      .execute()
    return new Set(rows.map(({ letter }) => letter))
  }
}

/** Names the message that a letter was made from. */
function sourceOf({ topic, arrivedMs, payload }: DeadLetter): string {
  return `${topic}\n${arrivedMs}\n${payload}`
}
