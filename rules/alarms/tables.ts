import { type Kysely, type Migration, sql } from "kysely"
import { z } from "zod"
import { severity, timeMs } from "../../core/vocabulary.ts"
import type { Told } from "./flood.ts"
import type { Alarm } from "./fold.ts"

/** What is asked for has a column; what is only shown is JSON text: `newest`. */
export type AlarmRow = {
  readonly episode: string
  readonly incident: string
  readonly site: string
  readonly asset: string
  readonly component: string | null
  readonly rule: string
  readonly rule_kind: string
  readonly signal: string | null
  readonly severity: string
  readonly state: Alarm["state"]
  readonly opened_ms: number
  readonly changed_ms: number
  readonly ended_ms: number | null
  readonly acknowledged_ms: number | null
  readonly acknowledged_by: string | null
  readonly quiet: number
  readonly sequence: number
  readonly told: Told | null
  readonly told_severity: string | null
  /** Of the newest step that found something reason, value, limit, unit; and `acknowledgedNote`, `acknowledgedBefore`. */
  readonly newest: string
}

export type AlarmTables = {
  alarm: AlarmRow
  alarm_site: { readonly partition: number; readonly site: string; readonly state: string }
  /** Decided and not yet in the log. `number` is the order within a partition. */
  alarm_outbox: {
    readonly id: string
    readonly partition: number
    readonly number: number
    readonly announcement: string
  }
  /** What was shelved by command, so that it can be listed: whether a step is quiet the rules decide. */
  alarm_shelf: {
    readonly asset: string
    readonly rule: string
    readonly site: string
    readonly until_ms: number
    readonly actor: string
    readonly reason: string
  }
}

export const alarmMigrations: Record<string, Migration> = {
  "001-alarms": {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable("alarm")
        .addColumn("episode", "text", (column) => column.primaryKey())
        .addColumn("incident", "text", (column) => column.notNull())
        .addColumn("site", "text", (column) => column.notNull())
        .addColumn("asset", "text", (column) => column.notNull())
        .addColumn("component", "text")
        .addColumn("rule", "text", (column) => column.notNull())
        .addColumn("rule_kind", "text", (column) => column.notNull())
        .addColumn("signal", "text")
        .addColumn("severity", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull())
        .addColumn("opened_ms", "bigint", (column) => column.notNull())
        .addColumn("changed_ms", "bigint", (column) => column.notNull())
        .addColumn("ended_ms", "bigint")
        .addColumn("acknowledged_ms", "bigint")
        .addColumn("acknowledged_by", "text")
        .addColumn("quiet", "integer", (column) => column.notNull())
        .addColumn("sequence", "integer", (column) => column.notNull())
        .addColumn("told", "text")
        .addColumn("told_severity", "text")
        .addColumn("newest", "text", (column) => column.notNull())
        .execute()
      await db.schema.createIndex("alarm_by_incident").on("alarm").column("incident").execute()
      await db.schema.createIndex("alarm_by_time").on("alarm").columns(["opened_ms", "episode"]).execute()
      await db.schema.createIndex("alarm_by_end").on("alarm").columns(["site", "ended_ms"]).execute()
      await db.schema
        .createIndex("alarm_open")
        .on("alarm")
        .columns(["opened_ms", "episode"])
        .where(sql.ref("state"), "=", sql.lit("open"))
        .execute()
      await db.schema
        .createTable("alarm_site")
        .addColumn("partition", "integer", (column) => column.notNull())
        .addColumn("site", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("alarm_site_key", ["partition", "site"])
        .execute()
      await db.schema
        .createTable("alarm_outbox")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("partition", "integer", (column) => column.notNull())
        .addColumn("number", "bigint", (column) => column.notNull())
        .addColumn("announcement", "text", (column) => column.notNull())
        .execute()
      await db.schema
        .createIndex("alarm_outbox_by_partition")
        .on("alarm_outbox")
        .columns(["partition", "number"])
        .execute()
      await db.schema
        .createTable("alarm_shelf")
        .addColumn("asset", "text", (column) => column.notNull())
        .addColumn("rule", "text", (column) => column.notNull())
        .addColumn("site", "text", (column) => column.notNull())
        .addColumn("until_ms", "bigint", (column) => column.notNull())
        .addColumn("actor", "text", (column) => column.notNull())
        .addColumn("reason", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("alarm_shelf_key", ["asset", "rule"])
        .execute()
    },
  },
}

const newest = z.object({
  reason: z.string(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
  unit: z.string().nullable(),
  acknowledgedNote: z.string().nullable().default(null),
  acknowledgedBefore: z
    .array(z.object({ atMs: timeMs, by: z.string().nullable(), note: z.string().nullable(), severity }))
    .default([]),
})

export function toRow(alarm: Alarm): AlarmRow {
  const { reason, value, limit, unit, acknowledgedNote, acknowledgedBefore } = alarm
  return {
    episode: alarm.episode,
    incident: alarm.incident,
    site: alarm.site,
    asset: alarm.asset,
    component: alarm.component,
    rule: alarm.rule,
    rule_kind: alarm.ruleKind,
    signal: alarm.signal,
    severity: alarm.severity,
    state: alarm.state,
    opened_ms: alarm.openedMs,
    changed_ms: alarm.changedMs,
    ended_ms: alarm.endedMs,
    acknowledged_ms: alarm.acknowledgedMs,
    acknowledged_by: alarm.acknowledgedBy,
    quiet: alarm.quiet ? 1 : 0,
    sequence: alarm.sequence,
    told: alarm.told,
    told_severity: alarm.toldSeverity,
    newest: JSON.stringify({ reason, value, limit, unit, acknowledgedNote, acknowledgedBefore }),
  }
}

export function fromRow(row: AlarmRow): Alarm {
  return {
    episode: row.episode,
    incident: row.incident,
    site: row.site,
    asset: row.asset,
    component: row.component,
    rule: row.rule,
    ruleKind: row.rule_kind,
    signal: row.signal,
    severity: severity.parse(row.severity),
    state: row.state,
    openedMs: row.opened_ms,
    changedMs: row.changed_ms,
    endedMs: row.ended_ms,
    acknowledgedMs: row.acknowledged_ms,
    acknowledgedBy: row.acknowledged_by,
    quiet: row.quiet === 1,
    ...newest.parse(JSON.parse(row.newest)),
    sequence: row.sequence,
    told: row.told,
    toldSeverity: row.told_severity === null ? null : severity.parse(row.told_severity),
  }
}
