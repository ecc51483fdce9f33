import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, onTestFinished, test } from "vitest"
import { systemClock } from "../core/clock.ts"
import { loadSettings } from "../core/config.ts"
import type { Reach } from "../core/reach.ts"
import { openStores } from "../stores.ts"

/** Settings for servers, of which none is there. */
function onServers() {
  const directory = mkdtempSync(join(tmpdir(), "millwright-stores-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const file = join(directory, "secret")
  writeFileSync(file, "secret\n")
  return {
    MILLWRIGHT_DIRECTORY: directory,
    MILLWRIGHT_KAFKA_BROKERS: "127.0.0.1:1",
    MILLWRIGHT_INFLUX_URL: "http://127.0.0.1:1",
    MILLWRIGHT_INFLUX_TOKEN_FILE: file,
    MILLWRIGHT_POSTGRES_URL: "postgres://millwright@127.0.0.1:1/millwright",
    MILLWRIGHT_POSTGRES_PASSWORD_FILE: file,
    MILLWRIGHT_MQTT_URL: "mqtt://millwright@127.0.0.1:1",
    MILLWRIGHT_MQTT_PASSWORD_FILE: file,
  }
}

function open(
  env: Record<string, string>,
  met: Reach[],
  waits: boolean,
  usesBroker: boolean,
  signal?: AbortSignal,
) {
  return openStores({
    signal,
    settings: loadSettings({ env }),
    clock: systemClock,
    logger: pino({ level: "silent" }),
    waits,
    usesTelemetry: true,
    usesBroker,
    meets: (server) => met.push(server),
  })
}

test.each([
  ["influx.tokenFile", "MILLWRIGHT_INFLUX_TOKEN_FILE"],
  ["postgres.passwordFile", "MILLWRIGHT_POSTGRES_PASSWORD_FILE"],
  ["postgres.ca", "MILLWRIGHT_POSTGRES_CA"],
  ["kafka.ca", "MILLWRIGHT_KAFKA_CA"],
  ["mqtt.passwordFile", "MILLWRIGHT_MQTT_PASSWORD_FILE"],
  ["mqtt.ca", "MILLWRIGHT_MQTT_CA"],
])("a missing file of %s is said before any server is waited for", async (key, variable) => {
  const met: Reach[] = []
  await expect(
    open({ ...onServers(), [variable]: "/nowhere/secret" }, met, true, true),
  ).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining(`${key}: the file /nowhere/secret can't be read`),
  })
  expect(met).toEqual([])
})

test("a process without ingest needs no secrets of the plant's broker", async () => {
  const env = { ...onServers(), MILLWRIGHT_MQTT_PASSWORD_FILE: "/nowhere/secret" }
  await expect(open(env, [], false, false)).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
})

test("who waits is told of every server that is away, not of one after the other", async () => {
  const met: Reach[] = []
  const patience = new AbortController()
  const ended = expect(open(onServers(), met, true, false, patience.signal)).rejects.toMatchObject({
    code: "SERVER_UNREACHABLE",
  })
  const areTold = () => met.length === 3 && met.every(({ state }) => state.includes("ECONNREFUSED"))
  while (!areTold()) await new Promise((resolve) => setImmediate(resolve))
  expect(met.map(({ name }) => name).sort()).toEqual(["InfluxDB", "Kafka", "PostgreSQL"])
  patience.abort()
  await ended
})
