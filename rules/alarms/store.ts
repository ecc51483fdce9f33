import { type Kysely, sql, type Transaction } from "kysely"
import type { Database } from "../../core/db/database.ts"
import { type Claim, Positions, type Reached } from "../../core/db/positions.ts"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import { topics } from "../../core/topics.ts"
import { type AlarmStep, type Announcement, announcement } from "../../core/vocabulary.ts"
import { type SiteState, siteState } from "./flood.ts"
import { type Alarm, incidentOf } from "./fold.ts"
import { type AlarmTables, alarmMigrations, fromRow, toRow } from "./tables.ts"

export const group = "alarms"

const rowsPerStatement = 50
const idsPerStatement = 500
/** Alarms that ended so long ago are forgotten: a year's figures and the one before's last month can be asked for. */
const keptMs = 400 * 86_400_000

/** An announcement that was decided. Those that are saved and not told yet are told by whoever owns the partition. */
export type Untold = { readonly id: string; readonly number: number; readonly told: Announcement }

/** All that is saved of one partition together, so that a restart neither decides anew nor skips. */
export type Checkpoint = Reached & {
  readonly alarms: readonly Alarm[]
  readonly sites: ReadonlyMap<string, SiteState>
  readonly untold: readonly Untold[]
}

export type Loaded = {
  readonly claim: Claim
  readonly sites: ReadonlyMap<string, SiteState>
  /** In the order in which they were decided. */
  readonly untold: readonly Untold[]
}

export type Store = ReturnType<typeof createStore>

export function createStore(database: Database) {
  const positions = new Positions(database, group, topics.alarms.name)
  const tables = () => database.tables<AlarmTables>()
  return {
    async migrate(): Promise<void> {
      await positions.migrate()
      await database.migrate("alarms", alarmMigrations)
    },

    /** Takes a partition over. Throws `STORE_FAILED` where what is kept of it can't be read. */
    async claim(partition: number): Promise<Loaded> {
      const claim = await positions.claim(partition)
      const sites = await tables()
        .selectFrom("alarm_site")
        .select(["site", "state"])
        .where("partition", "=", partition)
        .orderBy("site")
        .execute()
      const untold = await tables()
        .selectFrom("alarm_outbox")
        .select(["id", "number", "announcement"])
        .where("partition", "=", partition)
        .orderBy("number")
        .execute()
      return {
        claim,
        sites: new Map(
          sites.map(({ site, state }) => [site, read(`the alarms of ${site}`, siteState, state)]),
        ),
        untold: untold.map(({ id, number, announcement: text }) => ({
          id,
          number,
          told: read("an announcement", announcement, text),
        })),
      }
    },

    /** The alarms that these steps are about, and those of the same incidents. */
    async about(steps: readonly AlarmStep[]): Promise<readonly Alarm[]> {
      const found = new Map<string, Alarm>()
      for (let at = 0; at < steps.length; at += idsPerStatement) {
        const some = steps.slice(at, at + idsPerStatement)
        const incidents = [...new Set(some.map(incidentOf))]
        const episodes = [...new Set(some.map(({ episode }) => episode))]
        const rows = await tables()
          .selectFrom("alarm")
          .selectAll()
          // By both: an episode that was open at an upgrade to 0.2 is given its incident later.
          .where((row) => row.or([row("incident", "in", incidents), row("episode", "in", episodes)]))
          .execute()
        for (const row of rows) found.set(row.episode, fromRow(row))
      }
      return [...found.values()]
    },

    /** Gives the partitions that no other process has taken over since; of the others nothing is written. */
    save(checkpoints: readonly Checkpoint[]): Promise<ReadonlySet<number>> {
      // Taken before the transaction, which may run again, so that all its runs write the same.
      const parts = checkpoints.map(({ claim, alarms, sites, untold }) => ({
        partition: claim.partition,
        alarms: alarms.map(toRow),
        sites: [...sites].map(([site, state]) => ({
          partition: claim.partition,
          site,
          state: JSON.stringify(state),
        })),
        endedBeforeMs: [...sites].map(([site, { clockMs }]) => ({ site, ms: (clockMs ?? 0) - keptMs })),
        untold: untold.map(({ id, number, told }) => ({
          id,
          partition: claim.partition,
          number,
          announcement: JSON.stringify(told),
        })),
      }))
      return database.transaction<AlarmTables, ReadonlySet<number>>(async (trx) => {
        const owned = await positions.saveOwned(trx, checkpoints)
        const ours = parts.filter(({ partition }) => owned.has(partition))
        await writeAlarms(
          trx,
          ours.flatMap(({ alarms }) => alarms),
        )
        for (const site of ours.flatMap(({ sites }) => sites)) await writeSite(trx, site)
        for (const untold of ours.flatMap((part) => part.untold)) {
          await trx
            .insertInto("alarm_outbox")
            .values(untold)
            .onConflict((conflict) => conflict.column("id").doNothing())
            .execute()
        }
        for (const { site, ms } of ours.flatMap(({ endedBeforeMs }) => endedBeforeMs)) {
          await trx.deleteFrom("alarm").where("site", "=", site).where("ended_ms", "<", ms).execute()
        }
        return owned
      })
    },

    /** These are durable in the log. */
    async told(untold: readonly Untold[]): Promise<void> {
      for (let at = 0; at < untold.length; at += idsPerStatement) {
        const ids = untold.slice(at, at + idsPerStatement).map(({ id }) => id)
        await tables().deleteFrom("alarm_outbox").where("id", "in", ids).execute()
      }
    },
  }
}

