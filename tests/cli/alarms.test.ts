import { connectAsync } from "mqtt"
import { beforeEach, expect, test } from "vitest"
import { topics } from "../../core/topics.ts"
import type { AlarmStep } from "../../core/vocabulary.ts"
import { id, minute, startMs, step } from "../rules/alarms/steps.ts"
import { answer, linesOf, runCommand, servePlant } from "./setup.ts"

const source = `
plant: test
sites: [{ id: hall-3 }, { id: hall-4 }]
classes: [{ id: pump, signals: { vibration: { unit: mm/s } }, components: [bearing] }]
assets: [{ id: P-101, site: hall-3, class: pump }, { id: P-102, site: hall-3, class: pump }]
rules:
  - id: bearing-vibration
    kind: threshold
    for: { class: pump }
    component: bearing
    signal: vibration
    params: { levels: [{ severity: warning, above: 7.1 }] }
people:
  - { id: jonas, name: Jonas, roles: [technician] }
  - { id: erika, name: Erika, roles: [engineer] }
`

const of = (asset: string, more: Partial<AlarmStep> = {}) => ({
  site: "hall-3",
  asset,
  rule: "bearing-vibration",
  reason: "bearing vibration 7.2 mm/s above 7.1 mm/s for 2 h",
  ...more,
})
const first = step(1, 0, of("P-101"))
const hot = "bearing temperature 96 degC above 90 degC"
const steps: readonly AlarmStep[] = [
  first,
  step(
    2,
    5,
    of("P-101", {
      incident: id(1),
      rule: "bearing-temperature",
      severity: "alarm",
      reason: hot,
      value: null,
      limit: null,
    }),
  ),
  step(3, 20, of("P-102")),
  { ...step(3, 30, of("P-102", { kind: "cleared", sequence: 1 })), openedAtMs: startMs + 20 * minute },
]

let directory: string
let send: (steps: readonly AlarmStep[]) => Promise<void>
const short = (number: number) => id(number).slice(0, 8)
/** Whatever the columns' widths. */
const rowsOf = (text: string) => linesOf(text).map((line) => line.replace(/ {2,}/g, "  "))
const run = (words: string, last?: string) => answer(directory, words, last)

beforeEach(async () => {
  const served = await servePlant(source)
  directory = served.directory
  const { app, url, taken, settled } = served.pipeline
  // The clock `event` stands at the newest time that came in.
  const publisher = await connectAsync(url)
  const message = JSON.stringify({ ts: startMs + 60 * minute, vibration: 2 })
  await publisher.publishAsync("v1/hall-3/P-102/telemetry", message, { qos: 1 })
  await publisher.endAsync()
  await taken(1)
  send = async (more) => {
    await app.log.append(
      topics.alarms,
      more.map((value) => ({ key: value.site, value })),
    )
    await settled()
  }
  await send(steps)
})

test("alarms are listed, shown, and judged", async () => {
  expect(linesOf(await run("alarms list"))).toEqual([
    "ID        INCIDENT  OPENED            SEVERITY  STATE  ASSET  RULE                 REASON",
    `${short(2)}  ${short(1)}  2026-01-01 00:05  alarm     open   P-101  bearing-temperature  ${hot}`,
    `${short(1)}  ${short(1)}  2026-01-01 00:00  warning   open   P-101  bearing-vibration    ${first.reason}`,
  ])
  expect(linesOf(await run("alarms list --asset P-102"))).toEqual(["no alarms"])
  const one = await run("alarms list --state all --severity warning --limit 1")
  expect(one).toContain("cleared")
  expect(one).toContain(
    "\nthe newest 1; there may be more: --limit (at most 500), --site, --asset, --severity\n",
  )
  expect(await run("alarms list --limit 2")).not.toContain("may be more")
  expect(JSON.parse(await run("alarms list --limit 1 --json")).alarms).toHaveLength(1)
  const shown = linesOf(await run(`alarms show ${short(2)}`))
  expect(shown.slice(0, 3)).toEqual([
    "P-101, bearing at hall-3",
    `incident ${id(1)}`,
    `${id(1)}  bearing-vibration`,
  ])
  expect(shown).toContain("  told     singly")
  expect(shown).toContain(`${id(2)}  bearing-temperature (asked for)`)
  expect(shown).toContain("  value    7.2 mm/s, limit 7.1 mm/s")
  expect(shown).toContain("  value    -")
  const report = rowsOf(await run("alarms report --last 2d"))
  expect(report[0]).toMatch(/^hall-3: 2 alarms in 1 h until /)
  expect(report).toContain("most in 10 minutes  1  at most 10  good")
  expect(JSON.parse(await run("alarms report --json"))).toMatchObject([
    { site: "hall-3", alarms: 2 },
    { site: "hall-4", alarms: 0 },
  ])
})

