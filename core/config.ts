/** The server's settings: defaults, then one YAML file, then environment variables. Checked once, at start. */
import { existsSync, readFileSync } from "node:fs"
import { parse } from "yaml"
import { z } from "zod"
import { duration } from "./duration.ts"
import { MillwrightError } from "./errors.ts"
import { nearest } from "./nearest.ts"
import { problems } from "./plant.ts"

const whole = z.coerce.number().int()
const port = whole.min(0).max(65_535)
/** `z.coerce.boolean` would take the text "false" for true. */
const flag = z.union([z.boolean(), z.stringbool({ truthy: ["true"], falsy: ["false"] })], {
  error: "expected true or false",
})
const hosts = z
  .string()
  .regex(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, "expected host:port, several separated by commas")

/** A setting at `mqtt.maxPayloadBytes` is `MILLWRIGHT_MQTT_MAX_PAYLOAD_BYTES` in the environment. */
export const settings = z.strictObject({
  /** Where the embedded log, telemetry and database live. */
  directory: z.string().min(1).default(".millwright"),
  plantClock: z.enum(["wall", "event"]).default("wall"),
  logLevel: z.enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"]).default("info"),
  /** Fixed when the directory is first used. */
  partitions: whole.min(1).max(1024).default(64),
  mqtt: z
    .strictObject({
      /** The plant's own broker (mqtt://user@host:1883, mqtts://…); without it Millwright is the broker. */
      url: z.url({ protocol: /^mqtts?$/, error: "expected mqtt://user@host:1883 or mqtts://…" }).optional(),
      passwordFile: z.string().optional(),
      /** PEM file with the authority's certificate, where it is not a public one. */
      ca: z.string().optional(),
      /** Of the plant's broker: processes of one group share the messages. */
      group: z
        .string()
        .regex(/^[\w.-]{1,64}$/)
        .default("millwright"),
      /** Its own for each process; the broker keeps what comes while it is away. Default: the host's name. */
      clientId: z.string().min(1).max(128).optional(),
      host: z.string().default("127.0.0.1"),
      port: port.default(1883),
      maxPayloadBytes: whole.min(1024).max(67_108_864).default(1_048_576),
      maxConnections: whole.min(1).default(10_000),
      maxAssets: whole.min(1).default(10_000),
      /** File with one `name:password-hash` a line, made by `millwright mqtt-user`. */
      users: z.string().optional(),
      /** PEM files; both or neither. */
      tlsCert: z.string().optional(),
      tlsKey: z.string().optional(),
    })
    .prefault({}),
  /** Without it the log is a file of the data directory. */
  kafka: z
    .strictObject({
      /** host:port, several separated by commas. */
      brokers: hosts.optional(),
      /** What the names of its topics and groups begin with. */
      prefix: z
        .string()
        .regex(/^[\w.-]{0,64}$/)
        .default("millwright."),
      /** Copies of each partition that new topics are made with; 3 where there are three brokers. */
      replication: whole.min(1).max(9).default(1),
      tls: flag.default(false),
      /** PEM file with the authority's certificate, where it is not a public one. */
      ca: z.string().optional(),
      user: z.string().optional(),
      passwordFile: z.string().optional(),
      mechanism: z.enum(["plain", "scram-sha-256", "scram-sha-512"]).default("scram-sha-512"),
    })
    .prefault({}),
  /** Without it telemetry is a file of the data directory. */
  influx: z
    .strictObject({
      url: z.url({ protocol: /^https?$/, error: "expected http://host:8086" }).optional(),
      org: z.string().default("millwright"),
      bucket: z.string().default("millwright"),
      tokenFile: z.string().optional(),
    })
    .prefault({}),
  /** Without it tables are a file of the data directory. */
  postgres: z
    .strictObject({
      /** postgres://user@host:port/database */
      url: z
        .url({ protocol: /^postgres(ql)?$/, error: "expected postgres://user@host:5432/database" })
        .optional(),
      passwordFile: z.string().optional(),
      /** PEM file: speak TLS and check the server's certificate against it. */
      ca: z.string().optional(),
      connections: whole.min(2).max(100).default(10),
    })
    .prefault({}),
  http: z.strictObject({ host: z.string().default("127.0.0.1"), port: port.default(9464) }).prefault({}),
  historian: z
    .strictObject({ flush: duration.default(500), retention: duration.default(34_560_000_000) })
    .prefault({}),
  rules: z.strictObject({ checkpoint: duration.default(10_000) }).prefault({}),
})
export type Settings = z.infer<typeof settings>

const prefix = "MILLWRIGHT_"
/** Variables of the same prefix that are read elsewhere. */
const otherVariables = new Set(["MILLWRIGHT_CONFIG", "MILLWRIGHT_DATA", "MILLWRIGHT_AS"])

