import { type Migration, sql, type Transaction } from "kysely"
import type { Catalogue } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import type { AssetEvent, Reading } from "../core/vocabulary.ts"

/** What is known of an asset from what it sent. Times are event times; `aheadMs` is how far its clock last ran ahead. */
export type Device = {
  readonly asset: string
  readonly site: string
  /** In the plant file; the others were discovered. */
  readonly known: boolean
  readonly firstMs: number
  readonly lastMs: number
  readonly records: number
  readonly aheadMs: number
}

type DeviceRow = {
  asset: string
  site: string
  first_ms: number
  last_ms: number
  records: number
  ahead_ms: number
  /** The newest time that it told of itself; null while it told none. */
  told_ms: number | null
}
type DeviceTables = { device: DeviceRow }

const migrations: Record<string, Migration> = {
  "001-device": {
    async up(db) {
      await db.schema
        .createTable("device")
        .addColumn("asset", "text", (column) => column.primaryKey())
        .addColumn("site", "text", (column) => column.notNull())
        .addColumn("first_ms", "bigint", (column) => column.notNull())
        .addColumn("last_ms", "bigint", (column) => column.notNull())
        .addColumn("records", "bigint", (column) => column.notNull())
        .addColumn("ahead_ms", "bigint", (column) => column.notNull())
        .execute()
    },
  },
  "002-device-told": {
    async up(db) {
      await db.schema.alterTable("device").addColumn("told_ms", "bigint").execute()
      await db.updateTable("device").set({ told_ms: sql`last_ms` }).execute()
    },
  },
}

const rowsPerStatement = 500

/**
 * Every asset that ever sent something. Counted in memory, added to what is written down by `save`; the log has the
 * truth. What other processes saw since `start` is known after the next one.
 */
export class DeviceRegistry {
  private readonly database: Database
  private readonly catalogue: Catalogue
  private readonly devices = new Map<string, DeviceRow>()
  /** What was seen since the last `save`. */
  private unsaved = new Map<string, DeviceRow>()
  private newest: number | undefined

  constructor(database: Database, catalogue: Catalogue) {
    this.database = database
    this.catalogue = catalogue
  }

  async start(): Promise<void> {
    await this.database.migrate("ingest", migrations)
    const rows = await this.database.tables<DeviceTables>().selectFrom("device").selectAll().execute()
    for (const row of rows) {
      this.devices.set(row.asset, row)
      if (row.told_ms !== null) this.reached(row.told_ms)
    }
  }

  /** `isTold`: the record's time counts as the plant's (`tellsTime`). */
  saw({ asset, site, atMs }: Reading | AssetEvent, isTold: boolean): void {
    const seen: DeviceRow = {
      asset,
      site,
      first_ms: atMs,
      last_ms: atMs,
      records: 1,
      ahead_ms: this.devices.get(asset)?.ahead_ms ?? 0,
      told_ms: isTold ? atMs : null,
    }
    add(this.devices, seen)
    add(this.unsaved, seen)
    if (isTold) this.reached(atMs)
  }

  /** Some asset has told this time. */
  reached(atMs: number): void {
    if (this.newest === undefined || atMs > this.newest) this.newest = atMs
  }

  clockAhead(asset: string, aheadMs: number): void {
    for (const device of [this.devices.get(asset), this.unsaved.get(asset)]) {
      if (device !== undefined) device.ahead_ms = aheadMs
    }
  }

  /** The newest event time that any asset has sent. */
  newestMs(): number | undefined {
    return this.newest
  }

  /** The newest event time that this asset has sent, or else any. */
  newestMsOf(asset: string): number | undefined {
    return this.devices.get(asset)?.told_ms ?? this.newest
  }

  assets(): Iterable<string> {
    return this.devices.keys()
  }

  list(): readonly Device[] {
    const assets = this.catalogue.newest()?.assets
    return [...this.devices.values()]
      .map(({ asset, site, first_ms, last_ms, records, ahead_ms }) => ({
        asset,
        site,
        known: assets?.has(asset) ?? false,
        firstMs: first_ms,
        lastMs: last_ms,
        records,
        aheadMs: ahead_ms,
      }))
      .sort((a, b) => (a.asset < b.asset ? -1 : 1))
  }

  /** Safe to call in several processes: each adds what it saw. */
  async save(): Promise<void> {
    const { unsaved } = this
    if (unsaved.size === 0) return
    this.unsaved = new Map()
    // In one order everywhere: two processes that lock the same rows then wait for each other and don't clash.
    const rows = [...unsaved.values()].sort((a, b) => (a.asset < b.asset ? -1 : 1))
    try {
      await this.database.transaction<DeviceTables, void>(async (trx) => {
        // In pieces, since a statement takes only so many parameters.
        for (let at = 0; at < rows.length; at += rowsPerStatement) {
          await addDevices(trx, rows.slice(at, at + rowsPerStatement))
        }
      })
    } catch (error) {
      const since = this.unsaved
      this.unsaved = unsaved
      for (const device of since.values()) add(this.unsaved, device)
      throw error
    }
  }
}

/** Counts are added, times widened; the newer one tells site and clock. */
function add(devices: Map<string, DeviceRow>, seen: DeviceRow): void {
  const device = devices.get(seen.asset)
  if (device === undefined) {
    devices.set(seen.asset, { ...seen })
    return
  }
  device.site = seen.site
  device.first_ms = Math.min(device.first_ms, seen.first_ms)
  device.last_ms = Math.max(device.last_ms, seen.last_ms)
  device.records += seen.records
  device.ahead_ms = seen.ahead_ms
  if (seen.told_ms !== null) device.told_ms = Math.max(device.told_ms ?? seen.told_ms, seen.told_ms)
}

/** As `add`, in the table. SQLite and PostgreSQL name the greater of two values differently. */
async function addDevices(trx: Transaction<DeviceTables>, rows: readonly DeviceRow[]): Promise<void> {
  await trx
    .insertInto("device")
    .values(rows)
    .onConflict((conflict) =>
      conflict.column("asset").doUpdateSet(({ ref }) => ({
        site: ref("excluded.site"),
        first_ms: sql`case when excluded.first_ms < device.first_ms then excluded.first_ms else device.first_ms end`,
        last_ms: sql`case when excluded.last_ms > device.last_ms then excluded.last_ms else device.last_ms end`,
        records: sql`device.records + excluded.records`,
        ahead_ms: ref("excluded.ahead_ms"),
        told_ms: sql`case when device.told_ms is null or excluded.told_ms > device.told_ms then excluded.told_ms else device.told_ms end`,
      })),
    )
    .execute()
}
