import { mergeByTime } from "./merge.ts"
import { readRows } from "./rows.ts"
import { readRun, type ScanOptions, scan } from "./runs.ts"
import type { Recorded, ReplaySource } from "./sources.ts"

/** The column names of a CSV file; none for an empty one. Throws `PAYLOAD_INVALID`. */
export async function columnsOf(file: string): Promise<readonly string[]> {
  for await (const { cells } of readRows(file)) return cells
  return []
}

/**
 * The rows of a CSV file in order of time, of which only a few are in memory at once. Reads it twice. Throws
 * `PAYLOAD_INVALID` naming file, line and column, and `USAGE` for a column that isn't there; `onScan` is told how many
 * rows are left out.
 */
export async function* readRecording(
  source: ReplaySource,
  options: ScanOptions,
  onScan: (scan: { readonly records: number; readonly bad: number }) => void,
): AsyncGenerator<Recorded> {
  const scanned = await scan(source, options)
  onScan(scanned)
  yield* mergeByTime(scanned.runs.map((run) => readRun(scanned, run)))
}
