import { rm } from "node:fs/promises"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { scratchDirectory } from "../pipeline.ts"
import { runCommand } from "./setup.ts"

test("a file for the truth that can't be written is told before anything is simulated", async () => {
  const directory = await scratchDirectory()
  onTestFinished(() => rm(directory, { recursive: true }))
  const truth = join(directory, "none", "truth.json")
  // Nobody listens there: whoever came so far as to connect would fail otherwise.
  const words = ["simulate", "--url", "mqtt://127.0.0.1:1", "--truth", truth]
  expect((await runCommand(words)).failure).toMatchObject({
    code: "USAGE",
    message: expect.stringMatching(/^the truth can't be written: ENOENT.*truth\.json/),
  })
})
