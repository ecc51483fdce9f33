/** The tests of what stages keep in tables, with PostgreSQL under them: `openDatabase` of tests/database.ts. */
import { afterAll, describe } from "vitest"
import { removeDatabases } from "../database.ts"

afterAll(removeDatabases)

// Each within a describe of its own, so that its hooks are for its tests alone.
describe("work orders: intake", async () => {
  await import("../workorders/intake.test.ts")
})
describe("work orders: queries", async () => {
  await import("../workorders/queries.test.ts")
})
describe("work orders: stage", async () => {
  await import("../workorders/stage.test.ts")
})
describe("work orders: attachments", async () => {
  await import("../workorders/attachments.test.ts")
})
describe("work orders: audit", async () => {
  await import("../workorders/audit.test.ts")
})
describe("work orders: ageing", async () => {
  await import("../workorders/ageing.test.ts")
})
describe("work orders: estimates", async () => {
  await import("../workorders/estimates.test.ts")
})
describe("work orders: automations", async () => {
  await import("../workorders/automations.test.ts")
})
describe("work orders: clockwork", async () => {
  await import("../workorders/clockwork.test.ts")
})
describe("work orders: life cycle, properties", async () => {
  await import("../workorders/life-cycle.properties.test.ts")
})
describe("work orders: life cycle", async () => {
  await import("../workorders/life-cycle.test.ts")
})
describe("work orders: money", async () => {
  await import("../workorders/money.test.ts")
})
describe("work orders: public requests", async () => {
  await import("../workorders/public-requests.test.ts")
})
describe("work orders: requests by people", async () => {
  await import("../workorders/requests-by-people.test.ts")
})
describe("work orders: stock", async () => {
  await import("../workorders/stock.test.ts")
})
describe("scheduler: stage", async () => {
  await import("../scheduler/stage.test.ts")
})
describe("rules: stage", async () => {
  await import("../rules/stage.test.ts")
})
describe("alarms: stage", async () => {
  await import("../rules/alarms/stage.test.ts")
})
describe("alarms: desk", async () => {
  await import("../rules/alarms/desk.test.ts")
})
describe("historian", async () => {
  await import("../historian/historian.test.ts")
})
describe("ingest: intake", async () => {
  await import("../ingest/intake.test.ts")
})
describe("ingest: registry", async () => {
  await import("../ingest/registry.test.ts")
})
describe("ingest: announcer", async () => {
  await import("../ingest/announcer.test.ts")
})
describe("plant register and audit", async () => {
  await import("../core/plant-register.test.ts")
})

// These decide without the store, and only pass through the same desk as the others: here in long runs alone.
const decisions = ["approval", "checklist", "closing", "edit", "execution", "report", "sla"]
if (process.env.MILLWRIGHT_LONG !== undefined) {
  for (const name of decisions) {
    describe(`work orders: ${name}`, async () => {
      await import(`../workorders/${name}.test.ts`)
    })
  }
}
