import { describe, expect, test } from "vitest"
import { job } from "../../core/job.ts"
import { orderReports, type ReportFilter, type ReportRecord } from "../../workorders/report.ts"
import { csvHead, csvRecord } from "../../workorders/report-csv.ts"
import { htmlFoot, htmlHead, htmlRecord } from "../../workorders/report-html.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { at, finding } from "./requests.ts"

const plant = people.replace("Europe/Berlin }", "Europe/Berlin }, { id: south }")

async function all(database: Awaited<ReturnType<typeof office>>["database"], filter: ReportFilter = {}) {
  const { records } = orderReports(database)
  const found: ReportRecord[] = []
  let after: string | null | undefined
  while (after !== null) {
    const page = await records(filter, after)
    found.push(...page.records)
    after = page.next
  }
  return found
}

const hostile = '=cmd|"/c calc"!A1, <script>alert(1)</script>\n& \u202eeno'

/** An order all the way, with words that would do harm where they are not taken as words. */
async function told() {
  const it = await office(plant)
  const content = Buffer.from("rust").toString("base64")
  await it.order(1, {
    job: job.parse({ services: 12.5 }),
    title: hostile,
    findings: [finding(1, 0, { reason: hostile })],
  })
  const steps = [
    ["paul", "submit", {}],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", { note: "-1+2" }],
    ["tina", "start", {}],
    ["tina", "attach", { name: "photo", mediaType: "image/png", content }],
    ["tina", "complete", { note: "@SUM(A1)" }],
    ["tina", "finding", { problem: "HOT", remedy: "LUB", note: hostile }],
    ["tina", "verdict", { verdict: "confirmed" }],
    ["sara", "verify", { comment: "fine" }],
    ["sara", "sign-off", { satisfaction: 4, comment: hostile }],
    ["paul", "warranty", {}],
    ["paul", "close", {}],
  ] as const
  for (const [who, command, input] of steps) await it.perform(who, "1", command, input)
  const [record] = await all(it.database)
  if (record === undefined) throw new Error("no record")
  return { ...it, record }
}

describe("a report has the orders", () => {
  const north = { asset: "P-101", site: "north" }

  async function three() {
    const it = await office(plant)
    await it.order(1, { ...north, atMs: at(0) })
    await it.order(2, { ...north, asset: "P-102", site: "south", atMs: at(10) })
    await it.order(3, { ...north, atMs: at(20) })
    it.clock.atMs = at(5)
    await it.perform("paul", "1", "cancel", { reason: "not needed" })
    return async (filter: ReportFilter) =>
      (await all(it.database, filter)).map(({ number }) => Number(number.slice(3)))
  }

  test("of an asset, of a site, of a period, and of all", async () => {
    const numbers = await three()
    expect(await numbers({})).toEqual([1, 2, 3])
    expect(await numbers({ asset: "P-101" })).toEqual([1, 3])
    expect(await numbers({ site: "south" })).toEqual([2])
    expect(await numbers({ asset: "P-101", site: "south" })).toEqual([])
  })

  test("that were asked for before the period's end and had not ended before its beginning", async () => {
    const numbers = await three()
    expect(await numbers({ fromMs: at(5) })).toEqual([1, 2, 3])
    expect(await numbers({ fromMs: at(5) + 1 })).toEqual([2, 3])
    expect(await numbers({ toMs: at(20) })).toEqual([1, 2])
    expect(await numbers({ fromMs: at(6), toMs: at(20) })).toEqual([2])
  })

  test("page after page, each once", async () => {
    const it = await office()
    for (let n = 1; n <= 40; n++) await it.order(n)
    expect((await all(it.database)).map(({ number }) => Number(number.slice(3)))).toEqual(
      Array.from({ length: 40 }, (_, n) => n + 1),
    )
  })
})

