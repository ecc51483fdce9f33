import { expect, test } from "vitest"
import { job } from "../../core/job.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { at } from "./requests.ts"

const plant = `${people}
templates:
  - { id: seal-change, title: "Change the {component} of {asset}", tasks: ["Drain {asset}"] }
`

const checklist = [
  "Guard is in place",
  { text: "Pressure", answer: { kind: "number", unit: "bar", min: 2, max: 6 } },
  { text: "Oil level", answer: { kind: "number" }, required: false },
  { text: "What was seen", answer: { kind: "text" } },
  { text: "Nameplate", answer: { kind: "photo" }, required: false },
  { text: "Safe to run", answer: { kind: "signature" } },
]

/** An order with this checklist that Tina works on. */
async function working(checks: readonly unknown[] = checklist) {
  const { order, perform, queries, ...rest } = await office(plant)
  const { number, id } = await order(1, { component: "seal", job: job.parse({ checklist: checks }) })
  for (const [who, command, input] of [
    ["paul", "submit", {}],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", {}],
    ["tina", "start", {}],
  ] as const) {
    await perform(who, number, command, input)
  }
  const done = async (command: CommandName, input: unknown = {}, more: { readonly id?: string } = {}) =>
    (await perform("tina", number, command, input, more)).note
  return {
    ...rest,
    id,
    done,
    check: (check: string, value?: unknown) => done("check", { check, value }),
    answers: async () => (await queries.get(number)).order.work.checks,
    order: async () => (await queries.get(number)).order,
    followUps: async () => {
      const { orders } = await queries.list()
      const own = orders.filter(({ parent }) => parent === id)
      return Promise.all(own.map(async (one) => (await queries.get(one.id)).order))
    },
    history: async (of: string) => (await queries.get(of)).history,
  }
}

test("each kind of check takes its kind of answer, and limits are part of what passes", async () => {
  const { check, answers } = await working()
  for (const [id, given, value, passed] of [
    ["1", "yes", true, true],
    ["1", true, true, true],
    ["1", "PASS", true, true],
    ["2", 2, 2, true],
    ["2", "6", 6, true],
    ["2", 4.5, 4.5, true],
    ["3", -7, -7, null],
    ["4", 12, "12", null],
    ["6", undefined, "tina", null],
    ["6", "tina", "tina", null],
  ] as const) {
    await check(id, given)
    expect((await answers())[id], `check ${id} answered ${given}`).toMatchObject({
      value,
      passed,
      by: "tina",
    })
  }
})

test("an answer of another kind than asked for is refused with what is expected", async () => {
  const { check, answers } = await working()
  for (const [id, given, why] of [
    ["1", "maybe", 'check 1 takes yes or no, not "maybe"'],
    ["1", undefined, "check 1 takes yes or no: give it as the value"],
    ["2", "high", 'check 2 takes a number, not "high"'],
    ["2", " ", "check 2 takes a number"],
    ["2", true, "check 2 takes a number"],
    ["5", "plate.jpg", 'WO-000001 has no attachment "plate.jpg": attach the photo first'],
    ["6", "sara", "check 6 is signed by whoever answers it, with their own name (tina)"],
    ["7", "yes", "WO-000001 has no check 7: answer one of 1, 2, 3, 4, 5, 6"],
    ["toString", "yes", "WO-000001 has no check toString"],
  ] as const) {
    await expect(check(id, given), `check ${id} answered ${given}`).rejects.toThrow(why)
  }
  expect(await answers()).toEqual({})
})

test("a photo is an attachment of the order", async () => {
  const { check, answers, done } = await working()
  await done("attach", { name: "plate.jpg", mediaType: "image/jpeg", content: "/9j/4AAQ" })
  await check("5", "plate.jpg")
  expect((await answers())["5"]).toMatchObject({ value: "plate.jpg", passed: null })
})

test("a failed answer raises one follow-up order, however often it is answered", async () => {
  const { check, answers, followUps, order, history, id } = await working()
  expect(await check("2", 6.1)).toBe(
    'check 2 (Pressure): 6.1 bar, outside its limits (at least 2, at most 6); raises the follow-up order "Check failed: Pressure"',
  )
  const [raised, ...others] = await followUps()
  expect(others).toEqual([])
  expect(raised).toMatchObject({
    type: "reactive",
    state: "requested",
    asset: "P-101",
    component: "seal",
    title: "Check failed: Pressure",
    description:
      "Check 2 of WO-000001 (Pressure) failed: 6.1 bar, outside its limits (at least 2, at most 6)",
    priority: 3,
    dueMs: at(14 * 24),
    trigger: { kind: "order", order: id, number: "WO-000001", check: "2" },
    requester: { kind: "person", id: "tina", name: "Tina" },
  })
  expect((await order()).followUps).toEqual([raised?.id])
  expect((await answers())["2"]?.raised).toBe(raised?.id)
  expect(await history("WO-000002")).toMatchObject([
    { kind: "created", note: "work on WO-000001, check 2 failed" },
  ])

  expect(await check("2", 5)).toBe(
    "check 2 (Pressure): 5 bar, within its limits (at least 2, at most 6); before it was 6.1",
  )
  await check("2", 1)
  expect(await followUps()).toHaveLength(1)
  expect((await answers())["2"]).toMatchObject({ value: 1, passed: false, raised: raised?.id })
})

