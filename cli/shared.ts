import { userInfo } from "node:os"
import { type Command, InvalidArgumentError } from "commander"
import { loadSettings, type Settings } from "../core/config.ts"
import { parseDuration } from "../core/duration.ts"
import { ask } from "./control.ts"
import type { InputOf, OperationName, ResultOf } from "./operations.ts"
import { printJson } from "./output.ts"

/** What `main.ts` hands to every command. */
export type Surroundings = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts on Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
}

type Common = {
  readonly directory?: string
  readonly config?: string
  readonly as?: string
  readonly json?: boolean
}

export function settingsOf(
  command: Command,
  { env }: Surroundings,
  overrides: Readonly<Record<string, unknown>> = {},
): Settings {
  const { directory, config } = command.optsWithGlobals<Common>()
  return loadSettings({ env, file: config, overrides: { directory, ...overrides } })
}

/** Who acts: --as, MILLWRIGHT_AS, or the name of the system's user. */
function actorOf(command: Command, { env }: Surroundings): string {
  return command.optsWithGlobals<Common>().as ?? env.MILLWRIGHT_AS ?? systemUser()
}

/** In a container the user is often a number alone, for which `userInfo` throws. */
function systemUser(): string {
  try {
    return userInfo().username
  } catch (error) {
    const uid = process.getuid?.()
    if (uid === undefined) throw error
    return String(uid)
  }
}

/** Asks the server of the directory that the command line names. */
export function asker(command: Command, surroundings: Surroundings) {
  const settings = settingsOf(command, surroundings, { logLevel: "warn" })
  const actor = actorOf(command, surroundings)
  return <K extends OperationName>(name: K, input: InputOf<K>): Promise<ResultOf<K>> =>
    ask(settings, actor, name, input)
}

export function asksForJson(command: Command): boolean {
  return command.optsWithGlobals<Common>().json === true
}

/** Prints an answer: as JSON with --json, else as `show` puts it. */
export function answer<T>(command: Command, value: T, show: (value: T) => void): void {
  if (asksForJson(command)) printJson(value)
  else show(value)
}

export function durationOption(text: string): number {
  const ms = parseDuration(text)
  if (ms !== undefined && ms > 0) return ms
  throw new InvalidArgumentError("expected a duration such as 10m, 12h or 60d")
}

export const wholeNumber = wholeNumberFrom(0)

export function wholeNumberFrom(least: number, most = Number.MAX_SAFE_INTEGER) {
  const range = most === Number.MAX_SAFE_INTEGER ? `, at least ${least}` : ` from ${least} to ${most}`
  return (text: string): number => {
    const value = Number(text)
    if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`expected a whole number${range}`)
  }
}

/** An offset of a time zone. */
export function minutes(text: string): number {
  const value = Number(text)
  if (text.trim() !== "" && Number.isInteger(value)) return value
  throw new InvalidArgumentError("expected a whole number of minutes")
}

export function positiveNumber(text: string): number {
  const value = Number(text)
  if (value > 0) return value
  throw new InvalidArgumentError("expected a number above 0")
}
