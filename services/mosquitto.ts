import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import mqtt from "mqtt"
import { root } from "./compose.ts"
import { execute, program, sayOnTerminal } from "./install.ts"
import { freePort } from "./port.ts"
import { place, type Server, type ServerOptions, start } from "./server.ts"

export type MosquittoServer = Server & { readonly url: string }

export type MosquittoOptions = ServerOptions & {
  /**
   * Names and passwords of those who may connect, with the rights that services/mosquitto.acl gives them; without it
   * anyone on this machine may do anything.
   */
  readonly users?: Readonly<Record<string, string>>
  /** The same users as mosquitto_passwd writes them; without it such a file is made of them. */
  readonly passwordFile?: string
}

/** Starts mosquitto with the limits of services/mosquitto.conf, which docker-compose.yml uses too. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<MosquittoServer> {
  const { say = sayOnTerminal, users } = options
  const command = await program("mosquitto", "mosquitto", say)
  const port = options.port ?? (await freePort())
  const where = await place("mosquitto", options)
  const data = join(where.directory, "data")
  const passwords = options.passwordFile ?? join(where.directory, "users")
  await mkdir(data, { recursive: true })
  if (users !== undefined && options.passwordFile === undefined) {
    await writeFile(
      passwords,
      Object.entries(users)
        .map(([name, password]) => `${name}:${password}\n`)
        .join(""),
      { mode: 0o600 },
    )
    await execute(await program("mosquitto_passwd", "mosquitto", say), ["-U", passwords])
  }
  const configuration = join(where.directory, "mosquitto.conf")
  const common = await readFile(join(root, "services", "mosquitto.conf"), "utf8")
  await writeFile(
    configuration,
    placed(common, {
      listener: `${port} 127.0.0.1`,
      allow_anonymous: String(users === undefined),
      password_file: users === undefined ? undefined : passwords,
      acl_file: users === undefined ? undefined : join(root, "services", "mosquitto.acl"),
      persistence_location: `${data}/`,
      log_dest: "stdout",
      // As root it would become another user, who can't write where it runs.
      user: process.getuid?.() === 0 ? "root" : undefined,
    }),
  )
  const url = `mqtt://127.0.0.1:${port}`
  const [username, password] = Object.entries(users ?? {})[0] ?? []
  const connect = () =>
    mqtt.connectAsync(url, {
      ...(username === undefined || password === undefined ? {} : { username, password }),
      connectTimeout: 5000,
      reconnectPeriod: 0,
    })
  const mosquitto = await start({
    name: "mosquitto",
    ...where,
    port,
    command,
    args: ["-c", configuration],
    ask: async () => {
      await (await connect()).endAsync()
    },
    version: async () => {
      const client = await connect()
      try {
        const told = new Promise<string>((resolve) => {
          client.once("message", (_topic, payload) => resolve(payload.toString()))
        })
        await client.subscribeAsync("$SYS/broker/version")
        return (await told).replace("mosquitto version ", "")
      } finally {
        await client.endAsync()
      }
    },
  })
  return Object.assign(mosquitto, { url })
}

/** The configuration with other values for these settings; `undefined` leaves a setting out. */
function placed(text: string, settings: Readonly<Record<string, string | undefined>>): string {
  const others = text.split("\n").filter((line) => !Object.hasOwn(settings, line.split(" ")[0] ?? ""))
  const own = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name} ${value}`],
  )
  return `${[...others, ...own].join("\n")}\n`
}
