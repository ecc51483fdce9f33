import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { connectAsync } from "mqtt"
import { expect, onTestFinished, test } from "vitest"
import type { ResultOf } from "../../cli/operations.ts"
import { until } from "../until.ts"
import { bottling } from "./bottling.ts"

type Plant = Awaited<ReturnType<typeof bottling>>

/** The budgets that were used, and the stock that there is: on hand, and set aside of it. */
async function books({ says }: Plant) {
  const { lines } = JSON.parse(await says("budgets --json --as ada"))
  const { levels } = JSON.parse(await says("stock list --json --as ada"))
  return {
    budgets: (lines as Line[])
      .filter(({ committed, spent }) => committed > 0 || spent > 0)
      .map(({ costCentre, year, committed, spent }) => ({ costCentre, year, committed, spent })),
    stock: Object.fromEntries(
      (levels as Level[])
        .filter(({ onHand }) => onHand > 0)
        .map(({ part, store, onHand, reserved }) => [`${part} in ${store}`, [onHand, reserved]]),
    ),
  }
}

type Line = ResultOf<"budgets.list">["lines"][number]
type Level = ResultOf<"stock.list">["levels"][number]

const hoursOf = (spans: readonly { readonly startMs: number; readonly endMs: number | null }[]) =>
  spans.reduce((sum, { startMs, endMs }) => sum + ((endMs ?? Number.NaN) - startMs) / 3_600_000, 0)

/** As a document would be attached. */
async function file({ directory }: Plant, name: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, `this is ${name}`)
  return path
}

