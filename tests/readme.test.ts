import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { chmod, cp, mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { delimiter, join, resolve } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { parse } from "yaml"
import { freePort } from "../services/port.ts"
import { scratchDirectory } from "./pipeline.ts"
import { stepsIn } from "./tour.ts"

const root = resolve(import.meta.dirname, "..")
const readme = await readFile(join(root, "README.md"), "utf8")

const steps = stepsIn(readme)

describe("the README's tour", () => {
  let directory: string
  let shell: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }
  let port: number

  beforeAll(async () => {
    directory = await scratchDirectory()
    port = await freePort()
    await cp(join(root, "examples/tour"), join(directory, "tour"), {
      recursive: true,
      filter: (path) => !path.endsWith(".millwright"),
    })
    shell = {
      cwd: join(directory, "tour"),
      env: {
        HOME: directory,
        PATH: [
          await commandsOfSources(directory),
          join(root, "node_modules/.bin"),
          process.env.PATH ?? "",
        ].join(delimiter),
        MILLWRIGHT_MQTT_PORT: String(port),
        MILLWRIGHT_HTTP_PORT: "0",
      },
    }
  })

  afterAll(() => rm(directory, { recursive: true }))

  /** As README has it, but for the sources instead of the build, and a port that is free. */
  function asHere(commands: string): string {
    return commands.replaceAll("npx ", "").replaceAll("18830", String(port))
  }

  async function outputOf(commands: string): Promise<string> {
    const { stdout } = await promisify(execFile)("bash", ["-ec", asHere(commands)], shell)
    return stdout
  }

  test("runs as it stands there, with the output that it shows", { timeout: 180_000 }, async () => {
    const [start, ...others] = steps
    const server = spawn("bash", ["-c", `exec ${asHere(start?.commands ?? "")}`], {
      ...shell,
      stdio: ["ignore", "pipe", "inherit"],
    })
    const ended = once(server, "exit")
    // From this line on the directory is the server's; its control socket follows.
    const listening = new Promise<void>((heard) => {
      server.stdout.setEncoding("utf8").on("data", (text: string) => {
        if (text.includes("broker is listening")) heard()
      })
    })
    try {
      await Promise.race([listening, ended])
      await vi.waitFor(() => outputOf("millwright status"), { timeout: 30_000, interval: 100 })
      expect(others.length).toBeGreaterThan(3)
      for (const { commands, output } of others) {
        // Orders follow an acknowledgement in a moment; each block can be run again without effect.
        await vi.waitFor(async () => expect(await outputOf(commands)).toBe(output ?? ""), {
          timeout: 30_000,
          interval: 100,
        })
      }
    } finally {
      server.kill("SIGINT")
    }
    expect(await ended).toEqual([0, null])
  })

  test("shows the plant file that it applies", async () => {
    const shown = parse(/```yaml\n(plant: tour.*?)```/s.exec(readme)?.[1] ?? "")
    const applied = parse(await readFile(join(root, "examples/tour/plant.yaml"), "utf8"))
    expect(shown.rules).toHaveLength(1)
    expect(applied).toMatchObject(shown)
  })

  test("replays a recording that is made by the formula that it states", async () => {
    const rows = Array.from({ length: 72 }, (_, h) => {
      const day = Math.sin((2 * Math.PI * h) / 24)
      const vibration = 2.4 + 0.2 * day + 6 * (h / 71) ** 4
      const time = new Date(Date.UTC(2026, 2, 2, h)).toISOString().slice(0, 16)
      return `${time}Z,P-101,${vibration.toFixed(2)},${(48 + 4 * day).toFixed(1)}\n`
    })
    const recording = await readFile(join(root, "examples/tour/pump.csv"), "utf8")
    expect(recording).toBe(`time,pump,vibration,temperature\n${rows.join("")}`)
  })
})

/** A folder with the command `millwright`, which runs the sources: the tests need no build. */
async function commandsOfSources(directory: string): Promise<string> {
  const folder = join(directory, "bin")
  const tsx = import.meta.resolve("tsx")
  await mkdir(folder)
  await writeFile(
    join(folder, "millwright"),
    `#!/bin/sh\nexec "${process.execPath}" --import "${tsx}" "${join(root, "main.ts")}" "$@"\n`,
  )
  await chmod(join(folder, "millwright"), 0o755)
  return folder
}
