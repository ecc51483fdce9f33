import { expect, test } from "vitest"
import { type InputOf, perform, type ResultOf } from "../../cli/operations.ts"
import { until } from "../until.ts"
import { bottling } from "./bottling.ts"
import { linesOf } from "./setup.ts"

type Plant = Awaited<ReturnType<typeof bottling>>

const auto = "schedule auto --crew day-shift --week 2026-W14"

/**
 * Six approved orders on the Sunday before: two services, a repair, a bearing that takes an analyst and a mechanic, an
 * inspection for which one person is certified, and a line that takes a craft that nobody of the crew has.
 */
async function sunday(): Promise<Plant> {
  const plant = await bottling("2026-03-29T06:00Z")
  const { says, at } = plant
  await at("2026-03-29T06:10Z")
  await until(async () => (await plant.pipeline.app.workorders.list()).orders.length === 2)
  await says("orders new --asset P-101 --template pump-repair --field noise=yes --field leak=drops --as rita")
  await says("orders new --asset P-102 --template bearing-check --component bearing --as paul")
  await says("orders new --asset B-1 --template safety-valve-inspection --field certificate=17 --as paul")
  await says("orders new --asset F-1 --type reactive --title 'Rewire the sensor' --as paul")
  await says(`orders edit-task 6 --task wire --title 'Rewire it' --craft electrician --as paul`)
  await says("stock receive --part bearing-6309 --store main --quantity 2 --as stan")
  await says("stock receive --part grease-400 --store main --quantity 1 --as stan")
  for (const n of [1, 2, 3, 4, 5, 6]) {
    await says(`orders triage ${n} --as paul`)
    await says(`orders submit ${n} --as paul`)
  }
  for (const n of [4, 5]) await says(`orders approve ${n} --as sara`)
  return plant
}

function asker({ pipeline }: Plant, actor: string) {
  return <K extends "schedule.auto" | "schedule.apply" | "schedule.week">(name: K, input: InputOf<K>) =>
    perform(pipeline.app, name, input, actor)
}

const plannedFor = { crew: "day-shift", week: "2026-W14", aheadMs: 14 * 86_400_000, timeLimitMs: 30_000 }

/** Who does what, in the order of time: "WO-000003 isolate tina". */
function workIn({ people }: Pick<ResultOf<"schedule.week">, "people">): readonly string[] {
  return people
    .flatMap(({ person, entries }) => entries.map((entry) => ({ person, ...entry })))
    .toSorted((a, b) => a.startMs - b.startMs || (a.number < b.number ? -1 : 1))
    .map(({ number, task, person }) => `${number} ${task ?? "all"} ${person}`)
}

test("a crew's week is planned, shown with what is left and why, and given to people at a word", async () => {
  const plant = await sunday()
  const { says, refused, order } = plant
  expect(linesOf(await says("schedule week --crew day-shift --week 2026-W14 --as paul"))).toEqual([
    "day-shift, 2026-W14, times in Europe/Berlin",
    "tina (Tina Brandt): 0 of 32 h (0 %)",
    // Friday is a holiday of the site.
    "theo (Theo Falk): 0 of 16 h (0 %)",
    "  away 2026-04-01 to 2026-04-02: crane training",
    "vera (Vera Ohm): 0 of 32 h (0 %)",
  ])
  const shown = await says(`${auto} --dry-run --as paul`)
  expect(shown).toMatch(/^day-shift, 2026-W14, times in Europe\/Berlin: 4 of 6 orders planned\n/)
  expect(shown).toContain("waits for parts: grease-400 0 of 1 there")
  expect(shown).toContain('nobody in this plan has the craft "electrician"')
  expect(shown).toMatch(/\nSCORE +ORDERS .*\nthis plan +4 .*\nby hand \(greedy\) +4 /)
  expect(shown).toMatch(/ {2}Mon 2026-03-30 {2}06:00-07:00 {2}WO-000004 {2}new +measure +P-102 +Pump hall /)
  expect((await order("3")).state).toBe("approved")
  expect(await refused(`${auto} --as paul`)).toBe(
    "USAGE: nobody is there to ask: confirm with --yes, or look with --dry-run",
  )
  expect(await refused(`${auto} --yes --as tina`)).toContain('NOT_ALLOWED: "tina" may not do this')
  expect(await says(`${auto} --yes --as paul`)).toMatch(/\n4 orders planned\n$/)
  const bearing = await order("4")
  expect(bearing).toMatchObject({ state: "assigned", assignees: ["vera", "tina"] })
  expect(bearing.planned?.slots.map(({ task, person }) => `${task} ${person}`)).toEqual([
    "measure vera",
    "replace tina",
  ])
  expect(bearing.work.reserved).toEqual([{ part: "bearing-6309", store: "main", quantity: 2 }])
  expect(await order("5")).toMatchObject({ state: "assigned", assignees: ["theo"] })
  expect(await order("6")).toMatchObject({ state: "approved", planned: null })
  const week = await says("schedule week --crew day-shift --week 2026-W14 --as paul")
  expect(week).toContain("vera (Vera Ohm): 1 of 32 h (3 %)")
  expect(week).toMatch(/ {2}Mon 2026-03-30 {2}06:00-07:00 {2}WO-000004 {2}assigned +measure +P-102 /)
})

