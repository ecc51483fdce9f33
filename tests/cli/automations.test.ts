import { expect, test } from "vitest"
import { topics } from "../../core/topics.ts"
import { until } from "../until.ts"
import { finding, open } from "../workorders/requests.ts"
import { bottling } from "./bottling.ts"

const alarm = finding(1, 0, { rule: "bearing-vibration", severity: "alarm" })

/** An order for the bearing of P-101, as the rule of the example asks for it. */
const request = open(1, {
  site: "riverside",
  template: "bearing-check",
  title: "Check and replace the bearing of P-101",
  priority: 2,
  atMs: Date.parse("2026-03-02T08:00Z"),
  dueMs: Date.parse("2026-03-09T08:00Z"),
  trigger: {
    kind: "rule",
    rule: "bearing-vibration",
    ruleKind: "threshold",
    revision: 1,
    episode: alarm.episode,
  },
  findings: [alarm],
})

test("what automations do is listed, tried before, and found again in the order's history", async () => {
  const { says, refused, pipeline } = await bottling("2026-03-02T08:00Z")
  expect(await says("automations runs")).toBe("none of them ran\n")
  await pipeline.app.log.append(topics.workOrderRequests, [{ key: request.asset, value: request }])
  const { automations } = pipeline.app.workorders
  await until(async () => (await automations.runs({})).some(({ outcome }) => outcome === "done"))

  const list = (await says("automations list")).split("\n")
  expect(list[0]).toMatch(/^AUTOMATION +WHEN +RUNS +LAST RUN +FAILED +LAST FAILURE +WHAT FOR$/)
  expect(list[1]).toMatch(/^alarmed-bearings +created +1 +2026-03-02 08:00 +0 +- +A bearing that alarms/)
  expect(list[2]).toMatch(/^false-alarms +verdict +0 +- +0 +- /)
  const runs = await says("automations runs --order WO-000001 --automation alarmed-bearings")
  expect(runs).toContain("priority: priority 1 instead of 2; automation alarmed-bearings; approval: ")
  expect(await says("orders show 1")).toMatch(
    /automation\/alarmed-bearings +notified: to supervisor Sara Kern: WO-000001 on P-101: Check and replace the bearing of P-101, due 2026-03-09 09:00/,
  )

  const trial = (await says("automations try alarmed-bearings --order 1")).split("\n")
  expect(trial.slice(0, 3)).toEqual([
    "WO-000001, as if this had just happened to it: created",
    "its condition holds: 3 steps would be tried",
    "  priority: priority is 1 already",
  ])
  expect(trial[3]).toContain("  approval: not possible: WO-000001 is approved, and ")
  expect(trial.at(-2)).toBe("nothing was changed")
  expect(await says("automations try false-alarms --order 1")).toContain("its condition does not hold")
  expect(await refused("automations try false-alarm --order 1")).toBe(
    'NOT_FOUND: there is no automation "false-alarm" in the plant: did you mean "false-alarms"?',
  )
  expect(await refused("automations runs --automation false-alarm")).toContain("NOT_FOUND")
  expect(await refused("orders note 1 --text x --as automation/false-alarms")).toContain("NOT_ALLOWED")
})
