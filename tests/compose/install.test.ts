import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { cached } from "../../services/install.ts"

let cache: string

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "millwright-cache-"))
  vi.stubEnv("XDG_CACHE_HOME", cache)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(cache, { recursive: true })
})

test("what is made once is there for good, by name and version", async () => {
  let made = 0
  const make = async (directory: string) => {
    made++
    await writeFile(join(directory, "file"), "whole")
  }
  const first = await cached("server", "1.0", make)
  expect(first).toBe(join(cache, "millwright", "server-1.0"))
  expect(await cached("server", "1.0", make)).toBe(first)
  expect(await cached("server", "1.1", make)).not.toBe(first)
  expect(made).toBe(2)
})

test("what fails halfway leaves nothing, and is tried again", async () => {
  const fail = async (directory: string) => {
    await writeFile(join(directory, "file"), "half")
    throw new Error("no network")
  }
  await expect(cached("server", "1.0", fail)).rejects.toThrow("no network")
  expect(await readdir(join(cache, "millwright"))).toEqual([])
  const made = await cached("server", "1.0", (directory) => writeFile(join(directory, "file"), "whole"))
  expect(await readFile(join(made, "file"), "utf8")).toBe("whole")
})

test("two that make the same at once both get one that is whole", async () => {
  let begun = 0
  let goOn = () => {}
  const bothHaveBegun = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const make = async (directory: string) => {
    if (++begun === 2) goOn()
    await bothHaveBegun
    await writeFile(join(directory, "file"), "whole")
  }
  const [first, second] = await Promise.all([cached("server", "1.0", make), cached("server", "1.0", make)])
  expect(first).toBe(second)
  expect(await readdir(join(cache, "millwright"))).toEqual(["server-1.0"])
  expect(await readFile(join(first, "file"), "utf8")).toBe("whole")
})
