/** What commands print: tables for people, JSON for scripts. */

export function print(text = ""): void {
  process.stdout.write(`${printableLines(text)}\n`)
}

/** Beside the answer: warnings, and why something failed. */
export function printError(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`)
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, undefined, 2))
}

export type Column<T> = { readonly title: string; readonly of: (row: T) => string | number }

/** Columns as wide as their widest cell; the last one as long as it is. */
export function table<T>(rows: readonly T[], columns: readonly Column<T>[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ of }) => printable(of(row)))),
  ]
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)))
  return cells
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join("  "),
    )
    .join("\n")
}

/**
 * Names and texts come from outside: a control character in one must not drive the reader's terminal, nor one that
 * turns the direction of writing show something else than what is there.
 */
export function printable(value: string | number): string {
  return String(value).replace(
    /[\p{Cc}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}

function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n")
}

/** A text that leaves room for its row. */
export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

/** 1 order, 2 orders. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`
}

/** 2026-03-01 06:00 in UTC. */
export function when(ms: number | null): string {
  return ms === null ? "-" : new Date(ms).toISOString().slice(0, 16).replace("T", " ")
}

/** Three significant digits more than none: 7.1, 41500, 0.0123. */
export function figure(value: number | null): string {
  if (value === null) return "-"
  return String(Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4)))
}
