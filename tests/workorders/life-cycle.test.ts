import { expect, test } from "vitest"
import { noJob } from "../../core/job.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { amend, at, finding, settle, takeFor } from "./requests.ts"

/** From a request to the end, as most orders go. */
const usual: readonly (readonly [string, CommandName, unknown, string])[] = [
  ["paul", "triage", { priority: 2, note: "before the weekend" }, "triaged"],
  ["paul", "submit", {}, "approved"],
  ["paul", "plan", { startMs: at(10), finishMs: at(14) }, "planned"],
  ["paul", "assign", { to: ["tina"] }, "assigned"],
  ["paul", "dispatch", {}, "dispatched"],
  ["tina", "acknowledge", {}, "acknowledged"],
  ["tina", "start", {}, "in-progress"],
  ["tina", "hold", { reason: "parts", note: "seal is missing" }, "on-hold"],
  ["tina", "resume", {}, "in-progress"],
  ["tina", "task", { task: ["1", "2"] }, "in-progress"],
  ["tina", "complete", { note: "runs quietly" }, "completed"],
  ["tina", "finding", { problem: "HOT", mechanism: "LUB", remedy: "LUB" }, "completed"],
  ["tina", "verdict", { verdict: "confirmed" }, "completed"],
  ["sara", "verify", {}, "verified"],
  ["paul", "close", {}, "closed"],
]

test("an order goes from its request to its end, each step by who may take it, and each is told", async () => {
  const { order, perform, queries } = await office()
  const { number } = await order(1)
  for (const [who, command, input, state] of usual) {
    expect((await perform(who, number, command, input)).order.state, command).toBe(state)
  }
  const { history, order: done } = await queries.get(number)
  expect(history.map(({ actor, kind }) => `${actor} ${kind}`)).toEqual([
    "system created",
    "paul triaged",
    "paul approved",
    "paul planned",
    "paul assigned",
    "paul dispatched",
    "tina acknowledged",
    "tina started",
    "tina held",
    "tina resumed",
    "tina task",
    "tina completed",
    "tina finding",
    "tina verdict",
    "sara verified",
    "paul closed",
  ])
  expect(done).toMatchObject({ version: 16, priority: 2, assignees: ["tina"], planned: { startMs: at(10) } })
})

test("a step that its state does not allow is refused with those that are possible, and changes nothing", async () => {
  const { order, perform, get } = await office()
  const before = await order(1)
  await expect(perform("paul", before.number, "close")).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: expect.stringMatching(
      /^WO-000001 is requested, and "close" is for orders that are completed, verified\. What can be done to it now: triage, duplicate, .*submit, .*cancel$/,
    ),
  })
  expect(await get(before.number)).toEqual(before)
})

test("a step by who may not take it is refused with who may", async () => {
  const { order, perform } = await office()
  const { number } = await order(1)
  await expect(perform("tina", number, "triage")).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message: expect.stringContaining('"tina" may not do this: it takes one of the roles planner'),
  })
  await perform("paul", number, "submit")
  await perform("paul", number, "assign", { to: ["tina"] })
  await perform("paul", number, "dispatch")
  await expect(perform("theo", number, "acknowledge")).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message: 'WO-000001 is not assigned to "theo" but to tina',
  })
})

test("a command for a version that is past is refused with what changed since", async () => {
  const { order, perform, get } = await office()
  const { number } = await order(1)
  await perform("paul", number, "triage", { priority: 1, note: "leaks" })
  await expect(perform("sara", number, "triage", { priority: 5 }, { version: 1 })).rejects.toMatchObject({
    code: "ORDER_CHANGED",
    message:
      "WO-000001 is at version 2, not 1: triaged by paul (priority 1; leaks). Nothing was done: look at it again",
  })
  expect((await get(number)).priority).toBe(1)
})

test("a command that is sent again is not done again", async () => {
  const { order, perform, get } = await office()
  const { number } = await order(1)
  const id = "3b0a2a35-6a46-4f7d-bc4a-3f3f0c1a2b10"
  expect(await perform("paul", number, "triage", {}, { id })).toMatchObject({ repeated: false })
  expect(await perform("paul", number, "triage", {}, { id })).toMatchObject({ repeated: true })
  expect((await get(number)).version).toBe(2)
})

test("a duplicate ends, linked to the order that goes on", async () => {
  const { order, perform } = await office()
  const first = await order(1)
  const second = await order(2)
  const { order: ended, note } = await perform("paul", second.number, "duplicate", { of: first.number })
  expect(ended).toMatchObject({ state: "cancelled", duplicateOf: first.id })
  expect(note).toBe("duplicate of WO-000001")
  const third = await order(3)
  await expect(perform("paul", third.number, "duplicate", { of: second.number })).rejects.toThrow(
    "WO-000002 is cancelled: link to an order that is still open",
  )
})

test("an input that does not fit is refused with where and what was expected", async () => {
  const { order, perform } = await office()
  const { number } = await order(1)
  await expect(perform("paul", number, "triage", { priority: 9, urgency: "high" })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringMatching(/triage: .*urgency[\s\S]*priority/),
  })
})

