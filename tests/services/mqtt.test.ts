import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import mqtt, { type MqttClient } from "mqtt"
import { expect, onTestFinished, test } from "vitest"
import { topics } from "../../core/topics.ts"
import type { BrokerClient } from "../../ingest/client.ts"
import { type MosquittoServer, startMosquitto } from "../../services/mosquitto.ts"
import { openTaking, type Taking } from "../ingest/plant-broker.ts"

const startMs = Date.UTC(2026, 0, 1)
const assets = Array.from({ length: 20 }, (_, at) => `P-${at + 1}`)

test("20,000 messages while connections are cut and Millwright is away: all are in, each asset's in their order", async () => {
  const broker = await startBroker()
  const proxy = await startProxy(Number(new URL(broker.url).port))
  const taking = await open(proxy.url)
  const taken = await followTaken(taking)
  let client = await start(taking)
  const publisher = await connectTo(broker.url)
  const perAsset = 1000
  const published = publishAll(publisher, perAsset)
  await taken.until((count) => count >= 2000)
  proxy.cut()
  await taken.until((count) => count >= 6000)
  proxy.cut()
  await taken.until((count) => count >= 8000)
  await client.close()
  client = await start(taking)
  await taken.until((count) => count >= 12_000)
  proxy.cut()
  await published
  await taken.until(() => assets.every((asset) => taken.firsts(asset).length === perAsset))
  const inOrder = Array.from({ length: perAsset }, (_, at) => at)
  for (const asset of assets) expect(taken.firsts(asset)).toEqual(inOrder)
})

test("a broker that was killed and is back is gone on with, and what is wrong is said once", async () => {
  const broker = await startBroker()
  const taking = await open(broker.url)
  const taken = await followTaken(taking)
  const client = await start(taking)
  const publisher = await connectTo(broker.url)
  await publish(publisher, "P-1", 0)
  await taken.until(() => taken.firsts("P-1").length === 1)
  await broker.kill()
  await taking.hears(/nothing listens there/)
  await broker.start()
  await taking.hears(/answers again/)
  await publish(publisher, "P-1", 1)
  await taken.until(() => taken.firsts("P-1").length === 2)
  expect(client.reach.state).toBe("running")
})

test("while the log takes nothing the broker keeps all but so many; then all come in", async () => {
  const broker = await startBroker()
  const taking = await open(broker.url)
  const taken = await followTaken(taking)
  const client = await start(taking)
  const publisher = await connectTo(broker.url)
  let letOn = () => {}
  const held = taking.intake.hold(
    () =>
      new Promise<void>((resolve) => {
        letOn = resolve
      }),
  )
  const perAsset = 100
  await publishAll(publisher, perAsset)
  const most = 1000
  while ((await taking.handed()) < most) await new Promise((resolve) => setImmediate(resolve))
  // The connection is still read: an answer comes after whatever came before it.
  await client.publish("v1/north/P-1/orders", "{}")
  expect(await taking.handed()).toBe(most)
  letOn()
  await held
  await taken.until(() => assets.every((asset) => taken.firsts(asset).length === perAsset))
})

test("processes of one group share the messages", async () => {
  const broker = await startBroker()
  const one = await open(broker.url, "one")
  const two = await open(broker.url, "two")
  const takenByOne = await followTaken(one)
  const takenByTwo = await followTaken(two)
  await start(one)
  await start(two)
  const publisher = await connectTo(broker.url)
  await publishAll(publisher, 5)
  const all = 5 * assets.length
  let counted = () => {}
  takenByOne.onTaken(() => counted())
  takenByTwo.onTaken(() => counted())
  while (takenByOne.count() + takenByTwo.count() < all) {
    await new Promise<void>((resolve) => {
      counted = resolve
    })
  }
  expect(takenByOne.count() + takenByTwo.count()).toBe(all)
  expect(takenByOne.count()).toBeGreaterThan(0)
  expect(takenByTwo.count()).toBeGreaterThan(0)
})

