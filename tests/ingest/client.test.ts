import { execFile } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import mqtt from "mqtt"
import { pino } from "pino"
import { Registry } from "prom-client"
import { expect, onTestFinished, test } from "vitest"
import { type Clock, systemClock } from "../../core/clock.ts"
import { topics } from "../../core/topics.ts"
import { Broker, type BrokerSettings } from "../../ingest/broker.ts"
import type { BrokerClient, ClientSettings } from "../../ingest/client.ts"
import { hashPassword } from "../../ingest/users.ts"
import { ManualClock } from "../manual-clock.ts"
import { openTaking, type PlantBroker, startPlantBroker, type Taking } from "./plant-broker.ts"
import { connectRaw } from "./raw-mqtt.ts"

const defaults = ["v1/+/+/telemetry", "v1/+/+/telemetry/+", "v1/+/+/events"]

test("what is published while Millwright is away, or its connection is lost, is in the log after it", async () => {
  const { broker, taking } = await setup()
  const first = await started(taking, broker)
  await publish(broker, [1, 2])
  await broker.until(() => broker.acknowledged.length === 2)
  await first.close()
  await publish(broker, [3, 4])
  await started(taking, broker)
  await broker.until(() => broker.acknowledged.length === 4)
  broker.cut()
  await publish(broker, [5, 6])
  await broker.until(() => broker.acknowledged.length === 6)
  expect(await taking.values("flow")).toEqual([1, 2, 3, 4, 5, 6])
})

test("a broker of MQTT 3.1.1 has one ingest process, and is told so", async () => {
  const { broker, taking } = await setup()
  await started(taking, broker)
  await taking.hears(/run no more than one ingest process/)
  expect(broker.subscriptions("ingest")).toEqual(defaults)
})

test("a revision of the plant file changes what is subscribed to; so does one from while it was away", async () => {
  const { broker, taking } = await setup()
  const client = await started(taking, broker)
  const source = (pattern: string) =>
    `plant: p\nsites: [{ id: north }]\ningest: { topics: [{ pattern: "${pattern}", payload: telemetry }] }`
  await taking.apply(1, source("acme/{asset}/sensors"))
  await broker.until(() => broker.subscriptions("ingest").join() === "acme/+/sensors")
  await client.close()
  await taking.apply(2, source("acme/{asset}/more"))
  await started(taking, broker, ["acme/+/more"])
  await broker.publish("acme/P-101/sensors", '{"flow":1}')
  await broker.publish("acme/P-101/more", '{"flow":2}')
  await broker.until(() => broker.acknowledged.length === 1)
  expect(await taking.values("flow")).toEqual([2])
})

test("a subscription that the broker refuses is said, the others are served, and it is tried again", async () => {
  const { broker, taking } = await setup()
  broker.refused.add("v1/+/+/events")
  const client = await started(taking, broker, defaults.slice(0, 2))
  await taking.hears(
    /it refuses the subscription to v1\/\+\/\+\/events .* Let the user of mqtt.url read there/,
  )
  expect(client.reach.state).toMatch(/refuses the subscription/)
  await publish(broker, [1])
  await broker.until(() => broker.acknowledged.length === 1)
  broker.refused.clear()
  await taking.hears(/answers again/)
  expect(broker.subscriptions("ingest")).toEqual(defaults)
})

test("neither its own announcements nor retained messages are taken in", async () => {
  const { broker, taking } = await setup()
  const source =
    'plant: p\nsites: [{ id: north }]\ningest: { topics: [{ pattern: "v1/#", payload: telemetry }] }'
  await taking.apply(1, source)
  await broker.publish("v1/north/P-101/telemetry", '{"asset":"P-101","flow":1}', { retain: true })
  const client = await started(taking, broker, ["v1/#"])
  await client.publish("v1/north/P-101/detections", '{"asset":"P-101","flow":2}')
  await broker.publish("v1/north/P-101/telemetry", '{"asset":"P-101","flow":3}')
  // aedes does not tell of which retained message an acknowledgement is.
  await taking.hears(/retained MQTT messages are passed over/)
  await broker.until(() => broker.acknowledged.length === 2)
  expect(await taking.values("flow")).toEqual([3])
})

test("a payload above the limit is acknowledged, and a dead letter that holds its beginning", async () => {
  const { broker, taking } = await setup()
  await started(taking, broker)
  await broker.publish("v1/north/P-101/telemetry", `{"note":"${"x".repeat(200_000)}"}`)
  await broker.until(() => broker.acknowledged.length === 1)
  const letters = []
  for await (const { value } of taking.log.read(topics.deadLetters)) letters.push(value)
  expect(letters).toMatchObject([{ reason: "too-large", truncated: true }])
})

