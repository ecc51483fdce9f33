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
  /** Told of each server before it is waited for. */
  readonly meets: (server: Reach) => void
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined
}

type Closing = { close(): Promise<void> }

/**
 * Opens the adapter of each port that the settings ask for: a server's where they name one, else a file of the data
 * directory, which then belongs to this process.
 */
export async function openStores(options: StoresOptions): Promise<Stores> {
  const { settings, clock, logger, waits, signal, meets, usesTelemetry } = options
  const { kafka, influx, postgres, partitions } = settings
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
            ...kafkaSecurity(settings),
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
            token: readSecret("influx.tokenFile", influx.tokenFile) ?? "",
            probes: usesTelemetry,
          }),
    )
    const database = await kept<Database>(
      postgres.url === undefined
        ? openSqliteDatabase(file("database.sqlite"))
        : openPostgresDatabase({
            ...common,
            url: postgres.url,
            password: readSecret("postgres.passwordFile", postgres.passwordFile),
            ca: readSecret("postgres.ca", postgres.ca),
            connections: postgres.connections,
          }),
    )
    return { log, telemetry, database, logAnswers: () => kafkaReach?.isReached ?? true, close }
  } catch (error) {
    await close().catch((failure: unknown) => logger.error({ err: failure }, "a store could not be closed"))
    throw error
  }
}

function kafkaSecurity({ kafka }: Settings) {
  const ca = readSecret("kafka.ca", kafka.ca)
  const password = readSecret("kafka.passwordFile", kafka.passwordFile)
  return {
    ssl: ca === undefined ? kafka.tls : { ca: [ca] },
    ...(kafka.user === undefined || password === undefined
      ? {}
      : { sasl: { mechanism: kafka.mechanism, username: kafka.user, password } }),
  }
}
