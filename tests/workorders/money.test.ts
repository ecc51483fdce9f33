import { expect, test } from "vitest"
import { job } from "../../core/job.ts"
import { type Bid, noWork, type Work, type WorkOrder } from "../../core/orders.ts"
import { parsePlant } from "../../core/plant.ts"
import { comparedBids } from "../../workorders/bids.ts"
import { actualCost, estimatedCost, money } from "../../workorders/money.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { at } from "./requests.ts"

const prices = `
crafts: [{ id: mechanic, rate: 60 }, { id: electrician, rate: 80 }]
parts: [{ id: seal, unitCost: 12.5 }, { id: grease, unitCost: 0.1 }]
`
const plant = parsePlant(people + prices)

const bid = (contractor: string, amount: number, state: Bid["state"] = "offered", hours = 0): Bid => ({
  id: "00000000-0000-4000-8000-000000000001",
  contractor,
  amount,
  hours: null,
  note: "",
  document: null,
  state,
  by: contractor,
  atMs: at(hours),
})

const estimates: readonly (readonly [string, unknown, readonly Bid[], object])[] = [
  ["nothing is stated", {}, [], { labour: 0, parts: 0, services: 0, total: 0 }],
  ["only hours: the plant's first craft", { estimatedHours: 2.5 }, [], { labour: 150, total: 150 }],
  [
    "tasks with hours, each by its craft",
    {
      estimatedHours: 99,
      tasks: [{ title: "a", hours: 1 }, { title: "b", hours: 2, craft: "electrician" }, "c"],
    },
    [],
    { labour: 220, total: 220 },
  ],
  [
    "materials; a part that has left the plant costs nothing",
    {
      materials: [
        { part: "seal", quantity: 3 },
        { part: "gone", quantity: 9 },
      ],
    },
    [],
    { parts: 37.5, total: 37.5 },
  ],
  ["services", { services: 500 }, [bid("carl", 400)], { services: 500, total: 500 }],
  [
    "the accepted bid instead",
    { services: 500 },
    [bid("carl", 400, "accepted")],
    { services: 400, total: 400 },
  ],
  [
    "no dust of binary fractions",
    { materials: [{ part: "grease", quantity: 3 }], services: 0.6 },
    [],
    { parts: 0.3, total: 0.9 },
  ],
]

test.each(estimates)("what an order is expected to cost: %s", (_, stated, bids, cost) => {
  expect(estimatedCost({ job: job.parse(stated), bids: [...bids] }, plant)).toMatchObject(cost)
})

test("what an order cost: clocked labour, parts at the price of then, and the accepted bid", () => {
  const span = { person: "tina", craft: "mechanic", kind: "work", attempt: 1 } as const
  const used = { part: "seal", store: "main", by: "tina", atMs: at(1) }
  const work: Work = {
    ...noWork,
    labour: [
      { ...span, rate: 60, startMs: at(1), endMs: at(2.5) },
      { ...span, rate: 70, startMs: at(3), endMs: at(4), kind: "travel" },
      { ...span, rate: 70, startMs: at(4), endMs: null },
    ],
    parts: [{ ...used, quantity: 2, unitCost: 11 }],
  }
  expect(
    actualCost({ work, job: job.parse({ services: 500 }), bids: [bid("carl", 300, "accepted")] }),
  ).toEqual({ labour: 160, parts: 22, services: 300, total: 482 })
})

test("money is written with its currency", () => {
  expect(money(1234567.5, plant)).toBe("1,234,567.50 EUR")
})

test("bids are compared cheapest first, each with its difference to what was expected", () => {
  const bids = [bid("carl", 600), bid("cleo", 450, "declined", 2), bid("cora", 450, "offered", 1)]
  const compared = comparedBids({ bids, job: job.parse({ services: 500 }) })
  expect(compared.map(({ contractor, difference }) => [contractor, difference])).toEqual([
    ["cora", -50],
    ["cleo", -50],
    ["carl", 100],
  ])
  expect(comparedBids({ bids, job: job.parse({}) })[0]?.difference).toBeNull()
})

const budgets = `${people}
budgets: [{ costCentre: pumps, year: 2026, amount: 1000 }]
`
const ofPumps = (services: number) => ({ costCentre: "pumps", job: job.parse({ services }) })

