import type { IPublishPacket } from "mqtt"
import { expect, onTestFinished, test } from "vitest"
import { systemClock } from "../../core/clock.ts"
import { BrokerConnection } from "../../ingest/client-connection.ts"
import type { Settle } from "../../ingest/intake.ts"
import { startPlantBroker } from "./plant-broker.ts"

/** Holds mqtt.js to what BrokerConnection makes of it: that a message can be acknowledged after those that follow it. */
async function setup() {
  const broker = await startPlantBroker()
  onTestFinished(() => broker.close())
  let taken: { readonly payload: string; readonly settle: Settle }[] = []
  let arrived = () => {}
  let heldBack = 0
  const goOn: (() => void)[] = []
  const open = async (holdsBack = false) => {
    const connection = await BrokerConnection.open(
      {
        host: "127.0.0.1",
        port: broker.port,
        isSecure: false,
        ca: undefined,
        user: undefined,
        password: undefined,
        clientId: "ingest",
        version: 4,
        keepAliveSeconds: 1,
        maxPending: 10,
        heldBackLong: () => {
          heldBack++
        },
        take({ payload }: IPublishPacket, settle, next) {
          taken.push({ payload: payload.toString(), settle })
          if (holdsBack) goOn.push(next)
          else next()
          arrived()
        },
      },
      new AbortController().signal,
    )
    onTestFinished(() => connection.end((ms, signal) => systemClock.sleep(ms, signal)))
    return connection
  }
  const connection = await open()
  await connection.subscribe("a/#")
  return {
    broker,
    connection,
    open,
    heldBack: () => heldBack,
    /** Reads on, on a connection that holds back. */
    letOn() {
      for (const next of goOn.splice(0)) next()
    },
    /** The next so many messages, none of them acknowledged. */
    async arrivals(count: number) {
      while (taken.length < count) {
        await new Promise<void>((resolve) => {
          arrived = resolve
        })
      }
      const these = taken
      taken = []
      return these
    },
  }
}

test("messages come in while those before them are not acknowledged; PUBACKs are in the order of arrival", async () => {
  const { broker, connection, arrivals } = await setup()
  const sent = ["1", "2", "3", "4"]
  for (const payload of sent) await broker.publish("a/b", payload)
  const messages = await arrivals(4)
  expect(messages.map(({ payload }) => payload)).toEqual(sent)
  // An answer to something else shows that the connection is read, and that no PUBACK went before it.
  await connection.subscribe("other")
  expect(broker.acknowledged).toEqual([])
  for (const { settle } of messages.slice(1)) settle()
  await connection.subscribe("another")
  expect(broker.acknowledged).toEqual([])
  messages[0]?.settle()
  await broker.until(() => broker.acknowledged.length === 4)
  expect(broker.acknowledged).toEqual(sent)
})

test("what was settled after its connection was lost is not acknowledged on the next one", async () => {
  const { broker, connection, open, arrivals } = await setup()
  await broker.publish("a/b", "1")
  await broker.publish("a/b", "2")
  const [first, second] = await arrivals(2)
  broker.cut()
  await connection.closed
  const next = await open()
  const again = await arrivals(2)
  expect(again.map(({ payload }) => payload)).toEqual(["1", "2"])
  first?.settle()
  second?.settle()
  await next.subscribe("other")
  expect(broker.acknowledged).toEqual([])
  for (const { settle } of again) settle()
  await broker.until(() => broker.acknowledged.length === 2)
})

test("a message that could not be stored ends its connection, and comes again with all after it", async () => {
  const { broker, connection, open, arrivals } = await setup()
  for (const payload of ["1", "2", "3"]) await broker.publish("a/b", payload)
  const [first, second, third] = await arrivals(3)
  first?.settle()
  await broker.until(() => broker.acknowledged.length === 1)
  second?.settle(new Error("disk full"))
  third?.settle()
  expect((await connection.closed).message).toBe("what it sends can't be stored: disk full")
  await open()
  expect((await arrivals(2)).map(({ payload }) => payload)).toEqual(["2", "3"])
  expect(broker.acknowledged).toEqual(["1"])
})

test("a connection that holds back for longer than its keep-alive stays, and is read again after it", async () => {
  const { broker, connection, open, arrivals, heldBack, letOn } = await setup()
  await connection.end((ms, signal) => systemClock.sleep(ms, signal))
  const holding = await open(true)
  let lost: Error | undefined
  const isLost = holding.closed.then((error) => {
    lost = error
  })
  await holding.subscribe("a/#")
  await broker.publish("a/b", "1")
  const [first] = await arrivals(1)
  const pings = broker.pings()
  await Promise.race([isLost, broker.until(() => broker.pings() >= pings + 4)])
  expect(lost).toBeUndefined()
  expect(heldBack()).toBeGreaterThan(0)
  await broker.publish("a/b", "2")
  letOn()
  first?.settle()
  const [second] = await arrivals(1)
  second?.settle()
  await broker.until(() => broker.acknowledged.length === 2)
  expect(broker.acknowledged).toEqual(["1", "2"])
})
