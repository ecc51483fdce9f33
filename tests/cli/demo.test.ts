import { execFile } from "node:child_process"
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join, resolve } from "node:path"
import { beforeEach, expect, onTestFinished, test } from "vitest"
import { holdDirectory } from "../../core/directory.ts"
import { scratchDirectory } from "../pipeline.ts"

const root = resolve(import.meta.dirname, "../..")

let scratch: string

beforeEach(async (test) => {
  scratch = await scratchDirectory()
  test.onTestFinished(() => rm(scratch, { recursive: true }))
})

test("a demo whose directory can't be made says so, and nothing else", async () => {
  const file = join(scratch, "file")
  await writeFile(file, "")
  const { code, error } = await runDemo(file)
  expect(code).toBe(1)
  expect(linesOf(error)).toEqual([
    expect.stringMatching(/^millwright: the data directory \S+ can't be used: .*Make it writable/),
  ])
})

test("a demo whose log can't be written says so", async () => {
  await mkdir(join(scratch, "millwright.log"))
  const { code, error } = await runDemo(scratch)
  expect(code).toBe(1)
  expect(linesOf(error)).toEqual([
    expect.stringMatching(/^millwright: the log \S+ can't be written: EISDIR.*: make it writable/),
  ])
})

test("a demo beside another one says that the directory is in use, and takes nothing from its log", async () => {
  const log = join(scratch, "millwright.log")
  await writeFile(log, "a line of the other\n")
  const held = holdDirectory(scratch)
  onTestFinished(() => held.release())
  const { code, error } = await runDemo(scratch)
  expect(code).toBe(1)
  expect(linesOf(error)).toEqual([expect.stringMatching(/^millwright: the data directory .* is in use/)])
  expect(await readFile(log, "utf8")).toBe("a line of the other\n")
})

test("a demo whose port is taken says which, and leaves a directory that is the user's alone", async () => {
  const taken = createServer()
  onTestFinished(() => new Promise<void>((closed) => taken.close(() => closed())))
  const port = await new Promise<number>((listens) =>
    taken.listen(0, "127.0.0.1", () => listens((taken.address() as { port: number }).port)),
  )
  const directory = join(scratch, "new")
  const { code, error } = await runDemo(directory, ["--port", String(port)])
  expect(code).toBe(1)
  expect(linesOf(error)).toEqual([expect.stringContaining(`:${port}`)])
  expect((await stat(directory)).mode & 0o777).toBe(0o700)
})

/** As a process of its own: how it ends is what is asked. */
function runDemo(
  directory: string,
  more: readonly string[] = [],
): Promise<{ readonly code: unknown; readonly error: string }> {
  const words = ["--import", "tsx", "main.ts", "demo", "--directory", directory, ...more]
  const env = { PATH: process.env.PATH, MILLWRIGHT_HTTP_PORT: "0", MILLWRIGHT_MQTT_PORT: "0" }
  return new Promise((ended) =>
    execFile(process.execPath, words, { cwd: root, env, timeout: 60_000 }, (failure, _out, error) =>
      ended({ code: failure === null ? 0 : failure.code, error }),
    ),
  )
}

const linesOf = (text: string) => text.split("\n").filter((line) => line !== "")
