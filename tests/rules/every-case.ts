import { readdirSync } from "node:fs"
import { join } from "node:path"
import { openTestFile } from "../../cli/rule-files.ts"
import { MillwrightError } from "../../core/errors.ts"
import type { Detection, TelemetryRecord } from "../../core/vocabulary.ts"
import { testRules } from "../../rules/testing/index.ts"
import { openTrial } from "../../rules/testing/trial.ts"

const root = join(import.meta.dirname, "..", "..")
const folders = ["tests/rules/cases", "examples/rules"]

/** A case of a test file as the rules engine saw it. */
export type Case = {
  /** File and name. */
  readonly name: string
  /** The plant file. */
  readonly source: string
  /** In the order of arrival; a tick moves the clock. */
  readonly records: readonly TelemetryRecord[]
  /** All that was found. */
  readonly found: readonly Detection[]
}

/** Each case of the repository's test files. What a file that can't be read has to say, tests/rules/cases.test.ts tells. */
export async function everyCase(): Promise<readonly Case[]> {
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".yaml") && !/^plant\b|\.plant\./.test(name))
      .map((name) => join(folder, name)),
  )
  const cases: Case[] = []
  for (const file of files) {
    const { text, readers } = await openTestFile(join(root, file))
    const seen: { source: string; records: TelemetryRecord[]; found: Detection[] }[] = []
    const listening = (source: string) => {
      const trial = openTrial(source)
      const { engine } = trial
      const one = { source, records: [] as TelemetryRecord[], found: [] as Detection[] }
      seen.push(one)
      const heard = (record: TelemetryRecord, found: readonly Detection[]) => {
        one.records.push(record)
        one.found.push(...found)
        return found
      }
      return {
        ...trial,
        engine: {
          ...engine,
          apply: (record: TelemetryRecord) => heard(record, engine.apply(record)),
          advance: (atMs: number) => heard({ kind: "tick", atMs }, engine.advance(atMs)),
        },
      }
    }
    try {
      const { cases: reports } = await testRules(text, readers, listening)
      reports.forEach(({ name }, at) => {
        const one = seen[at]
        if (one !== undefined && one.records.length > 0) cases.push({ name: `${file}: ${name}`, ...one })
      })
    } catch (error) {
      if (!(error instanceof MillwrightError)) throw error
    }
  }
  return cases
}
