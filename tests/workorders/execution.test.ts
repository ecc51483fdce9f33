import { expect, test } from "vitest"
import { job } from "../../core/job.ts"
import type { OpenOrder } from "../../core/orders.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { at, settle, take } from "./requests.ts"

/** Tina is a mechanic and Theo has no craft; only Tina may work live. */
const plant = `${people
  .replace("skills: [vibration]", "skills: [vibration, live-work], craft: mechanic")
  .replace("{ id: carl,", "{ id: carl, skills: [live-work],")
  .replace("{ id: theo,", "{ id: theo, skills: [{ skill: live-work, until: 2025-12-31 }],")}
crafts: [{ id: mechanic, rate: 60 }, { id: electrician, rate: 75 }]
`

const steps = {
  triaged: ["paul", "triage", {}],
  approved: ["paul", "submit", {}],
  assigned: ["paul", "assign", { to: ["tina", "carl"] }],
  dispatched: ["paul", "dispatch", {}],
  acknowledged: ["tina", "acknowledge", {}],
  "in-progress": ["tina", "start", {}],
} as const satisfies Record<string, readonly [string, CommandName, unknown]>

type Reached = keyof typeof steps

/** An order with this job that has come so far, as it is done by Tina and the contractor Carl. */
async function reached(state: Reached, content: unknown = {}, request: Partial<OpenOrder> = {}) {
  const { order, perform, get, ...rest } = await office(plant)
  const { number } = await order(1, { job: job.parse(content), ...request })
  for (const [step, [who, command, input]] of Object.entries(steps)) {
    await perform(who, number, command, input)
    if (step === state) break
  }
  const done = async (who: string, command: CommandName, input: unknown = {}) =>
    (await perform(who, number, command, input)).note
  return { ...rest, done, order: () => get(number) }
}

test("labour is clocked by each person with their craft and its rate", async () => {
  const { done, clock, order } = await reached("acknowledged")
  expect(await done("tina", "start-labour", { kind: "travel" })).toBe("tina began: travel")
  clock.atMs = at(1)
  await done("tina", "stop-labour")
  await done("tina", "start")
  await done("tina", "start-labour")
  await done("carl", "start-labour")
  clock.atMs = at(3)
  expect(await done("tina", "stop-labour")).toBe("tina: work, 2026-01-01T01:00Z to 2026-01-01T03:00Z")
  expect((await order()).work.labour).toEqual([
    { person: "tina", craft: "mechanic", rate: 60, kind: "travel", attempt: 0, startMs: at(0), endMs: at(1) },
    { person: "tina", craft: "mechanic", rate: 60, kind: "work", attempt: 1, startMs: at(1), endMs: at(3) },
    { person: "carl", craft: null, rate: 0, kind: "work", attempt: 1, startMs: at(1), endMs: null },
  ])
})

test("nobody has two running clocks on one order, and nobody clocks work before it began", async () => {
  const { done } = await reached("acknowledged")
  await expect(done("tina", "start-labour")).rejects.toThrow("work is clocked while it is in progress")
  await done("tina", "start-labour", { kind: "waiting" })
  await expect(done("tina", "start-labour", { kind: "travel" })).rejects.toThrow(
    "tina's clock runs on WO-000001 since 2026-01-01T00:00Z (waiting): stop it first with stop-labour",
  )
  await expect(done("carl", "stop-labour")).rejects.toThrow("no clock of carl runs on WO-000001")
})

test("a hold stops every clock, and so does the end of the work", async () => {
  const { done, clock, order } = await reached("in-progress")
  await done("tina", "start-labour")
  await done("carl", "start-labour")
  clock.atMs = at(2)
  await done("tina", "hold", { reason: "weather" })
  expect((await order()).work.labour.map(({ endMs }) => endMs)).toEqual([at(2), at(2)])
  await done("tina", "start-labour", { kind: "waiting" })
  clock.atMs = at(3)
  await done("tina", "resume")
  clock.atMs = at(4)
  await done("tina", "complete")
  const { work } = await order()
  expect(work.labour.at(-1)).toMatchObject({ kind: "waiting", startMs: at(2), endMs: at(4) })
  expect(work.holds).toMatchObject([{ startMs: at(2), endMs: at(3) }])
})

