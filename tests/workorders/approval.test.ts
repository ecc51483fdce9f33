import { expect, test } from "vitest"
import { job } from "../../core/job.ts"
import { parsePlant } from "../../core/plant.ts"
import { levelsFor } from "../../workorders/approval-rules.ts"
import { office, people } from "./office.ts"
import { at } from "./requests.ts"

const rules = `
approvals:
  - { id: any, levels: [{ by: supervisor, above: 1000 }, { by: [ella, paul], above: 5000 }] }
  - { id: safe, for: { safety: critical }, levels: [{ by: engineer }, { by: supervisor }], expires: 2d }
  - { id: pumps-north, for: { class: [pump], site: [north], type: [installation] }, levels: [{ by: [paul, ella] }] }
  - { id: stop, for: { shutdown: true }, levels: [{ by: admin }], expires: 12h }
`
const plant = parsePlant(people + rules)

/** With the plant's list of people changed. */
function staff(change: (yaml: string) => string): string {
  return change(people) + rules
}

const asked: readonly (readonly [string, object, number, readonly unknown[], number | null])[] = [
  ["below every limit", {}, 999.99, [], null],
  ["from the limit on", {}, 1000, ["supervisor"], null],
  ["a second level for a higher cost", {}, 5000, ["supervisor", ["ella", "paul"]], null],
  ["by safety", { job: job.parse({ safety: "critical" }) }, 0, ["engineer", "supervisor"], 48],
  [
    "all rules that fit, nobody twice, the shortest time",
    { type: "installation", job: job.parse({ safety: "critical", shutdown: true }) },
    7000,
    ["supervisor", ["ella", "paul"], "engineer", "admin"],
    12,
  ],
]

test.each(asked)("who has to agree: %s", async (_, content, cost, who, hours) => {
  const { order, revision } = await office()
  const made = await order(1, content)
  const { levels, standsMs } = levelsFor(made, cost, { plant, asset: revision.assets.get("P-101") })
  expect(levels.map(({ by }) => by)).toEqual(who)
  expect(standsMs).toBe(hours === null ? null : hours * 3_600_000)
})

const dear = { job: job.parse({ services: 6000 }) }
const critical = { job: job.parse({ safety: "critical" }) }

test("levels are decided one after the other, each by whom it names, with comments kept", async () => {
  const { order, perform, queries, clock } = await office(people + rules)
  const { number } = await order(1, dear)
  const { note } = await perform("paul", number, "submit", { comment: "before the summer" })
  expect(note).toBe(
    "waits for supervisor (estimated cost 6,000.00 EUR reaches 1,000.00 EUR), then ella or paul " +
      "(estimated cost 6,000.00 EUR reaches 5,000.00 EUR); estimated cost 6,000.00 EUR; before the summer",
  )
  await expect(perform("ella", number, "approve")).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message:
      'WO-000001 waits for supervisor (rule any), and "ella" is none of them nor their delegate; sara can',
  })
  clock.atMs = at(1)
  expect((await perform("sara", number, "approve", { comment: "go on" })).order.state).toBe(
    "awaiting-approval",
  )
  clock.atMs = at(2)
  const { order: done } = await perform("ella", number, "approve")
  expect(done).toMatchObject({
    state: "approved",
    approval: {
      cost: 6000,
      askedBy: "paul",
      decisions: [
        { level: 0, by: "sara", onBehalfOf: null, decision: "approved", comment: "go on", atMs: at(1) },
        { level: 1, by: "ella", decision: "approved", comment: "", atMs: at(2) },
      ],
    },
  })
  const { history } = await queries.get(number)
  expect(history.slice(-2).map((one) => one.note)).toEqual([
    "level 1 of 2 (supervisor); go on",
    "level 2 of 2 (ella or paul)",
  ])
})

test("a refusal ends it with the reason; submitted again, approval begins anew", async () => {
  const { order, perform, clock } = await office(people + rules)
  const { number } = await order(1, dear)
  await perform("paul", number, "submit")
  await perform("sara", number, "approve")
  await expect(perform("sara", number, "reject", { comment: "no" })).rejects.toMatchObject({
    code: "NOT_ALLOWED",
  })
  clock.atMs = at(5)
  const { order: refused } = await perform("ella", number, "reject", { comment: "repair it instead" })
  expect(refused).toMatchObject({ state: "rejected", finishedMs: at(5) })
  expect(refused.approval?.decisions.at(-1)).toMatchObject({ level: 1, decision: "rejected" })
  const { order: again } = await perform("paul", number, "submit")
  expect(again).toMatchObject({ state: "awaiting-approval", finishedMs: null, approval: { decisions: [] } })
})

