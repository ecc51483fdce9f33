import { spawn } from "node:child_process"
import { join, resolve } from "node:path"
import { ask } from "../cli/control.ts"
import { systemClock } from "../core/clock.ts"
import { loadSettings } from "../core/config.ts"
import type { Target } from "./target.ts"

/** The shipped server in one process, everything in files of a directory. */
export async function onFiles(directory: string, profiles: boolean): Promise<Target> {
  const data = join(directory, "data")
  const settings = loadSettings({ env: {}, overrides: { directory: data, logLevel: "warn" } })
  const profiling = profiles ? ["--cpu-prof", `--cpu-prof-dir=${resolve("profile")}`] : []
  const executable = join(import.meta.dirname, "..", "bin", "millwright.js")
  const server = spawn(process.execPath, [...profiling, executable, "start"], {
    env: {
      PATH: process.env.PATH,
      MILLWRIGHT_DIRECTORY: data,
      MILLWRIGHT_LOG_LEVEL: "warn",
      MILLWRIGHT_MQTT_PORT: "0",
      MILLWRIGHT_HTTP_PORT: "0",
      NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS,
    },
    stdio: ["ignore", "inherit", "inherit"],
  })
  const status = () => ask(settings, "bench", "status", {})

  async function until(what: () => Promise<boolean>): Promise<void> {
    while (!(await what().catch(() => false))) {
      if (server.exitCode !== null) throw new Error(`the server exited with ${server.exitCode}`)
      // Seldom, since the server's answers count as its CPU time.
      await systemClock.sleep(1000)
    }
  }

  await until(async () => (await status()).health.ok)
  return {
    address: `127.0.0.1:${(await status()).mqttPort}`,
    programs: [{ name: "millwright", pid: server.pid ?? 0, isOurs: true }],
    async apply(source) {
      await ask(settings, "bench", "plant.apply", { source, reason: "bench" })
    },
    // It acknowledges what it has taken.
    taken: () => Promise.resolve(),
    settled: () => until(async () => (await status()).lags.every(({ uncommitted }) => uncommitted === 0)),
    async close() {
      const gone = new Promise((done) => server.once("exit", done))
      server.kill("SIGINT")
      await gone
    },
  }
}
