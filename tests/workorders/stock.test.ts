import fc from "fast-check"
import { expect, test } from "vitest"
import { job } from "../../core/job.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import { rounded } from "../../workorders/stock.ts"
import { stockInputs } from "../../workorders/stock-desk.ts"
import { onPostgres } from "../database.ts"
import { office, people } from "./office.ts"
import { at, scratch } from "./requests.ts"

const plant = `${people.replace("sites: [", "sites: [{ id: south }, ")}
stores: [{ id: main, site: north }, { id: van, site: north }, { id: depot, site: south }]
parts:
  - { id: seal, unitCost: 12.5, reorderAt: { main: 2 } }
  - { id: bearing, unitCost: 80 }
  - { id: oil, unitCost: 3 }
`

/** Stores with what is given, as "seal in main: 5", and orders that take what their jobs say. */
async function stores(levels: Readonly<Record<string, number>>, path = ":memory:") {
  const { stock, order, perform, get, clock, database } = await office(plant, path)
  const asker = (actor: string) => ({ actor, atMs: clock.atMs })
  for (const [place, quantity] of Object.entries(levels)) {
    const [part = "", store = ""] = place.split(" in ")
    await stock.receive(stockInputs.receive.parse({ part, store, quantity }), asker("stan"))
  }
  const done = async (who: string, number: string, command: CommandName, input: unknown = {}) =>
    (await perform(who, number, command, input)).note
  return {
    database,
    clock,
    done,
    get,
    /** The nth order, approved. */
    async approved(n: number, materials: readonly unknown[]): Promise<string> {
      const { number } = await order(n, { job: job.parse({ materials }) })
      await perform("paul", number, "submit")
      return number
    },
    /** The nth order, which Tina works on. */
    async working(n: number, materials: readonly unknown[] = []): Promise<string> {
      const { number } = await order(n, { job: job.parse({ materials }) })
      for (const [who, command, input] of [
        ["paul", "submit", {}],
        ["paul", "assign", { to: ["tina"] }],
        ["paul", "dispatch", {}],
        ["tina", "acknowledge", {}],
        ["tina", "start", {}],
      ] as const) {
        await perform(who, number, command, input)
      }
      return number
    },
    receive: async (input: object, actor = "stan") =>
      stock.receive(stockInputs.receive.parse(input), asker(actor)),
    count: async (input: object, actor = "stan") => stock.count(stockInputs.count.parse(input), asker(actor)),
    move: async (input: object, actor = "stan") => stock.move(stockInputs.move.parse(input), asker(actor)),
    list: async (input: object = {}, actor = "stan") => stock.list(stockInputs.list.parse(input), actor),
    history: async (input: object = {}, actor = "ada") =>
      stock.history(stockInputs.history.parse(input), actor),
    /** "seal in main": [on hand, set aside] */
    async levels() {
      const all = (await stock.list(stockInputs.list.parse({}), "stan")).levels
      return Object.fromEntries(
        all.map(({ part, store, onHand, reserved }) => [`${part} in ${store}`, [onHand, reserved]]),
      )
    },
  }
}

test("planning an order sets its materials aside in the first store of the site that has enough", async () => {
  const { approved, done, levels, get } = await stores({
    "seal in main": 1,
    "seal in van": 4,
    "seal in depot": 9,
    "bearing in main": 3,
  })
  const number = await approved(1, [
    { part: "seal", quantity: 2 },
    { part: "bearing", quantity: 3, store: "main" },
  ])
  expect(await done("paul", number, "plan", { startMs: at(1), finishMs: at(2) })).toBe(
    "2026-01-01T01:00Z to 2026-01-01T02:00Z; set aside 2 seal in van, 3 bearing in main",
  )
  expect(await levels()).toMatchObject({
    "seal in main": [1, 0],
    "seal in van": [4, 2],
    "bearing in main": [3, 3],
  })
  expect((await get(number)).work.reserved).toEqual([
    { part: "seal", store: "van", quantity: 2 },
    { part: "bearing", store: "main", quantity: 3 },
  ])
})

test("a shortage is told and not refused, and what came since is set aside the next time", async () => {
  const { approved, done, receive, levels } = await stores({ "seal in main": 1, "seal in van": 1 })
  const number = await approved(1, [
    { part: "seal", quantity: 4 },
    { part: "bearing", quantity: 1, store: "van" },
  ])
  expect(await done("paul", number, "plan", { startMs: at(1), finishMs: at(2) })).toContain(
    "set aside 1 seal in main, 1 seal in van; short of 2 seal, 1 bearing in van",
  )
  await receive({ part: "seal", store: "main", quantity: 10 })
  expect(await done("stan", number, "reserve")).toBe("set aside 2 seal in main; short of 1 bearing in van")
  await receive({ part: "bearing", store: "van", quantity: 1 })
  expect(await done("stan", number, "reserve")).toBe("set aside 1 bearing in van")
  expect(await done("stan", number, "reserve")).toBe("all its materials are set aside already")
  expect(await levels()).toMatchObject({
    "seal in main": [11, 3],
    "seal in van": [1, 1],
    "bearing in van": [1, 1],
  })
})

