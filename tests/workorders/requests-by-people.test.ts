import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import { orderTypes } from "../../core/vocabulary.ts"
import { createRequestDesk, newOrder } from "../../workorders/requests-by-people.ts"
import { office } from "./office.ts"
import { at, open, take } from "./requests.ts"

const bottling = readFileSync(join(import.meta.dirname, "../../examples/orders/plant.yaml"), "utf8")
const id = "7d0c1f8e-53a2-4a0e-8b40-3b0a6e1f2c01"
const id2 = "7d0c1f8e-53a2-4a0e-8b40-3b0a6e1f2c02"

/** The bottling plant of the examples, where people ask for work. */
async function desk(plant = bottling, path = ":memory:") {
  const there = await office(plant, path)
  const requests = createRequestDesk({
    database: there.database,
    newest: () => there.revision,
    partitions: 4,
  })
  return {
    ...there,
    ask: (actor: string, ask: object) =>
      requests.open(newOrder.parse({ asset: "P-101", id, ...ask }), { actor, atMs: there.clock.atMs }),
  }
}

test("the example plant has people of every role and a template of every type", () => {
  const plant = parsePlant(bottling)
  expect(new Set(plant.people.flatMap(({ roles }) => roles)).size).toBe(10)
  expect(plant.templates.map(({ type }) => type).toSorted()).toEqual(orderTypes.toSorted())
})

test("whoever asks in their own words gets an order with the plant's urgency and date", async () => {
  const { ask, queries } = await desk()
  const { order, repeated, similar } = await ask("rita", { title: "Seal leaks", component: "seal" })
  expect(order).toMatchObject({
    number: "WO-000001",
    type: "reactive",
    state: "requested",
    site: "riverside",
    component: "seal",
    title: "Seal leaks",
    priority: 3,
    priorityReason: "asked for by a person, counts as warning on an asset of criticality A",
    requestedMs: at(0),
    dueMs: at(14 * 24),
    costCentre: "utilities",
    trigger: { kind: "person", by: "rita" },
    requester: { kind: "person", id: "rita", name: "Rita Lang", contact: null },
  })
  expect({ repeated, similar }).toEqual({ repeated: false, similar: [] })
  const { history } = await queries.get("1")
  expect(history).toMatchObject([{ kind: "created", actor: "rita", note: "asked for by rita" }])
})

test("what is stated goes before what the plant says", async () => {
  const { ask } = await desk()
  const asked = { title: "Paint it", priority: 5, dueMs: at(30), costCentre: "filling", description: "Blue." }
  expect((await ask("paul", asked)).order).toMatchObject({
    priority: 5,
    priorityReason: "asked for by paul",
    dueMs: at(30),
    costCentre: "filling",
    description: "Blue.",
  })
})

describe("a template", () => {
  const fields = { noise: "yes", leak: "drops", temperature: "64.5" }

  test("gives its type, its words and its job, and its fields are kept in their kinds", async () => {
    const { ask } = await desk()
    const { order } = await ask("rita", { template: "pump-repair", description: "Since noon", fields })
    expect(order).toMatchObject({
      type: "reactive",
      template: "pump-repair",
      title: "Repair P-101",
      description: "Since noon\n\nSomebody has seen or heard that the pump is not as it should be.",
      fields: { noise: true, leak: "drops", temperature: 64.5 },
    })
    expect(order.job.tasks.map(({ title }) => title)).toEqual([
      "Isolate P-101 and prove that it is dead",
      "Find the fault",
      "Mend it",
    ])
    expect(order.job.permits).toHaveLength(1)
  })

  test("has its component filled in, and asks for it", async () => {
    const { ask } = await desk()
    const { order } = await ask("ella", { template: "bearing-check", component: "bearing" })
    expect(order).toMatchObject({ type: "predictive", title: "Check and replace the bearing of P-101" })
    expect(order.job.tasks[1]?.title).toBe("Replace the bearing if it is worn")
    await expect(ask("ella", { template: "bearing-check", id: id2 })).rejects.toThrow(
      "the template bearing-check is about a component: say which",
    )
  })

  test("refuses what does not fit its fields, all of it at once and each by its label", async () => {
    const { ask, queries } = await desk()
    const wrong = { leak: "river", temperature: "warm", nois: "yes" }
    await expect(ask("rita", { template: "pump-repair", fields: wrong })).rejects.toMatchObject({
      code: "USAGE",
      message: [
        "fields of the template pump-repair:",
        '  "noise" (Does it make a noise?): is missing; expected yes or no',
        '  "leak" (How much does it leak?): expected one of none, drops, jet, got "river"',
        '  "temperature" (Temperature of the casing in degC): expected a number, got "warm"',
        '  "nois": the template has no such field; did you mean "noise"?',
      ].join("\n"),
    })
    expect((await queries.list()).orders).toEqual([])
  })

  test("is for its own type, and no fields are without one", async () => {
    const { ask } = await desk()
    await expect(ask("rita", { template: "pump-repair", type: "preventive", fields })).rejects.toThrow(
      "the template pump-repair is for reactive orders, not preventive ones",
    )
    await expect(ask("rita", { title: "a", fields })).rejects.toThrow("say which template")
  })
})

