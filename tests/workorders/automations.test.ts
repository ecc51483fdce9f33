import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { topics } from "../../core/topics.ts"
import { automationCommands } from "../../workorders/automation-commands.ts"
import { plant, urgent } from "./automation-plant.ts"
import { office, people } from "./office.ts"
import { amend, at, contents, open, orderId } from "./requests.ts"

const hour = 3_600_000

describe("what sets an automation off", () => {
  test("a condition that holds: its steps are done in their order, and told in the order's history", async () => {
    const { request, history, notes, get, runs, automations } = await plant(urgent)
    await request(open(1), open(2, { mergeKey: "other", type: "reactive" }))
    expect(await history("WO-000001")).toEqual([
      "system created",
      "automation/urgent-pumps edited",
      "automation/urgent-pumps approved",
      "automation/urgent-pumps assigned",
      "automation/urgent-pumps notified",
      "automation/urgent-pumps follow-up",
    ])
    // The text is of the order as it was when it was created.
    expect((await notes("WO-000001")).slice(1)).toEqual([
      "priority 1 instead of 3; automation urgent-pumps",
      "needs no approval; estimated cost 0.00 EUR",
      "to tina",
      "to supervisor Sara: WO-000001 on P-101: Bearing of P-101 runs hot, priority 3",
      'asks for "Check the alignment of P-101", priority 3',
    ])
    expect(await get("WO-000001")).toMatchObject({ state: "assigned", priority: 1, assignees: ["tina"] })
    expect(await get("WO-000003")).toMatchObject({
      title: "Check the alignment of P-101",
      trigger: { kind: "order", number: "WO-000001" },
      requester: { kind: "system", id: "automation/urgent-pumps" },
    })
    expect(await history("WO-000002")).toEqual(["system created"])
    expect(await runs()).toEqual([
      "urgent-pumps 1 done: priority done, approval done, assign done, notify done, followUp done",
    ])
    expect(await automations.list()).toMatchObject([
      { id: "urgent-pumps", runs: 1, lastMs: at(0), failures: 0, lastFailureMs: null },
    ])
  })

  test("the order counts as it was at the event, whatever became of it since", async () => {
    const { request, runs, get } = await plant(`
  - { id: first, when: created, then: [{ priority: 1 }] }
  - { id: second, when: created, if: order.priority == 3, then: [{ notify: { to: sara, text: "was {priority}" } }] }
  - { id: third, when: created, if: order.priority == 1, then: [{ approval: ask }] }
`)
    await request(open(1))
    expect(await runs()).toEqual(["second 1 done: notify done", "first 1 done: priority done"])
    expect(await get("WO-000001")).toMatchObject({ priority: 1, state: "requested" })
  })

  test("what people do, and every kind that is listed", async () => {
    const { request, perform, notes } = await plant(`
  - id: tell
    when: [triaged, note]
    if: event.actor != "ella"
    then: [{ notify: { to: auditor, text: "{actor}: {note} ({state})" } }]
`)
    await request(open(1))
    await perform("paul", "WO-000001", "triage", { note: "worn" })
    await perform("ella", "WO-000001", "note", { text: "seen" })
    await perform("tina", "WO-000001", "note", { text: "hot" })
    expect((await notes("WO-000001")).filter((note) => note.startsWith("to "))).toEqual([
      "to auditor Ada: paul: worn (triaged)",
      "to auditor Ada: tina: hot (triaged)",
    ])
  })

  test("nothing that happened before it was added, also where that is read after", async () => {
    const { request, apply, clock, crash, runs } = await plant("  []")
    await request(open(1))
    await clock.advance(hour)
    await apply(urgent)
    await crash()
    expect(await runs()).toEqual([])
    await clock.advance(hour)
    await request(open(2, { mergeKey: "other" }))
    expect(await runs()).toHaveLength(1)
  })

  test("its newest form counts, and what has left the plant file does nothing", async () => {
    const { request, apply, runs, automations } = await plant(
      "  - { id: one, when: created, then: [{ priority: 1 }] }",
    )
    await request(open(1))
    await apply("  - { id: one, when: created, then: [{ approval: ask }] }")
    await request(open(2, { mergeKey: "2" }))
    await apply("  []")
    await request(open(3, { mergeKey: "3" }))
    expect((await runs()).toSorted()).toEqual(["one 1 done: approval done", "one 1 done: priority done"])
    expect(await automations.list()).toEqual([])
    await expect(automations.runs({ automation: "two" })).rejects.toMatchObject({ code: "NOT_FOUND" })
  })
})

