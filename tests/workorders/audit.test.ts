import { createHash } from "node:crypto"
import type { Kysely } from "kysely"
import { describe, expect, test } from "vitest"
import type { Database } from "../../core/db/database.ts"
import { job } from "../../core/job.ts"
import { type Checked, createOrderAudit, type Flaw } from "../../workorders/audit-check.ts"
import { hashOfEntry } from "../../workorders/chain.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { amend, orderId, takeFor } from "./requests.ts"

type Tables = Kysely<WorkOrderTables>

const plant = people.concat(`
sla: { targets: { 3: { respond: 1h, complete: 8h } } }
crafts: [{ id: fitter, rate: 61.7 }]
`)

/** Three orders; the second has been all the way, the third has been amended. */
async function filled() {
  const it = await office(plant)
  for (const n of [1, 2, 3]) await it.order(n, { job: job.parse({}) })
  const steps = [
    ["paul", "triage", { note: 'says "hot" — é\u{1f525}' }],
    ["paul", "submit", {}],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", {}],
    ["tina", "start", {}],
    ["tina", "attach", { name: "photo", mediaType: "text/plain", content: base64("rust") }],
    ["tina", "complete", {}],
    ["tina", "finding", { problem: "HOT" }],
    ["tina", "verdict", { verdict: "confirmed" }],
    ["paul", "close", {}],
  ] as const
  for (const [who, command, input] of steps) await it.perform(who, "2", command, input)
  await takeFor(it.revision, it.database, amend(3, 1, { priority: 1 }), amend(3, 2))
  return it
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64")
}

async function checkAll(database: Database): Promise<Checked> {
  const audit = createOrderAudit(database)
  const flaws: Flaw[] = []
  const sum = { orders: 0, entries: 0, attachments: 0 }
  let after: string | null | undefined
  while (after !== null) {
    const page: Checked = await audit.check({ after })
    sum.orders += page.orders
    sum.entries += page.entries
    sum.attachments += page.attachments
    flaws.push(...page.flaws)
    after = page.next
  }
  return { ...sum, flaws, next: null }
}

test("orders that nobody tampered with are verified, whatever happened to them", async () => {
  const { database } = await filled()
  expect(await checkAll(database)).toEqual({ orders: 3, entries: 16, attachments: 1, flaws: [], next: null })
})

test("one order is checked alone, by number or id", async () => {
  const { database } = await filled()
  const { check } = createOrderAudit(database)
  expect(await check({ order: "WO-000002" })).toMatchObject({ orders: 1, entries: 12, flaws: [], next: null })
  expect(await check({ order: orderId(1) })).toMatchObject({ orders: 1, entries: 1, flaws: [] })
  await expect(check({ order: "9" })).rejects.toMatchObject({ code: "NOT_FOUND" })
  await expect(check({ after: "first" })).rejects.toMatchObject({ code: "USAGE" })
})

test("an empty store is as it was written", async () => {
  const { database } = await office()
  expect(await checkAll(database)).toMatchObject({ orders: 0, flaws: [] })
})

test("more orders than a page, and more entries, are all checked", async () => {
  const { database, revision, order } = await office()
  for (let n = 1; n <= 101; n++) await order(n)
  for (let from = 1; from <= 600; from += 100)
    await takeFor(revision, database, ...Array.from({ length: 100 }, (_, at) => amend(7, from + at)))
  const checked = await checkAll(database)
  expect(checked).toMatchObject({ orders: 101, entries: 701, flaws: [] })
  const db = database.tables<WorkOrderTables>()
  await entry(db, 7, 555).set({ note: "nothing" }).execute()
  await order100(db).execute()
  expect((await checkAll(database)).flaws.map(({ order, sequence }) => [order, sequence])).toEqual([
    ["WO-000007", 555],
    ["WO-000100", null],
  ])
})

const order100 = (db: Tables) => db.updateTable("work_order").set({ site: "south" }).where("number", "=", 100)

const entry = (db: Tables, order: number, sequence: number) =>
  db.updateTable("order_history").where("order_id", "=", orderId(order)).where("sequence", "=", sequence)

const orderRow = (db: Tables, n = 2) => db.updateTable("work_order").where("number", "=", n)

const removeEntries = (db: Tables, order: number, ...sequences: readonly number[]) =>
  db
    .deleteFrom("order_history")
    .where("order_id", "=", orderId(order))
    .where("sequence", "in", sequences)
    .execute()

async function removeOrder(db: Tables, order: number): Promise<void> {
  for (const table of ["order_person", "order_command", "order_history"] as const)
    await db.deleteFrom(table).where("order_id", "=", orderId(order)).execute()
  await db.deleteFrom("work_order").where("id", "=", orderId(order)).execute()
}

