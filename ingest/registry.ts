import { type Migration, sql } from "kysely"
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

/** Every asset that ever sent something. Counted in memory, written down by `save`; the log has the truth. */
export class DeviceRegistry {
  private readonly database: Database
  private readonly catalogue: Catalogue
  private readonly devices = new Map<string, DeviceRow>()
  private readonly changed = new Set<DeviceRow>()
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
    let device = this.devices.get(asset)
    if (device === undefined) {
      device = { asset, site, first_ms: atMs, last_ms: atMs, records: 0, ahead_ms: 0, told_ms: null }
      this.devices.set(asset, device)
    }
    device.records += 1
    if (atMs > device.last_ms) device.last_ms = atMs
    if (isTold) {
      device.told_ms = Math.max(device.told_ms ?? atMs, atMs)
      this.reached(atMs)
    }
    this.changed.add(device)
  }

  /** Some asset has told this time. */
  reached(atMs: number): void {
    if (this.newest === undefined || atMs > this.newest) this.newest = atMs
  }

  clockAhead(asset: string, aheadMs: number): void {
    const device = this.devices.get(asset)
    if (device !== undefined) device.ahead_ms = aheadMs
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

  async save(): Promise<void> {
    const rows = [...this.changed].map((device) => ({ ...device }))
    this.changed.clear()
    if (rows.length === 0) return
    await this.database.transaction<DeviceTables, void>(async (trx) => {
      // In pieces, since a statement takes only so many parameters.
      for (let at = 0; at < rows.length; at += 500) {
        await trx
          .insertInto("device")
          .values(rows.slice(at, at + 500))
          .onConflict((conflict) =>
            conflict.column("asset").doUpdateSet(({ ref }) => ({
              site: ref("excluded.site"),
              last_ms: ref("excluded.last_ms"),
              records: ref("excluded.records"),
              ahead_ms: ref("excluded.ahead_ms"),
              told_ms: ref("excluded.told_ms"),
            })),
          )
          .execute()
      }
    })
  }
}
