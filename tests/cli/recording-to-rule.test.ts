import { copyFile, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { scratchDirectory } from "../pipeline.ts"
import { runCommand } from "./setup.ts"

const root = join(import.meta.dirname, "..", "..")

test("docs/rule-testing.md leads from a recording to a rule, with the output that it shows", async () => {
  const directory = await scratchDirectory()
  onTestFinished(() => rm(directory, { recursive: true }))
  const plant = join(directory, "plant.yaml")
  const csv = join(directory, "pump.csv")
  const cases = join(directory, "cases.yaml")
  const document = await readFile(join(root, "docs/rule-testing.md"), "utf8")
  const [, after = ""] = document.split("## From a recording to a rule\n")
  const [chapter = ""] = after.split("\n## ")
  const [content = "", caseFile = ""] = [...chapter.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text)
  const [first, second] = [...chapter.matchAll(/```\n\$ .*?\n(.*?)```/gs)].map(([, output]) => output)
  const [, changed = ""] = /Change the rule, to `(params: .*?)`/.exec(chapter) ?? []
  await copyFile(join(root, "examples/tour/pump.csv"), csv)

  const tried = async (source: string) => {
    await writeFile(plant, source)
    const words = ["rules", "try", "worn", "--plant", plant, "--csv", csv, "--asset-column", "{pump}"]
    return (await runCommand(words)).out
  }
  expect(await tried(content)).toBe(first)
  expect(await tried(content.replace(/params: \{.*?\}/, changed))).toBe(second)
  await writeFile(cases, caseFile)
  expect((await runCommand(["rules", "test", cases])).out).toContain("1 case: 1 ok, 0 failed")
})
