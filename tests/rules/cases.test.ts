import { readdirSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { openTestFile } from "../../cli/rule-files.ts"
import { messageOf } from "../../core/errors.ts"
import { detection } from "../../core/vocabulary.ts"
import { testRules } from "../../rules/testing/index.ts"

const root = join(import.meta.dirname, "..", "..")
const files = ["tests/rules/cases", "examples/rules"].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".yaml") && !/^plant\b|\.plant\./.test(name))
    .map((name) => join(folder, name)),
)

describe.each(files)("%s", async (file) => {
  const { text, readers } = await openTestFile(join(root, file))
  // A file that can't be used must not keep the others from being run.
  const report = await testRules(text, readers).catch((error: unknown) => messageOf(error))
  test("is a test file", () => expect(typeof report === "string" ? report : "").toBe(""))
  for (const one of typeof report === "string" ? [] : report.cases) {
    test(one.name, () => {
      expect(one.lines.map(({ sign, text }) => sign + text)).toEqual(
        one.lines.filter(({ sign }) => sign !== "+").map(({ text }) => ` ${text}`),
      )
      expect(one.counts).toEqual([])
      for (const step of one.found) expect(detection.parse(step)).toEqual(step)
      for (const { episode } of one.found) {
        const sequence = one.found.filter((step) => step.episode === episode).map((step) => step.sequence)
        expect(sequence).toEqual(sequence.map((_, at) => at))
      }
    })
  }
})
