import { mkdtemp, readFile, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { parse } from "yaml"
import { stageNames } from "../../app.ts"
import { program } from "../../cli/program.ts"
import { isShared, loadSettings } from "../../core/config.ts"
import { imageVersion, readCompose, root } from "../../services/compose.ts"
import { type Addresses, isStage, millwrightServices } from "../../services/deployment.ts"

const { services, secrets } = readCompose()
const ours = Object.entries(services).filter(([, { image }]) => image === "millwright")
const stages = Object.entries(services).filter(([, service]) => isStage(service))

describe("docker-compose.yml", () => {
  test.each(["kafka", "influxdb", "postgres", "mosquitto"])("pins the version of %s", (name) => {
    expect(imageVersion(name)).toMatch(/^\d+\.\d+/)
  })

  test.each(ours)(
    "gives %s settings that there are, for servers that are shared",
    (_name, { environment }) => {
      expect(isShared(loadSettings({ env: environment }))).toBe(true)
    },
  )

  test("runs every stage, each in a process of its own, and the rules in two", () => {
    const run = stages.map(([, { command }]) => command)
    for (const [start, option] of run) expect([start, option]).toEqual(["start", "--stage"])
    expect(run.map(([, , stage]) => stage).sort()).toEqual([...stageNames, "rules"].sort())
  })

  test("shows commands that there are", async () => {
    const text = await readFile(join(root, "docker-compose.yml"), "utf8")
    const known = program({ env: {}, signal: new AbortController().signal }).commands.map((one) => one.name())
    const shown = [...text.matchAll(/^#.* cli ([a-z]+)/gm)].map(([, command]) => command)
    expect(shown.length).toBeGreaterThan(1)
    expect(known).toEqual(expect.arrayContaining(shown))
  })

  test("looks after the health of every service that stays", () => {
    const staying = Object.entries(services).filter(([, { profiles }]) => profiles.length === 0)
    for (const [name, { healthcheck }] of staying) expect(healthcheck?.test, name).not.toBeUndefined()
  })

  test("starts a service once those that it names in its settings are well", () => {
    for (const [name, { environment, depends_on }] of stages) {
      const named = Object.entries(environment)
        .filter(([variable]) => variable !== "MILLWRIGHT_MQTT_URL" || name === "ingest")
        .flatMap(([, value]) => Object.keys(services).filter((host) => value.includes(`${host}:`)))
      expect(Object.keys(depends_on).sort(), name).toEqual([...new Set(named)].sort())
      for (const { condition } of Object.values(depends_on)) expect(condition).toBe("service_healthy")
    }
  })

  test("builds the image of all in one place, and fetches it from nowhere", async () => {
    const text = await readFile(join(root, "docker-compose.yml"), "utf8")
    expect(text.match(/^ +build: .*$/gm)).toEqual(["    build: ."])
    expect(text.match(/^ +pull_policy: .*$/gm)).toEqual(["  pull_policy: never", "    pull_policy: build"])
  })

  test("publishes ports on this machine only", () => {
    const published = Object.values(services).flatMap(({ ports }) => ports)
    expect(published).toContain("127.0.0.1:1883:1883")
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  })

  test("takes every secret from a file that make-secrets.sh makes, and holds none", async () => {
    for (const [name, { environment, secrets: mounted }] of Object.entries(services)) {
      for (const [variable, value] of Object.entries(environment)) {
        if (!/PASSWORD|TOKEN|SECRET/.test(variable)) expect(value, variable).not.toMatch(/:[^/:@]+@/)
        else {
          expect(variable).toMatch(/_FILE$/)
          expect(
            mounted.map((secret) => `/run/secrets/${secret}`),
            `${name}: ${variable}`,
          ).toContain(value)
        }
      }
    }
    const script = await readFile(join(root, "services/make-secrets.sh"), "utf8")
    for (const [name, { file }] of Object.entries(secrets)) {
      expect(file).toBe(`./secrets/${name}.txt`)
      expect(script).toContain(name)
    }
  })
})

test("docs/services.md shows lines of services/mosquitto.conf as they stand there", async () => {
  const lines = (await readFile(join(root, "services/mosquitto.conf"), "utf8")).split("\n")
  const document = await readFile(join(root, "docs/services.md"), "utf8")
  const shown = /```\n(persistence [^`]*)\n```/.exec(document)?.[1]?.split("\n") ?? []
  expect(shown.length).toBeGreaterThan(3)
  expect(lines).toEqual(expect.arrayContaining(shown))
})

describe("Dockerfile", () => {
  test("runs the product as a user without rights, from an image without compilers", async () => {
    const text = await readFile(join(root, "Dockerfile"), "utf8")
    const last = text.slice(text.lastIndexOf("\nFROM ")).trim().split("\n")
    expect(last[0]).toMatch(/^FROM node:\d+-bookworm-slim$/)
    expect(last.filter((line) => line.startsWith("USER "))).toEqual(["USER node"])
    expect(last.findIndex((line) => line.startsWith("ENTRYPOINT"))).toBeGreaterThan(last.indexOf("USER node"))
    expect(last.some((line) => line.startsWith("COPY . "))).toBe(false)
  })

  test("sees no secrets and no data: the context begins empty", async () => {
    const lines = (await readFile(join(root, ".dockerignore"), "utf8")).split("\n")
    expect(lines.find((line) => line !== "" && !line.startsWith("#"))).toBe("*")
    expect(lines.filter((line) => /^!.*(secret|services|millwright|\.git)/.test(line))).toEqual([])
  })

  test("is given all that the build compiles", async () => {
    const lines = (await readFile(join(root, ".dockerignore"), "utf8")).split("\n")
    const { include } = parse(await readFile(join(root, "tsconfig.build.json"), "utf8")) as {
      include: string[]
    }
    for (const one of include) expect(lines).toContain(one.endsWith(".ts") ? "!*.ts" : `!${one}`)
  })
})

describe("the processes of docker-compose.yml on this machine", () => {
  const addresses: Addresses = {
    kafka: "127.0.0.1:19092",
    influx: { url: "http://127.0.0.1:18086", org: "plant", bucket: "history", token: "of influx" },
    postgres: "postgres://millwright:of%20postgres@127.0.0.1:15432/millwright",
    mosquitto: "mqtt://millwright:of%20mosquitto@127.0.0.1:11883",
  }

  async function deployed(at: Addresses = addresses) {
    const directory = await mkdtemp(join(tmpdir(), "millwright-deployment-"))
    onTestFinished(() => rm(directory, { recursive: true }))
    return millwrightServices(at, directory)
  }

  test("have the same commands and variables, with the places of this machine", async () => {
    const processes = await deployed()
    expect(processes.map(({ name, args }) => [name, args])).toEqual(
      stages.map(([name, { command }]) => [name, command]),
    )
    for (const { name, env } of processes) {
      expect(Object.keys(env)).toEqual(Object.keys(services[name]?.environment ?? {}))
      const settings = loadSettings({ env })
      expect(settings).toMatchObject({
        http: { host: "127.0.0.1", port: 0 },
        kafka: { brokers: "127.0.0.1:19092" },
        influx: { url: "http://127.0.0.1:18086", org: "plant", bucket: "history" },
        postgres: { url: "postgres://millwright@127.0.0.1:15432/millwright" },
        mqtt: { url: "mqtt://millwright@127.0.0.1:11883" },
      })
      for (const [path, secret] of [
        [settings.influx.tokenFile, "of influx"],
        [settings.postgres.passwordFile, "of postgres"],
        [settings.mqtt.passwordFile, "of mosquitto"],
      ]) {
        expect(await readFile(path ?? "", "utf8")).toBe(`${secret}\n`)
        expect((await stat(path ?? "")).mode & 0o777).toBe(0o600)
      }
    }
  })

  test("give no password to a broker that wants none", async () => {
    const processes = await deployed({ ...addresses, mosquitto: "mqtt://127.0.0.1:11883" })
    for (const { env } of processes) {
      expect(env.MILLWRIGHT_MQTT_URL).toBe("mqtt://127.0.0.1:11883")
      expect(loadSettings({ env }).mqtt.passwordFile).toBeUndefined()
    }
  })
})