test("a part that the job names twice is set aside for both", async () => {
  const { approved, done, get } = await stores({ "seal in main": 9 })
  const twice = [
    { part: "seal", quantity: 2 },
    { part: "seal", quantity: 3 },
  ]
  const number = await approved(1, twice)
  await done("stan", number, "reserve")
  await done("stan", number, "reserve")
  expect((await get(number)).work.reserved).toEqual([{ part: "seal", store: "main", quantity: 5 }])
})

test("a part is taken from what is set aside for the order, then from what is free, at what it costs", async () => {
  const { working, done, levels, get, clock } = await stores({ "seal in main": 5, "seal in van": 2 })
  const number = await working(1, [{ part: "seal", quantity: 2, store: "van" }])
  await done("stan", number, "reserve")
  clock.atMs = at(3)
  expect(await done("tina", number, "use-part", { part: "seal", quantity: 3 })).toBe(
    "took 2 seal from van, 1 seal from main",
  )
  expect(await levels()).toEqual({ "seal in main": [4, 0], "seal in van": [0, 0] })
  const { work } = await get(number)
  expect(work.reserved).toEqual([])
  expect(work.parts).toEqual([
    { part: "seal", store: "van", quantity: 2, unitCost: 12.5, by: "tina", atMs: at(3) },
    { part: "seal", store: "main", quantity: 1, unitCost: 12.5, by: "tina", atMs: at(3) },
  ])
  expect(await done("stan", number, "reserve")).toBe("all its materials are set aside already")
})

test("what is set aside for another order can't be taken, nor what is not there", async () => {
  const { working, done, levels } = await stores({ "seal in main": 3 })
  const first = await working(1, [{ part: "seal", quantity: 2 }])
  const second = await working(2)
  await done("stan", first, "reserve")
  const before = await levels()
  for (const [input, why] of [
    [{ part: "seal", quantity: 2 }, "WO-000002 can't take 2 of seal: main has 1 free (2 set aside)"],
    [{ part: "seal", quantity: 1, store: "van" }, "WO-000002 can't take 1 of seal from van: main has 1 free"],
    [{ part: "bearing" }, "WO-000002 can't take 1 of bearing: no store has any; receive some first"],
    [{ part: "seel" }, 'there is no part "seel" in the plant: did you mean seal?'],
    [{ part: "gear" }, 'there is no part "gear" in the plant: expected one of seal, bearing, oil'],
    [
      { part: "seal", store: "attic" },
      'there is no store "attic" in the plant: expected one of main, van, depot',
    ],
  ] as const) {
    await expect(done("tina", second, "use-part", input)).rejects.toMatchObject({
      code: "NOT_POSSIBLE",
      message: expect.stringContaining(why),
    })
  }
  await expect(done("tina", second, "use-part", { part: "seal", quantity: -1 })).rejects.toMatchObject({
    code: "USAGE",
  })
  expect(await levels()).toEqual(before)
})

test("a part comes back to the store that it was taken from", async () => {
  const { working, done, levels, get } = await stores({ "seal in main": 2, "seal in van": 1 })
  const number = await working(1)
  await done("tina", number, "use-part", { part: "seal", quantity: 3 })
  expect(await levels()).toEqual({ "seal in main": [0, 0], "seal in van": [0, 0] })
  await expect(done("tina", number, "return-part", { part: "seal", quantity: 4 })).rejects.toThrow(
    "WO-000001 took 3 of seal, so 4 can't come back",
  )
  expect(await done("tina", number, "return-part", { part: "seal", quantity: 2, note: "wrong size" })).toBe(
    "brought back 1 seal to van, 1 seal to main: wrong size",
  )
  expect(await levels()).toEqual({ "seal in main": [1, 0], "seal in van": [1, 0] })
  expect((await get(number)).work.parts).toMatchObject([{ store: "main", quantity: 1 }])
})

