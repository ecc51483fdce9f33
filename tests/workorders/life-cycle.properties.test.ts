import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { job } from "../../core/job.ts"
import { type OrderState, orderEvent, orderStates, type WorkOrder } from "../../core/orders.ts"
import { hashOfEntry, hashOfOrder } from "../../workorders/chain.ts"
import { type CommandName, commands, possibleIn } from "../../workorders/life-cycle.ts"
import { stockInputs } from "../../workorders/stock-desk.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { onPostgres } from "../database.ts"
import { inputs } from "./inputs.ts"
import { office, people } from "./office.ts"
import { scratch } from "./requests.ts"

type Office = Awaited<ReturnType<typeof office>>
type Real = { path: string; office: Office; orders: readonly string[] }
type Model = { readonly orders: { state: OrderState; version: number }[] }

const names = Object.keys(commands) as CommandName[]

/** A plant in which every part of an order's life means something. */
const plant = `${people}
crafts: [{ id: fitter, rate: 60 }]
stores: [{ id: main, site: north }]
parts: [{ id: seal-40, unitCost: 12.5, reorderAt: { main: 2 } }]
approvals:
  - { id: all, levels: [{ by: supervisor }, { by: engineer, above: 200 }], expires: 2h }
budgets: [{ costCentre: utilities, year: 2026, amount: 1000 }]
sla:
  targets: { "2": { respond: 30m, complete: 2h }, "3": { respond: 1h, complete: 8h } }
`
const content = job.parse({
  tasks: ["Check the grease", "Measure vibration"],
  checklist: ["No leak", { text: "Runs quietly", required: false }],
  materials: [{ part: "seal-40", quantity: 2 }],
  permits: [{ kind: "lock-out" }],
  estimatedHours: 3,
})

const actors = ["paul", "tina", "theo", "carl", "ella", "sara", "adam", "rita", "stan", "ada", "cora"]
/** What a command may be refused with; anything else is a defect. */
const refusals = ["NOT_POSSIBLE", "NOT_ALLOWED", "USAGE", "NOT_FOUND"]

/** What is due by the clock happens, and is seen by all. */
async function catchUp(orders: Model["orders"], office: Office, numbers: readonly string[]): Promise<void> {
  await office.desk.tick(office.clock.atMs)
  for (const [at, model] of orders.entries()) {
    const { state, version } = await office.get(numbers[at] ?? "")
    if (state !== model.state) expect([model.state, state]).toEqual(["awaiting-approval", "triaged"])
    expect(version).toBeGreaterThanOrEqual(model.version)
    Object.assign(model, { state, version })
  }
}

class Do implements fc.AsyncCommand<Model, Real> {
  private readonly at: number
  private readonly actor: string
  private readonly pick: number
  /** One that the state allows; else any. */
  private readonly fits: boolean
  private name: CommandName | undefined

  constructor(at: number, actor: string, pick: number, fits: boolean) {
    this.at = at
    this.actor = actor
    this.pick = pick
    this.fits = fits
  }

  check = () => true

  async run({ orders }: Model, { office, orders: numbers }: Real): Promise<void> {
    const model = orders[this.at]
    const number = numbers[this.at]
    if (model === undefined || number === undefined) throw new Error("there are as many orders as models")
    await catchUp(orders, office, numbers)
    const choice = this.fits ? possibleIn(model.state) : names
    const name = choice[this.pick % Math.max(1, choice.length)] ?? "note"
    this.name = name
    const { from, to = [] }: { from: readonly OrderState[]; to?: readonly OrderState[] } = commands[name]
    const before = await office.get(number)
    const input = inputs(before, office.clock.atMs)[name]
    try {
      const { order } = await office.perform(this.actor, number, name, input, { version: model.version })
      expect(from).toContain(model.state)
      expect([model.state, ...to]).toContain(order.state)
      expect(order.version).toBe(model.version + 1)
      model.state = order.state
      model.version = order.version
    } catch (error) {
      if (error instanceof Error && "code" in error && refusals.includes(String(error.code)))
        expect(await office.get(number)).toEqual(before)
      else throw error
    }
  }

  toString = () => `${this.actor} ${this.name ?? this.pick} ${this.at}`
}

