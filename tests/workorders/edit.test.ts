import { describe, expect, test } from "vitest"
import { job } from "../../core/job.ts"
import { office, people } from "./office.ts"
import { at } from "./requests.ts"

const money = `${people}
crafts: [{ id: mechanic, rate: 50 }]
parts: [{ id: seal, unitCost: 100 }]
stores: [{ id: main, site: north }]
approvals: [{ id: cost, levels: [{ by: supervisor, above: 400 }] }]
`

test("an edit changes what is stated and nothing else, and the history says what was there before", async () => {
  const { order, perform, queries } = await office()
  const before = await order(1)
  const { order: after, note } = await perform("paul", "1", "edit", {
    title: "Replace the bearing of P-101",
    estimatedHours: 4,
    skills: ["vibration", "pumps"],
    sop: { document: "SOP-12", revision: 3 },
    reason: "seen on site",
  })
  expect(after).toEqual({
    ...before,
    title: "Replace the bearing of P-101",
    job: {
      ...before.job,
      estimatedHours: 4,
      skills: ["vibration", "pumps"],
      sop: { document: "SOP-12", revision: "3" },
    },
    version: 2,
  })
  expect(note).toBe(
    'title "Replace the bearing of P-101" instead of "Bearing of P-101 runs hot"; ' +
      "estimated hours 4 instead of 2.5; skills vibration, pumps instead of none; " +
      "sop SOP-12 3 instead of none; seen on site",
  )
  expect((await queries.get("1")).history.at(-1)).toMatchObject({ kind: "edited", actor: "paul", note })
})

test("another priority takes a reason, which the order shows from then on", async () => {
  const { order, perform } = await office()
  await order(1)
  await expect(perform("paul", "1", "edit", { priority: 1 })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("a change of the priority takes a reason"),
  })
  const { order: after } = await perform("paul", "1", "edit", { priority: 1, reason: "smoke" })
  expect(after).toMatchObject({ priority: 1, priorityReason: "smoke" })
})

