import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { builtInCodes, codesLike, failureCodesFor, findCode } from "../../core/failure-codes.ts"
import { job } from "../../core/job.ts"
import { parsePlant } from "../../core/plant.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import { office, people } from "./office.ts"
import { at, finding, type open } from "./requests.ts"

const plant = people
  .replace("classes: [", "classes: [{ id: fan }, ")
  .replace(
    "{ id: P-102, site: north, class: pump }",
    "{ id: P-102, site: north, class: pump, warranty: { by: ACME, until: 2026-01-10 } }",
  )
  .replace(
    "{ id: cora, name: Cora, roles: [customer] }",
    "{ id: cora, name: Cora, roles: [customer], customer: mill }",
  )
  .concat(`
customers: [{ id: mill, name: The Mill }]
crafts: [{ id: fitter, rate: 60 }]
failureCodes:
  - { class: pump, problems: [{ code: VIB, text: impeller vibrates }, { code: CAVN, text: sounds like gravel }] }
  - { problems: [{ code: CAVN, text: of no class }, { code: SMELL, text: smells burnt }] }
  - { class: fan, problems: [{ code: BLADE, text: blade is gone }] }
`)

type More = Parameters<typeof open>[1]

/** An order on which tina's work is done. */
async function done(more: More = {}) {
  const it = await office(plant)
  const { number } = await it.order(1, { job: job.parse({}), ...more })
  await it.perform("paul", number, "submit")
  await it.perform("paul", number, "assign", { to: ["tina"] })
  await it.perform("paul", number, "dispatch")
  await it.perform("tina", number, "acknowledge")
  await it.perform("tina", number, "start")
  await it.perform("tina", number, "complete")
  const perform = (who: string, command: CommandName, input: unknown = {}) =>
    it.perform(who, number, command, input)
  return { ...it, number, do: perform }
}

const byPerson: More = { trigger: { kind: "person", by: "paul" }, findings: [] }

test("codes of the class come before those of the plant, and those before the built-in ones", () => {
  const { problems } = failureCodesFor(parsePlant(plant), "pump")
  expect(problems.slice(0, 3)).toEqual([
    { code: "VIB", text: "impeller vibrates" },
    { code: "CAVN", text: "sounds like gravel" },
    { code: "SMELL", text: "smells burnt" },
  ])
  expect(problems.filter(({ code }) => code === "VIB")).toHaveLength(1)
  expect(findCode(problems, "BLADE")).toBeUndefined()
  expect(findCode(failureCodesFor(parsePlant(plant), undefined).problems, "vib")?.text).toContain(
    "vibrates more",
  )
})

test("the built-in codes are names, each once in its list, and none is taken for another by its case", () => {
  for (const codes of Object.values(builtInCodes)) {
    expect(new Set(codes.map(({ code }) => code.toLowerCase())).size).toBe(codes.length)
    for (const { code } of codes) expect(code).toMatch(/^[A-Z]{3,4}$/)
  }
})

test("docs/closing.md lists them", async () => {
  const text = await readFile(join(import.meta.dirname, "../../docs/closing.md"), "utf8")
  for (const codes of Object.values(builtInCodes))
    expect(text).toContain(codes.map(({ code, text }) => `\`${code}\` ${text}`).join("; "))
})

test("what is alike is found by the code's beginning and by words of its text; else all codes are", () => {
  const { problems } = builtInCodes
  expect(codesLike(problems, "VIBR").map(({ code }) => code)).toEqual(["VIB"])
  expect(codesLike(problems, "noise").map(({ code }) => code)).toEqual(["NOI"])
  expect(codesLike(problems, "?")).toEqual(problems)
})

test("a finding is kept by its codes, and told with what they mean", async () => {
  const { do: perform } = await done()
  const { order, note } = await perform("tina", "finding", {
    problem: "cavn",
    mechanism: "CAV",
    cause: "OFF",
    remedy: "REPL",
    note: "suction was throttled",
  })
  expect(order.closing.finding).toEqual({
    problem: "CAVN",
    mechanism: "CAV",
    cause: "OFF",
    remedy: "REPL",
    note: "suction was throttled",
    by: "tina",
    atMs: at(0),
  })
  expect(note).toBe(
    "CAVN (sounds like gravel), CAV (cavitation), OFF (run outside what it is made for), REPL (replaced); suction was throttled",
  )
})

test("an unknown code is refused with those that may have been meant", async () => {
  const { do: perform } = await done()
  await expect(perform("tina", "finding", { problem: "VIBR" })).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: '"VIBR" is no code of a problem here. Did you mean: VIB (impeller vibrates)',
  })
  await expect(perform("tina", "finding", { problem: "VIB", remedy: "?" })).rejects.toThrow(
    /^"\?" is no code of a remedy here\. There are: REPL \(replaced\), .*OTH \(other activity\)$/,
  )
})

