import { access, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { openSqliteDatabase } from "../../core/db/sqlite.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { linesOf, runCommand, servePlant } from "./setup.ts"

const plant = `
plant: test
sites: [{ id: north }]
classes: [{ id: pump }]
assets: [{ id: P-101, site: north, class: pump }, { id: P-102, site: north, class: pump }]
people:
  - { id: paul, name: Paul, roles: [planner] }
  - { id: tina, name: Tina, roles: [technician] }
  - { id: ada, name: Ada, roles: [auditor] }
  - { id: adam, name: Adam, roles: [admin] }
`

/** A plant with an order that was called off, and one that stands. */
async function audited() {
  const { directory } = await servePlant(plant)
  const run = (who: string, ...words: string[]) =>
    runCommand([...words, "--directory", directory, "--as", who])
  for (const [asset, title] of [
    ["P-101", "Seal drips"],
    ["P-102", "Paint"],
  ] as const)
    await run("paul", "orders", "new", "--type", "reactive", "--asset", asset, "--title", title)
  await run("paul", "orders", "cancel", "1", "--reason", "it was rain")
  return {
    directory,
    run,
    report: join(directory, "report"),
    /** Changes what an order's history says of its end, past Millwright. */
    async tamper() {
      const database = await openSqliteDatabase(join(directory, "database.sqlite"))
      onTestFinished(() => database.close())
      await database
        .tables<WorkOrderTables>()
        .updateTable("order_history")
        .set({ actor: "tina" })
        .where("kind", "=", "cancelled")
        .execute()
    },
  }
}

test("audit verify says what it has seen, and fails with each finding", async () => {
  const { run, tamper } = await audited()
  const sound = await run("ada", "audit", "verify")
  expect(sound).toMatchObject({ failure: undefined, out: "verified: 2 orders, 3 entries, 0 attachments\n" })
  await tamper()
  const { out, failure } = await run("ada", "audit", "verify")
  expect(linesOf(out)).toEqual([
    "ORDER      ENTRY  FOUND",
    "WO-000001  2      was changed after it was written",
    "checked: 2 orders, 3 entries, 0 attachments",
  ])
  expect(failure).toMatchObject({
    code: "NOT_VERIFIED",
    message: expect.stringContaining("1 finding in 2 orders: somebody changed the store past Millwright"),
  })
  expect((await run("ada", "audit", "verify", "--order", "2")).failure).toBeUndefined()
  expect(JSON.parse((await run("ada", "audit", "verify", "--order", "1", "--json")).out)).toMatchObject({
    orders: 1,
    flaws: 1,
    shown: [{ order: "WO-000001", sequence: 2 }],
  })
})

test("audit report writes an asset's orders as a page, or a period's as a table", async () => {
  const { run, report, tamper } = await audited()
  expect(await run("ada", "audit", "report", "--asset", "P-101", "--out", report)).toMatchObject({
    failure: undefined,
    out: `1 order written to ${report}\n`,
  })
  const page = await readFile(report, "utf8")
  expect(page).toContain("<h2>WO-000001 Seal drips</h2>")
  expect(page).toMatch(/^<!doctype html>/)
  expect(page).toContain("Work orders: P-101")
  expect(page).toContain("Made by ada")
  expect(page).toMatch(/Verified orders: 1 of 1\..*\n<\/section>\n<\/body>\n<\/html>\n$/)
  await tamper()
  const period = ["--from", "2020-01-01T00:00Z", "--to", "2999-01-01T00:00Z", "--site", "north"]
  const { out } = await run("ada", "audit", "report", ...period, "--format", "csv", "--out", report)
  expect(linesOf(out)).toEqual([
    `2 orders written to ${report}`,
    "! 1 order could not be verified: the report says why",
  ])
  expect((await readFile(report, "utf8")).split("\r\n")).toHaveLength(5)
})

test("who may not read it all, and what is not there, is refused; then nothing is written", async () => {
  const { run, report } = await audited()
  const failure = async (who: string, ...words: string[]) => (await run(who, "audit", ...words)).failure
  expect(await failure("tina", "verify")).toMatchObject({ code: "NOT_ALLOWED" })
  expect(await failure("tina", "report", "--out", report)).toMatchObject({ code: "NOT_ALLOWED" })
  expect(await failure("ada", "report", "--asset", "P-103", "--out", report)).toMatchObject({
    code: "NOT_FOUND",
    message: 'there is no asset "P-103" in the plant, and no order on it',
  })
  expect(await failure("ada", "report", "--site", "south", "--out", report)).toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringContaining("expected one of north"),
  })
  expect(await failure("ada", "verify", "--order", "9")).toMatchObject({ code: "NOT_FOUND" })
  expect(await failure("ada", "report", "--out", join(report, "none", "x"))).toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("the report can't be written"),
  })
  await expect(access(report)).rejects.toThrow("ENOENT")
})

test("a report that can't take its place leaves what is there, and nothing beside it", async () => {
  const { run, directory } = await audited()
  const { failure } = await run("ada", "audit", "report", "--out", directory)
  expect(failure).toMatchObject({ code: "USAGE" })
  await expect(access(`${directory}.part`)).rejects.toThrow("ENOENT")
  const file = join(directory, "old.html")
  await writeFile(file, "old")
  await run("tina", "audit", "report", "--out", file)
  expect(await readFile(file, "utf8")).toBe("old")
})

test("audit alone lists who changed what in the plant", async () => {
  const { run } = await audited()
  const listed = (await run("ada", "audit")).out
  expect(listed).toContain("plant.apply")
  expect((await run("ada", "audit", "list", "--limit", "1")).out).toBe(listed)
})
