import { createHash } from "node:crypto"
import { isDeepStrictEqual } from "node:util"
import type { Kysely, Migration } from "kysely"
import { Audit } from "./audit.ts"
import { isAutomationActor } from "./automation.ts"
import type { Database } from "./db/database.ts"
import { MillwrightError } from "./errors.ts"
import type { Log } from "./log/log.ts"
import { type Plant, parsePlant, plant as plantSchema } from "./plant.ts"
import type { Role } from "./roles.ts"
import { type PlantRevision, plantRevision, topics } from "./topics.ts"

type PlantTables = { plant_revision: { revision: number; content: string; announced: number } }

const migrations: Record<string, Migration> = {
  "001-plant-revision": {
    async up(db) {
      await db.schema
        .createTable("plant_revision")
        .addColumn("revision", "integer", (column) => column.primaryKey())
        .addColumn("content", "text", (column) => column.notNull())
        .addColumn("announced", "integer", (column) => column.notNull())
        .execute()
    },
  },
}

/** What the column of revisions can hold. */
const newestPossible = 2_147_483_647

/** One thing that applying a plant file would do: "changed rule pump-vibration". */
type Difference = {
  readonly change: "added" | "changed" | "removed"
  readonly what: string
  readonly id: string
}

export type ApplyRequest = {
  readonly source: string
  readonly actor: string
  readonly reason: string
  /** The revision that it was compared with (0: none): another one since is refused. */
  readonly base?: number | undefined
  /** The newest revision that the log tells of: newer than the database's where that was restored from an older copy. */
  readonly known?: number | undefined
  readonly nowMs: number
  /** From when on, in the plant's time, the new revision counts; never before the revision that it follows. */
  readonly effectiveMs: number
}

/** What a stage has to say about a plant before it takes effect: a line for each point. */
type PlantCheck = (plant: Plant) => readonly string[]

export type PlantChecks = {
  /** What must be mended first. */
  readonly problems: readonly PlantCheck[]
  /** What works, but perhaps not as meant. */
  readonly warnings: readonly PlantCheck[]
}

export type Comparison = {
  /** The revision in force, 0 where there is none. */
  readonly base: number
  readonly changes: readonly Difference[]
  readonly warnings: readonly string[]
}

/**
 * Revisions of the plant file: kept in the database, announced on the topic `catalogue`. What was written and not
 * yet announced when the process died is announced by the next `start`.
 */
export class PlantRegister {
  private readonly database: Database
  private readonly log: Log
  private readonly audit: Audit
  private readonly checks: PlantChecks

  constructor(database: Database, log: Log, checks: PlantChecks) {
    this.database = database
    this.log = log
    this.audit = new Audit(database)
    this.checks = checks
  }

  async start(): Promise<void> {
    await this.audit.migrate()
    await this.database.migrate("plant", migrations)
    await this.announce()
  }

  newest(): Promise<PlantRevision | undefined> {
    return newestIn(this.database.tables<PlantTables>())
  }

  /** The newest revisions, newest first; with `before` those before that one. */
  async revisions({
    before = newestPossible,
    limit,
  }: {
    readonly before?: number | undefined
    readonly limit: number
  }): Promise<readonly PlantRevision[]> {
    const rows = await this.database
      .tables<PlantTables>()
      .selectFrom("plant_revision")
      .select("content")
      .where("revision", "<", before)
      .orderBy("revision", "desc")
      .limit(limit)
      .execute()
    return rows.map(readRow)
  }

  async revision(number: number): Promise<PlantRevision | undefined> {
    const row = await this.database
      .tables<PlantTables>()
      .selectFrom("plant_revision")
      .select("content")
      .where("revision", "=", number)
      .executeTakeFirst()
    return row && readRow(row)
  }

  /**
   * Checks a plant file and tells what applying it would change; `known` is the newest revision that the log tells of.
   * Throws `PLANT_INVALID`.
   */
  async compare(source: string, known = 0): Promise<Comparison> {
    const plant = this.check(source)
    const warnings = this.checks.warnings.flatMap((check) => [...check(plant)])
    const before = await this.newest()
    if (known > (before?.revision ?? 0))
      warnings.push(
        `revision ${known} is in force, and the database knows ${before?.revision ?? "none"}: it was restored from an older copy. What is compared is not what is in force; this file becomes revision ${known + 1}`,
      )
    return {
      base: before?.revision ?? 0,
      changes: differences(before && parsePlant(before.source), plant),
      warnings,
    }
  }