test("an order that ends gives back what it did not use", async () => {
  const { approved, working, done, levels, get } = await stores({ "seal in main": 5, "bearing in main": 5 })
  const materials = [
    { part: "seal", quantity: 2 },
    { part: "bearing", quantity: 1 },
  ]
  const given = await approved(1, materials)
  await done("stan", given, "reserve")
  await done("paul", given, "cancel", { reason: "scrapped" })
  expect(await levels()).toEqual({ "seal in main": [5, 0], "bearing in main": [5, 0] })

  const worked = await working(2, materials)
  await done("stan", worked, "reserve")
  await done("tina", worked, "use-part", { part: "seal" })
  await done("tina", worked, "complete")
  await done("tina", worked, "finding", { problem: "HOT", mechanism: "LUB", remedy: "LUB" })
  await done("tina", worked, "verdict", { verdict: "confirmed" })
  await done("paul", worked, "close")
  expect(await levels()).toEqual({ "seal in main": [4, 0], "bearing in main": [5, 0] })
  expect((await get(worked)).work.reserved).toEqual([])
})

test("what is set aside can be released before the end, of one part or of all", async () => {
  const { approved, done, levels } = await stores({ "seal in main": 5, "bearing in main": 5 })
  const number = await approved(1, [
    { part: "seal", quantity: 2 },
    { part: "bearing", quantity: 1 },
  ])
  await done("stan", number, "reserve")
  expect(await done("stan", number, "release", { part: "seal", note: "needed elsewhere" })).toBe(
    "released 2 seal in main: needed elsewhere",
  )
  expect(await levels()).toEqual({ "seal in main": [5, 0], "bearing in main": [5, 1] })
  await done("stan", number, "release")
  await expect(done("stan", number, "release")).rejects.toThrow("nothing is set aside for WO-000001")
  expect(await levels()).toEqual({ "seal in main": [5, 0], "bearing in main": [5, 0] })
})

test("coming to the reorder point is told once, and shown as long as it lasts", async () => {
  const { approved, working, done, list, receive, move } = await stores({
    "seal in main": 6,
    "bearing in main": 1,
  })
  const low = async () =>
    (await list({ low: true })).levels.map(({ part, store, free }) => `${part} in ${store}: ${free}`)
  expect(await low()).toEqual([])
  const first = await approved(1, [{ part: "seal", quantity: 3 }])
  expect(await done("stan", first, "reserve")).toBe("set aside 3 seal in main")
  const second = await working(2)
  expect(await done("tina", second, "use-part", { part: "seal" })).toBe(
    "took 1 seal from main; order more of seal: 2 free in main, reorder point 2",
  )
  expect(await low()).toEqual(["seal in main: 2"])
  expect(await done("tina", second, "use-part", { part: "seal" })).toBe("took 1 seal from main")
  expect((await receive({ part: "seal", store: "main", quantity: 5 })).note).toBe("received 5 seal in main")
  expect(await low()).toEqual([])
  expect((await move({ part: "seal", from: "main", to: "van", quantity: 4 })).note).toBe(
    "moved 4 seal from main to van; order more of seal: 2 free in main, reorder point 2",
  )
})

test("a part that should be in a store and never was there is at its reorder point", async () => {
  const { list } = await stores({})
  expect(await list({ low: true })).toEqual({
    levels: [
      {
        part: "seal",
        store: "main",
        site: "north",
        onHand: 0,
        reserved: 0,
        free: 0,
        reorderAt: 2,
        low: true,
      },
    ],
    left: 0,
  })
})

test("the list is of a part, a store or a site, and says how much more there is", async () => {
  const { list } = await stores({
    "seal in main": 5,
    "seal in depot": 1,
    "bearing in main": 1,
    "oil in van": 0.5,
  })
  const shown = async (input: object) =>
    (await list(input)).levels.map(({ part, store }) => `${part} in ${store}`)
  expect(await shown({})).toEqual(["bearing in main", "oil in van", "seal in depot", "seal in main"])
  expect(await shown({ part: "seal" })).toEqual(["seal in depot", "seal in main"])
  expect(await shown({ store: "main" })).toEqual(["bearing in main", "seal in main"])
  expect(await shown({ site: "south" })).toEqual(["seal in depot"])
  expect(await list({ limit: 1 })).toMatchObject({ levels: [{ part: "bearing" }], left: 3 })
  await expect(list({ part: "gear" })).rejects.toThrow('there is no part "gear"')
})

test("a count sets the level, with what the book said and why, and never below what is set aside", async () => {
  const { approved, done, count, levels } = await stores({ "seal in main": 5 })
  const number = await approved(1, [{ part: "seal", quantity: 2 }])
  await done("stan", number, "reserve")
  const counted = await count({ part: "seal", store: "main", quantity: 4, reason: "one was cracked" })
  expect(counted.note).toContain("counted 4 seal in main, 5 by the book: one was cracked")
  expect(counted.levels).toMatchObject([{ store: "main", onHand: 4, reserved: 2, free: 2 }])
  await expect(count({ part: "seal", store: "main", quantity: 1, reason: "lost" })).rejects.toThrow(
    "2 seal in main are set aside for orders, so 1 can't be all: release some first (millwright orders release)",
  )
  expect(await levels()).toEqual({ "seal in main": [4, 2] })
})