test("reactive: a leak is asked for, approved, mended with parts from stock, and closed", async () => {
  const plant = await bottling("2026-03-02T06:00Z")
  const { at, says, refused, order } = plant
  await at("2026-03-02T06:30Z")
  const repair = "orders new --asset P-102 --template pump-repair --field noise=no"
  expect(await refused(`${repair} --field leak=river --as rita`)).toBe(
    'USAGE: fields of the template pump-repair:\n  "leak" (How much does it leak?): expected one of none, drops, jet, got "river"',
  )
  await says(`${repair} --field leak=jet --as rita`)
  expect(await refused("orders triage 1 --priority 2 --as tina")).toBe(
    'NOT_ALLOWED: "tina" may not do this: it takes one of the roles planner, supervisor, admin (paul, sara, adam); say who acts with --as',
  )
  expect(
    await refused("orders plan 1 --start 2026-03-02T08:00Z --finish 2026-03-02T12:00Z --as paul"),
  ).toContain(
    'NOT_POSSIBLE: WO-000001 is requested, and "plan" is for orders that are approved, planned, assigned. What can be done to it now: triage, duplicate, edit,',
  )
  await says("orders triage 1 --priority 2 --component seal --as paul")
  await says(`orders edit 1 --services 450 --materials '[{"part":"seal-kit-45","quantity":1}]' --as paul`)
  expect(await refused("orders submit 1 --seen 2 --as paul")).toBe(
    "ORDER_CHANGED: WO-000001 is at version 3, not 2: edited by paul (materials 1 seal-kit-45 instead of none; services 450 instead of 0). Nothing was done: look at it again",
  )
  await says("orders submit 1 --seen 3 --as paul")
  expect(await refused("orders approve 1 --as paul")).toBe(
    'NOT_ALLOWED: WO-000001 waits for supervisor (rule cost), and "paul" is none of them nor their delegate; sara can',
  )
  await says("orders approve 1 --comment 'before it floods' --as sara")
  expect((await books(plant)).budgets).toEqual([
    { costCentre: "utilities", year: 2026, committed: 813, spent: 0 },
  ])
  await says("stock receive --part seal-kit-45 --store main --quantity 3 --as stan")
  await says("orders plan 1 --start 2026-03-02T08:00Z --finish 2026-03-02T12:00Z --as paul")
  expect((await books(plant)).stock).toEqual({ "seal-kit-45 in main": [3, 1] })
  await says("orders assign 1 --to tina --as paul")
  await says("orders dispatch 1 --as paul")
  expect(await refused("orders acknowledge 1 --as theo")).toBe(
    'NOT_ALLOWED: WO-000001 is not assigned to "theo" but to tina',
  )
  await at("2026-03-02T08:00Z")
  await says("orders acknowledge 1 --as tina")
  expect(await refused("orders start 1 --as tina")).toContain(
    "takes the permit lock-out before anybody works on it",
  )
  await says("orders grant-permit 1 --permit lock-out --number LO-7 --as ella")
  await says("orders start 1 --as tina")
  await says("orders start-downtime 1 --as tina")
  await says("orders start-labour 1 --as tina")
  await says("orders task 1 --task isolate find --as tina")
  await says("orders use-part 1 --part seal-kit-45 --quantity 2 --as tina")
  await at("2026-03-02T09:30Z")
  await says("orders hold 1 --reason access --note 'the crane is in use' --as tina")
  expect(await refused("orders task 1 --task mend --as tina")).toContain(
    'WO-000001 is on-hold, and "task" is for orders that are in-progress',
  )
  expect(await says("orders show 1 --as tina")).toMatch(
    /\n {2}estimate {3}3 h \(as stated\), 813\.00 EUR\n {2}spent {6}465\.00 EUR on labour and parts so far\n/,
  )
  await at("2026-03-02T11:00Z")
  await says("orders resume 1 --as tina")
  await says("orders start-labour 1 --as tina")
  await says("orders task 1 --task mend --as tina")
  expect(await says("orders check 1 --check dry --value no --as tina")).toContain(
    'raises the follow-up order "P-102 leaks again after its repair"',
  )
  await says("orders attempt 1 --outcome not-fixed --note 'the ring was pinched' --as tina")
  await at("2026-03-02T12:30Z")
  await says("orders check 1 --check dry --value yes --as tina")
  await says("orders check 1 --check vibration --value 2.1 --as tina")
  await says("orders return-part 1 --part seal-kit-45 --as tina")
  expect(await refused("orders reading 1 --signal run_hours --value=-4 --as tina")).toContain(
    "run_hours can't be -4 h",
  )
  await says("orders reading 1 --signal run_hours --value 18240 --as tina")
  await says("orders stop-downtime 1 --as tina")
  expect(await refused("orders complete 1 --as tina")).toBe(
    'NOT_POSSIBLE: WO-000001 is not done: the permit lock-out (LO-7) is not handed back ("return-permit")',
  )
  await says("orders return-permit 1 --permit lock-out --as tina")
  await says("orders complete 1 --as tina")
  expect(await refused("orders close 1 --as paul")).toBe(
    'NOT_POSSIBLE: WO-000001 can\'t be closed yet, it lacks: what was found ("finding")',
  )
  expect(await refused("orders finding 1 --problem LEEK --as tina")).toContain('"LEEK" is no code of a')
  await says("orders finding 1 --problem PUMP-LEAK --cause DRY-RUN --remedy NEW-SEAL --as tina")
  await says("orders verify 1 --as ella")
  await says("orders sign-off 1 --satisfaction 4 --as rita")
  await says("orders close 1 --as paul")
  expect(await refused("orders note 1 --text 'one more thing' --as adam")).toContain(
    "Nothing more can be done to it",
  )

  const closed = await order("1")
  expect(closed).toMatchObject({
    state: "closed",
    closing: {
      cost: { labour: 174, parts: 189, services: 450, total: 813 },
      signOff: { satisfaction: 4 },
      verified: { by: "ella" },
    },
  })
  expect(hoursOf(closed.work.labour)).toBe(3)
  expect(hoursOf(closed.work.downtime)).toBe(4.5)
  expect(hoursOf(closed.work.holds)).toBe(1.5)
  expect(closed.work.attempts.map(({ outcome }) => outcome)).toEqual(["not-fixed", "fixed"])
  expect(await order("2")).toMatchObject({
    type: "reactive",
    priority: 2,
    state: "requested",
    parent: closed.id,
  })
  expect(await books(plant)).toEqual({
    budgets: [{ costCentre: "utilities", year: 2026, committed: 0, spent: 813 }],
    stock: { "seal-kit-45 in main": [2, 0] },
  })
  expect(await says("audit verify --as ada")).toMatch(/^verified: 2 orders, \d+ entries, 0 attachments\n$/)
})

