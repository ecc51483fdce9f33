import { createReadStream } from "node:fs"
import { type Info, parse } from "csv-parse"
import { MillwrightError, messageOf } from "../../core/errors.ts"

export type Row = {
  readonly cells: readonly string[]
  /** Of the row's last line, from 1. */
  readonly line: number
  /** Offset in the file just after the row. */
  readonly endByte: number
}

/** A stretch of a file that begins and ends between two rows; `line` is the last line before it. */
export type Stretch = { readonly startByte: number; readonly endByte: number; readonly line: number }

/** Streams the rows of a CSV file. Throws `PAYLOAD_INVALID` for a file that can't be read as CSV. */
export async function* readRows(file: string, stretch?: Stretch): AsyncGenerator<Row> {
  const { startByte, endByte, line } = stretch ?? { startByte: 0, endByte: Number.POSITIVE_INFINITY, line: 0 }
  // Many stretches of one file are open at once: small buffers keep their sum small.
  const input = createReadStream(file, { start: startByte, end: endByte - 1, highWaterMark: 16_384 })
  const parser = parse({
    info: true,
    bom: startByte === 0,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
    relax_quotes: true,
    record_delimiter: ["\r\n", "\n"],
  })
  input.on("error", (error) => parser.destroy(error))
  try {
    for await (const parsed of input.pipe(parser)) {
      const { record, info } = parsed as { record: string[]; info: Info }
      yield { cells: record, line: line + info.lines, endByte: startByte + info.bytes }
    }
  } catch (cause) {
    throw new MillwrightError("PAYLOAD_INVALID", `${file} can't be read as CSV: ${messageOf(cause)}`, {
      cause,
    })
  } finally {
    input.destroy()
  }
}