test("a site is judged since its first record where it is younger than the span, and a quiet one is listed", async () => {
  const report = rowsOf(await run("alarms report"))
  expect(report[0]).toBe(
    "hall-3: 2 alarms in 1 h until 2026-01-01 01:00, since its first record; asked for were 7 d",
  )
  expect(report).toContain("alarms an hour  2  about 6, at most 12  good")
  expect(report).toContain("alarms a day  48  about 150, at most 300  too little to say")
  expect(report).toContain("hall-4: 0 alarms in 7 d until 2026-01-01 01:00")
  expect((await runCommand(["alarms", "report", "--help"])).out).toContain("(default: 7d)")
})

test("who acknowledged what has become worse since, and why, is still shown", async () => {
  const seen = of("P-101", { kind: "acknowledged", sequence: 1, actor: "jonas", reason: "on my way" })
  const worse = of("P-101", { kind: "raised", sequence: 2, severity: "alarm" })
  await send([
    { ...step(1, 10, seen), openedAtMs: startMs },
    { ...step(1, 40, worse), openedAtMs: startMs },
  ])
  const shown = linesOf(await run(`alarms show ${id(1)}`))
  expect(shown).toContain("  state    open, alarm")
  expect(shown).toContain("  seen     -")
  expect(shown).toContain("           as warning 2026-01-01 00:10 by jonas: on my way")
})

test("detections that no filter lets through are told apart from none at all", async () => {
  expect(await run("detections list")).toBe("no detections yet\n")
  expect(await run("detections list --asset P-101 --severity trip")).toBe("no detection matches\n")
})

test.each(["alarms list --limit 0", "detections list --limit 0", "rules rollback high --reason x --to 0"])(
  "millwright %s is refused where it stands",
  async (words) => {
    const { error, failure } = await runCommand(words.split(" "))
    expect(failure).toMatchObject({ code: "commander.invalidArgument" })
    expect(error).toContain("expected a whole number, at least 1")
  },
)

test("an alarm is acknowledged, and a rule shelved and taken off again", async () => {
  const acknowledge = `alarms acknowledge ${id(1)} --as jonas --reason`
  expect(await run(acknowledge, "on my way")).toBe("acknowledged: 2 of P-101\n")
  await expect(
    run("alarms shelve bearing-vibration --asset P-101 --for 8h --as jonas --reason x"),
  ).rejects.toMatchObject({
    code: "NOT_ALLOWED",
  })
  const shelve = "alarms shelve bearing-vibration --asset P-101 --for 8h --as erika --reason"
  expect(await run(shelve, "sensor is loose")).toMatch(/^shelved until /)
  expect(await run("alarms list")).toMatch(/bearing-vibration {2}P-101 {2}.* {2}erika {2}sensor is loose\n$/)
  expect(await run("alarms unshelve bearing-vibration --asset P-101 --as erika")).toBe(
    "not shelved any more\n",
  )
  expect(await run("alarms list")).not.toContain("sensor is loose")
  expect(await run("alarms unshelve bearing-vibration --asset P-101 --as erika")).toBe("it was not shelved\n")
  const audit = await run("audit")
  for (const action of ["acknowledge", "shelve", "unshelve"]) expect(audit).toContain(`alarms.${action}`)
})