describe("what automations cause sets off no automation", () => {
  const loop = `
  - { id: up, when: [created, edited], if: order.priority != 1, then: [{ priority: 1 }] }
  - { id: down, when: [created, edited], if: order.priority != 5, then: [{ priority: 5 }] }
  - { id: more, when: [created, follow-up], then: [{ followUp: { title: More of the same } }] }
`

  test("neither the events of its steps nor the order that it raised", async () => {
    const { request, history } = await plant(loop)
    await request(open(1))
    expect(await history("WO-000001")).toEqual([
      "system created",
      "automation/up edited",
      "automation/down edited",
      "automation/more follow-up",
    ])
    expect(await history("WO-000002")).toEqual(["system created"])
  })

  test("but what people do to that order does", async () => {
    const { request, perform, history } = await plant(loop)
    await request(open(1))
    await perform("paul", "WO-000002", "edit", { title: "Another title" })
    expect(await history("WO-000002")).toEqual([
      "system created",
      "paul edited",
      "automation/up edited",
      "automation/down edited",
    ])
  })
})

describe("what is not possible", () => {
  test("is recorded with its reason, and keeps none of the other steps", async () => {
    const { request, automations, history } = await plant(`
  - id: hasty
    when: created
    then: [{ assign: [tina] }, { priority: 3 }, { approval: ask }, { approval: ask }]
`)
    await request(open(1))
    const [run] = await automations.runs({ automation: "hasty" })
    expect(run).toMatchObject({ order: "WO-000001", event: "created", outcome: "not-possible", revision: 1 })
    expect(run?.steps).toEqual([
      {
        step: "assign",
        outcome: "not-possible",
        note: expect.stringMatching(
          /^WO-000001 is requested, and "assign" is for orders that are approved, /,
        ),
      },
      { step: "priority", outcome: "done", note: "priority is 3 already" },
      { step: "approval", outcome: "done", note: expect.stringMatching(/^needs no approval/) },
      {
        step: "approval",
        outcome: "not-possible",
        note: expect.stringMatching(/^WO-000001 is approved, and "submit" is for /),
      },
    ])
    expect(await history("WO-000001")).toEqual(["system created", "automation/hasty approved"])
    expect(await automations.list()).toMatchObject([{ runs: 1, failures: 1, lastFailureMs: at(0) }])
  })

  test("somebody who is not fit for the work", async () => {
    const { request, automations } = await plant(`
  - { id: to-theo, when: created, then: [{ approval: ask }, { assign: [theo] }] }
`)
    await request(open(1, { job: { ...open(1).job, qualifications: ["vibration"] } }))
    const [run] = await automations.runs({})
    expect(run?.steps[1]?.note).toBe('theo does not hold the qualification "vibration" that WO-000001 takes')
  })

  test("a condition that can't be told, and the next automations go on", async () => {
    const { request, automations, runs } = await plant(`
  - { id: heavy, when: created, if: asset.attributes.weight > 5, then: [{ priority: 1 }] }
  - { id: any, when: created, then: [{ priority: 2 }] }
`)
    await request(open(1))
    expect(await runs()).toEqual(["heavy 1 condition-error: ", "any 1 done: priority done"])
    const [run] = await automations.runs({ automation: "heavy" })
    expect(run?.problem).toBe('line 1, column 18: there is no "weight": ask has(…) first')
  })

  test("to tell somebody, where nobody has the role: that is said", async () => {
    const { order, revision } = await office(people.replace("roles: [storekeeper]", "roles: [auditor]"))
    const wanted = { to: "storekeeper", text: "empty" }
    const context = { revision } as Parameters<typeof automationCommands.notify.run>[2]
    const { note } = automationCommands.notify.run(await order(1), wanted, context)
    expect(note).toBe("to nobody, for nobody has the role storekeeper: empty")
  })
})

