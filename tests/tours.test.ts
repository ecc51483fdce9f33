import { readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { expect, test } from "vitest"
import { systemClock } from "../core/clock.ts"
import { bottling } from "./cli/bottling.ts"
import { commandsIn, stepsIn, withOutputs } from "./tour.ts"

const root = resolve(import.meta.dirname, "..")
/** Pages of docs/; in a story each goes on where the one before it ended. The tours apply the plant file themselves. */
const stories = [
  {
    story: "the tours",
    start: "2026-03-30T06:00Z",
    plant: null,
    pages: ["tours/planner", "tours/technician", "tours/supervisor", "tours/auditor"],
  },
  { story: "planning a week", start: "2026-03-29T06:00Z", plant: undefined, pages: ["planning-a-week"] },
]
/** UPDATE_TOURS=1 writes what is printed into the tours instead of comparing it. */
const isUpdate = process.env.UPDATE_TOURS === "1"

test.each(stories)(
  "$story: what is shown is printed",
  { timeout: 180_000 },
  async ({ start, plant: file, pages }) => {
    const plant = await bottling(start, file)
    for (const tour of pages) {
      const path = join(root, `docs/${tour}.md`)
      const document = await readFile(path, "utf8")
      const printed: string[] = []
      for (const step of stepsIn(document)) {
        if (step.clock !== undefined) await plant.at(step.clock)
        if (step.output === undefined) continue
        printed.push(await outputOf(commandsIn(step), step.output))
        if (!isUpdate) expect(printed.at(-1), `${tour}: ${step.commands}`).toBe(step.output)
      }
      expect(printed.length).toBeGreaterThan(4)
      if (isUpdate) await writeFile(path, withOutputs(document, printed))
    }

    /** What plans ask for follows the clock in a moment: only looking can be done again until it is there. */
    async function outputOf(lines: readonly string[], shown: string): Promise<string> {
      const isLook = lines.every((line) => / (list|show|board|progress) /.test(line))
      for (let tries = isUpdate ? 5 : 200; ; tries -= 1) {
        let output = ""
        for (const line of lines) output += await printedBy(line)
        if (!isLook || output === shown || tries === 0) return output
        await systemClock.sleep(100)
      }
    }

    /** As a terminal shows it: why a command fails as well. */
    async function printedBy(line: string): Promise<string> {
      const [, command] = /^npx millwright (.*)$/.exec(line) ?? []
      if (command === undefined) throw new Error(`a tour has only commands of millwright: ${line}`)
      const { out, error, failure } = await plant.run(here(command))
      const all = `${out}${error}${failure instanceof Error ? `millwright: ${failure.message}\n` : ""}`
      return all.replaceAll(`${plant.directory}/`, "").replaceAll(`${root}/`, "")
    }

    /** Files are read where the example is, and written where nothing else is. */
    function here(command: string): string {
      return command
        .replace(/(?<=\s)examples\//, `${root}/examples/`)
        .replace(/(?<=--out )(\S+)/, `${plant.directory}/$1`)
    }
  },
)
