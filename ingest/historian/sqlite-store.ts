import type { Logger } from "pino"
import { z } from "zod"
import { requireFormat } from "../../core/sqlite/format.ts"
import { SqliteThread, type SqlRow } from "../../core/sqlite/thread.ts"
import type { Bucket, Series, Span, TelemetryStore } from "../../core/telemetry.ts"
import { type AssetEvent, assetEvent, partOf, type Reading, type Sample } from "../../core/vocabulary.ts"
import { bytesPerSample, freshBlock } from "./block.ts"
import { type Columns, pieces, qualities, settle } from "./columns.ts"
import { downsample } from "./downsample.ts"
import { FreshBlocks } from "./fresh-blocks.ts"
import { bySeries } from "./grouping.ts"
import { Packing } from "./packing.ts"
import { newest, type Readable, stretches } from "./reads.ts"

type SqliteTelemetryOptions = {
  readonly logger: Logger
  /** The most samples in one block, and enough fresh ones of a series to pack them: 1024. */
  readonly blockSamples?: number
  /** So many fresh blocks of a series are packed, however few samples they hold: 64. */
  readonly freshBlocks?: number
}

/**
 * One row is a block of samples of one series. `write` appends fresh blocks; in the background they are merged into
 * packed ones. Packed blocks of a series don't overlap; a fresh block is newer than every packed one and than the
 * fresh ones with a lower id. `from_ms` may have been raised: what a block holds from before then is forgotten.
 */
const schema = `
  CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY, asset TEXT NOT NULL, signal TEXT NOT NULL, UNIQUE (asset, signal)
  );
  CREATE TABLE IF NOT EXISTS fresh_block (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL,
    from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, data BLOB NOT NULL
  );
  CREATE TABLE IF NOT EXISTS packed_block (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL,
    from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL
  );
  CREATE INDEX IF NOT EXISTS packed_span ON packed_block (series, from_ms, to_ms, count);
  CREATE TABLE IF NOT EXISTS event (
    asset TEXT NOT NULL, at_ms INTEGER NOT NULL, code TEXT NOT NULL, part TEXT NOT NULL,
    arrived_ms INTEGER NOT NULL, site TEXT NOT NULL, attributes TEXT NOT NULL,
    PRIMARY KEY (asset, at_ms, code, part)
  ) WITHOUT ROWID;
`

const upsertEvent = `
  INSERT INTO event (asset, at_ms, code, part, arrived_ms, site, attributes) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET arrived_ms = excluded.arrived_ms, site = excluded.site, attributes = excluded.attributes`

/** As the columns of `event` give it back. */
const eventRow = z
  .object({
    asset: z.string(),
    at_ms: z.number(),
    code: z.string(),
    arrived_ms: z.number(),
    site: z.string(),
    attributes: z.string(),
  })
  .transform(({ asset, at_ms, code, arrived_ms, site, attributes }) => ({
    kind: "event",
    site,
    asset,
    code,
    atMs: at_ms,
    arrivedMs: arrived_ms,
    attributes: JSON.parse(attributes) as unknown,
  }))
  .pipe(assetEvent)

/** Opens or makes the file. Rejects with `STORE_FAILED` when it can't be used. */
export async function openSqliteTelemetry(
  path: string,
  options: SqliteTelemetryOptions,
): Promise<TelemetryStore> {
  const writer = await SqliteThread.open(path)
  try {
    await requireFormat(writer, { path, format: 1, schema })
    const stored = {
      series: await writer.all("SELECT id, asset, signal FROM series"),
      fresh: await writer.all(
        `SELECT id, series, length(data) / ${bytesPerSample} AS samples FROM fresh_block ORDER BY id`,
      ),
    }
    return new SqliteTelemetry(writer, SqliteThread.reader(path), stored, options)
  } catch (error) {
    await writer.close()
    throw error
  }
}

type KnownSeries = Series & { readonly id: number; isStored: boolean }

class SqliteTelemetry implements TelemetryStore {
  private readonly writer: SqliteThread
  /** A thread of its own, so that a long read never holds up a write. */
  private readonly reader: SqliteThread
  private readonly blockSamples: number
  private readonly fresh = new FreshBlocks()
  private readonly packing: Packing
  private readonly known = new Map<string, Map<string, KnownSeries>>()
  private newestSeries = 0
  private newestBlock = 0

  constructor(
    writer: SqliteThread,
    reader: SqliteThread,
    stored: { readonly series: readonly SqlRow[]; readonly fresh: readonly SqlRow[] },
    { logger, blockSamples = 1024, freshBlocks = 64 }: SqliteTelemetryOptions,
  ) {
    this.writer = writer
    this.reader = reader
    this.blockSamples = blockSamples
    const { fresh } = this
    this.packing = new Packing({ database: writer, fresh, logger, blockSamples, freshBlocks })
    for (const { id, asset, signal } of stored.series) {
      this.know({ id: Number(id), asset: String(asset), signal: String(signal), isStored: true })
    }
    for (const { id, series, samples } of stored.fresh) {
      this.newestBlock = Number(id)
      this.added(Number(series), Number(id), Number(samples))
    }
    this.packing.start()
  }