async function writeAlarms(
  trx: Transaction<AlarmTables>,
  rows: readonly AlarmTables["alarm"][],
): Promise<void> {
  for (let at = 0; at < rows.length; at += rowsPerStatement) {
    await trx
      .insertInto("alarm")
      .values(rows.slice(at, at + rowsPerStatement))
      .onConflict((conflict) =>
        conflict.column("episode").doUpdateSet(({ ref }) => ({
          incident: ref("excluded.incident"),
          severity: ref("excluded.severity"),
          state: ref("excluded.state"),
          changed_ms: ref("excluded.changed_ms"),
          ended_ms: ref("excluded.ended_ms"),
          acknowledged_ms: ref("excluded.acknowledged_ms"),
          acknowledged_by: ref("excluded.acknowledged_by"),
          quiet: ref("excluded.quiet"),
          sequence: ref("excluded.sequence"),
          told: ref("excluded.told"),
          told_severity: ref("excluded.told_severity"),
          newest: ref("excluded.newest"),
        })),
      )
      .execute()
  }
}

async function writeSite(trx: Transaction<AlarmTables>, row: AlarmTables["alarm_site"]): Promise<void> {
  await trx
    .insertInto("alarm_site")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["partition", "site"]).doUpdateSet(({ ref }) => ({ state: ref("excluded.state") })),
    )
    .execute()
}

function read<T>(what: string, schema: { parse(value: unknown): T }, text: string): T {
  try {
    return schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new MillwrightError("STORE_FAILED", `${what} can't be read: ${messageOf(cause)}`, { cause })
  }
}

/** The states of all sites, of whichever process. */
export async function sitesIn(db: Kysely<AlarmTables>): Promise<ReadonlyMap<string, SiteState>> {
  const rows = await db.selectFrom("alarm_site").select(["site", "state"]).orderBy("site").execute()
  return new Map(rows.map(({ site, state }) => [site, read(`the alarms of ${site}`, siteState, state)]))
}

/** Whether an id begins so; what is given holds no character with a meaning in a pattern. */
export function beginsWith(column: "episode" | "incident", start: string) {
  return sql<boolean>`${sql.ref(column)} like ${`${start}%`}`
}
