import type { SqliteThread, Statement } from "../../core/sqlite/thread.ts"
import { packedBlock } from "./block.ts"
import { firstFrom, part, pieces, settle } from "./columns.ts"
import { type StoredBlock, samplesOf } from "./reads.ts"

type Neighbour = {
  readonly id: number
  readonly from_ms: number
  readonly to_ms: number
  readonly count: number
}

const freshByIds = `
  SELECT id, from_ms, 0 AS packed, data FROM fresh_block
  WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id`

/** The packed blocks that begin within a span, with the one before them and the one after. */
const packedAround = `
  SELECT id, from_ms, to_ms, count FROM packed_block
  WHERE series = ?
    AND from_ms >= ifnull((SELECT max(from_ms) FROM packed_block WHERE series = ? AND from_ms <= ?), ?)
    AND from_ms <= ifnull((SELECT min(from_ms) FROM packed_block WHERE series = ? AND from_ms > ?), ?)
  ORDER BY from_ms`

const packedById = "SELECT id, from_ms, 1 AS packed, data FROM packed_block WHERE id = ?"
const deleteFresh = "DELETE FROM fresh_block WHERE id = ?"
const deletePacked = "DELETE FROM packed_block WHERE id = ?"
const insertPacked = "INSERT INTO packed_block (series, from_ms, to_ms, count, data) VALUES (?, ?, ?, ?, ?)"

/**
 * What has to be done, in one transaction, to take the oldest fresh blocks of a series up into its packed ones.
 * It keeps what reading relies on: packed blocks of a series never overlap, and are older than every fresh one.
 * Like leaves of a tree they are half full or more, except where a series has no more to put into them.
 */
export async function compaction(
  database: SqliteThread,
  series: number,
  freshIds: readonly number[],
  blockSamples: number,
): Promise<Statement[]> {
  const fresh = (await database.all(freshByIds, [JSON.stringify(freshIds)])) as readonly StoredBlock[]
  const samples = settle(fresh.map(samplesOf))
  const { times } = samples
  const first = times[0]
  const last = times.at(-1)
  if (first === undefined || last === undefined) return []

  const around = await database.all(packedAround, [series, series, first, first, series, last, last])
  const neighbours = around as readonly Neighbour[]
  const replaced: [number][] = []
  const written: [number, number, number, number, Uint8Array][] = []
  let start = 0
  // Between the beginnings of two neighbours lie the samples that may go into the first of them.
  for (let at = -1; at < neighbours.length; at++) {
    const [below, above] = [neighbours[at], neighbours[at + 1]]
    const end = above === undefined ? times.length : firstFrom(times, above.from_ms)
    if (start >= end) continue
    const isSmall = (block: Neighbour | undefined) => block !== undefined && block.count < blockSamples / 2
    const joins = below !== undefined && (isSmall(below) || below.to_ms >= Number(times[start]))
    // These go into the block above, together with the samples that lie in it.
    if (!joins && isSmall(above)) continue
    const parts = [part(samples, start, end)]
    if (joins) {
      replaced.push([below.id])
      parts.unshift(
        ...((await database.all(packedById, [below.id])) as readonly StoredBlock[]).map(samplesOf),
      )
    }
    for (const piece of pieces(settle(parts), blockSamples)) {
      const { length } = piece.times
      written.push([
        series,
        Number(piece.times[0]),
        Number(piece.times[length - 1]),
        length,
        await packedBlock(piece),
      ])
    }
    start = end
  }
  return [
    { sql: deleteFresh, rows: freshIds.map((id) => [id]) },
    { sql: deletePacked, rows: replaced },
    { sql: insertPacked, rows: written },
  ]
}
