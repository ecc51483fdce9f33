import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))
const keptOutput = 4000

export type Server = {
  /** Ends it as a power cut would; resolves when it is gone. */
  kill(): Promise<void>
  /** Asks it to stop, and gives its exit code. */
  stop(): Promise<number | null>
  /** Rejects, with what the server said last, when it ends without being asked to. */
  readonly ended: Promise<never>
}

/** `millwright start` as a process of its own, with checkpoints so frequent that a kill often meets one. */
export function startServer(directory: string, port: number): Server {
  const child = spawn(process.execPath, ["--import", "tsx", "main.ts", "start", "--clock", "event"], {
    cwd: root,
    env: {
      ...withoutSettings(process.env),
      MILLWRIGHT_DIRECTORY: directory,
      MILLWRIGHT_MQTT_PORT: String(port),
      MILLWRIGHT_HTTP_PORT: "0",
      MILLWRIGHT_PARTITIONS: "8",
      MILLWRIGHT_LOG_LEVEL: "warn",
      MILLWRIGHT_RULES_CHECKPOINT: "100ms",
      MILLWRIGHT_HISTORIAN_FLUSH: "50ms",
    },
    stdio: ["ignore", "pipe", "pipe"],
  })
  const gone = once(child, "exit")
  const said = lastOutput(child)
  let isExpected = false
  const ended = gone.then(([code, signal]) => {
    if (isExpected) return new Promise<never>(() => {})
    throw new Error(`the server ended by itself (${code ?? signal}):\n${said()}`)
  })
  ended.catch(() => {})
  return {
    ended,
    async kill() {
      isExpected = true
      child.kill("SIGKILL")
      await gone
    },
    async stop() {
      isExpected = true
      child.kill("SIGTERM")
      await gone
      return child.exitCode
    },
  }
}

/** Settings meant for the tests would be unknown to the server. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("MILLWRIGHT_")))
}

function lastOutput(child: ChildProcess): () => string {
  let text = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data: Buffer) => {
      text = `${text}${data}`.slice(-keptOutput)
    })
  }
  return () => text
}
