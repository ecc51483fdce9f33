import { inspect } from "node:util"
import { CommanderError } from "commander"
import { printError } from "./cli/output.ts"
import { program } from "./cli/program.ts"
import { MillwrightError } from "./core/errors.ts"

/** 0 done, 1 it failed, 2 it was asked for wrongly. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof MillwrightError)
    return error.code === "USAGE" || error.code === "CONFIG_INVALID" ? 2 : 1
  return 1
}

const stop = new AbortController()
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A second Ctrl-C means it: what is durable stays so.
    if (stop.signal.aborted) process.exit(130)
    stop.abort()
  })
}
// `millwright orders list | head` closes the pipe early, which is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))

try {
  await program({ env: process.env, signal: stop.signal }).parseAsync()
} catch (error) {
  // commander has already said what is wrong with the command line.
  if (error instanceof MillwrightError) printError(`millwright: ${error.message}`)
  else if (!(error instanceof CommanderError)) printError(`millwright: unexpected failure: ${inspect(error)}`)
  // Threads of stores that a failure left open must not keep the process; what they were given is durable or was refused.
  process.exit(exitCodeOf(error))
}