test("a text of several lines is one line of the history, and a long one its beginning", async () => {
  const { order, perform } = await office()
  await order(1)
  const description = `Look at the seal.\n${"Then at the bearing. ".repeat(10)}`
  const { note } = await perform("paul", "1", "edit", { description })
  expect(note).toMatch(/^description "Look at the seal. Then at the bearing. .*… instead of none$/)
})

test("a title is one line", async () => {
  const { order, perform } = await office()
  await order(1)
  for (const title of ["two\nlines", "a\0b", " "]) {
    await expect(perform("paul", "1", "edit", { title })).rejects.toMatchObject({ code: "USAGE" })
  }
})

test("an edit that changes nothing is refused", async () => {
  const { order, perform } = await office()
  await order(1)
  for (const input of [{}, { title: "Bearing of P-101 runs hot" }, { reason: "because" }]) {
    await expect(perform("paul", "1", "edit", input)).rejects.toThrow("WO-000001 says all this already")
  }
})

test("a component is one that the asset's class has", async () => {
  const { order, perform } = await office()
  await order(1)
  await expect(perform("paul", "1", "edit", { component: "wheel" })).rejects.toThrow(
    'P-101 has no component "wheel": expected one of bearing, seal',
  )
  expect((await perform("paul", "1", "edit", { component: "seal" })).order.component).toBe("seal")
})

test("materials are parts of the plant, from its stores", async () => {
  const { order, perform } = await office(money)
  await order(1)
  const edit = (material: object) => perform("paul", "1", "edit", { materials: [material] })
  await expect(edit({ part: "wheel", quantity: 1 })).rejects.toThrow('there is no part "wheel"')
  await expect(edit({ part: "seal", quantity: 1, store: "south" })).rejects.toThrow('no store "south"')
  expect((await edit({ part: "seal", quantity: 1, store: "main" })).order.job.materials).toHaveLength(1)
})

test("what a template asks of those who do the work is added to, not taken away", async () => {
  const { order, perform } = await office()
  await order(1, {
    template: "inspection",
    job: job.parse({
      qualifications: ["pressure"],
      permits: [{ kind: "lock-out" }],
      documents: ["certificate"],
    }),
  })
  await expect(perform("paul", "1", "edit", { qualifications: [] })).rejects.toThrow(
    "the template inspection asks for the qualifications pressure: list them too",
  )
  await expect(perform("paul", "1", "edit", { permits: [{ kind: "hot work" }] })).rejects.toThrow("lock-out")
  await expect(perform("paul", "1", "edit", { documents: ["photo"] })).rejects.toThrow("certificate")
  const more = { qualifications: ["welding", "pressure"] }
  expect((await perform("paul", "1", "edit", more)).order.job).toMatchObject(more)
})

describe("once approval was asked for", () => {
  async function submitted() {
    const there = await office(money)
    await there.order(1, { costCentre: "pumps", job: job.parse({ estimatedHours: 4 }) })
    await there.perform("paul", "1", "submit")
    return there
  }

  test("the work can't come to cost more than what was decided on", async () => {
    const { perform } = await submitted()
    await expect(perform("paul", "1", "edit", { services: 1000 })).rejects.toMatchObject({
      code: "NOT_POSSIBLE",
      message:
        "WO-000001 was submitted for approval at 200.00 EUR, and this would make it 1,200.00 EUR: withdraw it, change it, and submit it again",
    })
    await expect(perform("paul", "1", "edit", { estimatedHours: 5 })).rejects.toThrow("250.00 EUR")
    await perform("paul", "1", "edit", { estimatedHours: 3 })
    await perform("paul", "1", "edit", { estimatedHours: 1, services: 100 })
  })

  test.each([
    [{ costCentre: "other" }, "at the cost of pumps"],
    [{ shutdown: true }, "as work without a shutdown"],
    [{ safety: "critical" }, "as work that is not critical for safety"],
  ])("%j is refused", async (input, message) => {
    const { perform } = await submitted()
    await expect(perform("paul", "1", "edit", input)).rejects.toThrow(message)
  })

  test("what can't be withdrawn any more leaves a follow-up order", async () => {
    const { perform } = await submitted()
    await perform("paul", "1", "assign", { to: ["tina"] })
    await expect(perform("paul", "1", "edit", { services: 1000 })).rejects.toThrow(
      "ask for the rest with a follow-up order",
    )
  })

  test("after it was taken back all can be changed", async () => {
    const { perform } = await submitted()
    await perform("paul", "1", "withdraw", { reason: "a crane is needed" })
    const { order } = await perform("paul", "1", "edit", { services: 1000, shutdown: true })
    expect(order.job).toMatchObject({ services: 1000, shutdown: true })
  })

  test("words and urgency can still be changed", async () => {
    const { perform } = await submitted()
    await perform("paul", "1", "edit", { title: "Seal", priority: 1, reason: "drips on the motor" })
  })
})

test("an edit is for planners, and not for what is finished", async () => {
  const { order, perform } = await office()
  await order(1)
  for (const actor of ["rita", "cora", "tina", "carl", "stan", "ada"]) {
    await expect(perform(actor, "1", "edit", { title: "a" })).rejects.toMatchObject({ code: "NOT_ALLOWED" })
    await expect(perform(actor, "1", "postpone", { dueMs: at(200) })).rejects.toMatchObject({
      code: "NOT_ALLOWED",
    })
  }
  await perform("paul", "1", "cancel", { reason: "sold" })
  await expect(perform("paul", "1", "edit", { title: "a" })).rejects.toMatchObject({ code: "NOT_POSSIBLE" })
})

describe("the due date", () => {
  test("is moved, and each time is kept", async () => {
    const { order, perform } = await office()
    await order(1)
    await perform("paul", "1", "postpone", { dueMs: at(200) })
    const { order: after, note } = await perform("sara", "1", "postpone", {
      dueMs: at(150),
      reason: "the stop comes earlier",
    })
    expect(after).toMatchObject({
      dueMs: at(150),
      postponed: [
        { fromMs: at(100), toMs: at(200), reason: "", by: "paul" },
        { fromMs: at(200), toMs: at(150), reason: "the stop comes earlier", by: "sara" },
      ],
    })
    expect(note).toBe("due 2026-01-07T06:00Z instead of 2026-01-09T08:00Z: the stop comes earlier")
  })

  test("is not moved to where it is, nor into the past", async () => {
    const { order, perform, clock } = await office()
    await order(1)
    clock.atMs = at(50)
    await expect(perform("paul", "1", "postpone", { dueMs: at(100) })).rejects.toThrow("already")
    await expect(perform("paul", "1", "postpone", { dueMs: at(49) })).rejects.toThrow("is past")
  })

  test.each([
    ["specialised work", { type: "specialised" }],
    [
      "an obligation (Trade inspectorate, BetrSichV 15)",
      {
        type: "preventive",
        job: job.parse({ obligation: { authority: "Trade inspectorate", regulation: "BetrSichV 15" } }),
      },
    ],
  ] as const)("of %s is moved by a supervisor alone, who says why", async (what, more) => {
    const { order, perform, get } = await office()
    await order(1, more)
    const later = { dueMs: at(200), reason: "the inspector is ill" }
    await expect(perform("paul", "1", "postpone", later)).rejects.toMatchObject({
      code: "NOT_ALLOWED",
      message: `WO-000001 is ${what}: only a supervisor or admin moves its date, and "paul" is neither`,
    })
    await expect(perform("sara", "1", "postpone", { ...later, reason: "  " })).rejects.toMatchObject({
      code: "NOT_POSSIBLE",
      message: `WO-000001 is ${what}: say why its date is moved (reason)`,
    })
    expect((await get("1")).postponed).toEqual([])
    expect((await perform("sara", "1", "postpone", later)).order.dueMs).toBe(at(200))
  })
})

test("the hours of a task don't make an order dearer than what was approved", async () => {
  const { order, perform } = await office(money)
  const { number } = await order(1, { job: job.parse({ tasks: [{ title: "Drain", hours: 2 }] }) })
  await perform("paul", number, "submit")
  await expect(perform("paul", number, "edit-task", { task: "1", hours: 1000 })).rejects.toThrow(
    /^WO-000001 was submitted for approval at 100\.00 .*, and this would make it 50,000\.00 .*: withdraw it/,
  )
  await perform("paul", number, "edit-task", { task: "1", hours: 1 })
})

test("an order with a part that has left the plant can still be edited, but not ask for more of it", async () => {
  const { order, perform, apply } = await office(money)
  const materials = [{ part: "seal", quantity: 1 }]
  const { number } = await order(1, { job: job.parse({ materials }) })
  apply(money.replace("id: seal", "id: nut"))
  await perform("paul", number, "edit", { title: "Another title" })
  await expect(
    perform("paul", number, "edit", { materials: [{ part: "seal", quantity: 2 }] }),
  ).rejects.toThrow('there is no part "seal"')
})