test("who was on the way when the order went to somebody else has no clock running", async () => {
  const { done, clock, order } = await reached("acknowledged")
  await done("tina", "start-labour", { kind: "travel" })
  clock.atMs = at(1)
  await done("paul", "assign", { to: ["carl"] })
  expect((await order()).work.labour).toMatchObject([{ person: "tina", endMs: at(1) }])
})

test("work that is under way goes on with somebody else, whose place at it nobody else takes", async () => {
  for (const state of ["in-progress", "on-hold"] as const) {
    const { done, clock, order } = await reached("in-progress")
    await done("tina", "start-labour")
    if (state === "on-hold") await done("tina", "hold", { reason: "access" })
    clock.atMs = at(1)
    await done("sara", "assign", { to: ["carl"], note: "tina fell ill" })
    const { work, ...now } = await order()
    expect(now).toMatchObject({ state, assignees: ["carl"] })
    expect(work.labour).toMatchObject([{ person: "tina", endMs: state === "on-hold" ? at(0) : at(1) }])
    if (state === "on-hold") await done("carl", "resume")
    await done("carl", "start-labour")
  }
})

test("an order that the plant itself settles has no clock running either", async () => {
  const { done, database, order } = await reached("acknowledged")
  await done("tina", "start-labour", { kind: "travel" })
  await done("tina", "start-downtime")
  await take(database, settle(5))
  const { state, work } = await order()
  expect(state).toBe("completed")
  expect([...work.labour, ...work.downtime]).toMatchObject([{ endMs: at(5) }, { endMs: at(5) }])
})

test("a clock that ran on by mistake is stopped when the work ended, with the reason", async () => {
  const { done, clock, order } = await reached("in-progress")
  await done("tina", "start-labour")
  clock.atMs = at(20)
  await expect(done("tina", "stop-labour", { endMs: at(5) })).rejects.toThrow("takes a reason")
  await expect(done("tina", "stop-labour", { endMs: at(21), reason: "so" })).rejects.toThrow(
    "give an end between then and now",
  )
  await expect(done("carl", "stop-labour", { person: "tina" })).rejects.toThrow(
    "carl clocks their own labour only",
  )
  expect(
    await done("sara", "stop-labour", { person: "tina", endMs: at(5), reason: "went home at five" }),
  ).toBe("tina: work, 2026-01-01T00:00Z to 2026-01-01T05:00Z, stopped by sara: went home at five")
  expect((await order()).work.labour).toMatchObject([{ endMs: at(5) }])
})

test("labour that was not clocked is added with the reason, and no time of a person counts twice", async () => {
  const { done, clock, order } = await reached("in-progress")
  clock.atMs = at(10)
  const span = { startMs: at(2), endMs: at(4), reason: "no phone in the tank" }
  expect(await done("tina", "add-labour", span)).toBe(
    "tina: work, 2026-01-01T02:00Z to 2026-01-01T04:00Z, added by hand: no phone in the tank",
  )
  await done("paul", "add-labour", { ...span, person: "theo" })
  await done("tina", "add-labour", { ...span, startMs: at(4), endMs: at(5) })
  for (const [more, why] of [
    [{ startMs: at(3), endMs: at(6) }, "tina has labour on WO-000001 from 2026-01-01T02:00Z"],
    [{ startMs: at(6), endMs: at(6) }, "labour can't end before it starts"],
    [{ startMs: at(9), endMs: at(11) }, "labour is added when it is over"],
    [{ startMs: at(-30), endMs: at(0) }, "more than 24 h is more than a shift"],
    [{ startMs: at(6), endMs: at(7), person: "theo" }, "tina clocks their own labour only"],
  ] as const) {
    await expect(done("tina", "add-labour", { ...span, ...more })).rejects.toThrow(why)
  }
  await expect(done("paul", "add-labour", { ...span, person: "nemo" })).rejects.toThrow('there is no "nemo"')
  await done("tina", "start-labour")
  clock.atMs = at(12)
  await expect(done("tina", "add-labour", { ...span, startMs: at(9), endMs: at(11) })).rejects.toThrow(
    "from 2026-01-01T10:00Z to now",
  )
  expect((await order()).work.labour.map(({ person, rate }) => `${person} ${rate}`)).toEqual([
    "tina 60",
    "theo 0",
    "tina 60",
    "tina 60",
  ])
})

