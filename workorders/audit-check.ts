/** Whether orders and their history are as they were written: docs/decisions/0020-audit-chain.md says what that proves. */
import type { Transaction } from "kysely"
import type { Database } from "../core/db/database.ts"
import { MillwrightError, messageOf } from "../core/errors.ts"
import type { WorkOrder } from "../core/orders.ts"
import { attachmentQueries } from "./attachments.ts"
import { canonical, type Entry, hashOfEntry, hashOfOrder } from "./chain.ts"
import type { KeptOrder } from "./change.ts"
import { formatNumber, parseNumber } from "./number.ts"
import { selectOrder } from "./queries.ts"
import { fromRow, toRow } from "./rows.ts"
import { last } from "./save.ts"
import type { OrderRow, WorkOrderTables } from "./tables.ts"

type Trx = Transaction<WorkOrderTables>

/** Something that is not as it was written. */
export type Flaw = {
  /** The order's number, or its id where it has left no number. */
  readonly order: string
  /** Of the entry of its history; null for the order itself. */
  readonly sequence: number | null
  readonly what: string
}

export type Checked = {
  readonly orders: number
  readonly entries: number
  readonly attachments: number
  readonly flaws: readonly Flaw[]
  /** Where the next page begins; null after the last one. */
  readonly next: string | null
}

/** Orders of one transaction, which everybody else who writes may have to wait for. */
const page = 50
/** Entries that are held at a time. */
const entriesAtOnce = 500
/** Histories without an order that are named. */
const strayAtMost = 100

export type OrderAudit = {
  /** The orders after the number given, or one alone. Rejects with `NOT_FOUND`, and `USAGE` for no number of an order. */
  check(ask: { readonly order?: string | undefined; readonly after?: string | undefined }): Promise<Checked>
}

export function createOrderAudit(database: Database): OrderAudit {
  const { attachment } = attachmentQueries(database)

  /** One content at a time: each may be large. What was attached is kept for ever, so nothing can change meanwhile. */
  async function checkAttachments({ id, number, attachments }: WorkOrder): Promise<readonly Flaw[]> {
    const flaws: Flaw[] = []
    for (const { name } of attachments) {
      try {
        await attachment(id, name)
      } catch (error) {
        if (!(error instanceof MillwrightError) || error.code === "STORE_FAILED") throw error
        flaws.push({ order: number, sequence: null, what: error.message })
      }
    }
    return flaws
  }

  return {
    async check({ order, after }) {
      const { orders, ...checked } = await database.transaction<WorkOrderTables, Page>((trx) =>
        order === undefined ? checkPage(trx, numberOf(after ?? "0")) : checkOne(trx, order),
      )
      const kept = orders.flatMap((one) => one.order ?? [])
      const flaws = [...checked.flaws, ...orders.flatMap((one) => one.flaws)]
      for (const one of kept) flaws.push(...(await checkAttachments(one)))
      return {
        orders: orders.length,
        entries: orders.reduce((sum, { entries }) => sum + entries, 0),
        attachments: kept.reduce((sum, { attachments }) => sum + attachments.length, 0),
        flaws,
        next: checked.next,
      }
    },
  }
}

/** `flaws`: those of no order that is there. */
type Page = {
  readonly orders: readonly Examined[]
  readonly flaws: readonly Flaw[]
  readonly next: string | null
}

export function numberOf(after: string): number {
  const number = parseNumber(after)
  if (number !== undefined) return number
  throw new MillwrightError("USAGE", `"${after}" is no number of an order, such as ${formatNumber(1)}`)
}

async function checkOne(trx: Trx, idOrNumber: string): Promise<Page> {
  const row = await selectOrder(trx, idOrNumber).executeTakeFirst()
  if (row === undefined)
    throw new MillwrightError(
      "NOT_FOUND",
      `there is no work order ${idOrNumber}; whether there ever was, a check of all of them shows`,
    )
  return { orders: [await examine(trx, row)], flaws: [], next: null }
}

async function checkPage(trx: Trx, after: number): Promise<Page> {
  const rows = await trx
    .selectFrom("work_order")
    .selectAll()
    .where("number", ">", after)
    .orderBy("number")
    .limit(page)
    .execute()
  const orders: Examined[] = []
  for (const row of rows) orders.push(await examine(trx, row))
  const end = rows.at(-1)?.number ?? after
  const isLast = rows.length < page
  const given = await last(trx, "order")
  return {
    orders,
    flaws: [
      ...missingNumbers(
        after,
        rows.map(({ number }) => number),
        isLast ? Math.max(given, end) : end,
      ),
      ...(end > given
        ? [flaw(formatNumber(end), null, `${formatNumber(given)} was the last number that was given out`)]
        : []),
      ...(isLast ? await strayHistories(trx) : []),
    ],
    next: isLast ? null : formatNumber(end),
  }
}

