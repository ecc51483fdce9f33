import type { Migration } from "kysely"
import { Audit } from "../core/audit.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import type { Log } from "../core/log/log.ts"
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
  async list({ reason, id, limit }: DeadLetterQuery): Promise<readonly DeadLetter[]> {
    const replayed = await this.replayed()
    const found: DeadLetter[] = []
    for await (const { value } of this.log.read(topics.deadLetters)) {
      if (replayed.has(value.id)) continue
      if (reason !== undefined && value.reason !== reason) continue
      if (id !== undefined && !value.id.startsWith(id)) continue
      found.push(value)
      if (found.length > limit) found.shift()
    }
    return found.sort((a, b) => a.arrivedMs - b.arrivedMs)
  }

  /**
   * Sends letters through the intake again, with their own time of arrival. One that is refused again comes back as
   * a new letter. Throws `NOT_FOUND` when no letter is left to replay.
   */
  async replay(query: DeadLetterQuery, actor: string, nowMs: number): Promise<ReplayOutcome> {
    const letters = await this.list(query)
    if (letters.length === 0)
      throw new MillwrightError("NOT_FOUND", "there are no such dead letters left to replay")
    const whole = letters.filter(({ truncated }) => !truncated)
    // Messages whose records share a message were kept once for each reason: they are sent once.
    const messages = new Map(
      whole.map((letter) => [`${letter.topic}\n${letter.arrivedMs}\n${letter.payload}`, letter]),
    )
    await Promise.all([...messages.values()].map((letter) => this.send(letter)))
    await this.database.transaction<ReplayTables, void>(async (trx) => {
      for (const { id } of whole) {
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
        subject: `${whole.length} letters`,
        detail: query.id ?? query.reason ?? "all",
      })
    })
    return { replayed: whole.length, truncated: letters.length - whole.length }
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
