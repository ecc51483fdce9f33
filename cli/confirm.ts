import { createInterface } from "node:readline/promises"
import { MillwrightError } from "../core/errors.ts"

/** Asks before something is done that was shown. Throws `USAGE` where nobody is there to ask, or says no. */
export async function confirm(question: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new MillwrightError("USAGE", "nobody is there to ask: confirm with --yes, or look with --dry-run")
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const reply = await terminal.question(`${question} [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(reply.trim())) throw new MillwrightError("USAGE", "nothing was applied")
}
