import { readFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { MillwrightError, messageOf } from "../core/errors.ts"
import type { Readers, Recorded, RecordingSpec } from "../rules/testing/index.ts"
import { columnsOf, readRecording } from "../simulators/replay/recording.ts"
import type { ReplaySource } from "../simulators/replay/sources.ts"

/** Reads what rules are tried on; paths are relative to `directory`. `onBadRows` hears of rows left out. */
export function ruleFiles(directory: string, onBadRows: (count: number) => void = () => {}): Readers {
  return {
    plant: (path) => readText(resolve(directory, path), "the plant file"),
    recording: (spec, meant) => recorded({ ...spec, file: resolve(directory, spec.file) }, meant, onBadRows),
  }
}

/** Reads a test file's text and the readers for what it names. Throws `USAGE`. */
export async function openTestFile(
  path: string,
): Promise<{ readonly text: string; readonly readers: Readers }> {
  return { text: await readText(path, "the test file"), readers: ruleFiles(dirname(path)) }
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8")
  } catch (cause) {
    throw new MillwrightError("USAGE", `${what} can't be read: ${messageOf(cause)}`, { cause })
  }
}

async function* recorded(
  spec: RecordingSpec,
  meant: { readonly asset: string | undefined; readonly signals: readonly string[] },
  onBadRows: (count: number) => void,
): AsyncGenerator<Recorded> {
  const source = sourceOf(spec, await columnsOf(spec.file), meant)
  const options = { offsetMinutes: spec.utcOffset, skipBadRows: spec.skipBadRows }
  yield* readRecording(source, options, ({ bad }) => onBadRows(bad))
}

/** What stands in the file, as far as it is not stated: by the names of its columns. */
function sourceOf(
  spec: RecordingSpec,
  columns: readonly string[],
  meant: { readonly asset: string | undefined; readonly signals: readonly string[] },
): ReplaySource {
  const { file, time, signal, value, code } = spec
  if (columns.length === 0)
    throw new MillwrightError("USAGE", `${file} is empty: expected a line of column names`)
  if (columns.length === 1 && /[;\t]/.test(columns[0] ?? ""))
    throw new MillwrightError(
      "USAGE",
      `${file} begins with "${columns[0]}": expected commas between its columns, and points in its numbers`,
    )
  const asset = spec.asset ?? (columns.includes("asset") ? "{asset}" : meant.asset)
  if (asset === undefined)
    throw new MillwrightError(
      "USAGE",
      `${file} has no column "asset" (its columns are ${columns.join(", ")}): say which asset it is about, or of which columns the name is made, such as {pump}`,
    )
  const looksLong = columns.includes(signal) && columns.includes(value)
  const layout = spec.layout ?? (looksLong ? "long" : "wide")
  if (layout === "long") return { kind: "long", file, time, asset, signal, value }
  if (layout === "events") return { kind: "events", file, time, asset, code }
  const signals = spec.signals ?? columns.filter((column) => meant.signals.includes(column))
  if (signals.length === 0)
    throw new MillwrightError(
      "USAGE",
      `${file} has none of the signals ${meant.signals.join(", ")}: its columns are ${columns.join(", ")}; a column is read by the name of its signal`,
    )
  return { kind: "wide", file, time, asset, signals }
}
