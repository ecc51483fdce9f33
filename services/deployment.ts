/** The processes of docker-compose.yml on servers of this machine: what is tested here is what is composed. */
import { mkdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { type ComposeService, readCompose } from "./compose.ts"
import type { InfluxServer } from "./influx.ts"
import type { KafkaServer } from "./kafka.ts"
import type { MosquittoServer } from "./mosquitto.ts"
import type { PostgresServer } from "./postgres.ts"

/** Where the servers are, with what it takes to be let in. */
export type Addresses = {
  /** host:port, several separated by commas. */
  readonly kafka: string
  readonly influx: {
    readonly url: string
    readonly org: string
    readonly bucket: string
    readonly token: string
  }
  /** postgres://user:password@host:port/database */
  readonly postgres: string
  /** mqtt://host:port, or mqtt://user:password@host:port where the broker wants to know. */
  readonly mosquitto: string
}

/** Those of servers that `services/` started. */
export function addressesOf(servers: {
  readonly kafka: KafkaServer
  readonly influx: InfluxServer
  readonly postgres: PostgresServer
  readonly mosquitto: MosquittoServer
}): Addresses {
  const { url, org, bucket, token } = servers.influx
  return {
    kafka: servers.kafka.brokers.join(","),
    influx: { url, org, bucket, token },
    postgres: servers.postgres.url,
    mosquitto: servers.mosquitto.url,
  }
}

export type Deployed = {
  /** The service's name in docker-compose.yml: "rules-1". */
  readonly name: string
  /** What follows `millwright`: ["start", "--stage", "rules"]. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

const secretsInContainer = "/run/secrets/"

/**
 * Command and environment of each Millwright service, in the order of docker-compose.yml, with the servers' addresses,
 * files and ports of this machine. Writes the secrets below `directory`, for nobody else to read; the HTTP port is any
 * free one. Throws where docker-compose.yml says something that has no place here.
 */
export function millwrightServices(addresses: Addresses, directory: string): readonly Deployed[] {
  const { services } = readCompose()
  const local = localVariables(addresses)
  const secrets = new Map(Object.entries(localSecrets(addresses)))
  mkdirSync(join(directory, "secrets"), { recursive: true, mode: 0o700 })
  for (const [name, value] of secrets) {
    writeFileSync(join(directory, "secrets", name), `${value}\n`, { mode: 0o600 })
  }

  function localValue(service: string, variable: string, value: string): string | undefined {
    if (value.startsWith(secretsInContainer)) {
      const name = basename(value)
      return secrets.has(name) ? join(directory, "secrets", name) : undefined
    }
    const here = local[variable]
    if (here !== undefined) return here
    const host = Object.keys(services).find((name) => new RegExp(`(^|[/@,])${name}:\\d`).test(value))
    if (host === undefined) return value
    throw new Error(
      `docker-compose.yml: ${variable} of ${service} is at ${host}, and services/deployment.ts knows no place for it`,
    )
  }

  return Object.entries(services)
    .filter(([, service]) => isStage(service))
    .map(([name, { command, environment }]) => ({
      name,
      args: command,
      env: Object.fromEntries(
        Object.entries(environment).flatMap(([variable, value]) => {
          const here = localValue(name, variable, value)
          return here === undefined ? [] : [[variable, here]]
        }),
      ),
    }))
}

/** Millwright's own image, and started with the others. */
export function isStage({ image, profiles }: ComposeService): boolean {
  return image === "millwright" && profiles.length === 0
}

function localVariables({ kafka, influx, postgres, mosquitto }: Addresses): Readonly<Record<string, string>> {
  return {
    MILLWRIGHT_HTTP_HOST: "127.0.0.1",
    MILLWRIGHT_HTTP_PORT: "0",
    MILLWRIGHT_KAFKA_BROKERS: kafka,
    MILLWRIGHT_INFLUX_URL: influx.url,
    MILLWRIGHT_INFLUX_ORG: influx.org,
    MILLWRIGHT_INFLUX_BUCKET: influx.bucket,
    MILLWRIGHT_POSTGRES_URL: withoutPassword(postgres),
    MILLWRIGHT_MQTT_URL: withoutPassword(mosquitto),
  }
}

/** Those that these servers want: a broker that is open to all has no password. */
function localSecrets({ influx, postgres, mosquitto }: Addresses): Readonly<Record<string, string>> {
  const mqttPassword = passwordOf(mosquitto)
  return {
    "influx-token": influx.token,
    "postgres-password": passwordOf(postgres),
    ...(mqttPassword === "" ? {} : { "mqtt-password": mqttPassword }),
  }
}

function passwordOf(url: string): string {
  return decodeURIComponent(new URL(url).password)
}

function withoutPassword(text: string): string {
  const url = new URL(text)
  url.password = ""
  return url.href
}
