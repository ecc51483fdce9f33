import { rm, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { scratchDirectory } from "../pipeline.ts"

let scratch: string

beforeEach(async (test) => {
  scratch = await scratchDirectory()
  test.onTestFinished(() => rm(scratch, { recursive: true }))
})

afterEach(() => {
  vi.doUnmock("better-sqlite3")
  vi.resetModules()
})

test.each([
  ["was not built", "Could not locate the bindings file. Tried:\n → /somewhere", undefined],
  ["was built for another Node", "was compiled against a different Node.js version", "ERR_DLOPEN_FAILED"],
])("a SQLite that %s is told as that, not as a directory's fault", async (_, message, code) => {
  vi.resetModules()
  vi.doMock("better-sqlite3", () => ({
    default: class {
      constructor() {
        throw Object.assign(new Error(message), { code })
      }
    },
  }))
  const { holdDirectory } = await import("../../core/directory.ts")
  expect(() => holdDirectory(join(scratch, "new"))).toThrow(
    expect.objectContaining({
      code: "STORE_FAILED",
      message: expect.stringMatching(/^SQLite can't be loaded[^\n]*npm rebuild better-sqlite3[^\n]*$/),
    }),
  )
})

test("a lock file that is damaged is not taken for another process", async () => {
  const { holdDirectory } = await import("../../core/directory.ts")
  await writeFile(join(scratch, "lock.sqlite"), "no database ".repeat(500))
  expect(() => holdDirectory(scratch)).toThrow(
    expect.objectContaining({
      code: "DIRECTORY_UNUSABLE",
      message: expect.stringMatching(/lock\.sqlite is damaged.*remove that file/),
    }),
  )
})

test("a directory that is held is in use for others until it is let go of", async () => {
  const { holdDirectory } = await import("../../core/directory.ts")
  const held = holdDirectory(scratch)
  expect(() => holdDirectory(scratch)).toThrow(expect.objectContaining({ code: "DIRECTORY_IN_USE" }))
  held.release()
  holdDirectory(scratch).release()
})

test("a new directory is the user's alone", async () => {
  const { makeDirectory } = await import("../../core/directory.ts")
  const path = join(scratch, "one/two")
  makeDirectory(path)
  expect((await stat(path)).mode & 0o777).toBe(0o700)
})

test("a file that is no database is told as that, with what to do", async () => {
  const { SqliteThread } = await import("../../core/sqlite/thread.ts")
  const path = join(scratch, "log.sqlite")
  await writeFile(path, "no database ".repeat(500))
  await expect(SqliteThread.open(path)).rejects.toMatchObject({
    code: "STORE_FAILED",
    message: expect.stringMatching(/^\S+log\.sqlite can't be used: file is not a database.*backup/),
  })
})