test("it starts without its broker, says once what is wrong, and goes on when the broker is there", async () => {
  const { broker, taking } = await setup()
  const { port } = broker
  await broker.close()
  const client = taking.openClient()
  await client.start()
  onTestFinished(() => client.close())
  await taking.hears(/MQTT broker at 127.0.0.1:\d+ can't be used: nothing listens there \(ECONNREFUSED\)/)
  expect(client.reach.state).toMatch(/^not usable at 127.0.0.1:\d+: nothing listens there/)
  const said = client.publish("v1/north/P-101/orders", "{}")
  const back = await startPlantBroker(port)
  onTestFinished(() => back.close())
  await taking.hears(/answers again/)
  await said
  expect(client.reach.state).toBe("running")
  expect(taking.said.filter((line) => line.includes("can't be used"))).toHaveLength(1)
})

test("it closes though the log takes nothing: what it did not acknowledge comes again", async () => {
  const { broker, taking } = await setup()
  const clock = new ManualClock()
  const client = await started(taking, broker, defaults, clock)
  let letOn = () => {}
  const held = taking.intake.hold(
    () =>
      new Promise<void>((resolve) => {
        letOn = resolve
      }),
  )
  await publish(broker, [1, 2])
  // Once PUBACK could have come for both: they are on their way to the log.
  await client.publish("v1/north/P-101/orders", "{}")
  const closed = client.close()
  await clock.advance(5000)
  await clock.advance(5000)
  await closed
  await taking.hears(/could not be stored before the end/)
  expect(broker.acknowledged).toEqual([])
  letOn()
  await held
  await started(taking, broker)
  await broker.until(() => broker.acknowledged.length === 2)
  expect(new Set(await taking.values("flow"))).toEqual(new Set([1, 2]))
})

test("while the log takes nothing it stays connected, says what it waits for, and takes the rest after it", async () => {
  const { broker, taking } = await setup()
  await started(taking, broker, defaults, systemClock, { keepAliveSeconds: 1 })
  const letOn = holdLog(taking)
  const values = Array.from({ length: 1200 }, (_, at) => at)
  await publish(broker, values)
  await taking.hears(/messages wait for the log: until it takes them nothing more is read/)
  expect(await taking.handed()).toBe(1001)
  const pings = broker.pings()
  await broker.until(() => broker.pings() >= pings + 3)
  letOn()
  await broker.until(() => broker.acknowledged.length === values.length)
  expect(await taking.values("flow")).toEqual(values)
  expect(taking.said.filter((line) => /wait for the log|can't be used|subscribed at/.test(line))).toEqual([
    "subscribed at the MQTT broker",
    expect.stringContaining("wait for the log"),
  ])
})

test("a new connection does not wait for what came on the one before it", async () => {
  const { broker, taking } = await setup()
  const client = await started(taking, broker)
  const letOn = holdLog(taking)
  await publish(broker, [1, 2])
  // Not sent again: so many that the first connection is no longer read.
  await publish(
    broker,
    Array.from({ length: 1000 }, (_, at) => 3 + at),
    0,
  )
  while ((await taking.handed()) < 1001) await new Promise((resolve) => setImmediate(resolve))
  broker.cut()
  await taking.hears(/can't be used/)
  await client.publish("v1/north/P-101/orders", "{}")
  await taking.hears(/answers again/)
  letOn()
  await broker.until(() => broker.acknowledged.length === 2)
})

test("a broker with TLS: a certificate that nobody vouches for is refused, with mqtt.ca it is trusted", async () => {
  const directory = await scratch()
  const { cert, key } = await certificate(directory)
  const { taking, port } = await ownBroker({ tlsCert: cert, tlsKey: key })
  const url = `mqtts://localhost:${port}`
  const distrusting = taking.openClient({ url, clientId: "distrusting" })
  await distrusting.start()
  await taking.hears(/TLS failed: self-signed certificate .* Set mqtt.ca to the certificate of the authority/)
  await distrusting.close()
  const trusting = taking.openClient({ url, ca: cert, clientId: "trusting" })
  await trusting.start()
  onTestFinished(() => trusting.close())
  await trusting.publish("v1/north/P-101/orders", "{}")
  const plain = taking.openClient({ url: `mqtt://localhost:${port}`, clientId: "plain" })
  await plain.start()
  await taking.hears(/it closed the connection.*Check the port, and whether it expects TLS/)
  await plain.close()
})

test("a broker with users: a wrong password is refused, the right one from a file is not", async () => {
  const directory = await scratch()
  const users = join(directory, "users")
  const password = join(directory, "password")
  await writeFile(users, `${await hashPassword("ingest", "right")}\n`)
  await writeFile(password, "wrong\n")
  const { taking, port } = await ownBroker({ users })
  const client = taking.openClient({ url: `mqtt://ingest@127.0.0.1:${port}`, passwordFile: password })
  await client.start()
  await taking.hears(
    /Bad username or password.*Check the user in mqtt.url and the password in mqtt.passwordFile/,
  )
  await client.close()
  await writeFile(password, "right\n")
  const next = taking.openClient({ url: `mqtt://ingest@127.0.0.1:${port}`, passwordFile: password })
  await next.start()
  onTestFinished(() => next.close())
  await next.publish("v1/north/P-101/orders", "{}")
  await expect(taking.openClient({ passwordFile: join(directory, "none") }).start()).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("mqtt.passwordFile"),
  })
})

