import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { join, resolve } from "node:path"

export const root = resolve(import.meta.dirname, "../..")
/** The built product: `npm run build` first. */
export const executable = join(root, "bin/millwright.js")
const keptOutput = 4000

export type Environment = Readonly<Record<string, string>>

/** One process of the built product (`npm run build`), started and killed as often as a test likes. */
export class StageProcess {
  readonly name: string
  private readonly args: readonly string[]
  private readonly env: Environment
  private readonly nodeArgs: readonly string[]
  private child: ChildProcess | undefined
  private said = ""
  private isExpected = false
  private fail: (error: Error) => void = () => {}
  /** Rejects, with what the process said last, when it ends without being asked to. */
  readonly failed: Promise<never>

  constructor(name: string, args: readonly string[], env: Environment, nodeArgs: readonly string[] = []) {
    this.name = name
    this.args = args
    this.env = env
    this.nodeArgs = nodeArgs
    this.failed = new Promise((_, reject) => {
      this.fail = reject
    })
    this.failed.catch(() => {})
  }

  get output(): string {
    return this.said
  }

  get pid(): number {
    return this.child?.pid ?? 0
  }

  start(): void {
    const { PATH = "", HOME = "" } = process.env
    const child = spawn(process.execPath, [...this.nodeArgs, executable, ...this.args], {
      // Settings meant for the tests would be unknown to the process, so it inherits none.
      env: { PATH, HOME, ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    })
    this.child = child
    this.isExpected = false
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => {
        this.said = `${this.said}${data}`.slice(-keptOutput)
      })
    }
    child.once("exit", (code, signal) => {
      if (this.child !== child || this.isExpected) return
      this.fail(new Error(`${this.name} ended by itself (${code ?? signal}):\n${this.said}`))
    })
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await this.end("SIGKILL")
  }

  /** Asks it to stop, and gives its exit code. */
  async stop(): Promise<number | null> {
    await this.end("SIGTERM")
    return this.child?.exitCode ?? null
  }

  private async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { child } = this
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    this.isExpected = true
    const gone = once(child, "exit")
    child.kill(signal)
    await gone
  }
}
