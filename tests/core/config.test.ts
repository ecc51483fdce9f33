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
  ["MILLWRIGHT_KAFKA_TLS", "yes", "kafka.tls"],
  ["MILLWRIGHT_KAFKA_USER", "plant", "kafka.user and kafka.passwordFile: expected both"],
  ["MILLWRIGHT_MQTT_MAX_PAYLOAD_BYTES", "8000000", "mqtt.maxPayloadBytes: on Kafka expected at most"],
  ["MILLWRIGHT_INFLUX_URL", "influx:8086", "influx.url"],
  ["MILLWRIGHT_INFLUX_TOKEN_FILE", undefined, "influx.tokenFile: expected a file"],
  ["MILLWRIGHT_POSTGRES_URL", "mysql://db/x", "postgres.url"],
  ["MILLWRIGHT_MQTT_URL", "http://broker", "mqtt.url"],
])("%s = %s is refused, naming the setting", (name, value, message) => {
  expect(() => loadSettings({ env: { ...servers, [name]: value } })).toThrow(message)
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

  test("names the setting where its file is missing or empty", () => {
    expect(() => readSecret("influx.tokenFile", "/nowhere/token")).toThrow(
      /^influx.tokenFile: .*\/nowhere\/token/,
    )
    expect(() => readSecret("influx.tokenFile", file("\n"))).toThrow(/influx.tokenFile: .* is empty/)
  })
})
