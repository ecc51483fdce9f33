import { readFile, writeFile } from "node:fs/promises"
import type { Command } from "commander"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import { confirm } from "../confirm.ts"
import type { ResultOf } from "../operations.ts"
import { counted, print, printError, when } from "../output.ts"
import { answer, asker, asksForJson, type Surroundings, wholeNumberFrom } from "../shared.ts"
import { showRollback } from "./rules.ts"

export function addPlant(program: Command, surroundings: Surroundings): void {
  program
    .command("apply <file>")
    .description("apply a plant file: shows what it would change, and asks before it does")
    .option("--reason <text>", "why, for the audit trail", "applied from the command line")
    .option("--dry-run", "only check and show")
    .option("--yes", "don't ask")
    .addHelpText(
      "after",
      "\nExample:\n  millwright apply plant.yaml --as erika --reason 'new limits for P-101'",
    )
    .action(
      async (
        file: string,
        options: { reason: string; dryRun?: boolean; yes?: boolean },
        command: Command,
      ) => {
        const source = await readSource(file)
        const ask = asker(command, surroundings)
        const compared = await ask("plant.compare", { source })

        if (options.dryRun || compared.changes.length === 0) return answer(command, compared, showChanges)
        if (asksForJson(command)) warn(compared.warnings)
        else showChanges(compared)
        if (!options.yes) await confirm("Apply?")
        const { base } = compared
        const revision = await ask("plant.apply", { source, reason: options.reason, base })
        answer(command, revision ?? null, (made) => {
          if (made !== null)
            print(
              `revision ${made.revision} by ${made.author}, in effect from ${made.effectiveMs === 0 ? "the beginning" : when(made.effectiveMs)}`,
            )
          else print("nothing to change")
        })
      },
    )

  program
    .command("export [file]")
    .description("write the plant file in effect to a file, or to standard output")
    .action(async (file: string | undefined, _options, command: Command) => {
      const revision = await asker(command, surroundings)("plant.export", {})
      if (file === undefined) return answer(command, revision, ({ source }) => process.stdout.write(source))
      await writeSource(file, revision.source)
      print(`revision ${revision.revision} by ${revision.author} written to ${file}`)
    })

  program
    .command("rollback")
    .description("make a revision in which the plant file is as it was in an earlier one")
    .requiredOption("--to <revision>", "as millwright rules history shows it", wholeNumberFrom(1))
    .requiredOption("--reason <text>", "why, for the audit trail")
    .option("--dry-run", "only check and show")
    .addHelpText(
      "after",
      "\nExample:\n  millwright rollback --to 3 --reason 'applied the wrong file' --as erika",
    )
    .action(async (options: { to: number; reason: string; dryRun?: boolean }, command: Command) => {
      const { to, reason, dryRun = false } = options
      answer(
        command,
        await asker(command, surroundings)("plant.rollback", { to, reason, dryRun }),
        showRollback,
      )
    })
}

async function readSource(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8")
  } catch (cause) {
    throw new MillwrightError("USAGE", `the plant file can't be read: ${messageOf(cause)}`, { cause })
  }
}

async function writeSource(file: string, source: string): Promise<void> {
  try {
    await writeFile(file, source)
  } catch (cause) {
    throw new MillwrightError("USAGE", `the plant file can't be written: ${messageOf(cause)}`, { cause })
  }
}

function showChanges({ changes, warnings }: ResultOf<"plant.compare">): void {
  const signs = { added: "+", changed: "~", removed: "-" }
  for (const { change, what, id } of changes) print(`${signs[change]} ${what} ${id}`)
  warn(warnings)
  print(changes.length === 0 ? "nothing to change" : counted(changes.length, "change"))
}

function warn(warnings: readonly string[]): void {
  for (const warning of warnings) printError(`! ${warning}`)
}