test("preventive: a plan asks for a service two weeks ahead, which is done and closed", async () => {
  const plant = await bottling("2026-03-28T06:00Z")
  const { at, says, refused, order, pipeline } = plant
  await at("2026-03-30T05:00Z")
  await until(async () => (await pipeline.app.workorders.list({ type: "preventive" })).orders.length === 2)
  expect(await says("orders show 1 --as paul")).toContain(
    "plan pump-service (revision 1), occurrence due 2026-04-12",
  )
  const { asset } = await order("1")
  expect(await refused("orders submit 1 --as rita")).toContain('NOT_ALLOWED: "rita" may not do this')
  expect(await refused("orders start 1 --as sara")).toContain('WO-000001 is requested, and "start" is for')
  expect(await refused("orders submit 1 --seen nine --as paul")).toContain("expected a whole number")
  expect(await says("orders submit 1 --as paul")).toContain(
    "needs no approval; estimated cost 125.80 EUR; 125.80 EUR committed on utilities for 2026",
  )
  expect(await refused("orders plan 1 --start 2026-04-01T08:00Z --finish 2026-04-01T06:00Z --as paul")).toBe(
    "NOT_POSSIBLE: the work can't end before it starts: give a later end",
  )
  expect(
    await says("orders plan 1 --start 2026-04-01T06:00Z --finish 2026-04-01T08:00Z --as paul"),
  ).toContain("short of 1 grease-400")
  await says("stock receive --part grease-400 --store workshop --quantity 3 --as stan")
  expect(await says("orders reserve 1 --as stan")).toContain("set aside 1 grease-400 in workshop")
  expect(await refused("orders assign 1 --to tine --as paul")).toContain('there is no "tine" in the plant')
  await says("orders assign 1 --to theo --as paul")
  expect(await refused("orders dispatch 1 --seen 2 --as paul")).toMatch(
    /^ORDER_CHANGED: WO-000001 is at version 5, not 2: planned by paul .*; assigned by paul \(to theo\)\. Nothing was done: look at it again$/,
  )
  await says("orders dispatch 1 --as paul")
  await at("2026-04-01T06:00Z")
  await says("orders acknowledge 1 --as theo")
  await says("orders start 1 --as theo")
  await says("orders start-labour 1 --as theo")
  expect(await refused("orders task 1 --task align --as theo")).toContain("comes after grease")
  await says("orders task 1 --task grease align --as theo")
  expect(await refused("orders task 1 --task tighten --state skipped --as theo")).toBe(
    "NOT_POSSIBLE: say in the note why the task is skipped",
  )
  await says("orders task 1 --task tighten --state skipped --note 'done last week' --as theo")
  await says("orders use-part 1 --part grease-400 --as theo")
  await says("orders check 1 --check offset --value 0.2 --as theo")
  expect(await refused("orders complete 1 --as theo")).toBe(
    "NOT_POSSIBLE: WO-000001 is not done: check guard (The guard of the coupling is on and undamaged) is not answered",
  )
  await says("orders check 1 --check guard --value yes --as theo")
  await says("orders reading 1 --signal run_hours --value 17000 --as theo")
  await at("2026-04-01T07:30Z")
  await says("orders complete 1 --as theo")
  expect(await refused("orders verdict 1 --verdict confirmed --as theo")).toContain(
    "there is nothing to judge",
  )
  await says("orders verify 1 --as sara")
  await says("orders close 1 --as paul")

  const closed = await order("1")
  expect(closed).toMatchObject({
    state: "closed",
    closing: { cost: { labour: 87, parts: 9.8, services: 0, total: 96.8 } },
    work: { tasks: { tighten: { state: "skipped" } } },
  })
  expect(hoursOf(closed.work.labour)).toBe(1.5)
  expect(await order("3")).toMatchObject({ title: "Check failed: Offset of the coupling", asset })
  expect(await books(plant)).toMatchObject({
    budgets: [{ costCentre: "utilities", committed: 0, spent: 96.8 }],
    stock: { "grease-400 in workshop": [2, 0] },
  })
  expect(await says("audit verify --as ada")).toMatch(/^verified: 3 orders, \d+ entries, 0 attachments\n$/)
})