test("an attempt that did not mend the fault is followed by the next, and each has its outcome", async () => {
  const { done, clock, order } = await reached("in-progress")
  await expect(done("tina", "attempt", { outcome: "partly" })).rejects.toThrow(
    "say in the note what was tried",
  )
  clock.atMs = at(1)
  expect(await done("tina", "attempt", { outcome: "not-fixed", note: "new grease" })).toBe(
    "attempt 1: not-fixed: new grease",
  )
  clock.atMs = at(2)
  await done("tina", "complete", { note: "new bearing" })
  expect((await order()).work.attempts).toEqual([
    { startMs: at(0), endMs: at(1), outcome: "not-fixed", note: "new grease" },
    { startMs: at(1), endMs: at(2), outcome: "fixed", note: "" },
  ])
  await done("paul", "reopen", { reason: "runs hot again" })
  await done("paul", "assign", { to: ["tina"] })
  await done("paul", "dispatch")
  await done("tina", "acknowledge")
  clock.atMs = at(5)
  await done("tina", "start")
  await done("tina", "attempt", { outcome: "fixed", note: "aligned the shaft" })
  await expect(done("tina", "attempt", { outcome: "fixed" })).rejects.toThrow("it was fixed in attempt 3")
  expect((await order()).work.attempts.at(-1)).toMatchObject({ startMs: at(5), outcome: "fixed" })
})

test("the outcome is told at the end where the work mends a fault, and only there", async () => {
  const repair = await reached("in-progress")
  await repair.done("tina", "complete", { outcome: "partly" })
  expect((await repair.order()).work.attempts).toMatchObject([{ outcome: "partly" }])
  const trigger = { kind: "plan", plan: "monthly", revision: 1, dueMs: at(0), because: "cron" } as const
  const service = await reached("in-progress", {}, { type: "preventive", trigger, findings: [] })
  await service.done("tina", "complete")
  expect((await service.order()).work.attempts).toMatchObject([{ outcome: null }])
})

const tasks = {
  phases: ["strip", "build"],
  tasks: [
    { title: "Isolate", phase: "strip" },
    { title: "Open", phase: "strip", after: ["1"] },
    { title: "Wire", phase: "build", assignee: "theo" },
    { title: "Clean up" },
  ],
}

test("tasks are done in the order of their phases and of what they come after", async () => {
  const { done, clock, order } = await reached("in-progress", tasks)
  await expect(done("tina", "task", { task: ["2"] })).rejects.toThrow(
    "task 2 of WO-000001 comes after 1: do those first, or skip them",
  )
  await expect(done("theo", "task", { task: ["3"] })).rejects.toThrow("comes after 1, 2")
  await expect(done("tina", "task", { task: ["4", "2"] })).rejects.toThrow("comes after 1")
  expect((await order()).work.tasks).toEqual({})
  clock.atMs = at(1)
  expect(await done("tina", "task", { task: ["1", "2"] })).toBe("task 1, 2 done")
  await expect(done("tina", "task", { task: ["4"], state: "skipped" })).rejects.toThrow("say in the note why")
  expect(await done("tina", "task", { task: ["4"], state: "skipped", note: "was clean" })).toBe(
    "task 4 skipped: was clean",
  )
  await done("theo", "task", { task: ["3"] })
  expect((await order()).work.tasks).toEqual({
    1: { state: "done", by: "tina", atMs: at(1), note: "" },
    2: { state: "done", by: "tina", atMs: at(1), note: "" },
    3: { state: "done", by: "theo", atMs: at(1), note: "" },
    4: { state: "skipped", by: "tina", atMs: at(1), note: "was clean" },
  })
})

