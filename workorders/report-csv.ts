/** A report as CSV (RFC 4180): a line for each entry of a history, with what is known of its order. */
import type { WorkOrder } from "../core/orders.ts"
import type { ReportEntry, ReportRecord } from "./report.ts"
import { decidersOf, iso, workersOf } from "./report-words.ts"

type Cell = string | number | null | undefined

const orderColumns: Readonly<Record<string, (order: WorkOrder) => Cell>> = {
  type: ({ type }) => type,
  state: ({ state }) => state,
  site: ({ site }) => site,
  asset: ({ asset }) => asset,
  component: ({ component }) => component,
  title: ({ title }) => title,
  priority: ({ priority }) => priority,
  requested: ({ requestedMs }) => iso(requestedMs),
  due: ({ dueMs }) => iso(dueMs),
  finished: ({ finishedMs }) => iso(finishedMs),
  requester: ({ requester }) => requester.id ?? requester.name,
  "approved by": (order) => decidersOf(order).join(", "),
  "done by": (order) => workersOf(order).join(", "),
  "verified by": ({ closing }) => closing.verified?.by,
  "signed off by": ({ closing }) => closing.signOff?.by,
  satisfaction: ({ closing }) => closing.signOff?.satisfaction,
  problem: ({ closing }) => closing.finding?.problem,
  mechanism: ({ closing }) => closing.finding?.mechanism,
  cause: ({ closing }) => closing.finding?.cause,
  remedy: ({ closing }) => closing.finding?.remedy,
  verdict: ({ closing }) => closing.verdict?.verdict,
  warranty: ({ closing: { warranty } }) =>
    warranty && `${warranty.claimed ? "claimed" : "not claimed"}, ${warranty.why}`,
  "cost of labour": ({ closing }) => closing.cost?.labour,
  "cost of parts": ({ closing }) => closing.cost?.parts,
  "cost of services": ({ closing }) => closing.cost?.services,
  "total cost": ({ closing }) => closing.cost?.total,
  attachments: ({ attachments }) =>
    attachments.map(({ name, bytes, sha256 }) => `${name} (${bytes} bytes, SHA-256 ${sha256})`).join("; "),
}

const entryColumns: Readonly<Record<string, (entry: ReportEntry) => Cell>> = {
  sequence: ({ sequence }) => sequence,
  time: ({ atMs }) => iso(atMs),
  who: ({ actor }) => actor,
  what: ({ kind }) => kind,
  note: ({ note }) => note,
  hash: ({ hash }) => hash,
}

export function csvHead(): string {
  return line(["order", ...Object.keys(orderColumns), "history verified", ...Object.keys(entryColumns)])
}

export function csvRecord({ number, order, history, flaws }: ReportRecord): string {
  const verified =
    flaws.length === 0
      ? "yes"
      : `no: ${flaws.map(({ sequence, what }) => `${sequence === null ? "order" : `entry ${sequence}`} ${what}`).join("; ")}`
  const known = Object.values(orderColumns).map((of) => (order === null ? null : of(order)))
  const entries: readonly (ReportEntry | null)[] = history.length === 0 ? [null] : history
  return entries
    .map((entry) =>
      line([number, ...known, verified, ...Object.values(entryColumns).map((of) => entry && of(entry))]),
    )
    .join("")
}

function line(cells: readonly Cell[]): string {
  return `${cells.map(cell).join(",")}\r\n`
}

/** A spreadsheet takes what begins with one of these for a formula, and would carry it out. */
const formula = /^[=+\-@\t\r\n]/

function cell(value: Cell): string {
  if (value === null || value === undefined) return ""
  if (typeof value === "number") return String(value)
  const text = formula.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