test("predictive: telemetry over the limit asks for an order, which is judged and closed", async () => {
  // In July Ella decides for Sara, who is away.
  const plant = await bottling("2026-07-13T06:00Z")
  const { at, says, refused, order, pipeline } = plant
  const publisher = await connectAsync(pipeline.url)
  onTestFinished(() => publisher.endAsync())
  for (const [minute, vibration] of [3.1, 5.2, 5.4, 5.5, 5.6].entries()) {
    const ts = Date.parse("2026-07-13T06:00Z") + minute * 300_000
    await at(new Date(ts).toISOString())
    await publisher.publishAsync("v1/riverside/P-101/telemetry", JSON.stringify({ ts, vibration }), {
      qos: 1,
    })
    await plant.settles()
  }
  await until(async () => (await pipeline.app.workorders.list()).orders.length === 1)
  const shown = await says("orders show 1 --as paul")
  expect(shown).toContain("WO-000001  Check and replace the bearing of P-101")
  expect(shown).toContain("rule bearing-vibration (threshold, revision 1)")
  expect(await says("verify 1 --as paul")).toMatch(/^same /)
  expect(await refused("orders triage 1 --priority 9 --as paul")).toContain("USAGE: triage:")
  expect(await refused("orders dispatch 1 --as paul")).toContain(
    'WO-000001 is requested, and "dispatch" is for',
  )
  await says("orders triage 1 --priority 2 --as paul")
  expect(await refused("orders submit 1 --seen 1 --as paul")).toContain(
    "ORDER_CHANGED: WO-000001 is at version 2, not 1",
  )
  expect(await says("orders submit 1 --as paul")).toContain("waits for supervisor (takes a shutdown)")
  expect(await refused("orders approve 1 --as adam")).toContain(
    'and "adam" is none of them nor their delegate; sara or ella can',
  )
  expect(await says("orders approve 1 --as ella")).toContain("level 1 of 1 (supervisor) on behalf of sara")
  await says("stock receive --part bearing-6309 --store main --quantity 6 --as stan")
  await says("orders plan 1 --start 2026-07-13T08:00Z --finish 2026-07-13T12:00Z --as paul")
  await says("orders assign 1 --to tina --as paul")
  await says("orders assign-task 1 --task measure --to theo --as paul")
  await says("orders dispatch 1 --as paul")
  await says("orders acknowledge 1 --as tina")
  await says("orders grant-permit 1 --permit lock-out --number LO-9 --as ella")
  await at("2026-07-13T08:00Z")
  await says("orders start 1 --as tina")
  await says("orders start-labour 1 --as theo")
  expect(await refused("orders task 1 --task measure --as tina")).toBe(
    "NOT_POSSIBLE: task measure of WO-000001 is theo's: they, or a supervisor, say what became of it",
  )
  await says("orders task 1 --task measure --as theo")
  await at("2026-07-13T09:00Z")
  await says("orders stop-labour 1 --as theo")
  await says("orders start-labour 1 --as tina")
  expect(await refused("orders use-part 1 --part bearing-6309 --quantity 9 --as tina")).toContain(
    "WO-000001 can't take 9 of bearing-6309: main has 4 free (2 set aside)",
  )
  await says("orders use-part 1 --part bearing-6309 --quantity 2 --as tina")
  await at("2026-07-13T11:30Z")
  await says("orders task 1 --task replace --as tina")
  expect(await refused("orders check 1 --check photo --value bearing.jpg --as tina")).toContain(
    "attach the photo first",
  )
  await says(`orders attach 1 --file ${await file(plant, "bearing.jpg")} --as tina`)
  await says("orders check 1 --check photo --value bearing.jpg --as tina")
  expect(await says("orders check 1 --check after --value 3.3 --as tina")).toContain(
    "raises the follow-up order",
  )
  await says("orders check 1 --check after --value 1.9 --note 'bolts tightened' --as tina")
  await says("orders return-permit 1 --permit lock-out --as tina")
  await says("orders complete 1 --as tina")
  await says("orders finding 1 --problem VIB --mechanism WEA --cause TEAR --remedy REPL --as tina")
  expect(await refused("orders close 1 --as paul")).toBe(
    'NOT_POSSIBLE: WO-000001 can\'t be closed yet, it lacks: whether the rule was right ("verdict"); a look at it by somebody else than who did it ("verify")',
  )
  await says("orders verdict 1 --verdict confirmed --note 'outer race' --as tina")
  await says("orders warranty 1 --claim yes --as paul")
  expect(await refused("orders verify 1 --as theo")).toBe(
    'NOT_POSSIBLE: WO-000001 is verified by somebody else than who did it, and "theo" was one of them: ask another person',
  )
  await says("orders verify 1 --as ella")
  await says("orders close 1 --as paul")

  const closed = await order("1")
  expect(closed).toMatchObject({
    state: "closed",
    closing: {
      cost: { labour: 203, parts: 85, total: 288 },
      verdict: { verdict: "confirmed" },
      warranty: { claimed: true, covered: true },
    },
  })
  expect(hoursOf(closed.work.labour)).toBe(3.5)
  expect(await order("2")).toMatchObject({ parent: closed.id, component: "bearing" })
  expect(await books(plant)).toMatchObject({
    budgets: [{ costCentre: "utilities", committed: 0, spent: 288 }],
    stock: { "bearing-6309 in main": [4, 0] },
  })
  expect(await says("audit verify --as ada")).toMatch(/^verified: 2 orders, \d+ entries, 1 attachment\n$/)
})

