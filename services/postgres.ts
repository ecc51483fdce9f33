import { existsSync } from "node:fs"
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import pg from "pg"
import { composeService, imageVersion } from "./compose.ts"
import { execute, program, type Say, sayOnTerminal } from "./install.ts"
import { freePort } from "./port.ts"
import { secret } from "./secret.ts"
import { place, type Server, type ServerOptions, start } from "./server.ts"

export type PostgresServer = Server & {
  /** With user and password. */
  readonly url: string
  readonly password: string
  /** The password again, for who takes secrets from files. */
  readonly passwordFile: string
}

/** PostgreSQL refuses to run as root; Debian's package makes this user. */
const user = "postgres"
const packages = "/usr/lib/postgresql"

/** Starts a PostgreSQL cluster of its own: user and database of docker-compose.yml, loopback only, a random password. */
export async function startPostgres(options: ServerOptions = {}): Promise<PostgresServer> {
  const programs = await findPrograms(options.say ?? sayOnTerminal)
  const port = options.port ?? (await freePort())
  const where = await place("postgres", options)
  const compose = composeService("postgres")
  const {
    POSTGRES_USER: name = "",
    POSTGRES_DB: database = "",
    POSTGRES_INITDB_ARGS = "",
  } = compose.environment
  const passwordFile = join(where.directory, "password")
  const password = await secret(passwordFile)
  // The cluster lies in a directory of the user's own, since the one around it is ours.
  const own = join(where.directory, "cluster")
  const data = join(own, "data")
  if (!existsSync(data)) {
    await mkdir(own, { recursive: true, mode: 0o700 })
    await createCluster(
      programs,
      own,
      data,
      [`--username=${name}`, ...POSTGRES_INITDB_ARGS.split(" ")],
      password,
    )
  }

  const connect = async <T>(work: (client: pg.Client) => Promise<T>, to = database): Promise<T> => {
    const client = new pg.Client({
      ...{ host: "127.0.0.1", port, user: name, password, database: to },
      connectionTimeoutMillis: 5000,
    })
    try {
      await client.connect()
      return await work(client)
    } finally {
      await client.end()
    }
  }
  const postgres = await start({
    name: "PostgreSQL",
    ...where,
    port,
    command: join(programs, "postgres"),
    args: ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", "", ...compose.command.slice(1)],
    user,
    stopSignal: "SIGINT",
    ask: () =>
      connect(async (client) => {
        const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [database])
        if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(database)}`)
      }, "postgres"),
    version: async () => {
      const { rows } = await connect((client) =>
        client.query<{ server_version: string }>("show server_version"),
      )
      return rows[0]?.server_version.split(" ")[0] ?? ""
    },
  })
  return Object.assign(postgres, {
    url: `postgres://${name}:${password}@127.0.0.1:${port}/${database}`,
    password,
    passwordFile,
  })
}

/** Debian keeps the programs of each major version in a directory of their own, off the PATH. */
async function findPrograms(say: Say): Promise<string> {
  const wanted = Number(imageVersion("postgres").split(".")[0])
  const find = async () => {
    const majors = existsSync(packages) ? (await readdir(packages)).map(Number) : []
    const fitting = majors.filter((major) => major >= wanted).sort((a, b) => a - b)
    return fitting.map((major) => join(packages, String(major), "bin", "initdb")).find(existsSync)
  }
  const initdb = await program("PostgreSQL", "postgresql", say, find)
  return dirname(initdb)
}

/** Made beside and renamed: a cluster that is there is whole. */
async function createCluster(
  programs: string,
  own: string,
  data: string,
  args: readonly string[],
  password: string,
): Promise<void> {
  const asRoot = process.getuid?.() === 0
  const passwordFile = join(own, "password")
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (asRoot) await execute("chown", ["-R", `${user}:`, own])
  const asUser = (command: readonly string[]): Promise<string> => {
    const [program = "", ...rest] = asRoot
      ? ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--init-groups", ...command]
      : command
    // initdb begins by looking where it stands, which the user must be allowed to.
    return execute(program, rest, { cwd: "/" })
  }
  // A directory above it may be closed to others, as root's home is.
  await asUser(["test", "-w", own]).catch((cause: unknown) => {
    throw new Error(
      `PostgreSQL runs as the user ${user}, which can't reach ${own}: choose another place with --directory, ` +
        "for example /var/tmp/millwright",
      { cause },
    )
  })
  const beside = `${data}.new`
  await rm(beside, { recursive: true, force: true })
  await asUser([join(programs, "initdb"), "-D", beside, `--pwfile=${passwordFile}`, ...args])
  await rm(passwordFile)
  await rename(beside, data)
}