async function details(db: Tables, change: (details: Record<string, unknown>) => object): Promise<void> {
  const row = await db
    .selectFrom("work_order")
    .select("details")
    .where("number", "=", 2)
    .executeTakeFirstOrThrow()
  await orderRow(db)
    .set({ details: JSON.stringify(change(JSON.parse(row.details))) })
    .execute()
}

async function swap(db: Tables, one: number, other: number): Promise<void> {
  await entry(db, 2, one).set({ sequence: 99 }).execute()
  await entry(db, 2, other).set({ sequence: one }).execute()
  await entry(db, 2, 99).set({ sequence: other }).execute()
}

/** With a new hash of its own, as somebody would who knows how it is made. */
async function rewritten(db: Tables, sequence: number, note: string): Promise<string> {
  const row = await db
    .selectFrom("order_history")
    .selectAll()
    .where("order_id", "=", orderId(2))
    .where("sequence", "=", sequence)
    .executeTakeFirstOrThrow()
  const { at_ms: atMs, order_id, ...rest } = row
  const hash = hashOfEntry(order_id, { ...rest, atMs, note })
  await entry(db, 2, sequence).set({ note, hash }).execute()
  return hash
}

type Case = readonly [
  string,
  (db: Tables) => Promise<unknown>,
  readonly (readonly [string, number | null, string])[],
]
const order2 = "WO-000002"
const changedEntry = (sequence: number) => [order2, sequence, "was changed after it was written"] as const
const changedOrder = [order2, null, "is not as entry 12 left it"] as const

const tampering: readonly Case[] = [
  ["a note is changed", (db) => entry(db, 2, 4).set({ note: "" }).execute(), [changedEntry(4)]],
  ["who did it is changed", (db) => entry(db, 2, 4).set({ actor: "sara" }).execute(), [changedEntry(4)]],
  ["when it was is changed", (db) => entry(db, 2, 4).set({ at_ms: 1 }).execute(), [changedEntry(4)]],
  ["what it was is changed", (db) => entry(db, 2, 4).set({ kind: "edited" }).execute(), [changedEntry(4)]],
  [
    "what was asked for is changed",
    (db) => entry(db, 2, 4).set({ detail: "{}" }).execute(),
    [changedEntry(4)],
  ],
  ["a state's hash is changed", (db) => entry(db, 2, 4).set({ state: "" }).execute(), [changedEntry(4)]],
  [
    "the hash of an entry is removed",
    (db) => entry(db, 2, 4).set({ hash: "" }).execute(),
    [
      [order2, 4, "has no hash"],
      [order2, 5, "does not follow"],
    ],
  ],
  [
    "an entry is written anew with a hash that fits it",
    (db) => rewritten(db, 4, "nobody knows"),
    [[order2, 5, "does not follow on what is the entry before it now"]],
  ],
  [
    "the newest entry is written anew with a hash that fits it",
    (db) => rewritten(db, 12, "cost nothing"),
    [[order2, null, "does not hold the hash of the newest entry"]],
  ],
  [
    "the newest entry is removed",
    (db) => removeEntries(db, 2, 12),
    [
      [order2, null, "is at version 12, and the newest entry of its history is 11"],
      [order2, null, "does not hold the hash"],
      [order2, null, "is not as entry 11 left it"],
    ],
  ],
  ["an entry is removed", (db) => removeEntries(db, 2, 5), [[order2, 6, "entry 5 before it is missing"]]],
  [
    "entries are removed",
    (db) => removeEntries(db, 2, 5, 6),
    [[order2, 7, "entries 5 to 6 before it are missing"]],
  ],
  [
    "the first entry is removed",
    (db) => removeEntries(db, 2, 1),
    [[order2, 2, "entry 1 before it is missing"]],
  ],
  [
    "a whole history is removed",
    (db) => db.deleteFrom("order_history").where("order_id", "=", orderId(2)).execute(),
    [[order2, null, "has no history"]],
  ],
  [
    "two entries are swapped",
    (db) => swap(db, 4, 5),
    [
      changedEntry(4),
      [order2, 4, "does not follow"],
      changedEntry(5),
      [order2, 5, "does not follow"],
      [order2, 6, "does not follow"],
    ],
  ],
  [
    "an entry is given to another order",
    (db) =>
      entry(db, 3, 3)
        .set({ order_id: orderId(1), sequence: 2 })
        .execute(),
    [
      ["WO-000001", 2, "was changed"],
      ["WO-000001", 2, "does not follow"],
      ["WO-000001", null, "is at version 1, and the newest entry of its history is 2"],
      ["WO-000001", null, "does not hold"],
      ["WO-000001", null, "is not as entry 2 left it"],
      ["WO-000003", null, "is at version 3, and the newest entry of its history is 2"],
      ["WO-000003", null, "does not hold"],
      ["WO-000003", null, "is not as entry 2 left it"],
    ],
  ],
  ["a column is changed", (db) => orderRow(db).set({ priority: 5 }).execute(), [changedOrder]],
  ["its title is changed", (db) => orderRow(db).set({ title: "Bearing" }).execute(), [changedOrder]],
  ["its cost centre is changed", (db) => orderRow(db).set({ cost_centre: "ours" }).execute(), [changedOrder]],
  ["its state is changed", (db) => orderRow(db).set({ state: "verified" }).execute(), [changedOrder]],
  [
    "it is taken out of the open ones",
    (db) => orderRow(db, 1).set({ open: 0 }).execute(),
    [["WO-000001", null, "its column open does not go with the rest of it"]],
  ],
  [
    "its timer is stopped",
    (db) => orderRow(db, 1).set({ timer_ms: null }).execute(),
    [["WO-000001", null, "its column timer_ms does not go with the rest of it"]],
  ],
  [
    "its head is changed",
    (db) => orderRow(db).set({ head: "0" }).execute(),
    [[order2, null, "does not hold the hash"]],
  ],
  [
    "its details are changed",
    (db) => details(db, (all) => ({ ...all, closing: { ...(all.closing as object), verdict: null } })),
    [changedOrder],
  ],
  [
    "something is added to its details",
    (db) => details(db, (all) => ({ ...all, secret: 1 })),
    [[order2, null, "its column details does not go with the rest of it"]],
  ],
  ["its details are no more", (db) => details(db, () => ({})), [[order2, null, "can't be read any more"]]],
  ["its findings are changed", (db) => orderRow(db).set({ findings: "[]" }).execute(), [changedOrder]],
  [
    "its version is turned back",
    (db) => orderRow(db).set({ version: 11 }).execute(),
    [[order2, null, "is at version 11, and the newest entry of its history is 12"], changedOrder],
  ],
  [
    "an order is removed",
    (db) => removeOrder(db, 2),
    [[order2, null, "the order is missing: it was removed"]],
  ],
  ["the newest order is removed", (db) => removeOrder(db, 3), [["WO-000003", null, "the order is missing"]]],
  [
    "orders are removed",
    async (db) => {
      await removeOrder(db, 1)
      await removeOrder(db, 2)
    },
    [["WO-000001", null, "the order is missing, and all up to WO-000002"]],
  ],
  [
    "the newest order is removed with its number",
    async (db) => {
      await removeOrder(db, 3)
      await db.updateTable("order_sequence").set({ last: 2 }).where("name", "=", "order").execute()
    },
    // What no store can know by itself: docs/decisions/0020-audit-chain.md.
    [],
  ],
  [
    "the last number is turned back",
    (db) => db.updateTable("order_sequence").set({ last: 2 }).where("name", "=", "order").execute(),
    [["WO-000003", null, "WO-000002 was the last number that was given out"]],
  ],
  [
    "an order gets another number",
    (db) => orderRow(db, 3).set({ number: 4 }).execute(),
    [
      ["WO-000003", null, "the order is missing"],
      ["WO-000004", null, "WO-000003 was the last number"],
      ["WO-000004", null, "is not as entry 3 left it"],
    ],
  ],
  [
    "an attachment's content is changed",
    (db) =>
      db
        .updateTable("attachment_content")
        .set({ content: base64("no rust") })
        .execute(),
    [[order2, null, "photo of WO-000002 is not what was attached"]],
  ],
  [
    "an attachment's content is removed",
    (db) => db.deleteFrom("attachment_content").execute(),
    [[order2, null, "the content of photo of WO-000002 is not in the store any more"]],
  ],
]

