import { MillwrightError } from "../../core/errors.ts"
import { readRows, type Stretch } from "./rows.ts"
import { BadRow, type Recorded, type ReplaySource, type RowReader, rowReader } from "./sources.ts"

/** Past this a file is as good as unsorted, and merging it would need too many open streams. */
const maxRuns = 1000

/** A stretch of a file in which time never goes back: files sorted by asset and then time have one for each asset. */
type Run = Stretch

export type Scan = {
  readonly source: ReplaySource
  readonly read: RowReader
  readonly runs: readonly Run[]
  readonly records: number
  readonly bytes: number
  readonly bad: number
}

export type ScanOptions = {
  readonly offsetMinutes: number
  /** Leave rows that can't be read out, and count them, instead of stopping at the first. */
  readonly skipBadRows: boolean
}

/**
 * Reads a file once from end to end, so that nothing is published of a file that turns out to be bad, totals are known
 * for the progress, and rows can then be merged by time without holding them in memory.
 * Throws `PAYLOAD_INVALID` naming file, line and column, and `USAGE` for a column that isn't there.
 */
export async function scan(source: ReplaySource, options: ScanOptions): Promise<Scan> {
  let read: RowReader | undefined
  const runs: Run[] = []
  let [records, bad, firstByte, endByte] = [0, 0, 0, 0]
  let run: (Stretch & { newestMs: number }) | undefined
  let lastLine = 0
  for await (const { cells, line, endByte: rowEnd } of readRows(source.file)) {
    if (!read) {
      read = rowReader(source, cells, options.offsetMinutes)
      firstByte = rowEnd
    } else {
      const recorded = readRow(read, cells, { file: source.file, line, skip: options.skipBadRows })
      if (recorded) {
        records++
        if (!run || recorded.atMs < run.newestMs) {
          if (run) runs.push(run)
          run = { startByte: endByte, endByte: rowEnd, line: lastLine, newestMs: recorded.atMs }
          if (runs.length >= maxRuns) throw unsorted(source.file)
        } else {
          run = { ...run, endByte: rowEnd, newestMs: recorded.atMs }
        }
      } else {
        bad++
      }
    }
    endByte = rowEnd
    lastLine = line
  }
  if (!read)
    throw new MillwrightError("PAYLOAD_INVALID", `${source.file} is empty: expected a line of column names`)
  if (run) runs.push(run)
  return { source, read, runs, records, bad, bytes: endByte - firstByte }
}

/** The rows of one run, once more. Rows that the scan left out are left out again. */
export async function* readRun(
  { source, read }: Scan,
  run: Run,
): AsyncGenerator<Recorded & { bytes: number }> {
  let before = run.startByte
  for await (const { cells, line, endByte } of readRows(source.file, run)) {
    const recorded = readRow(read, cells, { file: source.file, line, skip: true })
    if (recorded) yield { ...recorded, bytes: endByte - before }
    before = endByte
  }
}

function readRow(
  read: RowReader,
  cells: readonly string[],
  { file, line, skip }: { file: string; line: number; skip: boolean },
): Recorded | undefined {
  try {
    return read(cells)
  } catch (error) {
    if (!(error instanceof BadRow)) throw error
    if (skip) return undefined
    throw new MillwrightError("PAYLOAD_INVALID", `${file} line ${line}, ${error.message}`)
  }
}

function unsorted(file: string): MillwrightError {
  return new MillwrightError(
    "PAYLOAD_INVALID",
    `${file}: time goes back more than ${maxRuns} times. Sort it by time, or by asset and then time`,
  )
}