test("an order is not submitted again while another is open for its need", async () => {
  const { order, perform } = await office(people + rules)
  const { number } = await order(1, { ...dear, mergeKey: "same" })
  await perform("paul", number, "submit")
  await perform("sara", number, "reject", { comment: "not now" })
  await order(2, { mergeKey: "same" })
  await expect(perform("paul", number, "submit")).rejects.toThrow(
    "WO-000002 is open for the same need: go on there",
  )
})

test("nobody decides about what they asked for themselves while somebody else can", async () => {
  const { order, perform } = await office(people + rules)
  const first = await order(1, dear)
  await perform("paul", first.number, "submit")
  await perform("sara", first.number, "approve")
  await expect(perform("paul", first.number, "approve")).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message: expect.stringMatching(/asked for by "paul".*somebody else decides about it; ella can/),
  })
  const second = await order(2, { ...dear, trigger: { kind: "person", by: "ella" } })
  await perform("sara", second.number, "submit")
  // There is no other supervisor.
  await perform("sara", second.number, "approve")
  await perform("paul", second.number, "approve")
})

test("nobody decides two levels of an order, not even as a delegate", async () => {
  const twice = staff((yaml) =>
    yaml
      .replace(
        "id: ella, name: Ella, roles: [engineer]",
        "id: ella, name: Ella, roles: [engineer, supervisor]",
      )
      .replace("roles: [supervisor] }", "roles: [supervisor], delegate: { to: ella } }"),
  )
  const { order, perform } = await office(twice)
  const { number } = await order(1, critical)
  await perform("paul", number, "submit")
  await perform("ella", number, "approve")
  await expect(perform("ella", number, "approve")).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message:
      '"ella", or whom they stand for, has decided a level of WO-000001 already, and nobody decides two; sara can',
  })
  expect((await perform("sara", number, "approve")).order.state).toBe("approved")
})

test("a delegate decides in the days stated, and it is kept for whom", async () => {
  const away = staff((yaml) =>
    yaml.replace(
      "roles: [supervisor] }",
      "roles: [supervisor], delegate: { to: theo, from: 2026-01-02, until: 2026-01-03 } }",
    ),
  )
  const { order, perform, clock } = await office(away)
  const { number } = await order(1, { job: job.parse({ services: 1500 }) })
  await perform("paul", number, "submit")
  for (const hours of [23, 72]) {
    clock.atMs = at(hours)
    await expect(perform("theo", number, "approve")).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  }
  clock.atMs = at(71)
  const { order: done, note } = await perform("theo", number, "approve")
  expect(done.approval?.decisions).toMatchObject([{ by: "theo", onBehalfOf: "sara" }])
  expect(note).toBe("level 1 of 1 (supervisor) on behalf of sara")
})

test("approval that nobody can give is refused when it is asked for", async () => {
  const { order, perform } = await office(
    staff((yaml) => yaml.replace("roles: [supervisor]", "roles: [auditor]")),
  )
  const { number } = await order(1, dear)
  await expect(perform("paul", number, "submit")).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: expect.stringMatching(
      /^it takes the approval of supervisor \(rule any: .*\), and the plant has nobody who is that: add/,
    ),
  })
})

test("levels stand as they were asked for, whatever the plant file says later", async () => {
  const { order, perform, apply } = await office(people + rules)
  const { number } = await order(1, { job: job.parse({ services: 1500 }) })
  await perform("paul", number, "submit")
  apply(people)
  await expect(perform("ella", number, "approve")).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  expect((await perform("sara", number, "approve")).order.state).toBe("approved")
})

test("an order that costs more than those who approve were told has to be submitted again", async () => {
  const { order, perform, apply } = await office(people + rules)
  const { number } = await order(1, { job: job.parse({ services: 1500, estimatedHours: 10 }) })
  await perform("paul", number, "submit")
  apply(`${people}${rules}crafts: [{ id: mechanic, rate: 60 }]`)
  await expect(perform("sara", number, "approve")).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message:
      "WO-000001 is now estimated at 2,100.00 EUR, and approval was asked for 1,500.00 EUR: withdraw it and submit it again, or reject it",
  })
  await perform("paul", number, "withdraw", { reason: "prices have risen" })
  expect((await perform("paul", number, "submit")).order.approval?.cost).toBe(2100)
  await perform("sara", number, "approve")
})

test("in a plant without people whoever has the files decides", async () => {
  const noPeople = people.slice(0, people.indexOf("people:")) + rules.replaceAll("[ella, paul]", "engineer")
  const { order, perform } = await office(noPeople.replaceAll("[paul, ella]", "engineer"))
  const { number } = await order(1, dear)
  await perform("somebody", number, "submit")
  await perform("somebody", number, "approve")
  expect((await perform("somebody", number, "approve")).order.state).toBe("approved")
})