  async write(batch: readonly (Reading | AssetEvent)[]): Promise<void> {
    const groups = bySeries(batch.filter((one) => one.kind === "reading")).map((group) => {
      const samples = settle([group.columns])
      return { series: this.seriesFor(group), samples, blocks: pieces(samples, this.blockSamples) }
    })
    const bytes = groups.reduce((sum, { samples }) => sum + samples.times.length * bytesPerSample, 0)
    const data = new ArrayBuffer(bytes)
    let offset = 0
    const fresh = groups.flatMap(({ series, blocks }) =>
      blocks.map(({ times, ...columns }) => {
        const block = freshBlock({ times, ...columns }, data, offset)
        offset += block.byteLength
        const row = [++this.newestBlock, series.id, Number(times[0]), Number(times.at(-1)), block]
        return { id: this.newestBlock, series: series.id, samples: times.length, row }
      }),
    )
    await this.writer.transaction(
      [
        {
          sql: "INSERT OR IGNORE INTO series (id, asset, signal) VALUES (?, ?, ?)",
          rows: groups
            .filter(({ series }) => !series.isStored)
            .map(({ series: { id, asset, signal } }) => [id, asset, signal]),
        },
        {
          sql: "INSERT INTO fresh_block (id, series, from_ms, to_ms, data) VALUES (?, ?, ?, ?, ?)",
          rows: fresh.map(({ row }) => row),
        },
        {
          sql: upsertEvent,
          rows: batch
            .filter((one) => one.kind === "event")
            .map((event) => [
              event.asset,
              event.atMs,
              event.code,
              partOf(event),
              event.arrivedMs,
              event.site,
              JSON.stringify(event.attributes),
            ]),
        },
      ],
      [data],
    )
    for (const { series } of groups) series.isStored = true
    for (const { series, id, samples } of fresh) this.added(series, id, samples)
    this.packing.start()
  }

  async *range(series: Series, span: Span): AsyncGenerator<Sample> {
    for await (const stretch of stretches(this.reader, this.readable(series), span)) {
      for (let at = 0; at < stretch.times.length; at++) yield sampleAt(series, stretch, at)
    }
  }

  async last(series: Series): Promise<Sample | undefined> {
    const found = await newest(this.reader, this.readable(series))
    return found && sampleAt(series, found, 0)
  }

  downsample(series: Series, span: Span, bucketMs: number): Promise<readonly Bucket[]> {
    return downsample(stretches(this.reader, this.readable(series), span), bucketMs)
  }

  async events(asset: string, { fromMs, toMs }: Span): Promise<readonly AssetEvent[]> {
    const rows = await this.reader.all(
      "SELECT * FROM event WHERE asset = ? AND at_ms >= ? AND at_ms < ? ORDER BY at_ms, code, part",
      [asset, fromMs, toMs],
    )
    return rows.map((row) => eventRow.parse(row))
  }

  async series(): Promise<readonly Series[]> {
    const rows = await this.reader.all(`
      SELECT asset, signal FROM series
      WHERE id IN (SELECT series FROM fresh_block)
        OR EXISTS (SELECT 1 FROM packed_block WHERE packed_block.series = series.id)
      ORDER BY asset, signal`)
    return rows.map(({ asset, signal }) => ({ asset: String(asset), signal: String(signal) }))
  }

  forgetBefore(atMs: number): Promise<void> {
    return this.packing.exclusively(async () => {
      const series = (await this.writer.all("SELECT id FROM series")).map(({ id }) => Number(id))
      const [forgotten] = await this.writer.transaction([
        { sql: "DELETE FROM fresh_block WHERE to_ms < ? RETURNING id, series", params: [atMs] },
        { sql: "UPDATE fresh_block SET from_ms = ? WHERE from_ms < ?", params: [atMs, atMs] },
        // By series, because only so does the index lead straight to the old blocks.
        {
          sql: "DELETE FROM packed_block WHERE series = ? AND from_ms < ? AND to_ms < ?",
          rows: series.map((id) => [id, atMs, atMs]),
        },
        {
          sql: "UPDATE packed_block SET from_ms = ? WHERE series = ? AND from_ms < ?",
          rows: series.map((id) => [atMs, id, atMs]),
        },
        { sql: "DELETE FROM event WHERE at_ms < ?", params: [atMs] },
      ])
      const bySeries = new Map<number, number[]>()
      for (const { id, series } of forgotten?.rows ?? []) {
        bySeries.set(Number(series), [...(bySeries.get(Number(series)) ?? []), Number(id)])
      }
      for (const [series, ids] of bySeries) this.fresh.remove(series, ids)
    })
  }

  async close(): Promise<void> {
    await this.packing.close()
    await this.reader.close()
    await this.writer.close()
  }

  private seriesFor({ asset, signal }: Series): KnownSeries {
    const known = this.known.get(asset)?.get(signal)
    return known ?? this.know({ id: this.newestSeries + 1, asset, signal, isStored: false })
  }

  private know(series: KnownSeries): KnownSeries {
    const ofAsset = this.known.get(series.asset) ?? new Map<string, KnownSeries>()
    ofAsset.set(series.signal, series)
    this.known.set(series.asset, ofAsset)
    this.newestSeries = Math.max(this.newestSeries, series.id)
    return series
  }

  private added(series: number, block: number, samples: number): void {
    this.fresh.add(series, block, samples)
    this.packing.added(series)
  }

  /** No series has the id 0, so a query for an unknown one finds nothing (and still fails when the store is closed). */
  private readable({ asset, signal }: Series): Readable {
    const id = this.known.get(asset)?.get(signal)?.id ?? 0
    return { id, freshIds: () => this.fresh.of(id).ids }
  }
}

function sampleAt({ asset, signal }: Series, columns: Columns, at: number): Sample {
  return {
    asset,
    signal,
    atMs: Number(columns.times[at]),
    value: Number(columns.values[at]),
    quality: qualities[Number(columns.qualities[at])] ?? "bad",
    arrivedMs: Number(columns.arrivals[at]),
  }
}