test("only what is free is moved, between two stores that are there", async () => {
  const { approved, done, move, levels } = await stores({ "seal in main": 5 })
  const number = await approved(1, [{ part: "seal", quantity: 2 }])
  await done("stan", number, "reserve")
  const seal = { part: "seal", from: "main", quantity: 4 }
  await expect(move({ ...seal, to: "van" })).rejects.toThrow(
    "main has 3 seal free and 2 set aside for orders: 4 can't be moved",
  )
  await expect(move({ ...seal, to: "main" })).rejects.toThrow("name two stores")
  await expect(move({ ...seal, to: "vam" })).rejects.toThrow('there is no store "vam" in the plant')
  expect(await levels()).toMatchObject({ "seal in main": [5, 2] })
})

test("only who keeps the stores changes them, and only who works in the plant looks", async () => {
  const { receive, count, move, list } = await stores({ "seal in main": 5 })
  const place = { part: "seal", store: "main", quantity: 1 }
  for (const refused of [
    receive(place, "tina"),
    count({ ...place, reason: "so" }, "ella"),
    move({ part: "seal", from: "main", to: "van", quantity: 1 }, "carl"),
    list({}, "rita"),
    list({}, "cora"),
    receive(place, "nobody"),
  ]) {
    await expect(refused).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  }
  await expect(list({}, "tina")).resolves.toMatchObject({ levels: [{ onHand: 5 }] })
  await expect(receive(place, "paul")).resolves.toMatchObject({ repeated: false })
})

test("a command that is sent again is not done again", async () => {
  const { receive, count, levels } = await stores({})
  const id = "3b0a2a35-6a46-4f7d-bc4a-3f3f0c1a2b10"
  const seal = { part: "seal", store: "main", quantity: 5, note: "DN-1", id }
  const sent = await Promise.all([receive(seal), receive(seal), receive(seal)])
  expect(sent.map(({ repeated }) => repeated).toSorted()).toEqual([false, true, true])
  expect(new Set(sent.map(({ note }) => note))).toEqual(new Set(["received 5 seal in main: DN-1"]))
  expect(await levels()).toEqual({ "seal in main": [5, 0] })
  const used = "was used before (received 5 seal in main: DN-1): make a new one"
  for (const other of [{ part: "oil" }, { quantity: 6 }])
    await expect(receive({ ...seal, ...other })).rejects.toThrow(used)
  await expect(count({ part: "seal", store: "main", quantity: 3, reason: "less", id })).rejects.toThrow(used)
})

test("the history tells who moved what, when and why, and adds up to the levels", async () => {
  const { working, done, history, count, clock } = await stores({ "seal in main": 5 })
  const number = await working(1, [{ part: "seal", quantity: 2 }])
  clock.atMs = at(1)
  await done("stan", number, "reserve")
  clock.atMs = at(2)
  await done("tina", number, "use-part", { part: "seal", quantity: 2 })
  await count({ part: "seal", store: "main", quantity: 2, reason: "inventory" })
  expect(
    (await history({ part: "seal" })).map(({ atMs, actor, onHand, reserved, note }) => [
      atMs,
      actor,
      onHand,
      reserved,
      note,
    ]),
  ).toEqual([
    [at(2), "stan", -1, 0, "counted 2 seal in main, 3 by the book: inventory"],
    [at(2), "tina", -2, -2, "use-part WO-000001"],
    [at(1), "stan", 0, 2, "reserve WO-000001"],
    [at(0), "stan", 5, 0, "received 5 seal in main"],
  ])
  expect(await history({ store: "van" })).toEqual([])
})

test("stock and what is set aside are there after a restart", async () => {
  const path = `${await scratch()}/stock.db`
  const before = await stores({ "oil in van": 0.3 }, path)
  const number = await before.approved(1, [{ part: "oil", quantity: 0.1 }])
  await before.done("stan", number, "reserve")
  await before.database.close()
  const { levels, done, get } = await stores({}, path)
  expect(await levels()).toMatchObject({ "oil in van": [0.3, 0.1] })
  await done("stan", number, "release")
  expect((await get(number)).work.reserved).toEqual([])
})

