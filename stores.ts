import type { Logger } from "pino"
import type { Clock } from "./core/clock.ts"
import type { Settings } from "./core/config.ts"
import type { Database } from "./core/db/database.ts"
import { openPostgresDatabase } from "./core/db/postgres.ts"
import { openSqliteDatabase } from "./core/db/sqlite.ts"
import { type HeldDirectory, holdDirectory } from "./core/directory.ts"
import { EmbeddedLog } from "./core/log/embedded.ts"
import { openKafkaLog } from "./core/log/kafka/log.ts"
import type { Log } from "./core/log/log.ts"
import type { Reach } from "./core/reach.ts"
import { readSecret } from "./core/secrets.ts"
import type { TelemetryStore } from "./core/telemetry.ts"
import { openInfluxTelemetry } from "./ingest/historian/influx-store.ts"
import { openSqliteTelemetry } from "./ingest/historian/sqlite-store.ts"

export type Stores = {
  readonly log: Log
  readonly telemetry: TelemetryStore
  readonly database: Database
  /** False while the log is on a server that is away: who waits for it then waits until the log is closed. */
  logAnswers(): boolean
  /** Closes what is still open and lets go of the directory. Throws the first failure, after all were tried. */
  close(): Promise<void>
}

export type StoresOptions = {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  /** A server waits for the servers it needs; a command tells its user at once. */
  readonly waits: boolean
  /** Nobody asks InfluxDB in a process without the historian: it need not even be reachable from there. */
  readonly usesTelemetry: boolean
  /** Whether the files of `mqtt.passwordFile` and `mqtt.ca` must be there: ingest runs in this process. Default false. */
  readonly usesBroker: boolean
  /** Told of each server before it is waited for. */
  readonly meets: (server: Reach) => void
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined
}

type Closing = { close(): Promise<void> }

/**
 * Opens the adapter of each port that the settings ask for: a server's where they name one, else a file of the data
 * directory, which then belongs to this process. Throws `CONFIG_INVALID` for a secret that can't be read, before any
 * server is waited for.
 */
export async function openStores(options: StoresOptions): Promise<Stores> {
  const { settings, clock, logger, waits, meets, usesTelemetry, usesBroker } = options
  const { kafka, influx, postgres, partitions } = settings
  const secrets = readSecrets(settings, usesBroker)
  const opened: Closing[] = []
  let held: HeldDirectory | undefined
  const file = (name: string) => {
    held ??= holdDirectory(settings.directory)
    return held.file(name)
  }
  const stop = new AbortController()
  options.signal?.addEventListener("abort", () => stop.abort(), { once: true })
  async function close(): Promise<void> {
    const failures: unknown[] = []
    for (const store of opened) await store.close().catch((error: unknown) => failures.push(error))
    held?.release()
    if (failures.length > 0) throw failures[0]
  }
  let kafkaReach: Reach | undefined
  const common = { clock, logger, waits, meets, signal: stop.signal }

  async function openLog(): Promise<Log> {
    if (kafka.brokers === undefined)
      return EmbeddedLog.open(file("log.sqlite"), { partitions, clock, logger })
    return openKafkaLog({
      ...common,
      meets(server) {
        kafkaReach = server
        meets(server)
      },
      brokers: kafka.brokers.split(","),
      prefix: kafka.prefix,
      replication: kafka.replication,
      partitions,
      ...secrets.kafka,
    })
  }

  async function openTelemetry(): Promise<TelemetryStore> {
    if (influx.url === undefined) return openSqliteTelemetry(file("telemetry.sqlite"), { logger })
    const { url, org, bucket } = influx
    return openInfluxTelemetry({ ...common, url, org, bucket, ...secrets.influx, probes: usesTelemetry })
  }

  async function openDatabase(): Promise<Database> {
    if (postgres.url === undefined) return openSqliteDatabase(file("database.sqlite"))
    const { url, connections } = postgres
    return openPostgresDatabase({ ...common, url, connections, ...secrets.postgres })
  }

  // All at once: who starts a plant is told of every server that is away, not of one after the other.
  const opening = [openLog(), openTelemetry(), openDatabase()] as const
  let failure: { readonly error: unknown } | undefined
  for (const one of opening) {
    // Where one can't be used at all nobody waits for the others.
    one.catch((error: unknown) => {
      failure ??= { error }
      stop.abort()
    })
  }
  for (const one of await Promise.allSettled<Closing>(opening)) {
    if (one.status === "fulfilled") opened.push(one.value)
  }
  if (failure !== undefined) {
    await close().catch((error: unknown) => logger.error({ err: error }, "a store could not be closed"))
    throw failure.error
  }
  const [log, telemetry, database] = await Promise.all(opening)
  return { log, telemetry, database, logAnswers: () => kafkaReach?.isReached ?? true, close }
}

/** Those of the servers that are used here. The client of the broker reads its own; they are looked at all the same. */
function readSecrets(settings: Settings, usesBroker: boolean) {
  const { kafka, influx, postgres, mqtt } = settings
  const read = (isUsed: boolean, key: string, path: string | undefined) =>
    isUsed ? readSecret(key, path) : undefined
  const onKafka = kafka.brokers !== undefined
  const onPostgres = postgres.url !== undefined
  const withBroker = usesBroker && mqtt.url !== undefined
  read(withBroker, "mqtt.passwordFile", mqtt.passwordFile)
  read(withBroker, "mqtt.ca", mqtt.ca)
  return {
    kafka: kafkaSecurity(kafka, {
      password: read(onKafka, "kafka.passwordFile", kafka.passwordFile),
      ca: read(onKafka, "kafka.ca", kafka.ca),
    }),
    influx: { token: read(influx.url !== undefined, "influx.tokenFile", influx.tokenFile) ?? "" },
    postgres: {
      password: read(onPostgres, "postgres.passwordFile", postgres.passwordFile),
      ca: read(onPostgres, "postgres.ca", postgres.ca),
    },
  }
}

function kafkaSecurity(
  { tls, user, mechanism }: Settings["kafka"],
  { password, ca }: { readonly password: string | undefined; readonly ca: string | undefined },
) {
  return {
    ssl: ca === undefined ? tls : { ca: [ca] },
    ...(user === undefined || password === undefined
      ? {}
      : { sasl: { mechanism, username: user, password } }),
  }
}