test("a task is done by its own assignee, and the others by whoever the order is assigned to", async () => {
  const { done } = await reached("in-progress", tasks)
  await expect(done("theo", "task", { task: ["4"] })).rejects.toThrow(
    "task 4 of WO-000001 is tina, carl's: they, or a supervisor, say what became of it",
  )
  await done("tina", "task", { task: ["1", "2"] })
  await expect(done("tina", "task", { task: ["3"] })).rejects.toThrow("task 3 of WO-000001 is theo's")
  await done("sara", "task", { task: ["3"] })
  for (const task of ["9", "constructor", "__proto__"]) {
    await expect(done("tina", "task", { task: [task] })).rejects.toThrow(
      `WO-000001 has no task ${task}: name one of 1, 2, 3, 4`,
    )
  }
})

test("a task that was not done after all is opened again, unless another came after it", async () => {
  const { done, order } = await reached("in-progress", tasks)
  await done("tina", "task", { task: ["1", "2"] })
  await expect(done("tina", "task", { task: ["1"], state: "open", note: "leaks" })).rejects.toThrow(
    "task 2 came after task 1: open it again first",
  )
  expect(await done("tina", "task", { task: ["2", "1"], state: "open", note: "leaks" })).toBe(
    "task 2, 1 opened again: leaks",
  )
  expect((await order()).work.tasks).toEqual({})
})

test("planners change, add and assign tasks as long as they fit together", async () => {
  const { done, order } = await reached("in-progress", {
    qualifications: ["live-work"],
    tasks: tasks.tasks.slice(3),
  })
  expect(await done("paul", "edit-task", { task: "1", hours: 2, craft: "electrician" })).toBe(
    "task 1 changed: hours 2, craft electrician",
  )
  expect(await done("paul", "edit-task", { task: "2", title: "Paint", after: ["1"] })).toBe(
    "task 2 added: title Paint, after 1",
  )
  await done("paul", "assign-task", { task: "2", to: "tina" })
  expect((await order()).job.tasks).toEqual([
    { id: "1", title: "Clean up", hours: 2, craft: "electrician", after: [] },
    { id: "2", title: "Paint", after: ["1"], assignee: "tina" },
  ])
  for (const [command, input, why] of [
    ["edit-task", { task: "1", after: ["2"] }, 'task "1" would wait for itself'],
    ["edit-task", { task: "1", phase: "paint" }, 'there is no phase "paint"'],
    [
      "edit-task",
      { task: "1", craft: "painter" },
      'no craft "painter" in the plant: expected one of mechanic',
    ],
    ["edit-task", { task: "7", hours: 1 }, "WO-000001 has no task 7: give a title to add it"],
    ["edit-task", { task: "1" }, "say what to change of task 1"],
    ["assign-task", { task: "1", to: "nemo" }, 'there is no "nemo" in the plant'],
    // What Theo held ended with the year before.
    ["assign-task", { task: "1", to: "theo" }, 'theo does not hold the qualification "live-work"'],
  ] as const) {
    await expect(done("paul", command, input)).rejects.toThrow(why)
  }
  await done("tina", "task", { task: ["1"] })
  await expect(done("paul", "edit-task", { task: "1", hours: 3 })).rejects.toThrow(
    "task 1 is done: open it again first",
  )
  expect(await done("paul", "assign-task", { task: "2" })).toBe("task 2 to whoever the order is assigned to")
})