test("many at once take no more than there is, and nothing is lost", async () => {
  const { working, done, levels, receive, move } = await stores({ "seal in main": 7, "seal in van": 2 })
  const orders = await Promise.all(
    Array.from({ length: 6 }, (_, n) => working(n + 1, [{ part: "seal", quantity: 1 }])),
  )
  const outcomes = await Promise.allSettled([
    ...orders.map((number) => done("stan", number, "reserve")),
    ...orders.map((number) => done("tina", number, "use-part", { part: "seal", quantity: 2 })),
    ...orders.map(() => move({ part: "seal", from: "main", to: "van", quantity: 1 })),
    receive({ part: "seal", store: "van", quantity: 1 }),
  ])
  const failures = outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason] : []))
  for (const failure of failures) expect(failure).toMatchObject({ code: "NOT_POSSIBLE" })
  const after = await levels()
  const used = orders.length - failures.filter(({ message }) => message.includes("can't take")).length
  const total = Object.values(after).reduce((sum, [onHand = 0]) => sum + onHand, 0)
  expect(total).toBe(10 - 2 * used)
  for (const [onHand = 0, reserved = 0] of Object.values(after)) {
    expect(reserved).toBeGreaterThanOrEqual(0)
    expect(onHand).toBeGreaterThanOrEqual(reserved)
  }
})

type Move =
  | { readonly kind: "reserve" | "release"; readonly order: number }
  | {
      readonly kind: "use-part" | "return-part"
      readonly order: number
      readonly part: string
      readonly quantity: number
    }
  | {
      readonly kind: "receive" | "count"
      readonly part: string
      readonly store: string
      readonly quantity: number
    }
  | { readonly kind: "move"; readonly part: string; readonly quantity: number }

const quantity = fc.integer({ min: 1, max: 40 }).map((tenths) => tenths / 10)
const part = fc.constantFrom("seal", "oil")
const order = fc.integer({ min: 0, max: 2 })
const anyMove: fc.Arbitrary<Move> = fc.oneof(
  fc.record({ kind: fc.constantFrom("reserve", "release"), order }),
  fc.record({ kind: fc.constantFrom("use-part", "return-part"), order, part, quantity }),
  fc.record({
    kind: fc.constantFrom("receive", "count"),
    part,
    store: fc.constantFrom("main", "van"),
    quantity,
  }),
  fc.record({ kind: fc.constant("move"), part, quantity }),
)

test("whatever is done, in whatever order, levels are what their history says and cover what orders hold", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyMove, { maxLength: 25 }), async (moves) => {
      const plant = await stores({})
      const materials = [
        { part: "seal", quantity: 1.1 },
        { part: "oil", quantity: 0.7 },
      ]
      const orders = [
        await plant.working(1, materials),
        await plant.working(2, materials),
        await plant.working(3),
      ]
      for (const move of moves) {
        await carryOut(plant, orders, move).catch((error: unknown) => {
          expect(error).toMatchObject({ code: "NOT_POSSIBLE" })
        })
        const held: Record<string, number> = {}
        for (const number of orders) {
          for (const { part, store, quantity } of (await plant.get(number)).work.reserved)
            held[`${part} in ${store}`] = rounded((held[`${part} in ${store}`] ?? 0) + quantity)
        }
        for (const [place, [onHand = 0, reserved = 0]] of Object.entries(await plant.levels())) {
          expect(reserved, place).toBe(held[place] ?? 0)
          expect(onHand, place).toBeGreaterThanOrEqual(reserved)
        }
      }
      const told: Record<string, number> = {}
      for (const { part, store, onHand } of await plant.history({ limit: 1000 }))
        told[`${part} in ${store}`] = rounded((told[`${part} in ${store}`] ?? 0) + onHand)
      for (const [place, [onHand = 0]] of Object.entries(await plant.levels()))
        expect(told[place] ?? 0, place).toBe(onHand)
    }),
    { numRuns: onPostgres ? 4 : 15 },
  )
})

function carryOut(
  plant: Awaited<ReturnType<typeof stores>>,
  orders: readonly string[],
  move: Move,
): Promise<unknown> {
  switch (move.kind) {
    case "reserve":
    case "release":
      return plant.done("stan", orders[move.order] ?? "", move.kind)
    case "use-part":
    case "return-part":
      return plant.done("tina", orders[move.order] ?? "", move.kind, {
        part: move.part,
        quantity: move.quantity,
      })
    case "receive": {
      const { kind: _kind, ...input } = move
      return plant.receive(input)
    }
    case "count": {
      const { kind: _kind, ...input } = move
      return plant.count({ ...input, reason: "inventory" })
    }
    case "move":
      return plant.move({ part: move.part, quantity: move.quantity, from: "main", to: "van" })
  }
}
