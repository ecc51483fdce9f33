import { resolve } from "node:path"
import { type Command, Option } from "commander"
import { MillwrightError } from "../../core/errors.ts"
import {
  type CaseReport,
  type RecordingSpec,
  recordingSpec,
  testRules,
  tryRule,
} from "../../rules/testing/index.ts"
import type { ResultOf } from "../operations.ts"
import { counted, figure, print, printError, table, when } from "../output.ts"
import { openTestFile, ruleFiles } from "../rule-files.ts"
import { answer, asker, asksForJson, minutes, type Surroundings, wholeNumberFrom } from "../shared.ts"

export function addRules(program: Command, surroundings: Surroundings): void {
  const rules = program.command("rules").description("try rules without a server; their revisions")
  addTest(rules)
  addTry(rules)
  addHistory(rules, surroundings)
  addRollback(rules, surroundings)
}

const example = `
A file of cases, bearing.yaml:
  signals:
    vibration: { unit: mm/s }
  cases:
    - name: a peak of five minutes is no alarm, and twenty minutes are
      rules:
        - { id: high, kind: threshold, signal: vibration, params: { above: 7, onDelay: 10m } }
      input: |
        00:00 every 1m vibration=5x9 8x4 5x44 8x20
      detections: |
        01:10 high opened warning: vibration 8 mm/s above 7 mm/s for 10 min

  $ millwright rules test bearing.yaml

With "plant: plant.yaml" in place of "signals" the rules are those of a plant file.
The notation: docs/rule-testing.md; more files: examples/rules/.`

function addTest(rules: Command): void {
  rules
    .command("test <files...>")
    .description("run cases, samples in and detections out, through the rules engine")
    .addHelpText("after", example)
    .action(async (files: string[], _options, command: Command) => {
      const reports: { readonly file: string; readonly cases: readonly CaseReport[] }[] = []
      const unusable: string[] = []
      for (const file of files) {
        try {
          const { text, readers } = await openTestFile(file)
          const { cases } = await testRules(text, readers)
          reports.push({ file, cases })
          if (!asksForJson(command)) showCases(file, cases)
        } catch (error) {
          if (!(error instanceof MillwrightError)) throw error
          printError(`${file} can't be used:\n${error.message.replace(/^/gm, "  ")}`)
          unusable.push(file)
        }
      }
      const all = reports.flatMap(({ cases }) => cases)
      const failed = all.filter(({ isOk }) => !isOk).length
      answer(command, reports, () => {
        if (all.length > 0)
          print(`${counted(all.length, "case")}: ${all.length - failed} ok, ${failed} failed`)
      })
      if (unusable.length > 0)
        throw new MillwrightError("USAGE", `${counted(unusable.length, "file")} can't be used`)
      if (failed > 0) throw new MillwrightError("CASES_FAILED", `${counted(failed, "case")} failed`)
    })
}

function showCases(file: string, cases: readonly CaseReport[]): void {
  print(file)
  for (const { name, line, isOk, lines, counts } of cases) {
    print(isOk ? `  ok      ${name}` : `  FAILED  ${name} (line ${line})`)
    if (isOk) continue
    if (lines.some(({ sign }) => sign !== " ")) {
      print("            (- expected and not found, + found and not expected)")
      for (const { sign, text } of lines) print(`          ${sign} ${text}`)
    }
    for (const one of counts) print(`            ${one.name}: expected ${one.expected}, found ${one.found}`)
  }
}

type TryOptions = {
  readonly plant: string
  readonly csv: string
  readonly asset?: string
  readonly layout?: "long" | "wide"
  readonly time: string
  readonly assetColumn?: string
  readonly signal: string
  readonly value: string
  readonly utcOffset: number
  readonly skipBadRows?: boolean
}

function addTry(rules: Command): void {
  const { time, signal, value } = recordingSpec.parse({ file: "" })
  rules
    .command("try <rule>")
    .description("run a rule of a plant file over recorded samples, and show what it would have found")
    .requiredOption("--plant <file>", "the plant file; none is applied, and no server is needed")
    .requiredOption("--csv <file>", "the samples, in the units of the plant file")
    .option(
      "--asset <asset>",
      "only this asset; also which one the file is about, if it has no column of assets",
    )
    .addOption(
      new Option(
        "--layout <layout>",
        "a row is one sample, or one asset at one time (default: by its columns)",
      ).choices(["long", "wide"]),
    )
    .option("--time <column>", "column of the time", time)
    .option("--asset-column <template>", "the asset's id; columns in braces are filled in (default: {asset})")
    .option("--signal <column>", "long: column of the signal", signal)
    .option("--value <column>", "long: column of the value", value)
    .option("--utc-offset <minutes>", "how far times without an offset are ahead of UTC", minutes, 0)
    .option("--skip-bad-rows", "leave out rows that can't be read, and count them")
    .addHelpText(
      "after",
      "\nExample:\n  millwright rules try bearing-vibration --plant examples/tour/plant.yaml --csv examples/tour/pump.csv --asset P-101",
    )
    .action(async (rule: string, options: TryOptions, command: Command) => {
      const { plant, csv, asset, assetColumn, layout, ...columns } = options
      let badRows = 0
      const readers = ruleFiles(".", (count) => {
        badRows += count
      })
      const recording: RecordingSpec = {
        ...recordingSpec.parse({ file: resolve(csv) }),
        time: columns.time,
        signal: columns.signal,
        value: columns.value,
        utcOffset: columns.utcOffset,
        skipBadRows: columns.skipBadRows ?? false,
        asset: assetColumn,
        layout,
      }
      const source = await readers.plant(plant)
      const report = await tryRule({ source, rule, recording, asset }, readers)
      answer(command, { ...report, badRows }, showTried)
    })
}

