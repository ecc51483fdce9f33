import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { z } from "zod"
import { composeService, imageVersion, root } from "./compose.ts"
import { cached, executeAloud, type Say, sayOnTerminal } from "./install.ts"
import { freePort } from "./port.ts"
import { secret } from "./secret.ts"
import { place, type Server, type ServerOptions, start } from "./server.ts"

export type InfluxServer = Server & {
  readonly url: string
  readonly org: string
  readonly bucket: string
  readonly token: string
  /** The token again, for who takes secrets from files. */
  readonly tokenFile: string
}

const health = z.object({ status: z.string(), version: z.string() })

/** Starts InfluxDB 2 on disk, set up with the organisation and bucket of docker-compose.yml, kept for ever. */
export async function startInflux(options: ServerOptions = {}): Promise<InfluxServer> {
  const { say = sayOnTerminal } = options
  const influxd = join(await installInflux(say), "influxd")
  const port = options.port ?? (await freePort())
  const where = await place("influx", options)
  const url = `http://127.0.0.1:${port}`
  const { DOCKER_INFLUXDB_INIT_ORG: org = "", DOCKER_INFLUXDB_INIT_BUCKET: bucket = "" } =
    composeService("influxdb").environment
  const tokenFile = join(where.directory, "token")
  const token = await secret(tokenFile)

  const ask = async () => {
    const answer = await fetch(`${url}/health`, { signal: AbortSignal.timeout(5000) })
    return health.parse(await answer.json())
  }
  const files = { bolt: "influxd.bolt", sqlite: "influxd.sqlite", engine: "engine" }
  const influx = await start({
    name: "InfluxDB",
    ...where,
    port,
    command: influxd,
    args: [
      ...["--http-bind-address", `127.0.0.1:${port}`, "--reporting-disabled", "--log-level", "warn"],
      ...Object.entries(files).flatMap(([name, file]) => [`--${name}-path`, join(where.directory, file)]),
    ],
    ask: async () => {
      const { status } = await ask()
      if (status !== "pass") throw new Error(`its health is "${status}"`)
      await setUp(url, { org, bucket, token })
    },
    version: async () => (await ask()).version.replace(/^v/, ""),
  })
  return Object.assign(influx, { url, org, bucket, token, tokenFile })
}

/** The directory with `influxd`: InfluxDB 2 is in no package registry as a program, so it is built from its modules. */
function installInflux(say: Say): Promise<string> {
  const version = imageVersion("influxdb")
  return cached("influxdb", version, async (directory) => {
    say(`building InfluxDB ${version} from its Go and Rust sources: 5 to 15 minutes, once`)
    await executeAloud("sh", [join(root, "services", "build-influxd.sh"), directory, version], say)
  })
}

/** The first start makes user, organisation, bucket and token; a later one finds them there. */
async function setUp(
  url: string,
  { org, bucket, token }: { readonly org: string; readonly bucket: string; readonly token: string },
): Promise<void> {
  const allowed = z
    .object({ allowed: z.boolean() })
    .parse(await (await fetch(`${url}/api/v2/setup`, { signal: AbortSignal.timeout(5000) })).json())
  if (!allowed.allowed) return
  const answer = await fetch(`${url}/api/v2/setup`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    // Nobody signs in with the password: the token is enough for everything.
    body: JSON.stringify({
      username: "millwright",
      password: randomBytes(24).toString("base64url"),
      org,
      bucket,
      token,
      retentionPeriodSeconds: 0,
    }),
    signal: AbortSignal.timeout(30_000),
  })
  if (!answer.ok) throw new Error(`InfluxDB can't be set up: ${answer.status} ${await answer.text()}`)
}
