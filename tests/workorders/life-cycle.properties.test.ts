import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import { type OrderState, orderEvent } from "../../core/orders.ts"
import { hashOfEntry, hashOfOrder } from "../../workorders/chain.ts"
import { type CommandName, commands } from "../../workorders/life-cycle.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { inputs } from "./inputs.ts"
import { office, people } from "./office.ts"
import { scratch } from "./requests.ts"

type Office = Awaited<ReturnType<typeof office>>
type Real = { path: string; office: Office; orders: readonly string[] }
type Model = { readonly orders: { state: OrderState; version: number }[] }

const names = Object.keys(commands) as CommandName[]
const actors = ["paul", "tina", "theo", "carl", "ella", "sara", "adam", "rita", "stan", "ada", "cora"]
/** What a command may be refused with; anything else is a defect. */
const refusals = ["NOT_POSSIBLE", "NOT_ALLOWED", "USAGE", "NOT_FOUND"]

class Do implements fc.AsyncCommand<Model, Real> {
  private readonly at: number
  private readonly actor: string
  private readonly name: CommandName

  constructor(at: number, actor: string, name: CommandName) {
    this.at = at
    this.actor = actor
    this.name = name
  }

  check = () => true

  async run({ orders }: Model, { office, orders: numbers }: Real): Promise<void> {
    const model = orders[this.at]
    const number = numbers[this.at]
    if (model === undefined || number === undefined) throw new Error("there are as many orders as models")
    const { from, to = [] } = commands[this.name]
    const before = await office.get(number)
    office.clock.atMs += 60_000
    const input = inputs(before, office.clock.atMs)[this.name]
    try {
      const { order } = await office.perform(this.actor, number, this.name, input, { version: model.version })
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

  toString = () => `${this.actor} ${this.name} ${this.at}`
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
    const before = await office.get(number)
    const all = inputs(before, office.clock.atMs)
    const results = await Promise.allSettled(
      this.names.map((name) => office.perform("adam", number, name, all[name], { version: model.version })),
    )
    const heard = results.filter(({ status }) => status === "fulfilled").length
    expect(heard).toBeLessThanOrEqual(1)
    for (const result of results)
      if (result.status === "rejected") expect([...refusals, "ORDER_CHANGED"]).toContain(result.reason.code)
    const { state, version } = await office.get(number)
    expect(version).toBe(model.version + heard)
    model.state = state
    model.version = version
  }

  toString = () => `race ${this.names.join(" / ")} ${this.at}`
}

/** The process ends and another one opens the store. */
class Restart implements fc.AsyncCommand<Model, Real> {
  check = () => true

  async run({ orders }: Model, real: Real): Promise<void> {
    const { atMs } = real.office.clock
    await real.office.database.close()
    real.office = await office(people, real.path)
    real.office.clock.atMs = atMs
    for (const [at, { state, version }] of orders.entries())
      expect(await real.office.get(real.orders[at] ?? "")).toMatchObject({ state, version })
  }

  toString = () => "restart"
}

/** The history of every order is a chain that ends with the order as it is, and all of it waits to be published. */
async function everythingHolds({ office, orders }: Real): Promise<void> {
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
}

const which = fc.integer({ min: 0, max: 1 })
const steps = [
  // Those who may do most, more often: or few orders would ever get far.
  fc
    .tuple(which, fc.constantFrom(...actors, "adam", "adam", "adam", "adam"), fc.constantFrom(...names))
    .map(([at, actor, name]) => new Do(at, actor, name)),
  fc
    .tuple(which, fc.constantFrom(...names), fc.constantFrom(...names))
    .map(([at, one, other]) => new Race(at, [one, other])),
  fc.constant(new Restart()),
]

test("whatever people do, together and across restarts, no order is in a state that it may not be in, nothing is lost, and its history holds", async () => {
  const seen = new Set<OrderState>()
  await fc.assert(
    fc.asyncProperty(fc.commands(steps, { maxCommands: 60, size: "max" }), async (all) => {
      const path = join(await scratch(), "plant.db")
      const real: Real = { path, office: await office(people, path), orders: [] }
      const { number: first, state, version } = await real.office.order(1)
      const { number: second } = await real.office.order(2)
      real.orders = [first, second]
      const model: Model = { orders: real.orders.map(() => ({ state, version })) }
      await fc.asyncModelRun(async () => ({ model, real }), all)
      await everythingHolds(real)
      for (const one of model.orders) seen.add(one.state)
      await real.office.database.close()
    }),
    { numRuns: Number(process.env.MILLWRIGHT_RUNS ?? 25) },
  )
  // Random steps that never get anywhere would show nothing.
  expect(seen.size).toBeGreaterThan(4)
})