test("who could do an order is told with the reasons, those who may not at the end with what they lack", async () => {
  const { says, refused } = await sunday()
  expect(linesOf(await says("schedule suggest 5 --as paul"))).toEqual([
    "WO-000005  Yearly inspection of the safety valve of B-1",
    "times in Europe/Berlin, from now on for a week",
    "  due 2026-04-12 08:10",
    "  parts: none needed",
    "1. theo (Theo Falk)",
    '   has the craft "mechanic"',
    '   has "pressure-equipment" until 2027-03-31',
    "   from 2026-03-30 06:02 to 2026-03-30 09:02, in time, on shift Monday 06:00–10:00",
    "   2 min from riverside",
    "   0 min of 16 h planned this week",
    "Not qualified:",
    expect.stringContaining('  tina (Tina Brandt): lacks "pressure-equipment"'),
    expect.stringContaining("  vera (Vera Ohm): "),
  ])
  const shown = await says("schedule suggest 4 --limit 1 --as paul")
  expect(shown).toContain("  parts: bearing-6309 2 of 2 there")
  expect(shown).toContain("2 others after these: raise --limit")
  await says("orders cancel 6 --reason 'not needed' --as paul")
  expect(await refused("schedule suggest 6 --as paul")).toBe(
    "NOT_POSSIBLE: WO-000006 is cancelled: there is nothing to do on it any more",
  )
  expect(await refused("schedule suggest 99 --as paul")).toBe("NOT_FOUND: there is no work order 99")
})

test("what a planner has planned since stays, and the next plan works around it", async () => {
  const plant = await sunday()
  const { says, order } = plant
  await says(`${auto} --yes --as paul`)
  await says("orders plan 3 --start 2026-03-31T04:00Z --finish 2026-03-31T12:30Z --as sara")
  await says("orders assign 3 --to tina --as sara")
  await says("stock receive --part grease-400 --store main --quantity 2 --as stan")
  const before = await order("3")
  const shown = await says(`${auto} --yes --as paul`)
  expect(shown).toMatch(/: 1 of 2 orders planned\n/)
  expect(await order("3")).toEqual(before)
  const ask = asker(plant, "paul")
  const { people } = await ask("schedule.week", { crew: "day-shift", week: "2026-W14" })
  const tina = people.find(({ person }) => person === "tina")
  expect(tina?.entries.filter(({ number }) => number === "WO-000003")).toHaveLength(2)
  for (const [at, entry] of tina?.entries.entries() ?? [])
    expect(entry.startMs).toBeGreaterThanOrEqual(tina?.entries[at - 1]?.endMs ?? 0)
})

