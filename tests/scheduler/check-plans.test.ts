import { describe, expect, test } from "vitest"
import { plant } from "../../core/plant.ts"
import { checkPlans } from "../../scheduler/check.ts"

describe("checkPlans", () => {
  const plantWith = (schedule: unknown, lead = "0s") =>
    plant.parse({
      plant: "test",
      sites: [{ id: "works", timeZone: "Europe/Berlin" }],
      classes: [{ id: "pump" }],
      assets: [{ id: "P-101", site: "works", class: "pump" }],
      templates: [{ id: "inspect", title: "Inspect" }],
      plans: [{ id: "round", for: {}, schedule, lead, template: "inspect" }],
    })

  test.each([
    [{ cron: "0 6 1 * *" }, "27d"],
    [{ cron: "0 6 * * MON-FRI" }, "0s"],
    [{ every: "30d", from: "2026-01-01T06:00:00+01:00" }, "14d"],
    [{ every: "1m", from: "2026-01-01T06:00:00+01:00" }, "0s"],
  ])("has nothing to say of a plan that can be followed: %j", (schedule, lead) => {
    expect(checkPlans(plantWith(schedule, lead))).toEqual([])
  })

  test.each([
    [{ cron: "0 6 30 2 *" }, "0s", /never comes due/],
    [{ rrule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", from: "2026-01-01T06:00:00Z" }, "0s", /never comes due/],
    [{ cron: "0 6 * * *" }, "24h", /lead must be shorter than .* \(.*\), got 24 h/],
    [{ cron: "0 6 1,15 * *" }, "20d", /lead must be shorter than .* \(14 d\), got 20 d/],
  ])("names the plan and what is wrong with it: %j, lead %s", (schedule, lead, problem) => {
    const problems = checkPlans(plantWith(schedule, lead))
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(/^plan "round": /)
    expect(problems[0]).toMatch(problem)
  })

  test("names a time zone that does not exist", () => {
    const content = plantWith({ cron: "0 6 * * *" })
    const problems = checkPlans({ ...content, sites: [{ id: "works", timeZone: "Mars/Olympus" }] })
    expect(problems[0]).toMatch(/Mars\/Olympus/)
  })
})