test("Millwright's own broker closes though the log takes nothing", async () => {
  const clock = new ManualClock()
  const { taking, port, broker } = await ownBroker({}, clock)
  const publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 })
  let letOn = () => {}
  const held = taking.intake.hold(
    () =>
      new Promise<void>((resolve) => {
        letOn = resolve
      }),
  )
  let isAcknowledged = false
  publisher.publish("v1/north/P-101/telemetry", '{"flow":1}', { qos: 1 }, (error) => {
    isAcknowledged = error === undefined || error === null
  })
  while ((await taking.handed()) === 0) await new Promise((resolve) => setImmediate(resolve))
  const disconnected = new Promise<void>((resolve) => publisher.once("close", () => resolve()))
  const closed = broker.close()
  await clock.advance(5000)
  await closed
  await disconnected
  expect(isAcknowledged).toBe(false)
  letOn()
  await held
})

test("Millwright's own broker refuses more while too much waits for the log, whoever connects and sends again", async () => {
  const metrics = new Registry()
  const { taking, port } = await ownBroker({ maxPayloadBytes: 4_194_304 }, systemClock, metrics)
  const letOn = holdLog(taking)
  const message = { topic: "v1/north/P-101/telemetry", payload: Buffer.alloc(4_194_304, "x") }
  const refused = async () => {
    const counter = await metrics.getSingleMetric("millwright_mqtt_refused_total")?.get()
    return counter?.values[0]?.value ?? 0
  }
  let sent = 0
  for (let isOpen = true; isOpen; sent++) {
    const publisher = await connectRaw(port, "publisher")
    const handed = await taking.handed()
    const published = publisher.publish([message])
    while ((await taking.handed()) === handed && (await refused()) === 0)
      await new Promise((resolve) => setImmediate(resolve))
    isOpen = (await refused()) === 0
    if (isOpen) await publisher.close()
    // Closed in both cases, and never acknowledged.
    expect(await published).toBe(false)
  }
  expect(sent).toBe(18)
  expect(await refused()).toBe(1)
  letOn()
  await taking.intake.drain()
  const publisher = await connectRaw(port, "publisher")
  onTestFinished(() => publisher.close())
  expect(await publisher.publish([message])).toBe(true)
})

test("a client that is closed has nothing to say", async () => {
  const { broker, taking } = await setup()
  const client = await started(taking, broker)
  await client.close()
  await expect(client.publish("v1/north/P-101/orders", "{}")).rejects.toMatchObject({
    code: "SERVER_UNREACHABLE",
  })
})

async function setup() {
  const broker = await startPlantBroker()
  onTestFinished(() => broker.close())
  const taking = await openTaking({ url: broker.url })
  onTestFinished(() => taking.close())
  return { broker, taking }
}

/** Millwright's own broker: that of another Millwright, to this client. */
async function ownBroker(
  settings: Partial<BrokerSettings>,
  clock: Clock = systemClock,
  metrics = new Registry(),
) {
  const taking = await openTaking({ url: "mqtt://127.0.0.1:1" })
  onTestFinished(() => taking.close())
  const broker = new Broker(
    {
      intake: taking.intake,
      clock,
      logger: pino({ level: "silent" }),
      metrics,
    },
    { host: "127.0.0.1", port: 0, maxPayloadBytes: 10_000, maxConnections: 10, ...settings },
  )
  await broker.start()
  onTestFinished(() => broker.close())
  return { taking, broker, port: broker.port }
}

/** Resolves when it has exactly these subscriptions. */
async function started(
  taking: Taking,
  broker: PlantBroker,
  filters: readonly string[] = defaults,
  clock: Clock = systemClock,
  settings: Partial<ClientSettings> = {},
): Promise<BrokerClient> {
  const client = taking.openClient(settings, clock)
  await client.start()
  onTestFinished(() => client.close())
  await broker.until(() => broker.subscriptions("ingest").join() === filters.join())
  return client
}

/** Keeps everything from the log. Gives what lets it on. */
function holdLog(taking: Taking): () => void {
  let letOn = () => {}
  const until = new Promise<void>((resolve) => {
    letOn = resolve
  })
  const held = taking.intake.hold(() => until)
  onTestFinished(() => {
    letOn()
    return held
  })
  return letOn
}

async function publish(broker: PlantBroker, values: readonly number[], qos: 0 | 1 = 1): Promise<void> {
  for (const flow of values) {
    const ts = 1_767_225_600_000 + flow
    await broker.publish("v1/north/P-101/telemetry", JSON.stringify({ ts, flow }), { qos })
  }
}

async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "millwright-client-"))
  onTestFinished(() => rm(directory, { recursive: true }))
  return directory
}

async function certificate(directory: string) {
  const cert = join(directory, "cert.pem")
  const key = join(directory, "key.pem")
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
  const made = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    key,
    "-out",
    cert,
  ]
  await promisify(execFile)("openssl", ["req", "-x509", "-days", "2", ...name, ...made])
  return { cert, key }
}
