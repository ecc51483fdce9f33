import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs"
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { messageOf } from "../core/errors.ts"
import { findProgram, type Say } from "./install.ts"
import { isFree } from "./port.ts"

const startLimitMs = 120_000
const stopLimitMs = 60_000
const askEveryMs = 50
const shownOutput = 3000

/** A server of this machine, with its own directory and port, both of which it keeps while it is stopped. */
export type Server = {
  /** "Kafka", "InfluxDB", "PostgreSQL", "mosquitto". */
  readonly name: string
  /** host:port */
  readonly address: string
  /** Of the running process. Throws when there is none. */
  readonly pid: number
  readonly isRunning: boolean
  /** Resolves once it answers; rejects with what it said last if it ends instead. Nothing to do if it runs. */
  start(): Promise<void>
  /** Asks it to stop, as its operator would; resolves when it is gone. */
  stop(): Promise<void>
  /** SIGKILL: what it had only in memory is lost. Resolves when it and its children are gone. */
  kill(): Promise<void>
  /** Resolves when the process that runs now ends, however it does. */
  ended(): Promise<void>
  /** What it runs as, by its own word: "4.1.0". */
  version(): Promise<string>
  /** The end of what it wrote to its output. */
  lastOutput(): string
  /** Stops it and removes its directory, unless that was given. */
  dispose(): Promise<void>
}

export type ServerOptions = {
  /** Data, configuration and output; without it a temporary one, which `dispose` removes. */
  readonly directory?: string
  /** Without it a free one. */
  readonly port?: number
  /** Told what takes a while: installing, building. */
  readonly say?: Say
}

export type Program = {
  readonly name: string
  readonly directory: string
  /** Where `directory` is nobody else's. */
  readonly isTemporary: boolean
  readonly port: number
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Runs as this user where we are root: some refuse to run as root. */
  readonly user?: string
  /** What it takes as the wish to end. Default SIGTERM. */
  readonly stopSignal?: "SIGTERM" | "SIGINT"
  /** Rejects while it does not serve yet. */
  ask(): Promise<void>
  version(): Promise<string>
}

/** Where a server keeps its things: the directory that was asked for, or a temporary one. */
export async function place(
  name: string,
  { directory }: ServerOptions,
): Promise<Pick<Program, "directory" | "isTemporary">> {
  if (directory !== undefined) {
    await mkdir(directory, { recursive: true })
    return { directory, isTemporary: false }
  }
  const temporary = await mkdtemp(join(tmpdir(), `millwright-${name}-`))
  // Servers that run as a user of their own must get through to their part of it.
  await chmod(temporary, 0o711)
  return { directory: temporary, isTemporary: true }
}

/** Starts a server for the first time; where that fails, nothing of it is left. */
export async function start(program: Program): Promise<Server> {
  const made = server(program)
  try {
    await made.start()
    return made
  } catch (error) {
    await made.dispose()
    throw error
  }
}

function server(program: Program): Server {
  const { name, directory, port } = program
  const outputFile = join(directory, "output.log")
  let child: ChildProcess | undefined

  const isRunning = () => child !== undefined && !hasEnded(child)

  function lastOutput(): string {
    return readFileSync(outputFile, "utf8").trim().slice(-shownOutput)
  }

  async function start(): Promise<void> {
    if (isRunning()) return
    if (!(await isFree(port)))
      throw new Error(
        `${name}: port ${port} of 127.0.0.1 is taken. End what listens there, or choose another`,
      )
    const started = await launch(program, outputFile)
    child = started
    try {
      await untilAnswers(started)
    } catch (error) {
      await end(started, "SIGKILL")
      throw error
    }
  }

  async function untilAnswers(started: ChildProcess): Promise<void> {
    const limit = AbortSignal.timeout(startLimitMs)
    for (;;) {
      if (hasEnded(started)) {
        const how = started.exitCode ?? started.signalCode
        throw new Error(`${name} ended while it started (${how}). It said last:\n${lastOutput()}`)
      }
      try {
        await program.ask()
        return
      } catch (error) {
        if (limit.aborted)
          throw new Error(
            `${name} does not answer on port ${port}: ${messageOf(error)}. It said last:\n${lastOutput()}`,
            { cause: error },
          )
      }
      await delay(askEveryMs)
    }
  }

  async function kill(): Promise<void> {
    if (child !== undefined) await end(child, "SIGKILL")
  }

  async function stop(): Promise<void> {
    if (child === undefined || hasEnded(child)) return
    const late = new AbortController()
    const ended = end(child, program.stopSignal ?? "SIGTERM").finally(() => late.abort())
    await Promise.race([ended, delay(stopLimitMs, undefined, { signal: late.signal }).catch(() => {})])
    if (!isRunning()) return ended
    await kill()
    throw new Error(`${name} did not stop in ${stopLimitMs / 1000} s and was killed:\n${lastOutput()}`)
  }

  return {
    name,
    address: `127.0.0.1:${port}`,
    get pid() {
      if (child?.pid === undefined || hasEnded(child)) throw new Error(`${name} does not run`)
      return child.pid
    },
    get isRunning() {
      return isRunning()
    },
    start,
    stop,
    kill,
    async ended() {
      if (child !== undefined && !hasEnded(child)) await once(child, "exit")
    },
    version: () => program.version(),
    lastOutput,
    async dispose() {
      if (program.isTemporary) {
        // Nobody will look at it again, so it need not write anything more.
        await kill()
        await rm(directory, { recursive: true, force: true })
      } else {
        await stop()
      }
    },
  }
}

/**
 * Starts the process apart from our process group, so that Ctrl-C reaches it through us alone, and in the end; the
 * system tells it to stop (`--pdeathsig`) when we end without having come to that.
 */
async function launch(program: Program, outputFile: string): Promise<ChildProcess> {
  const setpriv = await findProgram("setpriv")
  if (setpriv === undefined)
    throw new Error(
      "setpriv is not installed: it is a part of util-linux. Elsewhere than on Linux use docker compose",
    )
  const signal = program.stopSignal ?? "SIGTERM"
  const asUser =
    program.user === undefined || process.getuid?.() !== 0
      ? []
      : [`--reuid=${program.user}`, `--regid=${program.user}`, "--init-groups"]
  const output = openSync(outputFile, "a", 0o600)
  try {
    const args = ["--pdeathsig", signal.replace("SIG", ""), ...asUser, program.command, ...program.args]
    const child = spawn(setpriv, args, {
      cwd: program.directory,
      detached: true,
      stdio: ["ignore", output, output],
      env: { PATH: process.env.PATH, LANG: "C.UTF-8", ...program.env },
    })
    await once(child, "spawn")
    return child
  } finally {
    closeSync(output)
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return
  const ended = once(child, "exit")
  const children = childrenOf(child.pid)
  child.kill(signal)
  await ended
  // PostgreSQL's own processes hold its shared memory and end a moment after it: until then it can't start again.
  for (const pid of children) {
    if (signal === "SIGKILL") killIfThere(pid)
    while (isThere(pid)) await delay(5)
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => processState(pid)?.parent === parent)
}

/** A process that ended and waits to be noticed by its parent is there no more. */
function isThere(pid: number): boolean {
  const state = processState(pid)
  return state !== undefined && state.letter !== "Z"
}

function processState(pid: number): { readonly letter: string; readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const [letter = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return { letter, parent: Number(parent) }
  } catch {
    // It ended as we looked.
    return undefined
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error
  }
}
