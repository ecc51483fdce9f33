import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import type { Revision } from "../../core/catalogue.ts"
import type { Database } from "../../core/db/database.ts"
import { job } from "../../core/job.ts"
import type { AmendOrder, OpenOrder, OrderRequest, SettleOrder } from "../../core/orders.ts"
import type { Finding } from "../../core/vocabulary.ts"
import type { Outcome } from "../../workorders/book.ts"
import { intakeQueue, takeRequests } from "../../workorders/intake.ts"
import { workOrderMigrations } from "../../workorders/migrations.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { openDatabase } from "../database.ts"

const startMs = Date.UTC(2026, 0, 1)
const hour = 3_600_000
/** Of the log. */
const partitions = 4

/** Hours after the year 2026 began. */
export function at(hours: number): number {
  return startMs + hours * hour
}

/** The id of the nth order; its episode has the same digits. */
export function orderId(n: number): string {
  return `00000000-0000-5000-8000-${String(n).padStart(12, "0")}`
}

function episodeId(n: number): string {
  return `00000000-0000-5000-9000-${String(n).padStart(12, "0")}`
}

export function finding(order: number, sequence: number, more: Partial<Finding> = {}): Finding {
  return {
    episode: episodeId(order),
    sequence,
    kind: sequence === 0 ? "opened" : "raised",
    rule: "bearing-hot",
    revision: 1,
    severity: "warning",
    openedAtMs: at(0),
    atMs: at(sequence),
    signal: "temperature",
    value: 80 + sequence,
    limit: 80,
    unit: "degC",
    reason: `temperature ${80 + sequence} degC is above 80 degC`,
    evidence: {
      statistic: "value",
      fromMs: at(sequence),
      toMs: at(sequence),
      samples: [{ signal: "temperature", atMs: at(sequence), value: 80 + sequence }],
      events: [],
      parameters: "0".repeat(64),
    },
    ...more,
  }
}

export function open(order: number, more: Partial<OpenOrder> = {}): OpenOrder {
  return {
    kind: "open",
    order: orderId(order),
    type: "predictive",
    site: "north",
    asset: "P-101",
    component: "bearing",
    mergeKey: "P-101/bearing/repair",
    title: "Bearing of P-101 runs hot",
    description: "",
    template: null,
    job: job.parse({ tasks: ["Check the grease", "Measure vibration"], estimatedHours: 2.5 }),
    priority: 3,
    priorityReason: "warning on a criticality B asset",
    atMs: at(0),
    dueMs: at(100),
    trigger: {
      kind: "rule",
      rule: "bearing-hot",
      ruleKind: "threshold",
      revision: 1,
      episode: episodeId(order),
    },
    findings: [finding(order, 0)],
    costCentre: null,
    ...more,
  }
}

export function amend(order: number, sequence: number, more: Partial<AmendOrder> = {}): AmendOrder {
  return {
    kind: "amend",
    order: orderId(order),
    asset: "P-101",
    priority: 3,
    priorityReason: "warning on a criticality B asset",
    dueMs: at(100),
    atMs: at(sequence),
    finding: finding(order, sequence),
    ...more,
  }
}

/** The bearing of P-101 was replaced so many hours after the year began. */
export function settle(hours = 50, more: Partial<SettleOrder> = {}): SettleOrder {
  return {
    kind: "settle",
    asset: "P-101",
    component: "bearing",
    atMs: at(hours),
    reason: "bearing of P-101 was replaced",
    ...more,
  }
}

/** A directory that goes when the test does. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "millwright-workorders-"))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

/** A store with the room's tables, closed when the test ends. */
export async function openStore(path: string): Promise<Database> {
  const database = await openDatabase(path)
  onTestFinished(() => database.close())
  await database.migrate("workorders", workOrderMigrations(partitions))
  return database
}

export function take(database: Database, ...requests: readonly OrderRequest[]): Promise<readonly Outcome[]> {
  return takeFor(undefined, database, ...requests)
}

/** Orders get the targets of this revision of the plant. */
export function takeFor(
  revision: Revision | undefined,
  database: Database,
  ...requests: readonly OrderRequest[]
): Promise<readonly Outcome[]> {
  return database.transaction<WorkOrderTables, readonly Outcome[]>(
    (trx) => takeRequests(trx, requests, partitions, revision),
    intakeQueue,
  )
}

type Contents = Record<
  | "work_order"
  | "order_alias"
  | "component_replacement"
  | "order_history"
  | "order_outbox"
  | "order_sequence",
  unknown[]
>

/** Everything in the store, row by row, with JSON text as what it says: the order of its keys is no content. */
export async function contents(database: Database): Promise<Contents> {
  const db = database.tables<WorkOrderTables>()
  const orders = await db.selectFrom("work_order").selectAll().orderBy("id").execute()
  const outbox = await db.selectFrom("order_outbox").selectAll().orderBy("id").execute()
  return {
    work_order: orders.map((row) => ({
      ...row,
      details: JSON.parse(row.details),
      findings: JSON.parse(row.findings),
      episodes: JSON.parse(row.episodes),
    })),
    order_alias: await db.selectFrom("order_alias").selectAll().orderBy("id").execute(),
    component_replacement: await db
      .selectFrom("component_replacement")
      .selectAll()
      .orderBy("asset")
      .orderBy("component")
      .execute(),
    order_history: await db
      .selectFrom("order_history")
      .selectAll()
      .orderBy("order_id")
      .orderBy("sequence")
      .execute(),
    order_outbox: outbox.map((row) => ({ ...row, event: JSON.parse(row.event) })),
    order_sequence: await db.selectFrom("order_sequence").selectAll().orderBy("name").execute(),
  }
}
