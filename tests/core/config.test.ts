import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, onTestFinished, test } from "vitest"
import { isShared, loadSettings } from "../../core/config.ts"
import { readSecret } from "../../core/secrets.ts"

const servers = {
  MILLWRIGHT_KAFKA_BROKERS: "k1:9092,k2:9092",
  MILLWRIGHT_INFLUX_URL: "http://influx:8086",
  MILLWRIGHT_INFLUX_TOKEN_FILE: "/run/secrets/token",
  MILLWRIGHT_POSTGRES_URL: "postgres://millwright@db:5432/millwright",
}

test("files are the default; stores are shared once log, telemetry and tables are all kept by servers", () => {
  expect(isShared(loadSettings({ env: {} }))).toBe(false)
  expect(isShared(loadSettings({ env: servers }))).toBe(true)
  for (const name of ["MILLWRIGHT_KAFKA_BROKERS", "MILLWRIGHT_INFLUX_URL", "MILLWRIGHT_POSTGRES_URL"]) {
    expect(isShared(loadSettings({ env: { ...servers, [name]: undefined } })), name).toBe(false)
  }
})

test.each([
  ["MILLWRIGHT_KAFKA_BROKERS", "k1", "kafka.brokers: expected host:port"],
  ["MILLWRIGHT_KAFKA_TLS", "yes", "kafka.tls: expected true or false"],
  ["MILLWRIGHT_KAFKA_USER", "plant", "kafka.user and kafka.passwordFile: expected both"],
  ["MILLWRIGHT_MQTT_MAX_PAYLOAD_BYTES", "8000000", "mqtt.maxPayloadBytes: on Kafka expected at most"],
  ["MILLWRIGHT_INFLUX_URL", "influx:8086", "influx.url: expected http://host:8086"],
  ["MILLWRIGHT_INFLUX_TOKEN_FILE", undefined, "influx.tokenFile: expected a file"],
  ["MILLWRIGHT_POSTGRES_URL", "mysql://db/x", "postgres.url: expected postgres://user@host:5432/database"],
  ["MILLWRIGHT_MQTT_URL", "http://broker", "mqtt.url: expected mqtt://user@host:1883 or mqtts://"],
])("%s = %s is refused, naming the setting", (name, value, message) => {
  expect(() => loadSettings({ env: { ...servers, [name]: value } })).toThrow(message)
})

test.each([
  ["MILLWRIGHT_MQTT_PROT", "is MILLWRIGHT_MQTT_PORT meant?"],
  ["MILLWRIGHT_KAFKA_BROKER", "is MILLWRIGHT_KAFKA_BROKERS meant?"],
  ["MILLWRIGHT_MQTT_PASSWORD", "is MILLWRIGHT_MQTT_PASSWORD_FILE meant?"],
  ["MILLWRIGHT_LOGLEVEL", "is MILLWRIGHT_LOG_LEVEL meant?"],
  ["MILLWRIGHT_COLOUR_OF_THE_SKY", "docs/operations.md lists all"],
  ["MILLWRIGHT_FOO", "docs/operations.md lists all"],
  ["MILLWRIGHT_MQTT", "docs/operations.md lists all"],
])("%s is no setting, and what to do is said", (name, todo) => {
  expect(() => loadSettings({ env: { [name]: "x" } })).toThrow(
    new RegExp(`problems: ${name}: there is no such setting; ${todo.replace("?", "\\?")}$`),
  )
})

test("a password for the plant's broker needs a user", () => {
  const env = { MILLWRIGHT_MQTT_URL: "mqtt://broker:1883", MILLWRIGHT_MQTT_PASSWORD_FILE: "p" }
  expect(() => loadSettings({ env })).toThrow("mqtt.passwordFile: expected a user in mqtt.url")
  expect(loadSettings({ env: { ...env, MILLWRIGHT_MQTT_URL: "mqtt://me@broker:1883" } }).mqtt.group).toBe(
    "millwright",
  )
})

describe("a secret", () => {
  function file(content: string): string {
    const directory = mkdtempSync(join(tmpdir(), "secret-"))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    writeFileSync(join(directory, "token"), content)
    return join(directory, "token")
  }

  test("is what the file holds, without the newline that editors add", () => {
    expect(readSecret("influx.tokenFile", file("s3cret\n"))).toBe("s3cret")
    expect(readSecret("influx.tokenFile", undefined)).toBeUndefined()
  })

  test("names the setting where its file is missing, a directory, or empty", () => {
    for (const path of ["/nowhere/token", tmpdir()]) {
      expect(() => readSecret("influx.tokenFile", path)).toThrow(
        new RegExp(`^influx.tokenFile: the file ${path} can't be read \\(.+\\): name a file with the secret`),
      )
    }
    expect(() => readSecret("influx.tokenFile", file("\n"))).toThrow(/influx.tokenFile: .* is empty/)
  })
})