async function paying(plantFile = budgets) {
  const made = await office(plantFile)
  return {
    ...made,
    async use() {
      const rows = await made.database
        .tables<WorkOrderTables>()
        .selectFrom("budget_use")
        .selectAll()
        .execute()
      return rows.map(({ cost_centre, year, committed, spent }) => ({ cost_centre, year, committed, spent }))
    },
    async finish({ number }: WorkOrder) {
      for (const command of ["assign", "dispatch"] as const)
        await made.perform("paul", number, command, command === "assign" ? { to: ["tina"] } : {})
      for (const command of ["acknowledge", "start"] as const) await made.perform("tina", number, command)
    },
  }
}

test("approval commits the estimated cost, and cancelling gives exactly that back", async () => {
  const { order, perform, use } = await paying()
  const { number } = await order(1, ofPumps(600))
  const { note, order: approved } = await perform("paul", number, "submit")
  expect(note).toBe("needs no approval; estimated cost 600.00 EUR; 600.00 EUR committed on pumps for 2026")
  expect(approved.approval?.committed).toEqual({ costCentre: "pumps", year: 2026, amount: 600 })
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 600, spent: 0 }])
  const { order: cancelled } = await perform("paul", number, "cancel", { reason: "the pump is sold" })
  expect(cancelled.approval?.committed).toBeNull()
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 0, spent: 0 }])
})

test("closing replaces what was committed by what it cost, in the year of its approval", async () => {
  const { order, perform, use, clock, finish } = await paying()
  // Of a plan, so that closing it takes no finding.
  const trigger = { kind: "plan", plan: "yearly", revision: 1, dueMs: at(0), because: "cron" } as const
  const content = job.parse({ services: 600 })
  const made = await order(1, { costCentre: "pumps", job: content, type: "preventive", trigger })
  await perform("carl", made.number, "bid", { amount: 450 })
  await perform("paul", made.number, "submit")
  await perform("paul", made.number, "accept-bid", { bid: "carl" })
  await finish(made)
  await perform("tina", made.number, "complete")
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 600, spent: 0 }])
  clock.atMs = at(366 * 24)
  await perform("paul", made.number, "close")
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 0, spent: 450 }])
})

test("taking an approval back gives back what it had committed, and the parts that were set aside", async () => {
  const { order, perform, use, stock } = await paying(`${budgets}
stores: [{ id: main, site: north }]
parts: [{ id: seal, unitCost: 100 }]
`)
  const content = job.parse({ services: 500, materials: [{ part: "seal", quantity: 2 }] })
  await stock.receive({ part: "seal", store: "main", quantity: 5, note: "" }, { actor: "stan", atMs: at(0) })
  const { number } = await order(1, { costCentre: "pumps", job: content })
  await perform("paul", number, "submit")
  await perform("paul", number, "plan", { startMs: at(1), finishMs: at(2) })
  const { order: back, note } = await perform("paul", number, "withdraw", { reason: "it takes more" })
  expect(back).toMatchObject({ state: "triaged", approval: null, planned: null, work: { reserved: [] } })
  expect(note).toBe("took back the approval: it takes more")
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 0, spent: 0 }])
  expect((await perform("paul", number, "submit")).order.state).toBe("approved")
  expect((await use())[0]?.committed).toBe(700)
})

test("what a cost centre uses is counted without a budget, and orders without a cost centre use nothing", async () => {
  const { order, perform, use } = await paying(people)
  const [first, second] = [await order(1, ofPumps(5000)), await order(2, { job: job.parse({ services: 9 }) })]
  await perform("paul", first.number, "submit")
  await perform("paul", second.number, "submit")
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 5000, spent: 0 }])
})

test("what its budget does not cover waits for an admin, who has to say why, and then is committed", async () => {
  const { order, perform, use } = await paying()
  await perform("paul", (await order(1, ofPumps(700))).number, "submit")
  const { number } = await order(2, ofPumps(300.01))
  const { note, order: asked } = await perform("paul", number, "submit")
  const figures =
    "the budget of pumps for 2026 is 1,000.00 EUR, with 700.00 EUR committed and 0.00 EUR spent: 300.01 EUR more is over it"
  expect(note).toBe(`waits for admin (${figures}); estimated cost 300.01 EUR`)
  expect(asked).toMatchObject({ state: "awaiting-approval", approval: { overBudget: true } })
  await expect(perform("sara", number, "approve")).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  await expect(perform("adam", number, "approve")).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: "WO-000002 is over its budget: state in a comment why it is to be done all the same",
  })
  await perform("adam", number, "approve", { comment: "the line would stand" })
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 1000.01, spent: 0 }])
})

