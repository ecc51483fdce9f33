import type { SqliteThread } from "../../core/sqlite/thread.ts"
import type { Span } from "../../core/telemetry.ts"
import { readFresh, readPacked } from "./block.ts"
import { between, type Columns, part, settle } from "./columns.ts"

export type StoredBlock = {
  readonly id: number
  readonly from_ms: number
  readonly packed: 0 | 1
  readonly data: Uint8Array
}

/** The block's samples; those before `from_ms` have been forgotten. */
export function samplesOf({ packed, data, from_ms }: StoredBlock): Columns {
  return between(packed === 1 ? readPacked(data) : readFresh(data), from_ms, Number.POSITIVE_INFINITY)
}

/** A series as reading needs it; the ids of its fresh blocks are asked for at each step. */
export type Readable = { readonly id: number; readonly freshIds: () => readonly number[] }

/**
 * The first so many blocks of a series that hold something of a span, by their beginning. Packed blocks don't
 * overlap, so only the last of those that begin before the span can reach into it.
 */
const blocksWithin = `
  SELECT id, from_ms, 1 AS packed, data FROM packed_block
  WHERE series = ? AND from_ms < ? AND to_ms >= ?
    AND from_ms >= ifnull((SELECT max(from_ms) FROM packed_block WHERE series = ? AND from_ms <= ?), ?)
  UNION ALL
  SELECT id, from_ms, 0 AS packed, data FROM fresh_block
  WHERE id IN (SELECT value FROM json_each(?)) AND from_ms < ? AND to_ms >= ?
  ORDER BY from_ms LIMIT ?`

/** The block with the newest sample; where several end at that time, the one written last. */
const newestBlock = `
  SELECT id, from_ms, packed, data FROM (
    SELECT * FROM (
      SELECT id, from_ms, to_ms, 1 AS packed, data FROM packed_block
      WHERE series = ? ORDER BY from_ms DESC LIMIT 1)
    UNION ALL
    SELECT id, from_ms, to_ms, 0 AS packed, data FROM fresh_block
    WHERE id IN (SELECT value FROM json_each(?)))
  ORDER BY to_ms DESC, packed, id DESC LIMIT 1`

/** Blocks read in one step: the bound on a read's memory, unless more than these overlap at one instant. */
const blocksAtOnce = 16

/**
 * The settled samples of a series within a span, in order of time, a stretch after the other. Each stretch is one
 * query and stands for itself, so it doesn't matter what is written, packed or forgotten between two of them.
 */
export async function* stretches(
  database: SqliteThread,
  { id, freshIds }: Readable,
  { fromMs, toMs }: Span,
): AsyncGenerator<Columns> {
  let limit = blocksAtOnce
  for (let from = fromMs; from < toMs; ) {
    const packed = [id, toMs, from, id, from, from]
    const fresh = [JSON.stringify(freshIds()), toMs, from]
    const rows = await database.all(blocksWithin, [...packed, ...fresh, limit])
    const blocks = rows as readonly StoredBlock[]
    // Whatever was cut off by the limit begins no earlier than the last block that was not.
    const until = blocks.length < limit ? toMs : Number(blocks.at(-1)?.from_ms)
    if (until <= from) {
      limit *= 2
      continue
    }
    const written = blocks.toSorted((a, b) => b.packed - a.packed || a.id - b.id)
    const samples = settle(written.map((block) => between(samplesOf(block), from, until)))
    if (samples.times.length > 0) yield samples
    from = until
    limit = blocksAtOnce
  }
}

/** The newest sample of a series, as columns of length one. */
export async function newest(
  database: SqliteThread,
  { id, freshIds }: Readable,
): Promise<Columns | undefined> {
  const rows = await database.all(newestBlock, [id, JSON.stringify(freshIds())])
  const [block] = rows as readonly StoredBlock[]
  if (block === undefined) return undefined
  const samples = samplesOf(block)
  return part(samples, samples.times.length - 1, samples.times.length)
}
