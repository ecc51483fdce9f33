import { MillwrightError } from "../../core/errors.ts"
import { name, type Scalar } from "../../core/vocabulary.ts"
import { readTime } from "./times.ts"

/** What stands in a file and in which columns. In a template "{column}" is filled in: "machine-{machineID}". */
export type ReplaySource = {
  readonly file: string
  /** Column of the time; see `offsetMinutes`. */
  readonly time: string
  /** Template of the asset's id. */
  readonly asset: string
} & (
  | {
      /** A row is one asset at one time, a column one signal; empty cells are no samples. */
      readonly kind: "wide"
      /** By default every column that neither time nor asset names. */
      readonly signals?: readonly string[]
    }
  | {
      /** A row is one sample: columns of its signal and value. */
      readonly kind: "long"
      readonly signal: string
      readonly value: string
    }
  | {
      readonly kind: "events"
      /** Template of the code. */
      readonly code: string
      /** Template of each attribute; by default every column that time, asset and code don't name. */
      readonly attributes?: Readonly<Record<string, string>>
    }
)

/** What one row says. */
export type Recorded = { readonly asset: string; readonly atMs: number } & (
  | { readonly kind: "reading"; readonly values: Readonly<Record<string, number>> }
  | { readonly kind: "event"; readonly code: string; readonly attributes: Readonly<Record<string, Scalar>> }
)

/** Why a row can't be used: the column, and what was expected. */
export class BadRow extends Error {}

export type RowReader = (cells: readonly string[]) => Recorded

/** How to read the rows below this header. Throws `USAGE` for a column that isn't there; the reader throws `BadRow`. */
export function rowReader(source: ReplaySource, header: readonly string[], offsetMinutes: number): RowReader {
  const column = (title: string): number => {
    const at = header.indexOf(title)
    if (at >= 0) return at
    throw new MillwrightError(
      "USAGE",
      `${source.file} has no column "${title}"; its columns are ${header.join(", ")}`,
    )
  }
  const timeAt = column(source.time)
  const asset = template(source.asset, column)
  const rest = (...named: readonly string[]) =>
    header.filter((title) => title !== source.time && !named.some((text) => isNamedIn(title, text)))
  const content = contentReader(source, column, rest)

  return (cells) => {
    if (cells.length !== header.length) {
      throw new BadRow(`expected ${header.length} columns, found ${cells.length}`)
    }
    const time = cells[timeAt] ?? ""
    const atMs = readTime(time, offsetMinutes)
    if (atMs === undefined) throw new BadRow(`column "${source.time}": expected a time, got "${time}"`)
    const id = asset(cells)
    if (!name.safeParse(id).success) {
      throw new BadRow(`asset "${id}" from ${source.asset}: expected letters, digits, spaces or . _ : @ -`)
    }
    return { asset: id, atMs, ...content(cells) }
  }
}

type Content =
  | { readonly kind: "reading"; readonly values: Record<string, number> }
  | { readonly kind: "event"; readonly code: string; readonly attributes: Record<string, Scalar> }

function contentReader(
  source: ReplaySource,
  column: (title: string) => number,
  rest: (...named: readonly string[]) => readonly string[],
): (cells: readonly string[]) => Content {
  switch (source.kind) {
    case "wide": {
      const signals = (source.signals ?? rest(source.asset)).map((title) => ({ title, at: column(title) }))
      return (cells) => {
        const values: Record<string, number> = {}
        for (const { title, at } of signals) {
          if (cells[at] !== "") values[title] = finite(cells[at], title)
        }
        return { kind: "reading", values }
      }
    }
    case "long": {
      const [signalAt, valueAt] = [column(source.signal), column(source.value)]
      return (cells) => {
        const signal = cells[signalAt] ?? ""
        if (!name.safeParse(signal).success) {
          throw new BadRow(`column "${source.signal}": expected the name of a signal, got "${signal}"`)
        }
        return { kind: "reading", values: { [signal]: finite(cells[valueAt], source.value) } }
      }
    }
    case "events": {
      const code = template(source.code, column)
      const given =
        source.attributes ??
        Object.fromEntries(rest(source.asset, source.code).map((title) => [title, `{${title}}`]))
      const attributes = Object.entries(given).map(([key, text]) => ({ key, fill: template(text, column) }))
      return (cells) => {
        const filled: Record<string, Scalar> = {}
        for (const { key, fill } of attributes) {
          const text = fill(cells)
          if (text !== "") filled[key] = scalarOf(text)
        }
        const text = code(cells)
        if (text === "") throw new BadRow(`no code from ${source.code}`)
        return { kind: "event", code: text, attributes: filled }
      }
    }
  }
}

function template(text: string, column: (title: string) => number): (cells: readonly string[]) => string {
  // Odd pieces are what stood between braces.
  const pieces = text.split(/\{([^{}]+)\}/).map((piece, at) => (at % 2 === 1 ? column(piece) : piece))
  return (cells) => pieces.map((piece) => (typeof piece === "number" ? (cells[piece] ?? "") : piece)).join("")
}

function isNamedIn(title: string, text: string): boolean {
  return text.includes(`{${title}}`)
}

function finite(text: string | undefined, title: string): number {
  const value = text === undefined || text === "" ? Number.NaN : Number(text)
  if (Number.isFinite(value)) return value
  throw new BadRow(`column "${title}": expected a number, got "${text ?? ""}"`)
}

/** A meter's reading is a number, a part's name is not; "007" is a name. */
function scalarOf(text: string): Scalar {
  const value = Number(text)
  return Number.isFinite(value) && String(value) === text ? value : text
}