test("two failed checks of one order are two needs", async () => {
  const { check, followUps } = await working()
  await check("1", "no")
  await check("2", 0)
  expect((await followUps()).map(({ title }) => title)).toEqual([
    "Check failed: Pressure",
    "Check failed: Guard is in place",
  ])
})

test("the checklist states what a failure raises: nothing, an own title, or a template's order", async () => {
  const { check, followUps } = await working([
    { text: "Paint", onFail: false },
    { text: "Guard", onFail: { title: "Mend the guard of {asset}", priority: 1 } },
    { text: "Seal", onFail: { template: "seal-change" } },
    { text: "Shaft", onFail: { template: "left-the-plant" } },
  ])
  for (const id of ["1", "2", "3", "4"]) await check(id, "no")
  expect(
    (await followUps()).map(({ title, priority, job, template }) => [
      title,
      priority,
      job.tasks[0]?.title,
      template,
    ]),
  ).toEqual([
    ["Follow-up of WO-000001", 3, undefined, null],
    ["Change the seal of P-101", 3, "Drain P-101", "seal-change"],
    ["Mend the guard of P-101", 1, undefined, null],
  ])
})

test("a failed answer that is sent twice raises one order", async () => {
  const { done, followUps, answers } = await working()
  const id = "3b0a2a35-6a46-4f7d-bc4a-3f3f0c1a2b10"
  await Promise.all([
    done("check", { check: "1", value: "no" }, { id }),
    done("check", { check: "1", value: "no" }, { id }),
    done("check", { check: "1", value: "no" }),
  ])
  expect(await followUps()).toHaveLength(1)
  expect((await answers())["1"]?.passed).toBe(false)
})

test("required checks and tasks stand in the way of completing, and all of them are named", async () => {
  const { check, done, order } = await working()
  await expect(done("complete")).rejects.toThrow(
    "WO-000001 is not done: check 1 (Guard is in place) is not answered; check 2 (Pressure) is not answered; " +
      "check 4 (What was seen) is not answered; check 6 (Safe to run) is not answered",
  )
  await check("1", "yes")
  await check("2", 9)
  await check("4", "nothing")
  await check("6")
  await done("complete")
  expect((await order()).state).toBe("completed")
})

test("what is seen besides is asked for with a follow-up order of its own", async () => {
  const { done, followUps, order } = await working()
  const wanted = {
    title: "Grease the bearing",
    component: "bearing",
    priority: 4,
    description: "It squeaks.",
  }
  expect(await done("follow-up", wanted)).toBe('asks for "Grease the bearing", priority 4')
  await done("follow-up", wanted)
  await done("follow-up", { title: "Paint" })
  const raised = await followUps()
  expect(raised.map(({ title, component, priority }) => [title, component, priority])).toEqual([
    ["Paint", "seal", 3],
    ["Grease the bearing", "bearing", 4],
    ["Grease the bearing", "bearing", 4],
  ])
  expect(raised[1]).toMatchObject({ description: "It squeaks.", trigger: { kind: "order", check: null } })
  expect(new Set((await order()).followUps)).toEqual(new Set(raised.map(({ id }) => id)))
  await expect(done("follow-up", { title: "x", component: "gear" })).rejects.toThrow(
    'P-101 has no component "gear": expected one of bearing, seal',
  )
  await expect(done("follow-up", { title: "x", template: "none" })).rejects.toThrow(
    'there is no template "none"',
  )
})

test("an answer and what it raises are one transaction, told by the outbox in their order", async () => {
  const { check, database } = await working()
  await check("1", "no")
  const rows = await database
    .tables<WorkOrderTables>()
    .selectFrom("order_outbox")
    .selectAll()
    .orderBy("id")
    .execute()
  expect(rows.slice(-2).map(({ event }) => JSON.parse(event))).toMatchObject([
    { kind: "check", order: { number: "WO-000001" } },
    { kind: "created", order: { number: "WO-000002" } },
  ])
})

test("a template whose words grow long with the asset's name makes an order that can be read", async () => {
  const { order, perform, queries } = await office(
    plant
      .replace("Drain {asset}", `${"x".repeat(1990)}{asset}`)
      .replaceAll("P-101", "P-101-of-the-northern-works"),
  )
  const { number } = await order(1, { asset: "P-101-of-the-northern-works" })
  await perform("paul", number, "submit")
  await perform("paul", number, "assign", { to: ["tina"] })
  await perform("paul", number, "dispatch")
  await perform("tina", number, "acknowledge")
  await perform("tina", number, "follow-up", {
    title: "Drain it",
    template: "seal-change",
    component: "seal",
  })
  expect((await queries.list()).orders).toHaveLength(2)
})

test("no check and no task has the one id that a record can't hold", () => {
  for (const content of [
    { checklist: [{ id: "__proto__", text: "x" }] },
    { tasks: [{ id: "__proto__", title: "x" }] },
  ])
    expect(job.safeParse(content).success).toBe(false)
})