test("an installation has phases and is for somebody", async () => {
  const { ask } = await desk()
  const line = { asset: "F-1", template: "line-installation", fields: { bottle: "0.5 l", speed: 12000 } }
  await expect(ask("paul", line)).rejects.toThrow("give the customer or the sales order")
  const { order } = await ask("paul", { ...line, customer: "alpine-springs", salesOrder: "SO-4711" })
  expect(order).toMatchObject({
    type: "installation",
    customer: "alpine-springs",
    salesOrder: "SO-4711",
    job: { phases: ["prepare", "build", "commission"], signOff: true },
  })
  const free = { type: "installation", title: "Second pump", salesOrder: "SO-1", phases: ["build", "test"] }
  expect((await ask("paul", { ...free, id: id2 })).order.job.phases).toEqual(["build", "test"])
  await expect(ask("paul", { ...line, salesOrder: "SO-1", phases: ["build"] })).rejects.toThrow(
    /these phases don't fit the template: .*no phase "prepare"/,
  )
  await expect(ask("paul", { title: "a", phases: ["b"] })).rejects.toThrow("only an installation has phases")
})

test("specialised work takes its obligation, documents and qualifications from its template", async () => {
  const { ask } = await desk()
  const { order } = await ask("ella", {
    asset: "B-1",
    template: "safety-valve-inspection",
    fields: { certificate: "TI-2025-88" },
  })
  expect(order).toMatchObject({
    type: "specialised",
    job: {
      obligation: { authority: "Trade inspectorate" },
      documents: ["certificate.pdf"],
      qualifications: ["pressure-equipment"],
      safety: "critical",
    },
  })
})

test.each(["two\nlines", "a\0b", " "])("the title %j is no line", (title) => {
  expect(newOrder.safeParse({ asset: "P-101", id, title }).success).toBe(false)
})

test("sent again under the same id, no second order is made", async () => {
  const { ask, queries } = await desk()
  const first = await ask("rita", { title: "Seal leaks" })
  const again = await ask("rita", { title: "Seal leaks" })
  expect(again).toMatchObject({ repeated: true, order: { id: first.order.id, version: 1 } })
  const sent = await Promise.all(Array.from({ length: 5 }, () => ask("rita", { title: "Hot", id: id2 })))
  expect(new Set(sent.map(({ order }) => order.number))).toEqual(new Set(["WO-000002"]))
  expect((await queries.list()).orders).toHaveLength(2)
})

test("an id is good for one request; sent again later it is known, though its date has passed by then", async () => {
  const { ask, clock } = await desk()
  const asked = { title: "Seal leaks", dueMs: at(10) }
  await ask("rita", asked)
  clock.atMs = at(20)
  expect(await ask("rita", asked)).toMatchObject({ repeated: true, order: { number: "WO-000001" } })
  await expect(ask("rita", { title: "Door squeaks" })).rejects.toMatchObject({
    code: "USAGE",
    message: `the id ${id} was used for another request of yours: make a new one`,
  })
})

test("open orders that may be about the same are told, and none is merged", async () => {
  const { ask, database } = await desk()
  await take(database, open(1, { site: "riverside", component: "seal", title: "Seal", mergeKey: "1" }))
  await take(database, open(2, { site: "riverside", component: "bearing", mergeKey: "2" }))
  await take(database, open(3, { site: "riverside", asset: "P-102", component: "seal", mergeKey: "3" }))
  const { order, similar } = await ask("rita", { title: "Drops below the pump", component: "seal" })
  expect(order.number).toBe("WO-000004")
  expect(similar).toEqual([{ number: "WO-000001", state: "requested", title: "Seal", component: "seal" }])
  const { similar: all } = await ask("rita", { title: "Something", id: id2 })
  expect(all.map(({ number }) => number)).toEqual(["WO-000004", "WO-000002", "WO-000001"])
})

describe("a customer", () => {
  test("asks for themselves, and hears of no other's orders", async () => {
    const { ask } = await desk()
    await ask("rita", { title: "Label is askew", asset: "F-1" })
    const { order, similar } = await ask("cora", { title: "Bottles are scratched", asset: "F-1", id: id2 })
    expect(order).toMatchObject({
      customer: "alpine-springs",
      requester: { kind: "customer", id: "cora", contact: "orders@alpine-springs.example" },
    })
    expect(similar).toEqual([])
  })

  test("asks for no other customer, and does not say who pays", async () => {
    const other = bottling.replace("customers:\n", "customers:\n  - { id: brewery, name: Brewery }\n")
    const { ask } = await desk(other)
    await expect(ask("cora", { title: "a", customer: "brewery" })).rejects.toMatchObject({
      code: "NOT_ALLOWED",
      message: "cora may ask for alpine-springs only, not for brewery",
    })
    await expect(ask("cora", { title: "a", costCentre: "filling" })).rejects.toMatchObject({
      code: "NOT_ALLOWED",
    })
    const unknown = await desk(bottling.replace(", customer: alpine-springs", ""))
    await expect(unknown.ask("cora", { title: "a" })).rejects.toThrow(
      "the plant file does not say whose customer cora is",
    )
  })
})

test.each(["carl", "stan", "ada", "nobody"])("%s may not ask for work", async (actor) => {
  const { ask } = await desk()
  await expect(ask(actor, { title: "a" })).rejects.toMatchObject({ code: "NOT_ALLOWED" })
})

test.each([
  [
    { asset: "P-103", title: "a" },
    "NOT_FOUND",
    'there is no asset "P-103" in the plant: did you mean "P-101"?',
  ],
  [
    { template: "pump" },
    "NOT_FOUND",
    'there is no template "pump" in the plant: expected one of pump-repair',
  ],
  [{ title: "a", customer: "x" }, "NOT_FOUND", "expected one of alpine-springs"],
  [{ title: "a", component: "wheel" }, "USAGE", 'P-101 has no component "wheel": expected one of bearing'],
  [{}, "USAGE", "give a title, or a template"],
  [{ title: "a", dueMs: at(-1) }, "USAGE", "is past: give a later one"],
])("%j is refused with what to do", async (wrong, code, message) => {
  const { ask } = await desk()
  await expect(ask("paul", wrong)).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
})