describe("who is told", () => {
  test("everybody who has the role, by name", async () => {
    const { request, notes } = await plant(`
  - { id: tell, when: created, then: [{ notify: { to: admin, text: "{number}" } }] }
  - { id: none, when: created, then: [{ notify: { to: storekeeper, text: "{number} {component}" } }] }
`)
    await request(open(1))
    expect((await notes("WO-000001")).slice(1)).toEqual([
      "to admin Adam: WO-000001",
      "to storekeeper Stan: WO-000001 bearing",
    ])
  })

  test("a closed order can still be followed up and told of, though not changed", async () => {
    const { request, perform, runs, history } = await plant(`
  - id: afterwards
    when: cancelled
    then: [{ followUp: { title: Look again } }, { notify: { to: sara, text: gone } }, { priority: 1 }]
`)
    await request(open(1))
    await perform("paul", "WO-000001", "cancel", { reason: "sold" })
    expect(await runs()).toEqual([
      "afterwards 2 not-possible: followUp done, notify done, priority not-possible",
    ])
    expect(await history("WO-000002")).toEqual(["system created"])
  })
})

describe("after a crash", () => {
  /** All but when: a restart takes its time. */
  async function orders(database: Parameters<typeof contents>[0]) {
    const { work_order, order_history } = await contents(database)
    return { work_order, order_history }
  }

  test("events that are read again do nothing again", async () => {
    const { request, database, crash, runs } = await plant(urgent)
    await request(open(1), open(2, { mergeKey: "2" }), amend(1, 1))
    const before = await orders(database)
    await crash()
    expect(await orders(database)).toEqual(before)
    expect(await runs()).toHaveLength(2)
  })

  test("between a step and its record: the step is not done twice, and what was left is done", async () => {
    const { request, database, crash, runs } = await plant(urgent)
    await request(open(1))
    const before = await orders(database)
    const ran = await runs()
    await crash((db) => db.deleteFrom("automation_run").execute())
    expect(await orders(database)).toEqual(before)
    expect(await runs()).toEqual(ran)
  })

  test("a run that has ended is not begun anew, though the automation has another step by now", async () => {
    const { request, apply, crash, runs, history } = await plant(
      "  - { id: one, when: created, then: [{ priority: 1 }] }",
    )
    await request(open(1))
    await apply("  - { id: one, when: created, then: [{ priority: 1 }, { approval: ask }] }")
    await crash()
    expect(await runs()).toEqual(["one 1 done: priority done"])
    expect(await history("WO-000001")).toEqual(["system created", "automation/one edited"])
  })

  test("between two steps: it goes on with the next, and what was refused stays refused", async () => {
    const { request, get, crash, runs } = await plant(`
  - { id: hasty, when: created, then: [{ assign: [tina] }, { approval: ask }, { priority: 1 }] }
`)
    await request(open(1))
    await crash((db) =>
      db
        .updateTable("automation_run")
        .set({
          outcome: "running",
          steps: JSON.stringify([{ step: "assign", outcome: "not-possible", note: "not yet" }]),
        })
        .execute(),
    )
    expect(await get("WO-000001")).toMatchObject({ state: "approved", assignees: [] })
    expect(await runs()).toEqual(["hasty 1 not-possible: assign not-possible, approval done, priority done"])
  })

  test("an automation that is late does not take the history of an order back in time", async () => {
    const { request, perform, clock, crash, database } = await plant(
      "  - { id: one, when: created, then: [{ priority: 1 }] }",
    )
    await request(open(1))
    await clock.advance(5 * hour)
    await perform("tina", "WO-000001", "note", { text: "hot" })
    await crash(async (db) => {
      await db.deleteFrom("automation_run").execute()
      await db.updateTable("order_command").set({ id: "another" }).execute()
      await db.updateTable("work_order").set({ priority: 3 }).execute()
    })
    const { order_history } = await contents(database)
    const times = (order_history as { at_ms: number }[]).map(({ at_ms }) => at_ms)
    expect(times).toHaveLength(4)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })
})

