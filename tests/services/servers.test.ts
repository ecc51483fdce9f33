import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Kafka, logLevel } from "kafkajs"
import mqtt from "mqtt"
import pg from "pg"
import { describe, expect, inject, onTestFinished, test, vi } from "vitest"
import { imageVersion, root } from "../../services/compose.ts"
import { type InfluxServer, startInflux } from "../../services/influx.ts"
import { type KafkaServer, startKafka } from "../../services/kafka.ts"
import { startMosquitto } from "../../services/mosquitto.ts"
import { startPostgres } from "../../services/postgres.ts"
import type { Server } from "../../services/server.ts"

async function own<T extends Server>(starting: Promise<T>): Promise<T> {
  const server = await starting
  onTestFinished(() => server.dispose())
  return server
}

/** Ends it both ways, and looks each time whether what was written before is there. */
async function keeps(server: Server, look: () => Promise<void>): Promise<void> {
  const { address } = server
  for (const end of [server.kill, server.stop]) {
    await end()
    expect(server.isRunning).toBe(false)
    await server.start()
    expect(server.address).toBe(address)
    await look()
  }
}

describe("Kafka", () => {
  const clientOf = ({ brokers }: Pick<KafkaServer, "brokers">) =>
    new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })

  test("keeps acknowledged records over a kill and a stop, and has the version of docker-compose.yml", async () => {
    const server = await own(startKafka())
    expect(await server.version()).toBe(imageVersion("kafka"))
    const kafka = clientOf(server)
    const admin = kafka.admin()
    await admin.createTopics({ topics: [{ topic: "kept", numPartitions: 2 }], waitForLeaders: true })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: "kept", acks: -1, messages: [{ value: "a", partition: 1 }] })
    await producer.disconnect()
    await admin.disconnect()
    await keeps(server, async () => {
      const again = clientOf(server).admin()
      try {
        const ends = await again.fetchTopicOffsets("kept")
        expect(ends.map(({ partition, high }) => [partition, high]).sort()).toEqual([
          [0, "0"],
          [1, "1"],
        ])
      } finally {
        await again.disconnect()
      }
    })
  })

  test("makes no topic by accident", async () => {
    const admin = clientOf({ brokers: [inject("servers").kafka] }).admin()
    try {
      await admin.connect()
      await expect(admin.fetchTopicMetadata({ topics: ["accident"] })).rejects.toThrow(
        "does not host this topic",
      )
      expect(await admin.listTopics()).not.toContain("accident")
    } finally {
      await admin.disconnect()
    }
  })
})

describe("InfluxDB", () => {
  test("keeps acknowledged points over a kill and a stop, and has the version of docker-compose.yml", async () => {
    const server = await own(startInflux())
    expect(await server.version()).toBe(imageVersion("influxdb"))
    const { url, org, bucket, token } = server
    const written = await fetch(`${url}/api/v2/write?org=${org}&bucket=${bucket}&precision=ms`, {
      method: "POST",
      headers: { authorization: `Token ${token}` },
      body: "kept value=1 1",
    })
    expect(written.status).toBe(204)
    await keeps(server, async () => expect(await valueIn(server)).toBe("1"))
  })

  /** Data of 1970 is there as well: the bucket's retention is none. */
  async function valueIn({ url, org, bucket, token }: InfluxServer): Promise<string | undefined> {
    const answer = await fetch(`${url}/api/v2/query?org=${org}`, {
      method: "POST",
      headers: {
        authorization: `Token ${token}`,
        "content-type": "application/vnd.flux",
        accept: "text/csv",
      },
      body: `from(bucket: "${bucket}") |> range(start: 0) |> keep(columns: ["_value"])`,
    })
    return (await answer.text()).trim().split(/\r\n/)[1]?.split(",").at(-1)
  }
})

