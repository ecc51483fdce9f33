import { type Kysely, sql } from "kysely"
import type { Catalogue } from "../../core/catalogue.ts"
import type { Database } from "../../core/db/database.ts"
import { MillwrightError } from "../../core/errors.ts"
import type { Severity } from "../../core/vocabulary.ts"
import { type Figures, figuresOf, type Told } from "./figures.ts"
import { heldBack } from "./flood.ts"
import type { Alarm } from "./fold.ts"
import { beginsWith, sitesIn } from "./store.ts"
import { type AlarmTables, fromRow } from "./tables.ts"

/** Alarms that match every key given. */
type AlarmFilter = {
  readonly state?: "open" | "all" | undefined
  readonly site?: string | undefined
  readonly asset?: string | undefined
  readonly severity?: Severity | undefined
  /** At most so many; 50 by default, never more than 500. */
  readonly limit?: number | undefined
}

type Shelf = {
  readonly rule: string
  readonly asset: string
  readonly site: string
  readonly untilMs: number
  readonly by: string
  readonly reason: string
}

type AlarmList = {
  /** Newest first. */
  readonly alarms: readonly Alarm[]
  /** Sites in a flood, and how many alarms wait for the next digest. */
  readonly floods: readonly { readonly site: string; readonly sinceMs: number; readonly waiting: number }[]
  /** What is shelved now, the one that ends first at the top. */
  readonly shelved: readonly Shelf[]
}

type AlarmDetail = {
  /** The episode that was asked for; undefined where the incident was. */
  readonly episode: string | undefined
  readonly incident: string
  /** All episodes of the incident, the one that opened first at the top. */
  readonly alarms: readonly Alarm[]
}

type ReportQuery = {
  readonly site?: string | undefined
  readonly fromMs: number
  readonly toMs: number
  /** When the first record of each site was taken, as far as it is known. */
  readonly firstMs?: ReadonlyMap<string, number> | undefined
}

/**
 * What can be asked of the alarms. Answers are as of the last commit; `nowMs` is the plant's time. A site or an asset
 * that neither the plant nor any alarm knows rejects with `NOT_FOUND`: a slip must not look like a quiet plant.
 */
export interface AlarmQueries {
  list(filter: AlarmFilter, nowMs: number): Promise<AlarmList>
  /** By the id of an incident or an episode, or the start of it. Rejects with `NOT_FOUND`, or `USAGE` for several. */
  get(id: string): Promise<AlarmDetail>
  /** Figures for each site of the plant, and for others that had alarms in this span. */
  report(query: ReportQuery): Promise<readonly Figures[]>
}

const rowsPerPage = 5000

export function alarmQueries({
  database,
  catalogue,
}: {
  readonly database: Database
  readonly catalogue: Catalogue
}): AlarmQueries {
  const db = () => database.tables<AlarmTables>()

  async function check({ site, asset }: Pick<AlarmFilter, "site" | "asset">): Promise<void> {
    const newest = catalogue.newest()
    const sites = newest?.plant.sites.map(({ id }) => id) ?? []
    if (site !== undefined && !sites.includes(site) && !(await hasAlarm(db(), "site", site))) {
      const expected = sites.length === 0 ? "" : `: expected one of ${sites.join(", ")}`
      throw new MillwrightError("NOT_FOUND", `there is no site "${site}" in the plant${expected}`)
    }
    if (asset === undefined || newest?.assets.has(asset) === true) return
    if (!(await hasAlarm(db(), "asset", asset)))
      throw new MillwrightError("NOT_FOUND", `there is no asset "${asset}" in the plant`)
  }

  return {
    async list({ state = "open", limit = 50, ...filter }, nowMs) {
      await check(filter)
      let query = db()
        .selectFrom("alarm")
        .selectAll()
        .orderBy("opened_ms", "desc")
        .orderBy("episode")
        .limit(Math.min(limit, 500))
      // Written out, not a parameter: only so can the index of open alarms be used.
      if (state === "open") query = query.where("state", "=", sql.lit("open"))
      for (const key of ["site", "asset", "severity"] as const) {
        const wanted = filter[key]
        if (wanted !== undefined) query = query.where(key, "=", wanted)
      }
      const rows = await query.execute()
      const sites = [...(await sitesIn(db()))]
      return {
        alarms: rows.map(fromRow),
        floods: sites.flatMap(([site, one]) => {
          if (one.flood === null || (filter.site !== undefined && filter.site !== site)) return []
          return [{ site, sinceMs: one.flood.sinceMs, waiting: heldBack(one) }]
        }),
        shelved: await shelvedIn(db(), filter, nowMs),
      }
    },

    async get(id) {
      const found = await idsBeginning(db(), id)
      const [incident] = found.map((one) => one.incident)
      if (incident === undefined) throw new MillwrightError("NOT_FOUND", `there is no alarm ${id}`)
      if (found.some((one) => one.incident !== incident)) {
        throw new MillwrightError("USAGE", `the ids of several alarms begin with ${id}: give more of it`)
      }
      const rows = await db()
        .selectFrom("alarm")
        .selectAll()
        .where("incident", "=", incident)
        .orderBy("opened_ms")
        .orderBy("episode")
        .execute()
      // The first episode of an incident may have its id: then the incident is meant.
      const episodes = found.map(({ episode }) => episode).filter((one) => one.startsWith(id))
      const isIncident = incident.startsWith(id) || episodes.length !== 1
      return { episode: isIncident ? undefined : episodes[0], incident, alarms: rows.map(fromRow) }
    },

    async report({ site, fromMs, toMs, firstMs }) {
      await check({ site })
      const sites = site === undefined ? catalogue.newest()?.plant.sites.map(({ id }) => id) : [site]
      const told = new Map<string, Told[]>(sites?.map((one) => [one, []]))
      for await (const { site: at, ...one } of toldIn(db(), { site, fromMs, toMs })) {
        const alarms = told.get(at) ?? []
        alarms.push(one)
        told.set(at, alarms)
      }
      return [...told]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([at, alarms]) => figuresOf(alarms, { site: at, fromMs, toMs, firstMs: firstMs?.get(at) }))
    },
  }
}

