import { randomUUID } from "node:crypto"
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { type InputOf, perform } from "../../../cli/operations.ts"
import { bottling } from "../../cli/bottling.ts"
import { scratchDirectory } from "../../pipeline.ts"

/** Eight hours of one person a week, in each of two crews, and a crew of which nobody has stated when it works. */
const plantFile = `
plant: small
sites:
  - { id: north }
  - { id: south }
classes: [{ id: pump }]
assets:
  - { id: P-1, site: north, class: pump }
crews:
  - { id: days, site: north, hours: { mon: [["06:00", "14:00"]] } }
  - { id: lates, site: north, hours: { mon: [["14:00", "22:00"]] } }
  - { id: helpers, site: south }
people:
  - { id: paul, name: Paul, roles: [planner, admin] }
  - { id: tina, name: Tina, roles: [technician], crew: days }
  - { id: theo, name: Theo, roles: [technician], crew: lates }
  - { id: hans, name: Hans, roles: [technician], crew: helpers }
`
const sunday = "2026-11-29T12:00Z"
const monday = (time: string) => `2026-11-30T${time}Z`
const auto = { crew: "days", week: "2026-W49", aheadMs: 14 * 86_400_000, timeLimitMs: 30_000, replan: true }

async function plantWith(source = plantFile) {
  const directory = await scratchDirectory()
  onTestFinished(() => rm(directory, { recursive: true }))
  const file = join(directory, "plant.yaml")
  await writeFile(file, source)
  const plant = await bottling(sunday, file)
  const { says, pipeline } = plant
  let last = 0
  return {
    ...plant,
    ask: <K extends "schedule.auto" | "schedule.apply" | "schedule.suggest">(name: K, input: InputOf<K>) =>
      perform(pipeline.app, name, input, "paul"),
    /** An approved order of so many hours; its number. */
    async approved(title: string, priority: number, hours: number): Promise<number> {
      last += 1
      await says(
        `orders new --asset P-1 --title '${title}' --priority ${priority} --due 2026-12-04T12:00Z --as paul`,
      )
      await says(`orders edit-task ${last} --task work --title '${title}' --hours ${hours} --as paul`)
      await says(`orders triage ${last} --as paul`)
      await says(`orders submit ${last} --as paul`)
      return last
    },
    async given(order: number, person: string, from: string, to: string): Promise<void> {
      await says(`orders plan ${order} --start ${monday(from)} --finish ${monday(to)} --as paul`)
      await says(`orders assign ${order} --to ${person} --as paul`)
    },
  }
}

test("people of a crew without hours are not suggested, which is said, and the others are", async () => {
  const { approved, ask } = await plantWith()
  const order = await approved("Grease it", 3, 2)
  const { people, about } = await ask("schedule.suggest", { order: String(order), limit: 10 })
  expect(people.map(({ person }) => person)).toEqual(["tina", "theo"])
  expect(about).toContain(
    "crew helpers has no hours: state them in the plant file, or the workingTime of its site south, to have its people considered (hans)",
  )
})

test("nobody can be suggested where no crew has hours", async () => {
  const { approved, refused } = await plantWith(plantFile.replaceAll(/, hours: .* }$/gm, " }"))
  const order = await approved("Grease it", 3, 2)
  expect(await refused(`schedule suggest ${order} --as paul`)).toMatch(
    /^NOT_POSSIBLE: nobody's hours are known: crew days has no hours: state them .*\(tina\); crew lates /,
  )
})

test("--replan gives an order that has a time another one, or leaves it that time and plans nobody else's work there", async () => {
  const { approved, given, ask, order: read } = await plantWith()
  const old = await approved("Paint it", 5, 4)
  // As somebody would who is not asked again: what is more urgent would have this time.
  await given(old, "tina", "06:00", "10:00")
  const urgent = await approved("Mend it", 1, 8)
  const short = await approved("Look at it", 3, 2)
  const { plan, orders, left, people } = await ask("schedule.auto", auto)
  await ask("schedule.apply", { plan, orders: [...orders] })
  const [kept, second] = [await read(String(old)), await read(String(short))]
  expect([kept.assignees, second.assignees]).toEqual([["tina"], ["tina"]])
  const times = [kept, second].map(({ planned }) => [planned?.startMs ?? 0, planned?.finishMs ?? 0] as const)
  const [[from = 0] = [], [, until = 0] = []] = times.toSorted(([a], [b]) => b - a)
  expect(from).toBeGreaterThanOrEqual(until)
  expect(await read(String(urgent))).toMatchObject({ state: "approved", planned: null })
  expect(left).toMatchObject([{ number: "WO-000002", why: expect.stringContaining("no time is left") }])
  expect(people[0]?.plannedMs).toBe(6 * 3_600_000)
})

test("--replan keeps the time free of what finds no other, and tells it", async () => {
  const { approved, given, ask } = await plantWith()
  const old = await approved("Paint it", 5, 9)
  // Nobody is free for so long in one go: the planner counts on overtime.
  await given(old, "tina", "08:00", "17:00")
  await approved("Mend it", 1, 2)
  const found = await ask("schedule.auto", auto)
  expect(found.orders.map(({ number, startMs }) => [number, startMs])).toEqual([
    ["WO-000002", Date.parse(monday("06:00"))],
  ])
  expect(found.left).toMatchObject([
    { number: "WO-000001", why: expect.stringMatching(/; it keeps the time that it has$/) },
  ])
  expect(found.people[0]?.entries.map(({ number }) => number)).toEqual(["WO-000002", "WO-000001"])
})

test("--replan leaves to another crew what is theirs", async () => {
  const { approved, pipeline, ask } = await plantWith()
  const theirs = await approved("Paint it", 5, 2)
  const [startMs, finishMs] = [Date.parse(monday("14:00")), Date.parse(monday("16:00"))]
  const slots = [{ task: "work", person: "theo", startMs, finishMs }]
  await pipeline.app.workorders.perform(
    { order: String(theirs), command: "plan", input: { startMs, finishMs, slots }, id: randomUUID() },
    { actor: "paul", atMs: Date.parse(sunday) },
  )
  const { orders, left } = await ask("schedule.auto", auto)
  expect([orders, left]).toEqual([[], []])
})