test("an order that fits its budget to the cent is let through", async () => {
  const { order, perform } = await paying()
  await perform("paul", (await order(1, ofPumps(700.1))).number, "submit")
  const { number } = await order(2, ofPumps(299.9))
  expect((await perform("paul", number, "submit")).order.state).toBe("approved")
})

test("a budget that others have used up meanwhile refuses the last approval, with the three figures", async () => {
  const { order, perform, use } = await paying(
    `${budgets}approvals: [{ id: dear, levels: [{ by: supervisor, above: 500 }] }]`,
  )
  const { number } = await order(1, ofPumps(600))
  await perform("paul", number, "submit")
  await perform("paul", (await order(2, ofPumps(450))).number, "submit")
  await expect(perform("sara", number, "approve")).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message:
      "the budget of pumps for 2026 is 1,000.00 EUR, with 450.00 EUR committed and 0.00 EUR spent: 600.00 EUR more is over it. Withdraw WO-000001 and submit it again, and an admin decides; or raise the budget",
  })
  expect((await use())[0]?.committed).toBe(450)
  await perform("paul", number, "withdraw", { reason: "the budget is used up" })
  expect((await perform("paul", number, "submit")).order.approval?.levels.map(({ by }) => by)).toEqual([
    "supervisor",
    "admin",
  ])
})

test("two orders for the rest of a budget, approved at once, are not both let through", async () => {
  const { order, perform, use } = await paying()
  const numbers = [await order(1, ofPumps(600)), await order(2, ofPumps(600))].map(({ number }) => number)
  const done = await Promise.all(numbers.map((number) => perform("paul", number, "submit")))
  expect(done.map(({ order: { state } }) => state).toSorted()).toEqual(["approved", "awaiting-approval"])
  expect((await use())[0]?.committed).toBe(600)
})

test("a bid is for the contractor alone, the newer replaces the older, and the one chosen sets the cost", async () => {
  const { order, perform, get } = await paying()
  const { number } = await order(1, ofPumps(500))
  await expect(perform("carl", number, "bid", { amount: 1, contractor: "ACME" })).rejects.toThrow(
    "carl offers for themselves only: leave the contractor out",
  )
  await expect(perform("paul", number, "bid", { amount: 1 })).rejects.toThrow("say whose offer it is")
  await expect(perform("carl", number, "bid", { amount: 1, document: "offer.pdf" })).rejects.toThrow(
    'WO-000001 has no attachment "offer.pdf": attach it first',
  )
  await expect(perform("tina", number, "bid", { amount: 1 })).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  await perform("carl", number, "bid", { amount: 480, hours: 6 })
  expect((await perform("carl", number, "bid", { amount: 450 })).note).toBe(
    "carl offers 450.00 EUR instead of 480.00 EUR",
  )
  await perform("paul", number, "bid", { amount: 520, contractor: "ACME Pumps", note: "by telephone" })
  await expect(perform("paul", number, "accept-bid", { bid: "Zeta" })).rejects.toThrow(
    'WO-000001 has no open bid of "Zeta": carl, ACME Pumps can be accepted',
  )
  const { note } = await perform("paul", number, "accept-bid", { bid: "ACME Pumps", note: "sooner there" })
  expect(note).toBe("accepted: ACME Pumps at 520.00 EUR, not carl at 450.00 EUR: sooner there")
  expect((await get(number)).bids.map(({ contractor, state }) => [contractor, state])).toEqual([
    ["carl", "declined"],
    ["carl", "declined"],
    ["ACME Pumps", "accepted"],
  ])
  await expect(perform("paul", number, "bid", { amount: 1, contractor: "ACME Pumps" })).rejects.toThrow(
    "the offer of ACME Pumps was accepted already",
  )
  expect((await perform("paul", number, "submit")).order.approval?.cost).toBe(520)
})

test("a bid above what was approved takes the order back: it is submitted again", async () => {
  const { order, perform, use } = await paying()
  const { number } = await order(1, ofPumps(500))
  await perform("paul", number, "submit")
  await perform("carl", number, "bid", { amount: 650 })
  const { order: back, note } = await perform("paul", number, "accept-bid", { bid: "carl" })
  expect(back).toMatchObject({ state: "triaged", approval: null })
  expect(note).toContain("estimated at 650.00 EUR, more than was approved: to be submitted again")
  expect(await use()).toEqual([{ cost_centre: "pumps", year: 2026, committed: 0, spent: 0 }])
})
