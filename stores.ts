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
  readonly usesBroker?: boolean
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
  const { settings, clock, logger, waits, signal, meets, usesTelemetry, usesBroker = false } = options
  const { kafka, influx, postgres, partitions } = settings
  const secrets = readSecrets(settings, usesBroker)
  const opened: Closing[] = []
  let held: HeldDirectory | undefined
  const file = (name: string) => {
    held ??= holdDirectory(settings.directory)
    return held.file(name)
  }
  async function kept<T extends Closing>(opening: Promise<T>): Promise<T> {
    const store = await opening
    opened.push(store)
    return store
  }
  async function close(): Promise<void> {
    const failures: unknown[] = []
    for (const store of opened) await store.close().catch((error: unknown) => failures.push(error))
    held?.release()
    if (failures.length > 0) throw failures[0]
  }
  try {
    const common = { clock, logger, waits, signal, meets }
    let kafkaReach: Reach | undefined
    const meetsKafka = (server: Reach) => {
      kafkaReach = server
      meets(server)
    }
    const log = await kept<Log>(
      kafka.brokers === undefined
        ? EmbeddedLog.open(file("log.sqlite"), { partitions, clock, logger })
        : openKafkaLog({
            ...common,
            meets: meetsKafka,
            brokers: kafka.brokers.split(","),
            prefix: kafka.prefix,
            replication: kafka.replication,
            partitions,
            ...secrets.kafka,
          }),
    )
    const telemetry = await kept<TelemetryStore>(
      influx.url === undefined
        ? openSqliteTelemetry(file("telemetry.sqlite"), { logger })
        : openInfluxTelemetry({
            ...common,
            url: influx.url,
            org: influx.org,
            bucket: influx.bucket,
            token: secrets.influx.token,
            probes: usesTelemetry,
          }),
    )
    const database = await kept<Database>(
      postgres.url === undefined
        ? openSqliteDatabase(file("database.sqlite"))
        : openPostgresDatabase({
            ...common,
            url: postgres.url,
            ...secrets.postgres,
            connections: postgres.connections,
          }),
    )
    return { log, telemetry, database, logAnswers: () => kafkaReach?.isReached ?? true, close }
  } catch (error) {
    await close().catch((failure: unknown) => logger.error({ err: failure }, "a store could not be closed"))
    throw error
  }
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
