import { readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import type { OrderRequest } from "../../core/orders.ts"
import { OrderBook, type Outcome } from "../../workorders/book.ts"
import type { Change, KeptOrder } from "../../workorders/change.ts"
import { amend, at, finding, open, orderId } from "./requests.ts"

const hours = z.number()
const asset = z.string().default("P-101")
const asked = z.union([
  z.strictObject({
    open: z.number(),
    at: hours,
    need: z.string(),
    rule: z.string().optional(),
    plan: z.string().optional(),
    priority: z.number().default(3),
    due: hours,
    asset,
  }),
  z.strictObject({ amend: z.number(), at: hours, priority: z.number(), due: hours }),
  z.strictObject({ credit: z.string(), at: hours, by: z.number().optional(), reason: z.string(), asset }),
])
const mergeCase = z.strictObject({
  case: z.string(),
  requests: z.array(asked),
  outcomes: z.array(z.string()),
  orders: z.array(z.string()),
  history: z.array(z.string()).optional(),
})

function requestOf(one: z.infer<typeof asked>): OrderRequest {
  const atMs = at(one.at)
  if ("credit" in one) {
    const by = one.by === undefined ? null : orderId(one.by)
    return { kind: "credit", asset: one.asset, plan: one.credit, by, atMs, reason: one.reason }
  }
  const urgency = {
    priority: one.priority,
    priorityReason: `priority ${one.priority}`,
    dueMs: at(one.due),
    atMs,
  }
  if ("amend" in one) return amend(one.amend, 1, urgency)
  const { open: number, need, rule = "rule", plan } = one
  const usual = open(number, { ...urgency, asset: one.asset, mergeKey: need })
  if (plan === undefined)
    return {
      ...usual,
      trigger: { ...open(number).trigger, rule } as typeof usual.trigger,
      findings: [finding(number, 0)],
    }
  const trigger = { kind: "plan", plan, revision: 1, dueMs: at(one.due), because: "cron" } as const
  return { ...usual, type: "preventive", trigger, findings: [] }
}

function orderInWords({ order, findingCount }: KeptOrder, orders: readonly KeptOrder[]): string {
  const { number, state, priority, dueMs, trigger, duplicateOf } = order
  const cause = trigger.kind === "rule" ? trigger.rule : trigger.kind === "plan" ? trigger.plan : trigger.kind
  const findings = `${findingCount} finding${findingCount === 1 ? "" : "s"}`
  const other = orders.find((one) => one.order.id === duplicateOf)?.order.number
  const duplicate = other === undefined ? "" : `, duplicate of ${other}`
  return `${number} ${state}, priority ${priority}, due hour ${(dueMs - at(0)) / 3_600_000}: ${cause} (${findings})${duplicate}`
}

const changeInWords = ({ event }: Change) => `${event.order.number} ${event.kind}: ${event.note}`

describe("merge.yaml", () => {
  const text = readFileSync(new URL("./cases/merge.yaml", import.meta.url), "utf8")
  for (const one of z.array(mergeCase).min(1).parse(parse(text))) {
    test(one.case, () => {
      const book = new OrderBook({
        orders: [],
        aliases: new Map(),
        replacements: [],
        lastNumber: 0,
        revision: undefined,
      })
      const outcomes: Outcome[] = one.requests.map((request) => book.take(requestOf(request)))
      expect(outcomes).toEqual(one.outcomes)
      const orders = book.createdOrders()
      expect(orders.map((order) => orderInWords(order, orders))).toEqual(one.orders)
      if (one.history !== undefined)
        expect(book.changes.map(changeInWords).toSorted(byOrder)).toEqual(one.history)
    })
  }
})

/** Those of one order stay in their order. */
function byOrder(a: string, b: string): number {
  return a.slice(0, 9) < b.slice(0, 9) ? -1 : a.slice(0, 9) > b.slice(0, 9) ? 1 : 0
}