describe("it is found when", () => {
  test.each(tampering)("%s", async (_title, tamper, expected) => {
    const { database } = await filled()
    await tamper(database.tables<WorkOrderTables>())
    const { flaws } = await checkAll(database)
    expect(flaws.map(({ order, sequence, what }) => [order, sequence, what])).toEqual(
      expected.map(([order, sequence, what]) => [order, sequence, expect.stringContaining(what)]),
    )
  })
})

test("what no store can keep as it was given is kept, and hashed, as what it can", async () => {
  const { database, order, perform } = await office()
  await order(1, { title: "half \ud83d and \0 nothing" })
  await perform("paul", "1", "triage", { note: "half \ud83d" })
  expect(await checkAll(database)).toMatchObject({ entries: 2, flaws: [] })
})

test("the hash of an entry is SHA-256 of its parts as JSON, so that anybody can check it", async () => {
  const { database } = await filled()
  const row = await database
    .tables<WorkOrderTables>()
    .selectFrom("order_history")
    .selectAll()
    .where("order_id", "=", orderId(2))
    .where("sequence", "=", 2)
    .executeTakeFirstOrThrow()
  const { order_id, sequence, at_ms, actor, kind, note, detail, state, previous, hash } = row
  const text = JSON.stringify([order_id, sequence, at_ms, actor, kind, note, detail, state, previous])
  expect(createHash("sha256").update(text).digest("hex")).toBe(hash)
})