test("a verdict is on what a rule has found, so other orders have none", async () => {
  const { do: perform } = await done(byPerson)
  await expect(perform("ella", "verdict", { verdict: "confirmed" })).rejects.toThrow(
    "no rule found anything for WO-000001, so there is nothing to judge: state a finding only",
  )
  const rule = await done()
  const { order } = await rule.do("ella", "verdict", { verdict: "false-alarm", note: "sensor was loose" })
  expect(order.closing.verdict).toEqual({
    verdict: "false-alarm",
    note: "sensor was loose",
    by: "ella",
    atMs: at(0),
  })
})

test("where verification is asked for, it is by nobody who had a hand in the work", async () => {
  const verified = job.parse({ verification: true, tasks: [{ title: "grease", assignee: "theo" }] })
  const it = await office(plant)
  const { number } = await it.order(1, { job: verified })
  await it.perform("paul", number, "submit")
  await it.perform("paul", number, "assign", { to: ["carl"] })
  await it.perform("paul", number, "assign", { to: ["tina"] })
  await it.perform("paul", number, "dispatch")
  await it.perform("tina", number, "acknowledge")
  await it.perform("tina", number, "start")
  await it.perform("theo", number, "task", { task: ["1"] })
  await it.perform("tina", number, "complete")
  for (const who of ["tina", "theo"])
    await expect(it.perform(who, number, "verify")).rejects.toThrow(
      `is verified by somebody else than who did it, and "${who}" was one of them: ask another person`,
    )
  expect((await it.perform("sara", number, "verify")).order.state).toBe("verified")
})

test("labour counts as a hand in the work, also after it was given to somebody else", async () => {
  const it = await office(plant)
  const { number } = await it.order(1, { job: job.parse({ verification: true }) })
  await it.perform("paul", number, "submit")
  for (const who of ["theo", "tina"]) {
    await it.perform("paul", number, "assign", { to: [who] })
    await it.perform("paul", number, "dispatch")
    await it.perform(who, number, "acknowledge")
    await it.perform(who, number, "start")
    await it.perform(who, number, "start-labour")
    it.clock.atMs += 3_600_000
    await it.perform(who, number, "complete")
    if (who === "theo") await it.perform("sara", number, "reopen", { reason: "still hot" })
  }
  await expect(it.perform("theo", number, "verify")).rejects.toThrow('"theo" was one of them')
})

test("an order is signed off by the customer whom it is for, not by who asked for them", async () => {
  const forTheMill: More = {
    ...byPerson,
    origin: {
      requester: { kind: "person", id: "rita", name: "Rita", contact: null },
      fields: {},
      customer: "mill",
      salesOrder: null,
      parent: null,
    },
  }
  const { do: perform } = await done(forTheMill)
  for (const who of ["sara", "rita"])
    await expect(perform(who, "sign-off", { satisfaction: 5 })).rejects.toThrow(
      "WO-000001 is signed off by who asked for it: cora",
    )
  await expect(perform("cora", "sign-off", { satisfaction: 6 })).rejects.toMatchObject({ code: "USAGE" })
  const { order, note } = await perform("cora", "sign-off", { satisfaction: 4, comment: "quick" })
  expect(note).toBe("4 of 5: quick")
  expect(order.closing.signOff).toEqual({ by: "cora", satisfaction: 4, comment: "quick", atMs: at(0) })
})

test("where nobody who asked has an account, a supervisor signs off for them", async () => {
  const { do: perform } = await done()
  await expect(perform("paul", "sign-off", { satisfaction: 5 })).rejects.toThrow(
    "is signed off by a supervisor or admin, as nobody who asked has an account: sara, adam",
  )
  expect((await perform("sara", "sign-off", { satisfaction: 5 })).order.closing.signOff?.by).toBe("sara")
})

test("a reopened order has to be verified and signed off again; what was found stays", async () => {
  const { do: perform } = await done()
  await perform("tina", "finding", { problem: "VIB" })
  await perform("sara", "verify")
  await perform("sara", "sign-off", { satisfaction: 2 })
  const { order } = await perform("sara", "reopen", { reason: "still shakes" })
  expect(order.closing).toMatchObject({ verified: null, signOff: null, finding: { problem: "VIB" } })
})