describe("PostgreSQL", () => {
  test("keeps committed rows over a kill and a stop", async () => {
    const server = await own(startPostgres())
    const query = async (text: string) => {
      const client = new pg.Client(server.url)
      // It is killed while clients are connected.
      client.on("error", () => {})
      await client.connect()
      const { rows } = await client.query(text)
      return { rows, client }
    }
    const { client } = await query("create table kept as select 1 as value")
    await keeps(server, async () => {
      const { rows, client: another } = await query("select value from kept")
      expect(rows).toEqual([{ value: 1 }])
      await another.end()
    })
    await client.end()
  })

  test("has at least the major version of docker-compose.yml, which is as exact as Debian's packages are", async () => {
    const client = new pg.Client(inject("servers").postgres)
    await client.connect()
    const { rows } = await client.query("show server_version_num")
    await client.end()
    expect(Number(rows[0].server_version_num) / 10_000).toBeGreaterThanOrEqual(
      Number.parseInt(imageVersion("postgres"), 10),
    )
  })

  test("as root it says so where the user postgres can't reach its place", async () => {
    const closed = await mkdtemp(join(tmpdir(), "millwright-closed-"))
    onTestFinished(() => rm(closed, { recursive: true }))
    const starting = own(startPostgres({ directory: join(closed, "postgres") }))
    if (process.getuid?.() === 0)
      await expect(starting).rejects.toThrow("runs as the user postgres, which can't reach")
    else await starting
  })

  test("wants the password", async () => {
    const client = new pg.Client(inject("servers").postgres.replace(/:[^:@]+@/, ":wrong@"))
    await expect(client.connect()).rejects.toThrow("password authentication failed")
  })
})

describe("mosquitto", () => {
  const subscription = { clientId: "ingest", clean: false } as const

  test("queues far more than its default for a subscriber that is away, and keeps it over a stop", async () => {
    const server = await own(startMosquitto())
    expect(await server.version()).toMatch(/^2\.0\./)
    expect(imageVersion("mosquitto")).toMatch(/^2\.0\./)
    const subscriber = await mqtt.connectAsync(server.url, subscription)
    await subscriber.subscribeAsync("v1/#", { qos: 1 })
    await subscriber.endAsync()
    const publisher = await mqtt.connectAsync(server.url)
    const sent = Array.from({ length: 5000 }, (_, at) => String(at))
    await Promise.all(sent.map((payload) => publisher.publishAsync("v1/a", payload, { qos: 1 })))
    await publisher.endAsync()
    await server.stop()
    await server.start()
    expect(await received(server.url, sent.length)).toEqual(sent)
  })

  test("keeps over a kill what it has written", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millwright-mosquitto-"))
    onTestFinished(() => rm(directory, { recursive: true }))
    const server = await own(startMosquitto({ directory }))
    const publisher = await mqtt.connectAsync(server.url)
    await publisher.publishAsync("v1/a", "kept", { qos: 1, retain: true })
    await publisher.endAsync()
    const file = join(directory, "data", "mosquitto.db")
    // It writes at this signal as it does every few seconds.
    process.kill(server.pid, "SIGUSR1")
    await vi.waitFor(() => stat(file), { timeout: 20_000 })
    await server.kill()
    await server.start()
    expect(await received(server.url, 1)).toEqual(["kept"])
  })

  /** With the users of services/make-secrets.sh and the rights of services/mosquitto.acl, as docker-compose.yml has it. */
  async function startComposed() {
    const directory = await mkdtemp(join(tmpdir(), "millwright-secrets-"))
    onTestFinished(() => rm(directory, { recursive: true }))
    await promisify(execFile)("sh", [join(root, "services/make-secrets.sh"), directory])
    const passwordFile = join(directory, "mosquitto-users.txt")
    const read = async (name: string) => (await readFile(join(directory, name), "utf8")).trim()
    const [password, gateway] = [await read("mqtt-password.txt"), await read("mqtt-gateway-password.txt")]
    const server = await own(startMosquitto({ users: { millwright: password }, passwordFile }))
    return { server, password, gateway }
  }

  test("lets in whom services/make-secrets.sh makes a password for, and nobody else", async () => {
    const { server, password, gateway } = await startComposed()
    const connected = async (options: { username?: string; password?: string }) => {
      const client = await mqtt.connectAsync(server.url, { ...options, reconnectPeriod: 0 })
      await client.endAsync()
    }
    await connected({ username: "gateway", password: gateway })
    await expect(connected({ username: "gateway", password })).rejects.toThrow("Not authorized")
    await expect(connected({})).rejects.toThrow("Not authorized")
  })

  test("a gateway says telemetry and events and hears of orders; to make up an order is refused", async () => {
    const { server, password, gateway } = await startComposed()
    const open = async (options: mqtt.IClientOptions) => {
      const client = await mqtt.connectAsync(server.url, {
        ...options,
        protocolVersion: 5,
        reconnectPeriod: 0,
      })
      onTestFinished(() => client.endAsync(true))
      return client
    }
    const hear = async (client: mqtt.MqttClient, filter: string) => {
      const heard: string[] = []
      client.on("message", (topic) => heard.push(topic))
      await client.subscribeAsync(filter, { qos: 1 })
      return heard
    }
    const ours = await open({ username: "millwright", password })
    const device = await open({ username: "gateway", password: gateway })
    const taken = await hear(ours, "$share/millwright/v1/#")
    const shown = await hear(device, "v1/#")
    const told = ["v1/north/P-1/telemetry", "v1/north/P-1/telemetry/flow", "v1/north/P-1/events"]
    for (const topic of told) await device.publishAsync(topic, "{}", { qos: 1 })
    await vi.waitFor(() => expect(taken).toEqual(told))
    for (const topic of ["v1/north/P-1/orders", "v1/north/P-1/detections", "acme/P-1"]) {
      // Each on a connection of its own: before 2.0.22 mosquitto ends one that was refused something, if
      // max_queued_messages is 0.
      const forger = await open({ username: "gateway", password: gateway })
      await expect(forger.publishAsync(topic, "{}", { qos: 1 })).rejects.toThrow("Not authorized")
    }
    const said = ["v1/north/P-1/orders", "v1/north/P-1/detections"]
    for (const topic of said) await ours.publishAsync(topic, "{}", { qos: 1 })
    await vi.waitFor(() => expect(shown).toEqual(said))
  })

  test("services/make-secrets.sh changes no secret that is there", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millwright-secrets-"))
    onTestFinished(() => rm(directory, { recursive: true }))
    const make = () => promisify(execFile)("sh", [join(root, "services/make-secrets.sh"), directory])
    const all = async () =>
      Promise.all((await readdir(directory)).sort().map((name) => readFile(join(directory, name), "utf8")))
    await make()
    const first = await all()
    expect(new Set(first).size).toBe(6)
    await make()
    expect(await all()).toEqual(first)
  })

  async function received(url: string, count: number): Promise<string[]> {
    const got: string[] = []
    const client = mqtt.connect(url, { ...subscription, manualConnect: true })
    const all = new Promise<void>((resolve) => {
      client.on("message", (_topic, payload) => {
        got.push(payload.toString())
        if (got.length === count) resolve()
      })
    })
    client.connect()
    await client.subscribeAsync("v1/#", { qos: 1 })
    await all
    await client.endAsync()
    return got
  }
})