test("a triage names a component that the asset has, and leaves what is specialised to those who may relax it", async () => {
  const { order, perform, get } = await office()
  const { number } = await order(1, { type: "specialised" })
  await expect(perform("paul", number, "triage", { component: "impeller" })).rejects.toMatchObject({
    code: "USAGE",
    message: 'P-101 has no component "impeller": expected one of bearing, seal',
  })
  await expect(perform("paul", number, "triage", { type: "reactive" })).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: expect.stringContaining("a supervisor or admin may say that it is not"),
  })
  await perform("sara", number, "triage", { type: "reactive", component: "seal" })
  expect(await get(number)).toMatchObject({ type: "reactive", component: "seal", state: "triaged" })
})

test("the id of a command is good for this command alone: of this person, to this order, with this input", async () => {
  const { order, perform, get } = await office()
  const { number } = await order(1)
  const id = "0b8ff1a5-4a0e-4c55-8d4c-7f7f3f1e0001"
  await perform("paul", number, "note", { text: "hot" }, { id })
  for (const [who, command, input, why] of [
    ["paul", "submit", {}, "another command to WO-000001"],
    ["paul", "note", { text: "cold" }, "another command to WO-000001"],
    ["rita", "note", { text: "hot" }, "somebody else's command"],
  ] as const)
    await expect(perform(who, number, command, input, { id })).rejects.toMatchObject({
      code: "USAGE",
      message: `the command id ${id} was used for ${why}: make a new one`,
    })
  expect(await get(number)).toMatchObject({ version: 2, state: "requested" })
  expect(await perform("paul", number, "note", { text: "hot" }, { id })).toMatchObject({ repeated: true })
})

test("what the plant completed before it was approved is submitted before anybody works on it", async () => {
  const { order, perform, revision, database, get } = await office()
  const { number } = await order(1)
  await takeFor(revision, database, settle(5))
  expect(await get(number)).toMatchObject({ state: "completed", approval: null })
  const { note } = await perform("paul", number, "reopen", { reason: "the wrong bearing" })
  expect(note).toBe("the wrong bearing; never approved: to be submitted")
  expect(await get(number)).toMatchObject({ state: "triaged", finishedMs: null })
  await perform("paul", number, "submit")
  await takeFor(revision, database, settle(6))
  await perform("paul", number, "reopen", { reason: "wrong again" })
  expect(await get(number)).toMatchObject({ state: "reopened" })
})

test("a time beyond what a date can be is refused as what it is", async () => {
  const { order, perform } = await office()
  const { number } = await order(1)
  await expect(perform("paul", number, "postpone", { dueMs: 8.9e15 })).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("dueMs"),
  })
})

test("work that was begun and given back is paid for also where it turns out to be a duplicate", async () => {
  const { order, perform, clock, database } = await office(
    `${people.replace("name: Tina,", "name: Tina, craft: fitter,")}crafts: [{ id: fitter, rate: 60 }]`,
  )
  const { number } = await order(1, { costCentre: "utilities", job: noJob })
  await order(2)
  for (const [who, command, input] of [
    ["paul", "submit", {}],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", {}],
    ["tina", "start-labour", { kind: "travel" }],
  ] as const)
    await perform(who, number, command, input)
  clock.atMs = at(1)
  await perform("tina", number, "decline", { reason: "somebody is at it" })
  await perform("paul", number, "withdraw", { reason: "looks like the other one" })
  await perform("paul", number, "duplicate", { of: "2" })
  const use = await database.tables<WorkOrderTables>().selectFrom("budget_use").selectAll().execute()
  expect(use).toMatchObject([{ cost_centre: "utilities", committed: 0, spent: 60 }])
})

test("who may not do something is not told either what others did since", async () => {
  const { order, perform } = await office()
  const { number } = await order(1)
  await perform("paul", number, "note", { text: "the contractor is too dear" })
  await expect(perform("rita", number, "submit", {}, { version: 1 })).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message: expect.not.stringContaining("too dear"),
  })
})

test("work is assigned to a name, also in a plant without people", async () => {
  const { order, perform } = await office(people.slice(0, people.indexOf("people:")))
  const { number } = await order(1)
  await perform("anybody", number, "submit")
  await expect(perform("anybody", number, "assign", { to: ["ti\0na"] })).rejects.toMatchObject({
    code: "USAGE",
  })
})

test("an order whose findings are withdrawn ends by itself, unless somebody has said something to it", async () => {
  const { order, perform, get, database, revision } = await office()
  const [untouched, noted] = [await order(1), await order(2)]
  await perform("paul", noted.number, "note", { text: "it does sound odd" })
  const withdrawn = (n: number) =>
    amend(n, 1, { finding: finding(n, 1, { kind: "withdrawn", reason: "the sensor had slipped" }) })
  await takeFor(revision, database, withdrawn(1), withdrawn(2))
  expect(await get(untouched.number)).toMatchObject({ state: "cancelled" })
  expect(await get(noted.number)).toMatchObject({ state: "requested", version: 3 })
})