test("installation: a customer's line goes through its phases to the hand-over", async () => {
  const plant = await bottling("2026-03-02T06:00Z")
  const { at, says, refused, order } = plant
  await at("2026-03-02T07:00Z")
  const line = "orders new --asset F-1 --template line-installation --field bottle=117-C --field speed=9000"
  expect(await refused(`${line} --as paul`)).toBe(
    "USAGE: an installation is for somebody: give the customer or the sales order",
  )
  expect(await refused(`${line} --customer other --as cora`)).toBe(
    "NOT_ALLOWED: cora may ask for alpine-springs only, not for other",
  )
  await says(`${line} --sales-order AS-2291 --as cora`)
  expect(await refused("orders triage 1 --as cora")).toContain('NOT_ALLOWED: "cora" may not do this')
  await says("orders triage 1 --as paul")
  await says("orders bid 1 --amount 9000 --hours 40 --as carl")
  expect(await refused("orders bid 1 --amount 100 --contractor other --as carl")).toContain(
    "carl offers for themselves only",
  )
  await says("orders bid 1 --amount 9500 --contractor 'Ems Anlagenbau' --as paul")
  expect(await refused("orders accept-bid 1 --bid carl --seen 2 --as paul")).toContain(
    "ORDER_CHANGED: WO-000001 is at version 4, not 2",
  )
  await says("orders accept-bid 1 --bid carl --as paul")
  await says("orders submit 1 --as paul")
  expect(await refused("orders approve 1 --as adam")).toContain("sara can")
  await says("orders approve 1 --as sara")
  await says("orders approve 1 --as adam")
  expect((await books(plant)).budgets).toMatchObject([{ costCentre: "filling", committed: 11_608 }])
  expect(await refused("orders start 1 --as sara")).toContain('WO-000001 is approved, and "start" is for')
  await says("orders plan 1 --start 2026-03-03T06:00Z --finish 2026-03-06T15:00Z --as paul")
  expect(await says("requests progress 1 --as cora")).toContain(
    "planned for 2026-03-03 07:00 (Europe/Berlin)",
  )
  await says("orders assign 1 --to carl tina --as paul")
  await says("orders dispatch 1 --as paul")
  await at("2026-03-03T06:00Z")
  await says("orders acknowledge 1 --as carl")
  await says("orders start 1 --as carl")
  await says("orders start-labour 1 --as tina")
  expect(await refused("orders task 1 --task mount --as carl")).toBe(
    "NOT_POSSIBLE: task mount of WO-000001 comes after drawing, order: do those first, or skip them",
  )
  await says("orders task 1 --task drawing order --as tina")
  await at("2026-03-03T14:00Z")
  await says("orders task 1 --task mount wire --as carl")
  await says("orders hold 1 --reason weather --note 'the yard is flooded' --as carl")
  await at("2026-03-04T06:00Z")
  await says("orders resume 1 --as paul")
  await says("orders task 1 --task trial --as tina")
  await says("orders check 1 --check rate --value 0 --as tina")
  await says("orders check 1 --check rate --value 9150 --as tina")
  expect(await refused("orders check 1 --check accepted --value cora --as tina")).toContain(
    "check accepted is signed by whoever answers it, with their own name (tina)",
  )
  await says("orders check 1 --check accepted --as tina")
  await says("orders complete 1 --as carl")
  expect(await refused("orders close 1 --as paul")).toBe(
    'NOT_POSSIBLE: WO-000001 can\'t be closed yet, it lacks: the word of who asked for it ("sign-off"); the document hand-over.pdf ("attach")',
  )
  await says(`orders attach 1 --file ${await file(plant, "hand-over.pdf")} --as carl`)
  expect(await refused("orders sign-off 1 --satisfaction 6 --as cora")).toContain("USAGE: sign-off:")
  expect(await refused("orders sign-off 1 --satisfaction 5 --as rita")).toContain(
    "is signed off by who asked for it: cora",
  )
  await says("orders sign-off 1 --satisfaction 5 --comment 'as drawn' --as cora")
  await says("orders verify 1 --as sara")
  await says("orders close 1 --as paul")

  const closed = await order("1")
  expect(closed).toMatchObject({
    state: "closed",
    customer: "alpine-springs",
    salesOrder: "AS-2291",
    closing: { cost: { labour: 464, parts: 0, services: 9000, total: 9464 } },
  })
  expect(hoursOf(closed.work.labour)).toBe(8)
  expect((await order("2")).title).toBe("Check failed: Bottles an hour in the trial")
  expect((await books(plant)).budgets).toMatchObject([{ costCentre: "filling", committed: 0, spent: 9464 }])
  expect(await says("audit verify --as ada")).toMatch(/^verified: 2 orders, \d+ entries, 1 attachment\n$/)
})