test.each([
  [
    "on the last day, by the clocks of the site",
    "2026-01-10T22:59Z",
    true,
    "covered: seen on 2026-01-10, warranty by ACME until 2026-01-10",
  ],
  [
    "on the day after",
    "2026-01-10T23:00Z",
    false,
    "not covered: seen on 2026-01-11, after the warranty by ACME until 2026-01-10",
  ],
])("warranty covers what was seen %s", async (_title, seen, covered, why) => {
  const seenMs = Date.parse(seen)
  const { do: perform } = await done({
    asset: "P-102",
    atMs: seenMs + 1000,
    findings: [finding(1, 0, { openedAtMs: seenMs })],
  })
  const { order, note } = await perform("paul", "warranty", { note: "case 12" })
  expect(order.closing.warranty).toEqual({ claimed: true, covered, why, by: "paul", atMs: at(0) })
  expect(note).toBe(`claimed; ${why}; case 12`)
})

test("a finding on an asset under warranty says so, until somebody has decided on the claim", async () => {
  const { do: perform } = await done({ asset: "P-102" })
  expect((await perform("tina", "finding", { problem: "VIB" })).note).toContain(
    'warranty by ACME until 2026-01-10: say with "warranty" whether to claim',
  )
  expect((await perform("paul", "warranty", { claim: "no" })).order.closing.warranty).toMatchObject({
    claimed: false,
  })
  expect((await perform("tina", "finding", { problem: "VIB" })).note).not.toContain("warranty")
})

test("an asset without a warranty is not covered, and says why", async () => {
  const { do: perform } = await done()
  expect((await perform("paul", "warranty")).order.closing.warranty).toMatchObject({
    covered: false,
    why: "P-101 has no warranty in the plant file",
  })
})

const everything = job.parse({ verification: true, signOff: true, documents: ["report", "permit"] })

test("closing is refused with all that is missing, and how it is added", async () => {
  const { do: perform, get, number } = await done({ job: everything })
  const before = await get(number)
  await expect(perform("paul", "close")).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message:
      'WO-000001 can\'t be closed yet, it lacks: what was found ("finding"); whether the rule was right ("verdict"); ' +
      'a look at it by somebody else than who did it ("verify"); the word of who asked for it ("sign-off"); ' +
      'the document report ("attach"); the document permit ("attach")',
  })
  expect(await get(number)).toEqual(before)
})

test("an order with all that was asked for is closed", async () => {
  const { do: perform } = await done({ job: everything })
  const content = Buffer.from("all well").toString("base64")
  await perform("tina", "finding", { problem: "VIB" })
  await perform("tina", "verdict", { verdict: "confirmed" })
  for (const name of ["report", "permit"])
    await perform("tina", "attach", { name, mediaType: "text/plain", content })
  await perform("ella", "verify")
  await perform("sara", "sign-off", { satisfaction: 5 })
  expect((await perform("paul", "close")).order.state).toBe("closed")
})

test.each([
  ["preventive", []],
  ["installation", []],
  ["specialised", []],
  ["reactive", ["finding"]],
  ["predictive", ["finding"]],
] as const)("closing a %s order that a person asked for takes %j", async (type, needed) => {
  const { do: perform } = await done({ ...byPerson, type })
  if (needed.length > 0) {
    await expect(perform("paul", "close")).rejects.toThrow(/it lacks: what was found \("finding"\)$/)
    await perform("tina", "finding", { problem: "NONE" })
  }
  expect((await perform("paul", "close")).order.state).toBe("closed")
})

test("what it has cost is summed up when it is closed", async () => {
  const { do: perform } = await done({ ...byPerson, type: "preventive", job: job.parse({ services: 40.5 }) })
  const { order, note } = await perform("paul", "close", { note: "invoice follows" })
  expect(order.closing.cost).toEqual({ labour: 0, parts: 0, services: 40.5, total: 40.5 })
  expect(note).toBe("cost 40.50 EUR: invoice follows")
})

test("who says that work is done, or answered its checks, does not verify it", async () => {
  const { order, perform } = await office(plant)
  const { number } = await order(1, { job: job.parse({ verification: true, checklist: ["No leak"] }) })
  const assign = async (who: string) => {
    await perform("paul", number, "assign", { to: [who] })
    await perform("paul", number, "dispatch")
    await perform(who, number, "acknowledge")
    await perform(who, number, "start")
  }
  await perform("paul", number, "submit")
  await assign("tina")
  await perform("tina", number, "check", { check: "1", value: "yes" })
  await perform("sara", number, "complete")
  await expect(perform("sara", number, "verify")).rejects.toThrow('"sara" was one of them')
  await perform("paul", number, "reopen", { reason: "still leaks" })
  await assign("theo")
  await perform("theo", number, "complete")
  await expect(perform("tina", number, "verify")).rejects.toThrow('"tina" was one of them')
  await perform("ella", number, "verify")
})