test("a revision of the plant file changes what is subscribed to", async () => {
  const broker = await startBroker()
  const taking = await open(broker.url)
  const taken = await followTaken(taking)
  await start(taking)
  const pattern = '{ pattern: "acme/{asset}/sensors", payload: telemetry }'
  const subscribedAnew = taking.hearsNext(/subscribed/)
  await taking.apply(1, `plant: p\nsites: [{ id: north }]\ningest: { topics: [${pattern}] }`)
  await subscribedAnew
  const publisher = await connectTo(broker.url)
  await publisher.publishAsync("acme/P-1/sensors", JSON.stringify({ ts: startMs, flow: 0 }), { qos: 1 })
  await taken.until((count) => count === 1)
})

test("two processes with one client id: what to do about it is said", async () => {
  const broker = await startBroker()
  const taking = await open(broker.url)
  await start(taking)
  await start(taking)
  await taking.hears(/it closed the connection.*another client has the same id: set mqtt.clientId/)
})

test("a wrong password is said, and the right one goes on", async () => {
  const broker = await startBroker({ millwright: "right" })
  const taking = await open(broker.url.replace("mqtt://", "mqtt://millwright:wrong@"))
  const client = taking.openClient()
  await client.start()
  await taking.hears(/Not authorized.*Check the user in mqtt.url and the password in mqtt.passwordFile/)
  await client.close()
  const passwordFile = join(taking.directory, "password")
  await writeFile(passwordFile, "right\n")
  const next = taking.openClient({ passwordFile })
  await next.start()
  onTestFinished(() => next.close())
  await taking.hears(/subscribed/)
})

async function startBroker(users?: Readonly<Record<string, string>>): Promise<MosquittoServer> {
  const broker = await startMosquitto(users === undefined ? {} : { users })
  onTestFinished(() => broker.dispose())
  return broker
}

async function open(url: string, clientId = "ingest"): Promise<Taking> {
  const taking = await openTaking({ url, clientId })
  onTestFinished(() => taking.close())
  return taking
}

/** Resolves when it is subscribed, and so misses nothing from here on. */
async function start(taking: Taking): Promise<BrokerClient> {
  const client = taking.openClient()
  onTestFinished(() => client.close())
  const subscribed = taking.hearsNext(/subscribed/)
  await client.start()
  await subscribed
  return client
}

async function connectTo(url: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { protocolVersion: 5 })
  onTestFinished(() => client.endAsync(true))
  return client
}

async function publish(client: MqttClient, asset: string, flow: number): Promise<void> {
  const payload = JSON.stringify({ ts: startMs + flow, flow })
  await client.publishAsync(`v1/north/${asset}/telemetry`, payload, { qos: 1 })
}

/** Resolves when the broker has acknowledged every one. */
async function publishAll(client: MqttClient, perAsset: number): Promise<void> {
  for (let flow = 0; flow < perAsset; flow++)
    await Promise.all(assets.map((asset) => publish(client, asset, flow)))
}

/** What comes into the log; `firsts` leaves out what came again. */
async function followTaken(taking: Taking) {
  const byAsset = new Map<string, Set<number>>()
  const listeners = new Set<() => void>()
  let count = 0
  const subscription = await taking.log.follow(topics.telemetry, ({ value }) => {
    if (value.kind !== "reading") return
    count += 1
    const firsts = byAsset.get(value.asset) ?? new Set()
    byAsset.set(value.asset, firsts.add(value.values.flow ?? Number.NaN))
    for (const listener of listeners) listener()
  })
  onTestFinished(() => subscription.close())
  return {
    count: () => count,
    firsts: (asset: string) => [...(byAsset.get(asset) ?? [])],
    onTaken: (listener: () => void) => listeners.add(listener),
    async until(holds: (count: number) => boolean): Promise<void> {
      await new Promise<void>((resolve) => {
        const listener = () => {
          if (!holds(count)) return
          listeners.delete(listener)
          resolve()
        }
        listeners.add(listener)
        listener()
      })
    },
  }
}

/** Between a client and its broker: a connection that can be cut without either of them wanting it. */
async function startProxy(port: number) {
  const sockets = new Set<Socket>()
  const server = createServer((inward) => {
    const outward = connect(port, "127.0.0.1")
    for (const socket of [inward, outward]) {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        inward.destroy()
        outward.destroy()
      })
    }
    inward.pipe(outward).pipe(inward)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(async () => {
    const closed = once(server, "close")
    server.close()
    cut()
    await closed
  })
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no TCP port")
  return { url: `mqtt://127.0.0.1:${address.port}`, cut }
}
