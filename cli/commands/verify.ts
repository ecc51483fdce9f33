import type { Command } from "commander"
import { MillwrightError } from "../../core/errors.ts"
import type { ResultOf } from "../operations.ts"
import { print, printable, when } from "../output.ts"
import { answer, asker, type Surroundings } from "../shared.ts"

export function addVerify(program: Command, surroundings: Surroundings): void {
  program
    .command("verify <order>")
    .description("recompute what a work order rests on, from the stored telemetry and the rule's revision")
    .addHelpText(
      "after",
      `
Each finding of the order is decided once more: with the rule's parameters and memory of then, on the samples that
are in the store now. The answer is "same", "different" (and what was found instead), or "unavailable" (and what is
missing). The command fails unless every finding is the same.

Example:
  millwright verify WO-000001`,
    )
    .action(async (order: string, _options, command: Command) => {
      const verified = await asker(command, surroundings)("orders.verify", { order })
      answer(command, verified, show)
      const wrong = verified.findings.filter(({ verdict }) => verdict !== "same")
      if (wrong.length === 0) return
      throw new MillwrightError(
        "NOT_VERIFIED",
        `${verified.number}: ${wrong.length} of ${verified.findings.length} findings could not be confirmed`,
      )
    })
}

function show({ number, findings, left }: ResultOf<"orders.verify">): void {
  if (findings.length === 0) print(`${number} rests on no finding of a rule`)
  for (const { verdict, reason, kind, atMs, rule, revision, found } of findings) {
    print(`${verdict.padEnd(12)} ${when(atMs)}  ${rule} (revision ${revision}) ${kind}`)
    print(`${" ".repeat(13)}${printable(found)}`)
    if (verdict !== "same") print(`${" ".repeat(13)}${printable(reason)}`)
  }
  if (left > 0) print(`\n${left} more findings are not kept with the order`)
}