test("a server ends with the process that started it, also when that is killed", async () => {
  const script = `const { startMosquitto } = await import(process.argv[1])
    console.log((await startMosquitto({ directory: process.argv[2] })).pid)
    setInterval(() => {}, 1000)`
  const directory = await mkdtemp(join(tmpdir(), "millwright-mosquitto-"))
  onTestFinished(() => rm(directory, { recursive: true }))
  const args = ["--import", "tsx", "--input-type=module", "--eval", script]
  const parent = spawn(process.execPath, [...args, join(root, "services/mosquitto.ts"), directory], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  })
  const [line] = (await once(parent.stdout, "data")) as [Buffer]
  const pid = Number(line.toString())
  expect(existsSync(`/proc/${pid}`)).toBe(true)
  parent.kill("SIGKILL")
  await vi.waitFor(() => expect(existsSync(`/proc/${pid}`)).toBe(false), { timeout: 20_000 })
})

test("a server that can't start says what it said last", async () => {
  const { address } = await own(startMosquitto())
  const port = Number(address.split(":")[1])
  await expect(startMosquitto({ port })).rejects.toThrow(`port ${port} of 127.0.0.1 is taken`)
  const directory = await mkdtemp(join(tmpdir(), "millwright-influx-"))
  onTestFinished(() => rm(directory, { recursive: true }))
  // A directory in the place of its database.
  await mkdir(join(directory, "influxd.bolt"))
  await expect(startInflux({ directory })).rejects.toThrow(
    /InfluxDB ended while it started \(1\)(.|\n)*influxd.bolt/,
  )
})