/** As RFC 4180 has it. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  const cells = /("((?:[^"]|"")*)"|[^",\r\n]*)(,|\r\n)/gy
  let row: string[] = []
  for (const [, plain = "", quoted, end] of text.matchAll(cells)) {
    row.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'))
    if (end === ",") continue
    rows.push(row)
    row = []
  }
  return rows
}

test("the table has a line for each entry, with what is known of its order, by the same columns", async () => {
  const { record } = await told()
  const [head = [], ...lines] = parseCsv(csvHead() + csvRecord(record))
  expect(lines).toHaveLength(record.history.length)
  expect(new Set(lines.map((line) => line.length))).toEqual(new Set([head.length]))
  const last = Object.fromEntries(head.map((title, column) => [title, lines.at(-1)?.[column]]))
  expect(last).toMatchObject({
    order: "WO-000001",
    state: "closed",
    asset: "P-101",
    requested: "2026-01-01T00:00:00Z",
    "done by": "tina",
    "verified by": "sara",
    satisfaction: "4",
    problem: "HOT",
    mechanism: "",
    remedy: "LUB",
    verdict: "confirmed",
    warranty: "claimed, P-101 has no warranty in the plant file",
    "total cost": "12.5",
    attachments: expect.stringMatching(/^photo \(4 bytes, SHA-256 [0-9a-f]{64}\)$/),
    "history verified": "yes",
    sequence: "14",
    who: "paul",
    what: "closed",
    hash: record.history.at(-1)?.hash,
  })
})

test("no cell of the table is taken for a formula", async () => {
  const { record } = await told()
  const cells = parseCsv(csvHead() + csvRecord(record)).flat()
  expect(cells).toContain(`'${hostile}`)
  expect(cells).toContain("'-1+2")
  expect(cells).toContain("'@SUM(A1)")
  for (const cell of cells) expect(cell).not.toMatch(/^[=+\-@\t\r]/)
})

test("the page tells it all: who did, verified and signed, what was found, costs, and the hashes", async () => {
  const { record } = await told()
  const page = htmlRecord(record, "EUR")
  for (const words of [
    "WO-000001",
    "History verified: 14 entries",
    "<dt>Done by</dt><dd>tina</dd>",
    "<dt>Verified by</dt><dd>sara at 2026-01-01T00:00:00Z: fine</dd>",
    "satisfaction 4 of 5",
    "HOT, -, -, LUB",
    "confirmed (tina)",
    "12.50 EUR: labour 0.00, parts 0.00, services 12.50",
    record.order?.attachments[0]?.sha256 ?? "?",
    ...record.history.map(({ hash }) => hash),
  ])
    expect(page).toContain(words)
})

test("the page holds nothing that runs, loads or hides", async () => {
  const { record } = await told()
  const heading = { about: hostile, plant: "test", currency: "EUR", madeMs: at(0), madeBy: '"><img src=x>' }
  const page = htmlHead(heading) + htmlRecord(record, "EUR") + htmlFoot({ orders: 1, flawed: 0 })
  expect(page).not.toMatch(/<script|<img|\u202e/)
  expect(page).toContain(
    "=cmd|&quot;/c calc&quot;!A1, &lt;script&gt;alert(1)&lt;/script&gt;\n&amp; \\u202eeno",
  )
  expect(page).not.toMatch(/(src|href)=["']?\w+:/)
  const tags = [...page.matchAll(/<(\/?)([a-z][a-z0-9]*)/g)].filter(([, , tag]) => tag !== "meta")
  const open: string[] = []
  for (const [, end, tag = ""] of tags) {
    if (end === "") open.push(tag)
    else expect(open.pop()).toBe(tag)
  }
  expect(open).toEqual([])
})

test("an order that was tampered with says so in both, also when it can't be read any more", async () => {
  const { database } = await told()
  const db = database.tables<WorkOrderTables>()
  await db.updateTable("order_history").set({ actor: "theo" }).where("sequence", "=", 7).execute()
  const [changed] = await all(database)
  if (changed === undefined) throw new Error("no record")
  expect(htmlRecord(changed, "EUR")).toContain("<li>Entry 7 was changed after it was written</li>")
  expect(csvRecord(changed)).toContain(",no: entry 7 was changed after it was written,")
  await db.updateTable("work_order").set({ details: "{}" }).execute()
  const [unreadable] = await all(database)
  if (unreadable === undefined) throw new Error("no record")
  expect(unreadable.order).toBeNull()
  expect(htmlRecord(unreadable, "EUR")).toContain("The order can&#39;t be read any more")
  expect(parseCsv(csvRecord(unreadable))).toHaveLength(14)
  expect(htmlFoot({ orders: 1, flawed: 1 })).toContain("Verified orders: 0 of 1. Each of the others")
})