/** Numbers are given out one after the other, and no order is ever removed. */
function missingNumbers(after: number, numbers: readonly number[], upTo: number): Flaw[] {
  return [...numbers, upTo + 1].flatMap((number, at, all) => {
    const first = (all[at - 1] ?? after) + 1
    if (first >= number) return []
    const others = number - first > 1 ? `, and all up to ${formatNumber(number - 1)}` : ""
    return [flaw(formatNumber(first), null, `the order is missing${others}: it was removed`)]
  })
}

async function strayHistories(trx: Trx): Promise<Flaw[]> {
  const rows = await trx
    .selectFrom("order_history")
    .select("order_id")
    .select(({ fn }) => fn.countAll<number | string>().as("entries"))
    .where("order_id", "not in", trx.selectFrom("work_order").select("id"))
    .groupBy("order_id")
    .orderBy("order_id")
    .limit(strayAtMost)
    .execute()
  return rows.map(({ order_id, entries }) =>
    flaw(order_id, null, `there is no such order, though its history has ${entries} entries`),
  )
}

type Examined = {
  /** Undefined when it can't be read. */
  readonly order: WorkOrder | undefined
  readonly number: string
  readonly entries: number
  readonly flaws: readonly Flaw[]
}

/** Follows the chain of an order from its first entry to the order as it is; `each` sees every entry on the way. */
export async function examine(
  trx: Trx,
  row: OrderRow,
  each: (entry: Entry) => void = () => {},
): Promise<Examined> {
  const number = formatNumber(row.number)
  const flaws: Flaw[] = []
  let before: Entry | undefined
  let entries = 0
  for (let isMore = true; isMore; ) {
    const some = await entriesAfter(trx, row.id, before?.sequence ?? 0)
    for (const entry of some) {
      const wrong = entryFlaws(row.id, before, entry)
      flaws.push(...wrong.map((what) => flaw(number, entry.sequence, what)))
      each(entry)
      before = entry
    }
    entries += some.length
    isMore = some.length === entriesAtOnce
  }
  const { order, wrong } = orderFlaws(row, before)
  return { order, number, entries, flaws: [...flaws, ...wrong.map((what) => flaw(number, null, what))] }
}

async function entriesAfter(trx: Trx, order: string, sequence: number): Promise<readonly Entry[]> {
  return trx
    .selectFrom("order_history")
    .select(["sequence", "at_ms as atMs", "actor", "kind", "note", "detail", "state", "previous", "hash"])
    .where("order_id", "=", order)
    .where("sequence", ">", sequence)
    .orderBy("sequence")
    .limit(entriesAtOnce)
    .execute()
}

/** What is wrong with an entry, by itself and after the one before it. */
function entryFlaws(order: string, before: Entry | undefined, entry: Entry): string[] {
  const expected = (before?.sequence ?? 0) + 1
  const isNext = entry.sequence === expected
  const isHashed = entry.hash !== ""
  return [
    ...(isNext
      ? []
      : [
          entry.sequence - expected === 1
            ? `entry ${expected} before it is missing: it was removed`
            : `entries ${expected} to ${entry.sequence - 1} before it are missing: they were removed`,
        ]),
    ...(isHashed ? [] : ["has no hash: it is older than the chain, or its hash was removed"]),
    ...(isHashed && hashOfEntry(order, entry) !== entry.hash ? ["was changed after it was written"] : []),
    ...(isNext && entry.previous !== (before?.hash ?? "")
      ? [`does not follow on what is ${before === undefined ? "its beginning" : "the entry before it"} now`]
      : []),
  ]
}

/** What is wrong with the order itself, after the newest entry of its history. */
function orderFlaws(
  row: OrderRow,
  newest: Entry | undefined,
): { readonly order: WorkOrder | undefined; readonly wrong: readonly string[] } {
  let kept: KeptOrder
  let asWritten: OrderRow
  try {
    kept = fromRow(row)
    asWritten = toRow(kept)
  } catch (error) {
    return { order: undefined, wrong: [`can't be read any more, so it was changed: ${messageOf(error)}`] }
  }
  const { order } = kept
  if (newest === undefined) return { order, wrong: ["has no history: it was removed"] }
  const columns = (Object.keys(asWritten) as (keyof OrderRow)[]).filter(
    (column) => !isSame(asWritten[column], row[column]),
  )
  return {
    order,
    wrong: [
      ...(newest.sequence === row.version
        ? []
        : [
            `is at version ${row.version}, and the newest entry of its history is ${newest.sequence}: entries were removed or added, or its version was changed`,
          ]),
      ...(newest.hash === row.head ? [] : ["does not hold the hash of the newest entry of its history"]),
      ...(newest.state === hashOfOrder(order)
        ? []
        : [`is not as entry ${newest.sequence} left it: it was changed without a word in its history`]),
      ...columns.map((column) => `its column ${column} does not go with the rest of it`),
    ],
  }
}

/** JSON that says the same is the same. */
function isSame(one: string | number | null, other: string | number | null): boolean {
  if (one === other) return true
  if (typeof one !== "string" || typeof other !== "string" || !/^[{[]/.test(one)) return false
  return canonical(JSON.parse(one)) === canonical(JSON.parse(other))
}

function flaw(order: string, sequence: number | null, what: string): Flaw {
  return { order, sequence, what }
}