function showTried(tried: Awaited<ReturnType<typeof tryRule>> & { readonly badRows: number }): void {
  const { detections, use, samples, episodes, assets, perMonth } = tried
  if (detections.length > 0)
    print(
      `${table(detections, [
        { title: "TIME", of: ({ atMs }) => when(atMs) },
        { title: "STEP", of: ({ kind }) => kind },
        { title: "SEVERITY", of: ({ severity }) => severity },
        { title: "ASSET", of: (one) => one.asset },
        { title: "VALUE", of: (one) => figure(one.value) },
        { title: "REASON", of: ({ reason }) => reason },
      ])}\n`,
    )
  const month = perMonth === undefined ? "" : `, about ${Number(perMonth.toPrecision(2))} a month and asset`
  print(
    `${counted(use.rows, "row")} from ${when(use.firstMs ?? null)} to ${when(use.lastMs ?? null)}: ${counted(samples, "sample")} of ${counted(assets, "asset")}`,
  )
  print(`${counted(detections.length, "detection")}, ${counted(episodes, "episode")}${month}`)
  const { duplicates, late, tooLate, unusable, badRows } = tried
  if (use.strangers > 0) print(`${counted(use.strangers, "row")} of other assets left out`)
  if (use.outside > 0)
    print(`${counted(use.outside, "value")} outside min and max of the plant file left out`)
  if (use.unknown.length > 0)
    print(`left out: ${use.unknown.join(", ")}, which the class of the asset does not declare`)
  if (badRows > 0)
    print(`${counted(badRows, "row")} could not be read and ${badRows === 1 ? "was" : "were"} left out`)
  if (duplicates > 0) {
    const what = duplicates === 1 ? "a duplicate: its" : "duplicates: their"
    print(`${counted(duplicates, "sample")} left out as ${what} time was there already`)
  }
  if (late > 0) print(`${counted(late, "sample")} came late, and what was found was looked at again`)
  if (tooLate > 0) print(`${counted(tooLate, "sample")} came too late to be looked at`)
  if (unusable > 0) print(`${counted(unusable, "sample")} left out as unusable, beyond 1e150`)
  if (tried.seemsSeveral)
    print(
      "! the file seems to be about several assets, whose rows were all taken for one: say with --asset-column which column names the asset",
    )
}

function addHistory(rules: Command, surroundings: Surroundings): void {
  rules
    .command("history [rule]")
    .description(
      "revisions of a rule, or of the whole plant file: who changed what, when and why, newest first",
    )
    .option("--limit <n>", "the newest so many", wholeNumberFrom(1), 20)
    .action(async (rule: string | undefined, { limit }: { limit: number }, command: Command) => {
      const found = await asker(command, surroundings)("rules.history", { rule, limit })
      if (rule !== undefined && found.length === 0)
        throw new MillwrightError("NOT_FOUND", `no revision has a rule "${rule}"`)
      answer(command, found, (rows) => {
        if (rows.length === 0) return print("no plant file was applied yet: millwright apply FILE")
        print(
          table(rows, [
            { title: "REVISION", of: ({ revision }) => revision },
            { title: "TIME", of: ({ atMs }) => when(atMs) },
            { title: "WHO", of: ({ author }) => author },
            { title: "WHY", of: ({ reason }) => reason },
            { title: "CHANGED", of: ({ summary }) => summary },
          ]),
        )
      })
    })
}

function addRollback(rules: Command, surroundings: Surroundings): void {
  rules
    .command("rollback <rule>")
    .description("make a revision in which a rule is as it was in an earlier one, and all else as it is now")
    .requiredOption("--to <revision>", "as millwright rules history shows it", wholeNumberFrom(1))
    .requiredOption("--reason <text>", "why, for the audit trail")
    .option("--dry-run", "only check and show")
    .addHelpText(
      "after",
      "\nExample:\n  millwright rules rollback bearing-vibration --to 3 --reason 'too many alarms' --as erika",
    )
    .action(
      async (
        rule: string,
        { to, reason, dryRun }: { to: number; reason: string; dryRun?: boolean },
        command: Command,
      ) => {
        const ask = asker(command, surroundings)
        const result = await ask("plant.rollback", { to, rule, reason, dryRun: dryRun ?? false })
        answer(command, result, showRollback)
      },
    )
}

export function showRollback({ changes, warnings, made }: ResultOf<"plant.rollback">): void {
  const signs = { added: "+", changed: "~", removed: "-" }
  for (const { change, what, id } of changes) print(`${signs[change]} ${what} ${id}`)
  for (const warning of warnings) printError(`! ${warning}`)
  if (made === null) return
  print(`revision ${made.revision} by ${made.author}: ${made.reason}`)
  print("Plant files on disk are as they were: millwright export FILE writes the one in effect")
}