async function shelvedIn(
  db: Kysely<AlarmTables>,
  { site, asset }: AlarmFilter,
  nowMs: number,
): Promise<readonly Shelf[]> {
  let query = db.selectFrom("alarm_shelf").selectAll().where("until_ms", ">", nowMs).orderBy("until_ms")
  if (site !== undefined) query = query.where("site", "=", site)
  if (asset !== undefined) query = query.where("asset", "=", asset)
  const rows = await query.orderBy("rule").orderBy("asset").limit(500).execute()
  return rows.map(({ until_ms, actor, ...one }) => ({ ...one, untilMs: until_ms, by: actor }))
}

async function hasAlarm(db: Kysely<AlarmTables>, column: "site" | "asset", name: string): Promise<boolean> {
  const row = await db.selectFrom("alarm").select("episode").where(column, "=", name).executeTakeFirst()
  return row !== undefined
}

async function idsBeginning(db: Kysely<AlarmTables>, id: string) {
  if (!/^[0-9a-f][0-9a-f-]{3,35}$/.test(id)) {
    throw new MillwrightError(
      "USAGE",
      `expected the id of an alarm, or at least 4 characters of its start, got "${id}"`,
    )
  }
  return db
    .selectFrom("alarm")
    .select(["episode", "incident"])
    .where((alarm) => {
      if (id.length === 36) return alarm.or([alarm("episode", "=", id), alarm("incident", "=", id)])
      return alarm.or([beginsWith("episode", id), beginsWith("incident", id)])
    })
    .limit(500)
    .execute()
}

/** What was open in a span, in pages; what nobody was told of has no severity that was told. */
async function* toldIn(db: Kysely<AlarmTables>, { site, fromMs, toMs }: ReportQuery) {
  for (let after = { openedMs: Number.MIN_SAFE_INTEGER, episode: "" }; ; ) {
    let query = db
      .selectFrom("alarm")
      .select(["episode", "incident", "site", "asset", "rule", "signal"])
      .select(["opened_ms as openedMs", "ended_ms as endedMs", "told_severity as toldSeverity"])
      .where("opened_ms", "<", toMs)
      .where((alarm) => alarm.or([alarm("ended_ms", "is", null), alarm("ended_ms", ">=", fromMs)]))
      .where(sql<boolean>`(opened_ms, episode) > (${after.openedMs}, ${after.episode})`)
      .orderBy("opened_ms")
      .orderBy("episode")
      .limit(rowsPerPage)
    if (site !== undefined) query = query.where("site", "=", site)
    const rows = await query.execute()
    for (const row of rows) yield row
    const last = rows.at(-1)
    if (last === undefined || rows.length < rowsPerPage) return
    after = last
  }
}