  /** Makes a revision of it, if it changes anything; undefined if it doesn't. Throws `PLANT_INVALID`, `NOT_ALLOWED`, `PLANT_CHANGED`. */
  async apply({
    source,
    actor,
    reason,
    base,
    known = 0,
    nowMs,
    effectiveMs,
  }: ApplyRequest): Promise<PlantRevision | undefined> {
    const plant = this.check(source)
    const revision = await this.database.transaction<PlantTables, PlantRevision | undefined>(async (trx) => {
      const before = await newestIn(trx)
      const previous = before && parsePlant(before.source)
      if (previous !== undefined) authorise(previous, actor, appliers)
      if (base !== undefined && base !== (before?.revision ?? 0))
        throw new MillwrightError(
          "PLANT_CHANGED",
          `${before?.author ?? "somebody"} applied revision ${before?.revision ?? 0} meanwhile: look again what the file would change`,
        )
      const changes = differences(previous, plant)
      if (changes.length === 0) return undefined
      const number = Math.max(before?.revision ?? 0, known) + 1
      const next: PlantRevision = {
        revision: number,
        plant: plant.plant,
        source,
        changedIn: changedIn(before, changes, plant, number),
        automationsSinceMs: automationsSince(before, plant, nowMs),
        effectiveMs: Math.max(effectiveMs, before?.effectiveMs ?? effectiveMs),
        author: actor,
        reason,
        atMs: nowMs,
      }
      await trx
        .insertInto("plant_revision")
        .values({ revision: next.revision, content: JSON.stringify(next), announced: 0 })
        .execute()
      const hash = createHash("sha256").update(source).digest("hex").slice(0, 12)
      const summary = changes.map(({ change, what, id }) => `${change} ${what} ${id}`).join(", ")
      await this.audit.record(trx, {
        atMs: nowMs,
        actor,
        action: "plant.apply",
        subject: `revision ${next.revision}`,
        detail: `${reason} (sha256 ${hash}: ${summary.slice(0, 2000)})`,
      })
      return next
    }, "plant_revision")
    if (revision !== undefined) await this.announce()
    return revision
  }

  private check(source: string): Plant {
    const plant = parsePlant(source)
    const lines = [checkPeople, ...this.checks.problems].flatMap((check) => check(plant))
    if (lines.length === 0) return plant
    throw new MillwrightError("PLANT_INVALID", `the plant file has problems:\n  ${lines.join("\n  ")}`)
  }

  /**
   * In the order of revisions, and the newest last: it is what the compacted topic keeps. A log that was begun anew is
   * told all of them.
   */
  private async announce(): Promise<void> {
    const ends = await this.log.ends(topics.catalogue)
    if (ends.every((end) => end === 0)) {
      await this.database.tables<PlantTables>().updateTable("plant_revision").set({ announced: 0 }).execute()
    }
    let told = 0
    for (let due = await this.due(told); due.length > 0; due = await this.due(told)) {
      for (const revision of due) {
        await this.log.append(topics.catalogue, [{ key: revision.plant, value: revision }])
        await this.database
          .tables<PlantTables>()
          .updateTable("plant_revision")
          .set({ announced: 1 })
          .where("revision", "=", revision.revision)
          .execute()
        told = revision.revision
      }
    }
  }

  /**
   * What nobody announced yet. Where another process has announced a newer one than was told here, that one once
   * more: it may stand before ours in the log.
   */
  private async due(told: number): Promise<readonly PlantRevision[]> {
    const rows = await this.database
      .tables<PlantTables>()
      .selectFrom("plant_revision")
      .select("content")
      .where("announced", "=", 0)
      .orderBy("revision")
      .execute()
    if (rows.length > 0 || told === 0) return rows.map(readRow)
    const newest = await this.newest()
    return newest !== undefined && newest.revision > told ? [newest] : []
  }
}

async function newestIn(tables: Kysely<PlantTables>): Promise<PlantRevision | undefined> {
  const row = await tables
    .selectFrom("plant_revision")
    .select("content")
    .orderBy("revision", "desc")
    .limit(1)
    .executeTakeFirst()
  return row && readRow(row)
}

