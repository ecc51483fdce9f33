import { chmod, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"
import os from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest"
import { ask, serveControl } from "../../cli/control.ts"
import { loadSettings } from "../../core/config.ts"
import { scratchDirectory, startPipeline } from "../pipeline.ts"
import { runCommand } from "./setup.ts"

let scratch: string

beforeEach(async (test) => {
  scratch = await scratchDirectory()
  test.onTestFinished(() => rm(scratch, { recursive: true }))
})

afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
  vi.unstubAllEnvs()
})

test("a question about a directory that holds no plant is refused, and makes none there", async () => {
  const empty = join(scratch, "empty")
  await mkdir(empty)
  await expect(run(["orders", "list"], empty)).rejects.toMatchObject({ code: "NOT_FOUND" })
  await expect(run(["orders", "list"], join(scratch, "absent"))).rejects.toMatchObject({ code: "NOT_FOUND" })
  expect(await readdir(scratch)).toEqual(["empty"])
  expect(await readdir(empty)).toEqual([])
})

test("a first plant file may be applied where no server ever ran", async () => {
  const directory = join(scratch, "new")
  await run(["apply", await plantFile(), "--yes"], directory)
  expect((await run(["export"], directory)).out).toBe(plantSource())
})

test("a new data directory is the user's alone; one that was there keeps its rights", async () => {
  const made = join(scratch, "new")
  const given = join(scratch, "given")
  await mkdir(given)
  await chmod(given, 0o755)
  const file = await plantFile()
  for (const directory of [made, given]) await run(["apply", file, "--yes"], directory)
  expect((await stat(made)).mode & 0o777).toBe(0o700)
  expect((await stat(given)).mode & 0o777).toBe(0o755)
})

test("apply --yes shows what it changes, and warnings beside the answer", async () => {
  const file = await plantFile("\nclasses: [{ id: pump, signals: { vibration: { unit: blorps } } }]")
  const { out, error } = await run(["apply", file, "--yes"], scratch)
  expect(out).toContain("+ class pump\n")
  expect(out).toContain("revision 1 by ")
  expect(error).toContain("! ")
  expect(error).toContain("blorps")
})

test("apply --yes --json answers with the revision alone, and warnings beside it", async () => {
  const file = await plantFile("\nclasses: [{ id: pump, signals: { vibration: { unit: blorps } } }]")
  const { out, error } = await run(["apply", file, "--yes", "--json"], scratch)
  expect(JSON.parse(out)).toMatchObject({ revision: 1 })
  expect(error).toContain("blorps")
})

test("a file that was compared with another revision than the one in force is not applied", async () => {
  const settings = settingsFor(scratch)
  const source = plantSource()
  const { base } = await ask(settings, "erika", "plant.compare", { source })
  await ask(settings, "jonas", "plant.apply", {
    source: plantSource("\nclasses: [{ id: pump }]"),
    reason: "",
  })
  await expect(ask(settings, "erika", "plant.apply", { source, reason: "", base })).rejects.toMatchObject({
    code: "PLANT_CHANGED",
  })
  expect(await ask(settings, "erika", "plant.export", {})).toMatchObject({ revision: 1, author: "jonas" })
})

test("a plant file whose people could never apply another one is refused", async () => {
  const file = await plantFile("\npeople: [{ id: jonas, name: Jonas, roles: [technician] }]")
  await expect(run(["apply", file, "--yes"], scratch)).rejects.toMatchObject({
    code: "PLANT_INVALID",
    message: expect.stringContaining("people: nobody has the role engineer or admin"),
  })
})

test("a user whom the system knows by number alone acts under that number", async () => {
  vi.spyOn(os, "userInfo").mockImplementation(() => {
    throw new Error("ENOENT: no such user")
  })
  syncBuiltinESMExports()
  const { out } = await run(["apply", await plantFile(), "--yes"], scratch)
  expect(out).toContain(`revision 1 by ${process.getuid?.()}, `)
})

test("a server whose directory has a long name is asked through a directory of the user alone", async () => {
  vi.stubEnv("TMPDIR", scratch)
  const directory = join(scratch, "deep".repeat(30))
  const pipeline = await startPipeline({ directory })
  onTestFinished(() => pipeline.close())
  const control = await serveControl(pipeline.app)
  const status = await ask(settingsFor(directory), "erika", "status", {})
  expect(status.mqttPort).toBe(pipeline.app.ingest.port)
  await control.close()

  const shared = join(scratch, `millwright-${process.getuid?.()}`)
  expect((await stat(shared)).mode & 0o777).toBe(0o700)
  await chmod(shared, 0o777)
  await expect(ask(settingsFor(directory), "erika", "status", {})).rejects.toMatchObject({
    code: "DIRECTORY_UNUSABLE",
  })
})

function plantSource(more = ""): string {
  return `plant: test\nsites: [{ id: north }]${more}\n`
}

async function plantFile(more?: string): Promise<string> {
  const file = join(scratch, "plant.yaml")
  await writeFile(file, plantSource(more))
  return file
}

function settingsFor(directory: string) {
  return loadSettings({ env: {}, overrides: { directory, logLevel: "warn" } })
}

/** What a command prints that does not fail. */
async function run(words: readonly string[], directory: string) {
  const { failure, ...printed } = await runCommand([...words, "--directory", directory])
  if (failure !== undefined) throw failure
  return printed
}