export type ConfigSource = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** A file that must be there; without it `millwright.yaml` is read where there is one. */
  readonly file?: string | undefined
  /** What the command line said; wins over everything. */
  readonly overrides?: Readonly<Record<string, unknown>>
}

/** Throws `CONFIG_INVALID`: one line for each bad value, naming the key and what was expected. */
export function loadSettings({ env, file, overrides = {} }: ConfigSource): Settings {
  const path =
    file ?? env.MILLWRIGHT_CONFIG ?? (existsSync("millwright.yaml") ? "millwright.yaml" : undefined)
  const values = path === undefined ? {} : readFile(path)
  const names = environmentNames(settings)
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || otherVariables.has(variable) || value === undefined) continue
    const key = names.get(variable)
    if (key === undefined) {
      throw invalid([`${variable}: there is no such setting; ${todoFor(variable, [...names.keys()])}`])
    }
    set(values, key, value)
  }
  for (const [key, value] of Object.entries(overrides))
    if (value !== undefined) set(values, key.split("."), value)
  const result = settings.safeParse(values)
  if (!result.success) throw invalid(problems(result.error))
  checkTogether(result.data)
  return result.data
}

function todoFor(variable: string, known: readonly string[]): string {
  const names = [...known, ...otherVariables].map((name) => name.slice(prefix.length))
  const meant = nearest(variable.slice(prefix.length), names)
  return meant === undefined ? "docs/operations.md lists all" : `is ${prefix}${meant} meant?`
}

/** Whether everything is kept by servers, so that any number of processes may share the work. */
export function isShared({ kafka, influx, postgres }: Settings): boolean {
  return kafka.brokers !== undefined && influx.url !== undefined && postgres.url !== undefined
}

/** Written out as records a payload may be three times as large, and a record on Kafka has at most 16 MB. */
const mostPayloadOnKafka = 4_194_304

function checkTogether({ mqtt, kafka, influx }: Settings): void {
  if (kafka.brokers !== undefined && mqtt.maxPayloadBytes > mostPayloadOnKafka) {
    throw invalid([
      `mqtt.maxPayloadBytes: on Kafka expected at most ${mostPayloadOnKafka}, so that it fits a record`,
    ])
  }
  if (influx.url !== undefined && influx.tokenFile === undefined) {
    throw invalid(["influx.tokenFile: expected a file with a token that may read and write the bucket"])
  }
  if ((kafka.user === undefined) !== (kafka.passwordFile === undefined)) {
    throw invalid(["kafka.user and kafka.passwordFile: expected both or neither"])
  }
  if (mqtt.url !== undefined) {
    if (mqtt.passwordFile !== undefined && new URL(mqtt.url).username === "") {
      throw invalid(["mqtt.passwordFile: expected a user in mqtt.url as well (mqtt://user@host:1883)"])
    }
    return
  }
  if ((mqtt.tlsCert === undefined) !== (mqtt.tlsKey === undefined)) {
    throw invalid(["mqtt.tlsCert and mqtt.tlsKey: expected both or neither"])
  }
  if (!isLoopback(mqtt.host) && mqtt.users === undefined) {
    throw invalid([
      `mqtt.host: "${mqtt.host}" is open to the network, so mqtt.users must name a password file ` +
        "(make one with: millwright mqtt-user FILE NAME)",
    ])
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host)
}

function readFile(path: string): Record<string, unknown> {
  let content: unknown
  try {
    content = parse(readFileSync(path, "utf8"))
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MillwrightError("CONFIG_INVALID", `the configuration file ${path} can't be read: ${why}`, {
      cause,
    })
  }
  if (content === null || content === undefined) return {}
  if (typeof content === "object" && !Array.isArray(content)) return content as Record<string, unknown>
  throw invalid([`${path}: expected keys and values at the top level`])
}

function invalid(lines: readonly string[]): MillwrightError {
  return new MillwrightError("CONFIG_INVALID", `the configuration has problems: ${lines.join("; ")}`)
}

/** For each environment variable the path of the setting that it sets. */
function environmentNames(schema: unknown, path: readonly string[] = []): Map<string, readonly string[]> {
  const shape = shapeOf(schema)
  if (shape === undefined) {
    const name = path.map((part) => part.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
    return new Map([[`${prefix}${name.join("_")}`, path]])
  }
  return new Map(
    Object.entries(shape).flatMap(([key, inner]) => [...environmentNames(inner, [...path, key])]),
  )
}

function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  if (schema instanceof z.ZodObject) return schema.shape
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault) return shapeOf(schema.unwrap())
  return undefined
}

function set(into: Record<string, unknown>, [first = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    into[first] = value
    return
  }
  const inner = into[first]
  const next = typeof inner === "object" && inner !== null ? (inner as Record<string, unknown>) : {}
  into[first] = next
  set(next, rest, value)
}
