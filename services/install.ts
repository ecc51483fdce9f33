import { type ExecFileOptions, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { access, chmod, constants, mkdir, mkdtemp, rename, rm } from "node:fs/promises"
import { homedir } from "node:os"
import { delimiter, join } from "node:path"
import { createInterface } from "node:readline"
import { promisify } from "node:util"
import { messageOf } from "../core/errors.ts"

/** Says what is going on where it takes a while. */
export type Say = (line: string) => void

export const sayOnTerminal: Say = (line) => console.error(line)

const run = promisify(execFile)

/** Where what was downloaded and built is kept, for all copies of the repository. */
function cacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "millwright")
}

/**
 * The directory of something at one version, made by `make` if it isn't there yet. It is made beside and renamed, so
 * that what is there is whole, and two that make it at once don't meet: the one that ends later takes the other's.
 */
export async function cached(
  name: string,
  version: string,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const target = join(cacheDirectory(), `${name}-${version}`)
  if (existsSync(target)) return target
  await mkdir(cacheDirectory(), { recursive: true })
  const beside = await mkdtemp(`${target}.new-`)
  try {
    await make(beside)
    await chmod(beside, 0o755)
    await rename(beside, target)
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    if (!isTaken(error)) throw error
  }
  return target
}

function isTaken(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return code === "ENOTEMPTY" || code === "EEXIST"
}

/** The program's path, from PATH or one of `places`. */
export async function findProgram(name: string, places: readonly string[] = []): Promise<string | undefined> {
  for (const place of [...(process.env.PATH ?? "").split(delimiter), ...places]) {
    if (place === "") continue
    const path = join(place, name)
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // Not there: the next place.
    }
  }
  return undefined
}

/**
 * A program that a package of Debian brings; root installs what is missing, others are told how. Throws where it is
 * still not there.
 */
export async function program(
  name: string,
  aptPackage: string,
  say: Say,
  find: () => Promise<string | undefined> = () => findProgram(name, ["/usr/sbin"]),
): Promise<string> {
  const found = await find()
  if (found !== undefined) return found
  const command = `apt-get install ${aptPackage}`
  if (process.getuid?.() !== 0 || (await findProgram("apt-get")) === undefined) {
    throw new Error(
      `${name} is not installed. Run as root: ${command} (Debian, Ubuntu), or use docker compose`,
    )
  }
  say(`installing ${name}: ${command}`)
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  await execute("apt-get", ["update", "-qq"], { env })
  await execute("apt-get", ["install", "-y", "-qq", "--no-install-recommends", aptPackage], { env })
  const installed = await find()
  if (installed === undefined) throw new Error(`${command} did not bring ${name}: see what it installed`)
  return installed
}

/** Runs a command to its end; an error carries what the command said. */
export async function execute(
  command: string,
  args: readonly string[],
  options: ExecFileOptions = {},
): Promise<string> {
  try {
    const { stdout } = await run(command, args, { maxBuffer: 64 << 20, ...options })
    return String(stdout)
  } catch (cause) {
    const said = cause as { stderr?: string; stdout?: string }
    const text = said.stderr?.trim() || said.stdout?.trim() || messageOf(cause)
    throw new Error(`${command} ${args.join(" ")} failed:\n${text.slice(-4000)}`, { cause })
  }
}

/** Runs a command that takes minutes, and passes on each line that it says. */
export async function executeAloud(command: string, args: readonly string[], say: Say): Promise<void> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      said.push(line)
      say(`  ${line}`)
    })
  }
  const [code, signal] = await once(child, "close")
  if (code !== 0)
    throw new Error(`${command} ${args.join(" ")} failed (${code ?? signal}):\n${said.slice(-20).join("\n")}`)
}