test("whatever is read twice, in whichever pieces, the orders are as if it was read once", async () => {
  const changes = fc.array(
    fc.record({
      n: fc.integer({ min: 1, max: 4 }),
      step: fc.integer({ min: 0, max: 2 }),
      priority: fc.integer({ min: 1, max: 5 }),
    }),
    { minLength: 1, maxLength: 8 },
  )
  await fc.assert(
    fc.asyncProperty(changes, fc.integer({ min: 0, max: 20 }), async (asked, from) => {
      const { request, log, database, settled } = await plant(`${urgent}
  - { id: worse, when: [amended, merged], if: order.priority < 3, then: [{ followUp: { title: Worse } }, { assign: [theo] }] }
`)
      await request(
        ...asked.map(({ n, step, priority }) =>
          step === 0 ? open(n, { mergeKey: `${n}`, priority }) : amend(n, step, { priority }),
        ),
      )
      const before = await contents(database)
      const events = []
      for await (const { key, value } of log.read(topics.workOrderEvents)) events.push({ key, value })
      await log.append(topics.workOrderEvents, events.slice(from % (events.length + 1)))
      await settled()
      expect(await contents(database)).toEqual(before)
    }),
    { numRuns: 8, seed: 7 },
  )
})

describe("nobody can act as an automation", () => {
  const refused = {
    code: "NOT_ALLOWED",
    message: '"automation/one" is no person: say who acts with --as',
  }

  test("in a plant with people", async () => {
    const { request, perform } = await plant("  - { id: one, when: closed, then: [{ priority: 1 }] }")
    await request(open(1))
    await expect(perform("automation/one", "WO-000001", "note", { text: "x" })).rejects.toMatchObject(refused)
  })

  test("nor in one without, where whoever has the files may do everything", async () => {
    const { order, perform } = await office(people.replace(/people:[\s\S]*/, ""))
    const { id } = await order(1)
    await perform("anybody", id, "note", { text: "x" })
    await expect(perform("automation/one", id, "note", { text: "x" })).rejects.toMatchObject(refused)
  })
})

describe("a trial", () => {
  test("says what would become of each step after those before it, and leaves nothing", async () => {
    const { request, automations, database, clock } = await plant(
      urgent.replace("when: created", "when: triaged"),
    )
    await request(open(1))
    const before = await contents(database)
    const trial = await automations.try("urgent-pumps", "WO-000001", clock.now())
    expect(trial).toMatchObject({ order: "WO-000001", event: "triaged", holds: true })
    expect(trial.steps.map(({ step, outcome }) => `${step} ${outcome}`)).toEqual([
      "priority done",
      "approval done",
      "assign done",
      "notify done",
      "followUp done",
    ])
    expect(await contents(database)).toEqual(before)
    expect(await automations.runs({})).toEqual([])
  })

  test("tells a condition that does not hold, and one that can't be told", async () => {
    const { request, automations } = await plant(`
  - { id: never, when: created, if: order.priority == 9, then: [{ priority: 1 }] }
  - { id: heavy, when: created, if: asset.attributes.weight > 5, then: [{ priority: 1 }] }
`)
    await request(open(1))
    expect(await automations.try("never", "1", at(1))).toMatchObject({ holds: false, steps: [] })
    expect(await automations.try("heavy", "1", at(1))).toMatchObject({
      holds: 'line 1, column 18: there is no "weight": ask has(…) first',
    })
    await expect(automations.try("hevy", orderId(1), at(1))).rejects.toThrow('did you mean "heavy"?')
    await expect(automations.try("heavy", "WO-000009", at(1))).rejects.toMatchObject({ code: "NOT_FOUND" })
  })
})