/** Who usually does what next: random steps alone would take few orders far. */
type Habits = Partial<Record<OrderState, readonly (readonly [string, CommandName])[]>>
const usual: Habits = {
  requested: [["paul", "triage"]],
  triaged: [["paul", "submit"]],
  "awaiting-approval": [
    ["sara", "approve"],
    ["ella", "approve"],
    ["adam", "approve"],
  ],
  rejected: [["paul", "submit"]],
  approved: [["paul", "plan"]],
  planned: [["paul", "assign"]],
  assigned: [["paul", "dispatch"]],
  dispatched: [["tina", "acknowledge"]],
  acknowledged: [
    ["sara", "grant-permit"],
    ["tina", "start"],
  ],
  "in-progress": [
    ["tina", "use-part"],
    ["tina", "task"],
    ["theo", "task"],
    ["tina", "check"],
    ["tina", "return-permit"],
    ["tina", "complete"],
  ],
  "on-hold": [["tina", "resume"]],
  completed: [["sara", "verify"]],
  reopened: [
    ["sara", "grant-permit"],
    ["tina", "start"],
  ],
  verified: [
    ["tina", "finding"],
    ["ella", "verdict"],
    ["paul", "close"],
  ],
}

/** What takes an order back. */
const setbacks: Habits = {
  "awaiting-approval": [["sara", "reject"]],
  dispatched: [["tina", "decline"]],
  "in-progress": [["tina", "hold"]],
  completed: [["sara", "reopen"]],
  verified: [["ella", "reopen"]],
}

/** All that is done by habit in a state. */
class Habit implements fc.AsyncCommand<Model, Real> {
  private readonly at: number
  private readonly habits: Habits

  constructor(at: number, habits: Habits) {
    this.at = at
    this.habits = habits
  }

  check = () => true

  async run(model: Model, real: Real): Promise<void> {
    const one = model.orders[this.at]
    const state = one?.state ?? "closed"
    for (const [who, name] of this.habits[state] ?? []) {
      if (one?.state === state) await new Do(this.at, who, names.indexOf(name), false).run(model, real)
    }
  }

  toString = () => `${this.habits === usual ? "onward" : "back"} ${this.at}`
}

/** Two people at the same time, both having seen the same version: at most one of them is heard. */
class Race implements fc.AsyncCommand<Model, Real> {
  private readonly at: number
  private readonly names: readonly [CommandName, CommandName]

  constructor(at: number, names: readonly [CommandName, CommandName]) {
    this.at = at
    this.names = names
  }

  check = () => true

  async run({ orders }: Model, { office, orders: numbers }: Real): Promise<void> {
    const model = orders[this.at]
    const number = numbers[this.at]
    if (model === undefined || number === undefined) throw new Error("there are as many orders as models")
    await catchUp(orders, office, numbers)
    const before = await office.get(number)
    const all = inputs(before, office.clock.atMs)
    const results = await Promise.allSettled(
      this.names.map((name) => office.perform("adam", number, name, all[name], { version: model.version })),
    )
    const heard = results.filter(({ status }) => status === "fulfilled").length
    expect(heard).toBeLessThanOrEqual(1)
    for (const result of results)
      if (result.status === "rejected") expect([...refusals, "ORDER_CHANGED"]).toContain(result.reason.code)
    const { order, history } = await office.queries.get(number)
    const since = history.filter(({ sequence }) => sequence > model.version)
    // What became due by the first one's word may have happened before the second was heard.
    expect(since.filter(({ actor }) => actor === "adam")).toHaveLength(heard)
    const { state, version } = order
    model.state = state
    model.version = version
  }

  toString = () => `race ${this.names.join(" / ")} ${this.at}`
}

/** Time passes: requests for approval expire, people are told that orders are late. */
class Wait implements fc.AsyncCommand<Model, Real> {
  private readonly minutes: number

  constructor(minutes: number) {
    this.minutes = minutes
  }

  check = () => true

  async run({ orders }: Model, { office, orders: numbers }: Real): Promise<void> {
    office.clock.atMs += this.minutes * 60_000
    await catchUp(orders, office, numbers)
  }

  toString = () => `${this.minutes} minutes pass`
}

/** The process ends and another one opens the store. */
class Restart implements fc.AsyncCommand<Model, Real> {
  check = () => true

  async run({ orders }: Model, real: Real): Promise<void> {
    const { atMs } = real.office.clock
    await real.office.database.close()
    real.office = await office(plant, real.path)
    real.office.clock.atMs = atMs
    for (const [at, { state, version }] of orders.entries())
      expect(await real.office.get(real.orders[at] ?? "")).toMatchObject({ state, version })
  }

  toString = () => "restart"
}

