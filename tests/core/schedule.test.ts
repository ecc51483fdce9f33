import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { plant } from "../../core/plant.ts"
import { occurrencesOf } from "../../core/schedule.ts"
import { checkPlans } from "../../scheduler/index.ts"

const hour = 3_600_000
const day = 24 * hour

const schedules = [
  { cron: "0 6 1 * *" },
  { cron: "30 2 * * *" },
  { cron: "0 0 29 2 *" },
  { cron: "*/15 1-3 * * *" },
  { cron: "0 6 * * MON#1" },
  { every: day, from: "2025-02-28T02:30:00+01:00" },
  { every: 30 * day, from: "2025-01-31T23:59:59.500-05:00" },
  { every: 36 * hour, from: "2024-06-01T00:00:00Z" },
  { every: hour / 2, from: "2024-06-01T00:00:00Z" },
]
const timeZones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]

const instant = fc.oneof(
  fc.integer({ min: Date.UTC(2025, 6), max: Date.UTC(2028, 6) }),
  // The hours around changes of the clock.
  fc
    .tuple(
      fc.constantFrom(Date.UTC(2026, 2, 29, 1), Date.UTC(2026, 9, 25, 1), Date.UTC(2026, 10, 1, 6)),
      fc.integer({ min: -3 * hour, max: 3 * hour }),
    )
    .map(([atMs, offset]) => atMs + offset),
)

describe("occurrences", () => {
  test("looking ahead and looking back agree at every instant, changes of the clock included", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...schedules),
        fc.constantFrom(...timeZones),
        instant,
        (schedule, zone, atMs) => {
          const { from, upTo } = occurrencesOf(schedule, zone)
          const nextMs = from(atMs) ?? Number.NaN
          expect(nextMs).toBeGreaterThanOrEqual(atMs)
          expect(upTo(nextMs)).toBe(nextMs)
          const lastMs = upTo(atMs - 1) ?? Number.NaN
          expect(lastMs).toBeLessThan(atMs)
          expect(from(lastMs)).toBe(lastMs)
          // Nothing lies between the two.
          expect(from(lastMs + 1)).toBe(nextMs)
          expect(upTo(nextMs - 1)).toBe(lastMs)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test("an interval begins at `from` and not before", () => {
    const { from, upTo } = occurrencesOf({ every: 7 * day, from: "2026-01-05T06:00:00Z" }, "UTC")
    expect(from(0)).toBe(Date.UTC(2026, 0, 5, 6))
    expect(upTo(Date.UTC(2026, 0, 5, 6))).toBe(Date.UTC(2026, 0, 5, 6))
    expect(upTo(Date.UTC(2026, 0, 5, 6) - 1)).toBeUndefined()
  })
})

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
    [{ cron: "61 6 * * *" }, "0s", /Invalid value for minute: 61/],
    [{ cron: "0 6 * *" }, "0s", /parts/],
    [{ cron: "0 0 6 * * *" }, "0s", /5 parts/],
    [{ cron: "? 6 * * *" }, "0s", /"\?" is not allowed/],
    [{ cron: "0 6 30 2 *" }, "0s", /never comes due/],
    [{ every: "0s", from: "2026-01-01T06:00:00Z" }, "0s", /below one minute/],
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