test("specialised: an inspection by the rules, by who holds the qualification, with its certificate", async () => {
  const plant = await bottling("2026-05-04T06:00Z")
  const { at, says, refused, order } = plant
  await at("2026-05-04T07:00Z")
  const inspection = "orders new --asset B-1 --template safety-valve-inspection --due 2026-05-29T14:00Z"
  expect(await refused(`${inspection} --as paul`)).toContain(
    '"certificate" (Number of the certificate of last year)',
  )
  await says(`${inspection} --field certificate=2025-118 --as paul`)
  const later = "orders postpone 1 --due 2026-06-12T14:00Z"
  expect(await refused(`${later} --reason holidays --as paul`)).toContain(
    "only a supervisor or admin moves its date",
  )
  expect(await refused(`${later} --as sara`)).toContain("say why its date is moved (reason)")
  await says(`${later} --reason 'agreed with the inspectorate' --as sara`)
  await says("orders triage 1 --as paul")
  expect(await says("orders submit 1 --as paul")).toContain("waits for ella or sara (critical for safety)")
  expect(await refused("orders approve 1 --seen 2 --as ella")).toContain(
    "ORDER_CHANGED: WO-000001 is at version 4, not 2",
  )
  expect(await refused("orders reject 1 --as ella")).toContain("--comment")
  await says("orders reject 1 --comment 'say which boiler house' --as ella")
  await says("orders edit 1 --description 'Boiler house north' --as paul")
  await says("orders submit 1 --as paul")
  await says("orders approve 1 --as ella")
  expect(await refused("orders assign 1 --to tina --as paul")).toBe(
    'NOT_POSSIBLE: tina does not hold the qualification "pressure-equipment" that WO-000001 takes',
  )
  await says("orders plan 1 --start 2026-05-05T06:00Z --finish 2026-05-05T09:00Z --as paul")
  await says("orders assign 1 --to theo --as paul")
  await says("orders dispatch 1 --as paul")
  await at("2026-05-05T06:00Z")
  expect(await refused("orders start 1 --as theo")).toContain(
    'WO-000001 is dispatched, and "start" is for orders that are',
  )
  await says("orders acknowledge 1 --as theo")
  await says("orders grant-permit 1 --permit lock-out --number LO-1 --as sara")
  expect(await refused("orders start 1 --as theo")).toContain("takes the permit hot-surface")
  expect(await refused("orders grant-permit 1 --permit hot-surface --number HS-1 --as theo")).toContain(
    "NOT_ALLOWED",
  )
  await says("orders grant-permit 1 --permit hot-surface --number HS-1 --as sara")
  await says("orders start 1 --as theo")
  await says("orders start-labour 1 --as theo")
  await says("orders task 1 --task lift seal --as theo")
  expect(await says("orders check 1 --check opens --value 10.8 --as theo")).toContain(
    'raises the follow-up order "Safety valve of B-1 opens at the wrong pressure"',
  )
  await says("orders check 1 --check opens --value 10.1 --note 'set again' --as theo")
  await says("orders check 1 --check sealed --as theo")
  await says("orders reading 1 --signal pressure --value 10.1 --as theo")
  await at("2026-05-05T08:00Z")
  await says("orders return-permit 1 --permit lock-out --as theo")
  await says("orders return-permit 1 --permit hot-surface --as theo")
  await says("orders complete 1 --as theo")
  await says("orders reopen 1 --reason 'the seal is loose' --as ella")
  expect(await refused("orders start 1 --as theo")).toContain("takes the permit lock-out, hot-surface")
  await says("orders grant-permit 1 --permit lock-out --number LO-2 --as sara")
  await says("orders grant-permit 1 --permit hot-surface --number HS-2 --as sara")
  await says("orders start 1 --as theo")
  await says("orders start-labour 1 --as theo")
  await at("2026-05-05T08:30Z")
  await says("orders return-permit 1 --permit lock-out --as theo")
  await says("orders return-permit 1 --permit hot-surface --as theo")
  await says("orders complete 1 --note 'sealed again' --as theo")
  expect(await refused("orders verify 1 --as theo")).toContain("ask another person")
  await says("orders verify 1 --as ella")
  expect(await refused("orders close 1 --as paul")).toContain('the document certificate.pdf ("attach")')
  await says(`orders attach 1 --file ${await file(plant, "certificate.pdf")} --as theo`)
  await says("orders sign-off 1 --satisfaction 5 --as paul")
  await says("orders close 1 --as sara")

  const closed = await order("1")
  expect(closed).toMatchObject({
    state: "closed",
    closing: { cost: { labour: 145, total: 145 }, verified: { by: "ella" } },
    postponed: [{ by: "sara", reason: "agreed with the inspectorate" }],
  })
  expect(hoursOf(closed.work.labour)).toBe(2.5)
  expect(await order("2")).toMatchObject({ priority: 1, parent: closed.id })
  expect((await books(plant)).budgets).toMatchObject([{ costCentre: "utilities", committed: 0, spent: 145 }])
  expect(await says("audit verify --as ada")).toMatch(/^verified: 2 orders, \d+ entries, 1 attachment\n$/)
})