/** Stock and budgets are what the orders say that they took of them. */
async function booksBalance({ office }: Real, all: readonly WorkOrder[]): Promise<void> {
  const db = office.database.tables<WorkOrderTables>()
  const sum = (amounts: readonly number[]) => amounts.reduce((total, one) => total + one, 0)
  const [level] = await db.selectFrom("stock_level").selectAll().execute()
  const reserved = sum(all.flatMap(({ work }) => work.reserved.map(({ quantity }) => quantity)))
  const used = sum(all.flatMap(({ work }) => work.parts.map(({ quantity }) => quantity)))
  expect(level).toMatchObject({ reserved, on_hand: stocked - used })
  expect(stocked - used).toBeGreaterThanOrEqual(reserved)
  const use = await db.selectFrom("budget_use").selectAll().execute()
  const committed = sum(all.flatMap(({ approval }) => approval?.committed?.amount ?? []))
  expect(sum(use.map((one) => one.committed))).toBeCloseTo(committed, 6)
}

/**
 * The history of every order is a chain that ends with the order as it is, and all of it waits to be published. Gives the
 * states that were passed through.
 */
async function everythingHolds({ path, office, orders }: Real): Promise<readonly OrderState[]> {
  const db = office.database.tables<WorkOrderTables>()
  const outbox = await db.selectFrom("order_outbox").selectAll().orderBy("id").execute()
  const events = outbox.map(({ event }) => orderEvent.parse(JSON.parse(event)))
  for (const number of orders) {
    const order = await office.get(number)
    const history = await db
      .selectFrom("order_history")
      .selectAll()
      .where("order_id", "=", order.id)
      .orderBy("sequence")
      .execute()
    expect(history.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: order.version }, (_, n) => n + 1),
    )
    let previous = ""
    for (const { at_ms, ...entry } of history) {
      expect(entry.previous).toBe(previous)
      expect(hashOfEntry(order.id, { ...entry, atMs: at_ms })).toBe(entry.hash)
      previous = entry.hash
    }
    expect(history.at(-1)?.state).toBe(hashOfOrder(order))
    const told = events.filter((event) => event.order.id === order.id)
    expect(told.map(({ sequence }) => sequence)).toEqual(history.map(({ sequence }) => sequence))
    expect(told.at(-1)?.order).toEqual(order)
  }
  await booksBalance({ path, office, orders }, await Promise.all(orders.map((number) => office.get(number))))
  return events.map(({ order }) => order.state)
}

const stocked = 5
const isLong = process.env.MILLWRIGHT_LONG !== undefined
/** One with which the few runs of every day pass through all states. */
const seed = 1
const which = fc.integer({ min: 0, max: 1 })
const pick = fc.integer({ min: 0, max: 999 })
// Those who may do most, more often: or few orders would ever get far.
const anybody = fc.constantFrom(...actors, "adam", "adam", "adam", "adam", "adam", "adam", "adam", "adam")
const steps = [
  which.map((at) => new Habit(at, usual)),
  which.map((at) => new Habit(at, usual)),
  which.map((at) => new Habit(at, usual)),
  which.map((at) => new Habit(at, usual)),
  which.map((at) => new Habit(at, setbacks)),
  fc.tuple(which, anybody, pick).map(([at, actor, number]) => new Do(at, actor, number, true)),
  fc.tuple(which, anybody, pick).map(([at, actor, number]) => new Do(at, actor, number, false)),
  fc
    .tuple(which, fc.constantFrom(...names), fc.constantFrom(...names))
    .map(([at, one, other]) => new Race(at, [one, other])),
  fc.integer({ min: 1, max: 90 }).map((minutes) => new Wait(minutes)),
  fc.constant(new Restart()),
]

test("whatever people do, together and across restarts, no order is in a state that it may not be in, nothing is lost, and its history holds", async () => {
  const seen = new Set<OrderState>()
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 60, size: "max" }), async (all) => {
      const path = join(await scratch(), "plant.db")
      const real: Real = { path, office: await office(plant, path), orders: [] }
      const asked = { job: content, costCentre: "utilities" }
      const { number: first, state, version } = await real.office.order(1, asked)
      const { number: second } = await real.office.order(2, asked)
      const { receive } = stockInputs
      await real.office.stock.receive(receive.parse({ part: "seal-40", store: "main", quantity: stocked }), {
        actor: "stan",
        atMs: real.office.clock.atMs,
      })
      real.orders = [first, second]
      const model: Model = { orders: real.orders.map(() => ({ state, version })) }
      await fc.asyncModelRun(async () => ({ model, real }), all)
      for (const state of await everythingHolds(real)) seen.add(state)
      await real.office.database.close()
    }),
    // Long runs take another way each time.
    isLong ? { numRuns: 300 } : { numRuns: onPostgres ? 6 : 25, seed },
  )
  // Steps that never get anywhere would show nothing.
  if (!onPostgres) expect([...seen].toSorted()).toEqual(orderStates.toSorted())
})