test("--replan takes what has a time already, but nothing that is sent out", async () => {
  const plant = await sunday()
  const { says, order } = plant
  await says(`${auto} --yes --as paul`)
  await says("orders plan 3 --start 2026-03-31T04:00Z --finish 2026-03-31T12:30Z --as sara")
  await says("orders dispatch 5 --as paul")
  const sent = await order("5")
  const ask = asker(plant, "paul")
  const found = await ask("schedule.auto", { ...plannedFor, replan: true })
  expect(found.orders.map(({ number }) => number).toSorted()).toEqual(
    expect.arrayContaining(["WO-000003", "WO-000004"]),
  )
  expect(found.orders.map(({ number }) => number)).not.toContain("WO-000005")
  expect(workIn(found)).toEqual(expect.arrayContaining(["WO-000005 lift theo", "WO-000005 seal theo"]))
  await says(`${auto} --replan --yes --as paul`)
  expect(await order("5")).toEqual(sent)
  expect((await order("3")).planned?.startMs).toBeLessThan(Date.parse("2026-03-31T00:00Z"))
})

test("an order that was changed meanwhile is told and left, the others go on, and a repeat does nothing twice", async () => {
  const plant = await sunday()
  const { says, order } = plant
  const ask = asker(plant, "paul")
  const { plan, orders } = await ask("schedule.auto", plannedFor)
  expect(orders.map(({ number }) => number).toSorted()).toEqual([
    "WO-000001",
    "WO-000003",
    "WO-000004",
    "WO-000005",
  ])
  await says("orders note 3 --text 'the spare is on its way' --as tina")
  const { results } = await ask("schedule.apply", { plan, orders: [...orders] })
  expect(results.filter(({ done }) => !done)).toEqual([
    expect.objectContaining({
      number: "WO-000003",
      code: "ORDER_CHANGED",
      note: expect.stringContaining("note by tina (the spare is on its way). Nothing was done"),
    }),
  ])
  const planned = await order("5")
  expect(planned).toMatchObject({ state: "assigned" })
  const again = await ask("schedule.apply", { plan, orders: [...orders] })
  expect(again.results.map(({ number, done, repeated }) => [number, done, repeated]).toSorted()).toEqual([
    ["WO-000001", true, true],
    ["WO-000003", false, false],
    ["WO-000004", true, true],
    ["WO-000005", true, true],
  ])
  expect(await order("5")).toEqual(planned)
})

test("the same plant and seed give the same plan", async () => {
  const plant = await sunday()
  const ask = asker(plant, "paul")
  const { plan } = await ask("schedule.auto", plannedFor)
  expect((await ask("schedule.auto", plannedFor)).plan).toBe(plan)
})

test("orders that are due near each other in time and place are told as visits", async () => {
  const { says } = await sunday()
  expect(linesOf(await says("schedule visits --within 1d --hours 6 --as paul"))).toEqual([
    "3 orders, 6 h: the same site riverside, due within 21.8 h",
    "  WO-000003  P-101  due 2026-04-12 06:10",
    // Nobody has stated how long it takes: an hour.
    "  WO-000006  F-1  due 2026-04-12 06:10",
    "  WO-000001  P-101  due 2026-04-13 04:00",
    "2 orders, 6 h: the same asset P-102, due within 21.8 h",
    "  WO-000004  P-102  due 2026-04-12 06:10",
    "  WO-000002  P-102  due 2026-04-13 04:00",
    "1 order alone",
  ])
})

test("what is asked for wrongly is refused with what to do", async () => {
  const plant = await bottling("2026-03-29T06:00Z")
  const { refused, says, at } = plant
  await at("2026-03-29T06:10Z")
  expect(await refused("schedule auto --crew nights --as paul")).toBe(
    'NOT_FOUND: there is no crew "nights" in the plant: expected one of day-shift',
  )
  expect(await refused("schedule week --crew day-shift --week 2026-48 --as paul")).toBe(
    'USAGE: "2026-48" is no week: expected a year and a week of it, such as 2026-W13',
  )
  expect(await refused("schedule auto --crew day-shift --week 2026-W12 --as paul")).toBe(
    "USAGE: the week 2026-W12 is over: give a later one with --week",
  )
  expect(await refused("schedule visits --site lakeside --as paul")).toBe(
    'NOT_FOUND: there is no site "lakeside" in the plant',
  )
  expect(await says(`${auto} --as paul`)).toContain("nothing to plan")
})