test("work waits for its permits, and they are handed back before it is done", async () => {
  const { done, order } = await reached("acknowledged", { permits: [{ kind: "lock-out" }] })
  await expect(done("tina", "start")).rejects.toThrow(
    "WO-000001 takes the permit lock-out before anybody works on it: a supervisor or engineer grants it with grant-permit",
  )
  await expect(done("tina", "grant-permit", { permit: "lock-out", number: "7" })).rejects.toMatchObject({
    code: "NOT_ALLOWED",
  })
  await expect(done("ella", "grant-permit", { permit: "hot-work", number: "7" })).rejects.toThrow(
    'asks for no permit "hot-work": expected one of lock-out',
  )
  expect(await done("ella", "grant-permit", { permit: "lock-out", number: "LO-7" })).toBe(
    "lock-out granted as LO-7",
  )
  await expect(done("sara", "grant-permit", { permit: "lock-out", number: "8" })).rejects.toThrow(
    "was granted by ella, and not handed back yet",
  )
  await done("tina", "start")
  await expect(done("tina", "complete")).rejects.toThrow(
    "WO-000001 is not done: the permit lock-out (LO-7) is not handed back",
  )
  await done("tina", "hold", { reason: "safety" })
  await done("tina", "return-permit", { permit: "lock-out" })
  await expect(done("tina", "resume")).rejects.toThrow("takes the permit lock-out")
  await done("ella", "grant-permit", { permit: "lock-out", number: "LO-8" })
  await done("tina", "resume")
  await done("tina", "return-permit", { permit: "lock-out", note: "tags off" })
  await expect(done("tina", "return-permit", { permit: "lock-out" })).rejects.toThrow("it was handed back")
  await done("tina", "complete")
  expect((await order()).work.permits).toMatchObject({
    "lock-out": { number: "LO-8", by: "ella", returnedBy: "tina" },
  })
})

test("downtime is apart from the work: it may begin before it, and ends with it at the latest", async () => {
  const { done, clock, order } = await reached("triaged")
  clock.atMs = at(2)
  await expect(done("paul", "stop-downtime")).rejects.toThrow("has no downtime that goes on")
  await expect(done("paul", "start-downtime", { startMs: at(3) })).rejects.toThrow("told when it has begun")
  expect(await done("paul", "start-downtime", { startMs: at(1) })).toBe(
    "P-101 stands still since 2026-01-01T01:00Z",
  )
  await expect(done("paul", "start-downtime")).rejects.toThrow("the same time counts once")
  clock.atMs = at(4)
  await expect(done("paul", "stop-downtime", { endMs: at(0) })).rejects.toThrow(
    "give an end between then and now",
  )
  await done("paul", "stop-downtime", { endMs: at(3) })
  await done("paul", "start-downtime")
  clock.atMs = at(6)
  await done("paul", "cancel", { reason: "scrapped" })
  expect((await order()).work.downtime).toEqual([
    { startMs: at(1), endMs: at(3), by: "paul" },
    { startMs: at(4), endMs: at(6), by: "paul" },
  ])
})

test("a reading is of a signal of the asset, and a meter goes back only with a note", async () => {
  const { done, order } = await reached("in-progress")
  expect(await done("tina", "reading", { signal: "run_hours", value: 900 })).toBe("run_hours 900 h")
  await expect(done("tina", "reading", { signal: "run_hours", value: 12 })).rejects.toThrow(
    "the meter run_hours showed 900 h before, and 12 is less: say in the note why",
  )
  await done("tina", "reading", { signal: "run_hours", value: 12, note: "new meter" })
  await done("tina", "reading", { signal: "vibration", value: 3 })
  await done("tina", "reading", { signal: "vibration", value: 2 })
  await expect(done("tina", "reading", { signal: "constructor", value: 2 })).rejects.toThrow(
    'P-101 has no signal "constructor": expected one of vibration, run_hours',
  )
  expect((await order()).work.readings.map(({ value }) => value)).toEqual([900, 12, 3, 2])
})

test("a note is kept with who wrote it", async () => {
  const { done, order } = await reached("triaged")
  expect(await done("stan", "note", { text: "seal is on order" })).toBe("seal is on order")
  expect((await order()).work.notes).toEqual([{ text: "seal is on order", by: "stan", atMs: at(0) }])
  await expect(done("rita", "note", { text: "hurry" })).rejects.toMatchObject({ code: "NOT_ALLOWED" })
})