function readRow({ content }: { readonly content: string }): PlantRevision {
  return plantRevision.parse(JSON.parse(content))
}

/** Who may apply a plant file. */
export const appliers: readonly Role[] = ["engineer", "admin"]

/** Not part of `parsePlant`: a revision from before this check can still be read. */
function checkPeople({ people }: Plant): readonly string[] {
  if (people.length === 0 || people.some(({ roles }) => roles.some((role) => appliers.includes(role))))
    return []
  return [`people: nobody has the role ${appliers.join(" or ")}, so nobody could apply another plant file`]
}

const lists = {
  sites: "site",
  classes: "class",
  assets: "asset",
  rules: "rule",
  maintenanceWindows: "maintenance window",
  plans: "plan",
  templates: "template",
  people: "person",
  customers: "customer",
  crafts: "craft",
  stores: "store",
  parts: "part",
  approvals: "approval rule",
  blackouts: "blackout",
  production: "production window",
  crews: "crew",
  automations: "automation",
} as const

const settings = [
  "plant",
  "flood",
  "priorities",
  "dueWithin",
  "ingest",
  "currency",
  "budgets",
  "sla",
  "publicRequests",
  "failureCodes",
  "travel",
  "urgency",
] as const

/** What has to be done to make the one plant the other. */
export function differences(before: Plant | undefined, after: Plant): readonly Difference[] {
  const found: Difference[] = []
  for (const [list, what] of Object.entries(lists)) {
    const old = new Map(before?.[list as keyof typeof lists].map((one) => [one.id, one]))
    for (const one of after[list as keyof typeof lists]) {
      const was = old.get(one.id)
      old.delete(one.id)
      if (was === undefined) found.push({ change: "added", what, id: one.id })
      else if (!isDeepStrictEqual(was, one)) found.push({ change: "changed", what, id: one.id })
    }
    for (const id of old.keys()) found.push({ change: "removed", what, id })
  }
  // What a first file leaves to the defaults is nothing to read about.
  const usual = before ?? plantSchema.parse({ plant: after.plant, sites: after.sites })
  for (const key of settings) {
    if (!isDeepStrictEqual(usual[key], after[key]) || (before === undefined && key === "plant")) {
      found.push({ change: before === undefined ? "added" : "changed", what: "setting", id: key })
    }
  }
  return found
}

function changedIn(
  before: PlantRevision | undefined,
  changes: readonly Difference[],
  plant: Plant,
  revision: number,
): Record<string, number> {
  const changed = new Set(changes.map(({ what, id }) => `${what}:${id}`))
  const keys = [...plant.rules.map(({ id }) => `rule:${id}`), ...plant.plans.map(({ id }) => `plan:${id}`)]
  return Object.fromEntries(
    keys.map((key) => [key, changed.has(key) ? revision : (before?.changedIn[key] ?? revision)]),
  )
}

/** When each automation was added, by the wall: what happened to orders before sets it off no more. */
function automationsSince(
  before: PlantRevision | undefined,
  { automations }: Plant,
  nowMs: number,
): Record<string, number> {
  const since = new Map(Object.entries(before?.automationsSinceMs ?? {}))
  return Object.fromEntries(automations.map(({ id }) => [id, since.get(id) ?? nowMs]))
}

/**
 * Throws `NOT_ALLOWED` unless the actor has one of these roles. A plant without people leaves it to who has the files,
 * but for the name of an automation, which is for automations alone.
 */
export function authorise(plant: Plant, actor: string, needed: readonly Role[]): void {
  if (isAutomationActor(actor))
    throw new MillwrightError("NOT_ALLOWED", `"${actor}" is no person: say who acts with --as`)
  if (plant.people.length === 0) return
  const able = plant.people.filter(({ roles }) => roles.some((role) => needed.includes(role)))
  if (able.some(({ id }) => id === actor)) return
  const known = plant.people.some(({ id }) => id === actor)
  throw new MillwrightError(
    "NOT_ALLOWED",
    `${actor === "" ? "nobody was named" : known ? `"${actor}" may not do this` : `there is no "${actor}" in the plant`}: ` +
      `it takes one of the roles ${needed.join(", ")} (${able.map(({ id }) => id).join(", ") || "nobody has one"}); say who acts with --as`,
  )
}
