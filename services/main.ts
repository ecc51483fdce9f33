/**
 * `npm run services`: the servers of docker-compose.yml without Docker, for a person, until Ctrl-C.
 * `npm run start:services`: the demo on them, with the processes of docker-compose.yml.
 */
import { mkdir, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { messageOf } from "../core/errors.ts"
import { runDemo } from "./demo.ts"
import type { Addresses } from "./deployment.ts"
import { startInflux } from "./influx.ts"
import { startKafka } from "./kafka.ts"
import { startMosquitto } from "./mosquitto.ts"
import { startPostgres } from "./postgres.ts"
import type { Server, ServerOptions } from "./server.ts"

type Variables = Readonly<Record<string, string>>
type Offered = {
  readonly server: Server
  readonly variables: Variables
  readonly address: Partial<Addresses>
}
type Offer = {
  /** 10000 above the usual one, which another server may have. */
  readonly port: number
  start(options: ServerOptions): Promise<Offered>
}

const offers: Readonly<Record<string, Offer>> = {
  mosquitto: {
    port: 11_883,
    async start(options) {
      const server = await startMosquitto(options)
      return { server, variables: { MILLWRIGHT_MQTT_URL: server.url }, address: { mosquitto: server.url } }
    },
  },
  kafka: {
    port: 19_092,
    async start(options) {
      const server = await startKafka(options)
      const brokers = server.brokers.join(",")
      return { server, variables: { MILLWRIGHT_KAFKA_BROKERS: brokers }, address: { kafka: brokers } }
    },
  },
  influx: {
    port: 18_086,
    async start(options) {
      const server = await startInflux(options)
      const variables = {
        MILLWRIGHT_INFLUX_URL: server.url,
        MILLWRIGHT_INFLUX_ORG: server.org,
        MILLWRIGHT_INFLUX_BUCKET: server.bucket,
        MILLWRIGHT_INFLUX_TOKEN_FILE: server.tokenFile,
      }
      return { server, variables, address: { influx: server } }
    },
  },
  postgres: {
    port: 15_432,
    async start(options) {
      const server = await startPostgres(options)
      const url = new URL(server.url)
      url.password = ""
      const variables = {
        MILLWRIGHT_POSTGRES_URL: url.href,
        MILLWRIGHT_POSTGRES_PASSWORD_FILE: server.passwordFile,
      }
      return { server, variables, address: { postgres: server.url } }
    },
  },
}

const usage = `Starts mosquitto, Kafka, InfluxDB and PostgreSQL on this machine (127.0.0.1 only), installs what is
missing, and stops them at Ctrl-C. The data stays for the next time.

  npm run services [-- OPTIONS]

  --only NAMES       some of them: ${Object.keys(offers).join(",")}
  --demo             the demo's machines too, and every stage as a process of its own (npm run start:services)
  --directory PATH   where their data lies (default: .millwright-services)
  --help
`

const wrongUsage = 2
const interrupted = new AbortController()
const running: Server[] = []

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    // A second Ctrl-C waits for nothing; the system tells the servers to stop.
    if (interrupted.signal.aborted) process.exit(130)
    interrupted.abort()
  })
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: Object.keys(offers).join(",") },
      directory: { type: "string", default: ".millwright-services" },
      demo: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  if (values.help) {
    console.log(usage)
    return 0
  }
  const names = values.only.split(",")
  const unknown = names.filter((name) => !Object.hasOwn(offers, name))
  if (unknown.length > 0) {
    console.error(`--only ${values.only}: there is no ${unknown.join(", ")}\n\n${usage}`)
    return wrongUsage
  }
  const directory = resolve(values.directory)
  // Others pass through to what is theirs (PostgreSQL's user), and can't look around.
  await mkdir(directory, { recursive: true, mode: 0o711 })
  const started = await Promise.allSettled(names.map((name) => startOne(name, directory)))
  const failed = started.filter((one) => one.status === "rejected")
  for (const { reason } of failed) console.error(`services: ${messageOf(reason)}`)
  if (failed.length > 0) return 1
  if (interrupted.signal.aborted) return 0

  const offered = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []))
  const variables = Object.entries({
    ...Object.assign({}, ...offered.map((one) => one.variables)),
    ...(values.demo ? { MILLWRIGHT_PLANT_CLOCK: "event" } : {}),
  } as Variables)
  const lines = variables.map(([name, value]) => `export ${name}=${quoted(value)}\n`).join("")
  const file = join(directory, "env.sh")
  await writeFile(file, lines, { mode: 0o600 })
  console.log(`\n${lines}`)
  const command = values.demo ? "orders list" : "start"
  console.log(`In another terminal: . ${quoted(file)} && npx millwright ${command}`)
  console.log("Ctrl-C stops everything; the data stays.\n")
  const stopped = new Promise<void>((resolve) => {
    interrupted.signal.addEventListener("abort", () => resolve())
  })
  const ended = running.map(async (server) => {
    await server.ended()
    if (interrupted.signal.aborted) return
    throw new Error(`${server.name} ended by itself. It said last:\n${server.lastOutput()}`)
  })
  const work = values.demo ? demo(offered, directory) : stopped
  await Promise.race([work, ...ended])
  return 0
}

function demo(offered: readonly Offered[], directory: string): Promise<void> {
  const { kafka, influx, postgres, mosquitto }: Partial<Addresses> = Object.assign(
    {},
    ...offered.map(({ address }) => address),
  )
  if (kafka === undefined || influx === undefined || postgres === undefined || mosquitto === undefined)
    throw new Error("the demo takes all four servers: leave --only out")
  return runDemo({ kafka, influx, postgres, mosquitto }, join(directory, "millwright"), interrupted.signal)
}

async function startOne(name: string, directory: string): Promise<Offered> {
  const offer = offers[name]
  if (offer === undefined) throw new Error(`there is no ${name}`)
  const offered = await offer.start({ directory: join(directory, name), port: offer.port })
  const { server } = offered
  running.push(server)
  console.error(`${server.name} ${await server.version()} answers on ${server.address}`)
  return offered
}

/** As a shell reads it back. */
function quoted(text: string): string {
  return /^[\w./:@,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

try {
  process.exitCode = await main()
} catch (error) {
  console.error(`services: ${messageOf(error)}`)
  process.exitCode = 1
} finally {
  await Promise.all(running.map((server) => server.dispose()))
}
