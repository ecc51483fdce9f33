/**
 * How long the lists of a large store take: 100,000 orders of three years, of which some thousands are open.
 *
 *   npm run bench:orders -- --orders 100000 [--postgres postgres://…]
 */
import { mkdtemp, rm } from "node:fs/promises"
import { cpus, tmpdir } from "node:os"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { parseArgs } from "node:util"
import { sql } from "kysely"
import { pino } from "pino"
import { v5 as uuidv5 } from "uuid"
import { systemClock } from "../core/clock.ts"
import type { Database } from "../core/db/database.ts"
import { openPostgresDatabase } from "../core/db/postgres.ts"
import { openSqliteDatabase } from "../core/db/sqlite.ts"
import { job } from "../core/job.ts"
import { type OpenOrder, type OrderState, orderStates } from "../core/orders.ts"
import { orderTypes } from "../core/vocabulary.ts"
import { type KeptOrder, openOrder } from "../workorders/change.ts"
import { workOrderMigrations } from "../workorders/migrations.ts"
import { orderQueries } from "../workorders/queries.ts"
import { toRow } from "../workorders/rows.ts"
import type { WorkOrderTables } from "../workorders/tables.ts"

const { values: options } = parseArgs({
  options: { orders: { type: "string", default: "100000" }, postgres: { type: "string" } },
})
const count = Number(options.orders)
const startMs = Date.UTC(2024, 0, 1)
const namespace = "2f7b8f0e-43c1-4f58-8a62-6c6f0d3c9a11"
const hour = 3_600_000
const people = Array.from({ length: 40 }, (_, n) => `person-${n}`)
const usualJob = job.parse({
  tasks: [
    "Lock out and tag out",
    "Replace the bearing",
    "Align",
    { title: "Run for an hour", after: ["2", "3"] },
  ],
  checklist: ["No leak", { text: "Vibration", answer: { kind: "number", unit: "mm/s", max: 2.8 } }],
  estimatedHours: 6,
  skills: ["alignment"],
})

/** Nine of ten are done with; the others stand in all the other states. */
function stateOf(n: number): OrderState {
  if (n % 10 !== 0) return n % 50 === 1 ? "cancelled" : "closed"
  return orderStates[(n / 10) % orderStates.length] ?? "requested"
}

function order(n: number): KeptOrder {
  const atMs = startMs + Math.floor((n / count) * 3 * 365 * 24) * hour
  const request: OpenOrder = {
    kind: "open",
    order: uuidv5(String(n), namespace),
    type: orderTypes[n % orderTypes.length] ?? "reactive",
    site: `site-${n % 8}`,
    asset: `asset-${n % 2000}`,
    component: "bearing",
    mergeKey: String(n),
    title: `Bearing of asset-${n % 2000} runs hot`,
    description: "Vibration has risen for a week, and the bearing is warm.",
    template: null,
    job: usualJob,
    priority: 1 + (n % 5),
    priorityReason: "warning on an asset of criticality B",
    atMs,
    dueMs: atMs + 14 * 24 * hour,
    trigger: { kind: "person", by: "paul" },
    findings: [],
    costCentre: null,
  }
  const { kept } = openOrder(request, n + 1)
  const state = stateOf(n)
  const assignees = [people[n % people.length] ?? ""]
  return { ...kept, order: { ...kept.order, state, assignees } }
}

async function fill(database: Database): Promise<void> {
  const batch = 500
  for (let from = 0; from < count; from += batch) {
    const rows = Array.from({ length: Math.min(batch, count - from) }, (_, at) => order(from + at))
    await database.transaction<WorkOrderTables, void>(async (trx) => {
      await trx.insertInto("work_order").values(rows.map(toRow)).execute()
      const assigned = rows.map((kept) => {
        const { id, open, number } = toRow(kept)
        return { order_id: id, person: kept.order.assignees[0] ?? "", open, number }
      })
      await trx.insertInto("order_person").values(assigned).execute()
    })
    if (from % 20_000 === 0) process.stderr.write(`\r${from} of ${count} orders `)
  }
  process.stderr.write(`\r${count} orders            \n`)
  // What PostgreSQL does by itself within a minute of so many changes.
  if (options.postgres !== undefined) await sql`vacuum analyze`.execute(database.tables())
}

const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0

async function measure(database: Database) {
  const orders = orderQueries(database)
  const lateMs = startMs + 2.9 * 365 * 24 * hour
  const questions: Record<string, () => Promise<unknown>> = {
    "newest 50": () => orders.list(),
    "page 1,000": () => orders.list({ after: String(count - 50_000) }),
    "state requested": () => orders.list({ state: "requested" }),
    "state closed": () => orders.list({ state: "closed" }),
    "closed at a site, priority 1": () => orders.list({ state: "closed", site: "site-3", priority: 1 }),
    "of an asset": () => orders.list({ asset: "asset-77" }),
    "of a type": () => orders.list({ type: "installation" }),
    open: () => orders.list({ open: true }),
    "open of a person": () => orders.list({ person: "person-7" }),
    overdue: () => orders.list({ dueBeforeMs: lateMs }),
    "overdue, at a site": () => orders.list({ dueBeforeMs: lateMs, site: "site-3" }),
    "board, 20 a column": () => orders.board({ limit: 20 }),
    "board of a site": () => orders.board({ site: "site-3", limit: 20 }),
    counts: () => orders.counts(),
    "one order with its history": () => orders.get("WO-050000"),
  }
  const rows: Record<string, { median: string; slowest: string }> = {}
  for (const [name, ask] of Object.entries(questions)) {
    const times: number[] = []
    for (let n = 0; n < 25; n++) {
      const beganMs = performance.now()
      await ask()
      times.push(performance.now() - beganMs)
    }
    rows[name] = { median: `${median(times).toFixed(1)} ms`, slowest: `${Math.max(...times).toFixed(1)} ms` }
  }
  console.table(rows)
}

const directory = await mkdtemp(join(tmpdir(), "millwright-bench-"))
const database =
  options.postgres === undefined
    ? await openSqliteDatabase(join(directory, "plant.db"))
    : await openPostgresDatabase({
        url: options.postgres,
        connections: 4,
        clock: systemClock,
        logger: pino({ level: "warn" }),
      })
try {
  await database.migrate("workorders", workOrderMigrations(64))
  await fill(database)
  await measure(database)
  console.log(
    `${count} orders on ${options.postgres === undefined ? "SQLite" : "PostgreSQL"}; ${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}`,
  )
} finally {
  await database.close()
  await rm(directory, { recursive: true })
}