test("an order that is full says so, and can still be read", async () => {
  const { done, database, order } = await reached("triaged")
  const { id, work } = await order()
  const notes = Array.from({ length: 1000 }, () => ({ text: "again", by: "stan", atMs: at(0) }))
  const db = database.tables<WorkOrderTables>()
  const { details } = await db.selectFrom("work_order").select("details").executeTakeFirstOrThrow()
  const full = JSON.stringify({ ...JSON.parse(details), work: { ...work, notes } })
  await db.updateTable("work_order").set({ details: full }).where("id", "=", id).execute()
  await expect(done("stan", "note", { text: "once more" })).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: expect.stringMatching(/^WO-000001 can't hold that: work.notes: .*1000.* follow-up order$/),
  })
  expect((await order()).work.notes).toHaveLength(1000)
})

test("no order ends while a permit is out, and a permit is handed back also when the order went back", async () => {
  const { done, order } = await reached("approved", { permits: [{ kind: "lock-out" }] })
  await done("sara", "grant-permit", { permit: "lock-out", number: "L-7" })
  const out = 'the permit lock-out (L-7) is not handed back ("return-permit")'
  await expect(done("paul", "cancel", { reason: "sold" })).rejects.toThrow(out)
  await done("paul", "withdraw", { reason: "another look" })
  await expect(done("paul", "cancel", { reason: "sold" })).rejects.toThrow(out)
  await done("sara", "return-permit", { permit: "lock-out" })
  await done("paul", "cancel", { reason: "sold" })
  expect((await order()).state).toBe("cancelled")
})

test("what the plant completed is closed when its permits are handed back", async () => {
  const { done, database, order } = await reached("approved", { permits: [{ kind: "lock-out" }] })
  await done("sara", "grant-permit", { permit: "lock-out", number: "L-7" })
  await take(database, settle(5))
  await done("ella", "finding", { problem: "VIB" })
  await done("ella", "verdict", { verdict: "confirmed" })
  await expect(done("paul", "close")).rejects.toThrow("lock-out (L-7) is not handed back")
  await done("ella", "return-permit", { permit: "lock-out" })
  await done("paul", "close")
  expect((await order()).state).toBe("closed")
})

test("nobody starts work with a qualification that has run out since it was assigned", async () => {
  const { order, perform, clock } = await office(
    plant.replace("skills: [vibration, live-work]", "skills: [{ skill: live-work, until: 2026-01-02 }]"),
  )
  const { number } = await order(1, { job: job.parse({ qualifications: ["live-work"] }) })
  for (const [who, command, input] of [
    ["paul", "submit", {}],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", {}],
  ] as const)
    await perform(who, number, command, input)
  clock.atMs = at(48)
  await expect(perform("tina", number, "start")).rejects.toThrow(
    'tina does not hold the qualification "live-work"',
  )
  await perform("paul", number, "assign", { to: ["carl"] })
})

test("a task that is done is not done by somebody else as well", async () => {
  const { done, order } = await reached("in-progress", { tasks: ["Drain it"] })
  await done("tina", "task", { task: ["1"] })
  await expect(done("carl", "task", { task: ["1"] })).rejects.toThrow("task 1 is done: open it again first")
  expect((await order()).work.tasks).toMatchObject({ "1": { by: "tina" } })
})

test("a clock that was set back makes no attempt end before it began", async () => {
  const { done, clock, order } = await reached("in-progress")
  clock.atMs = at(-1)
  await done("tina", "attempt", { outcome: "partly", note: "greased" })
  expect((await order()).work.attempts[0]).toMatchObject({ startMs: at(0), endMs: at(0), outcome: "partly" })
})

test("the clock of somebody who has left the plant can be stopped", async () => {
  const { order, perform, apply } = await office()
  const { number } = await order(1)
  for (const [who, command, input] of [
    ["paul", "submit", {}],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", {}],
    ["tina", "start-labour", { kind: "travel" }],
  ] as const)
    await perform(who, number, command, input)
  apply(people.replace(/.*id: tina.*\n/, ""))
  expect((await perform("paul", number, "stop-labour", { person: "tina" })).note).toContain("tina: travel")
})
