import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { assetEvent, reading } from "../../core/vocabulary.ts"
import { dueMs } from "../../simulators/fleet/gateway.ts"
import { createFleet, type Fleet, type FleetOptions } from "../../simulators/index.ts"
import { ManualClock } from "../manual-clock.ts"
import { until } from "../until.ts"
import { type Received, startBroker, type TestBroker, withoutRepeats } from "./broker.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const nowMs = Date.UTC(2026, 5, 1, 12)

let broker: TestBroker
let directory: string
beforeEach(async () => {
  broker = await startBroker()
  directory = mkdtempSync(join(tmpdir(), "fleet-"))
})
afterEach(async () => {
  await broker.close()
  rmSync(directory, { recursive: true })
})

const assets = ["pump", "motor", "compressor", "truck", "pump", "motor"].map((machineClass, at) => ({
  id: `${machineClass}-${at}`,
  site: "north",
  class: machineClass,
}))

/** Two days of history, as fast as acknowledged; then the clock stands, and so does the fleet. */
function fleetOptions(options: Partial<FleetOptions> = {}): FleetOptions & { clock: ManualClock } {
  return {
    url: broker.url,
    assets,
    seed: 11,
    wear: 400,
    fromMs: nowMs - 2 * day,
    sampleEveryMs: 30 * minute,
    speed: Number.POSITIVE_INFINITY,
    assetsPerGateway: 3,
    inFlight: 20,
    logger: pino({ level: "silent" }),
    ...options,
    clock: new ManualClock(nowMs),
  }
}

async function runToNow(fleet: Fleet): Promise<void> {
  await fleet.start()
  await until(() => fleet.progress().simulatedMs === nowMs)
  await fleet.close()
}

function perTopic(received: readonly Received[]): Record<string, unknown[]> {
  const topics: Record<string, unknown[]> = {}
  for (const { topic, payload } of withoutRepeats(received)) {
    topics[topic] = [...(topics[topic] ?? []), payload]
  }
  return topics
}

function timesInOrder(received: readonly Received[]): void {
  for (const { id } of assets) {
    const times = received
      .filter(({ topic }) => topic.split("/")[2] === id)
      .map(({ payload }) => Number(payload.ts))
    expect(times.length).toBeGreaterThan(0)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  }
}

describe("a fleet", () => {
  test("publishes readings and events of each asset in order, up to now and no further", async () => {
    const fleet = createFleet(fleetOptions())
    await runToNow(fleet)
    timesInOrder(broker.received)
    for (const { topic, payload } of broker.received) {
      const [version, site = "", asset = "", kind] = topic.split("/")
      const { ts, code, ...rest } = payload
      const common = { site, asset, atMs: ts, arrivedMs: nowMs }
      expect(version).toBe("v1")
      if (kind === "events") assetEvent.parse({ ...common, kind: "event", code, attributes: rest })
      else reading.parse({ ...common, kind: "reading", values: rest })
      expect(ts).toBeLessThanOrEqual(nowMs)
    }
    expect(perTopic(broker.received)["v1/north/motor-1/telemetry"]?.at(0)).toMatchObject({
      ts: nowMs - 2 * day,
    })
    expect(fleet.progress()).toEqual({
      simulatedMs: nowMs,
      acknowledged: broker.received.length,
      gateways: 2,
      connected: 0,
    })
  })

  test("has one connection for each gateway", async () => {
    const fleet = createFleet(fleetOptions({ assetsPerGateway: 2 }))
    await fleet.start()
    expect(broker.connections()).toBe(3)
    expect(fleet.progress().connected).toBe(3)
    await fleet.close()
    expect(fleet.progress().connected).toBe(0)
  })

  test("loses nothing and keeps the order when the broker goes away twice in the middle", async () => {
    const calm = createFleet(fleetOptions())
    await runToNow(calm)
    const expected = perTopic(broker.received.splice(0))

    const options = fleetOptions()
    const fleet = createFleet(options)
    const firstLoss = broker.downAfter(40)
    await fleet.start()
    await firstLoss
    await until(() => fleet.progress().connected === 0)
    await broker.up()
    const secondLoss = broker.downAfter(70)
    await options.clock.advance(1000)
    await secondLoss
    await until(() => fleet.progress().connected === 0)
    // Down for longer than one attempt.
    await options.clock.advance(1000)
    await broker.up()
    while (fleet.progress().simulatedMs < nowMs) await options.clock.advance(1000)
    await fleet.close()

    const upToNow = broker.received.filter(({ payload }) => Number(payload.ts) <= nowMs)
    expect(perTopic(upToNow)).toEqual(expected)
    timesInOrder(withoutRepeats(upToNow))
  })

  test("stopped and started again says the same as one that was never stopped", async () => {
    await runToNow(createFleet(fleetOptions()))
    const expected = perTopic(broker.received.splice(0))

    const stateFile = join(directory, "state.json")
    for (const stopAt of [30, 90, 200]) {
      const fleet = createFleet(fleetOptions({ stateFile }))
      await fleet.start()
      await until(() => broker.received.length >= stopAt)
      await fleet.close()
    }
    const last = createFleet(fleetOptions({ stateFile, fromMs: 0 }))
    await runToNow(last)
    expect(perTopic(broker.received)).toEqual(expected)
  })

  test("knows what really happened, and goes on knowing it after a stop", async () => {
    const stateFile = join(directory, "state.json")
    const fleet = createFleet(fleetOptions({ stateFile }))
    await runToNow(fleet)
    const failed = broker.received.filter(({ payload }) => payload.code === "component-failed")
    expect(failed.length).toBeGreaterThan(2)
    const told = failed.map(({ topic, payload }) => [topic.split("/")[2], payload.component, payload.ts])
    const known = fleet
      .truth()
      .flatMap(({ asset, component, failureMs }) =>
        failureMs === null ? [] : [[asset, component, failureMs]],
      )
    expect(known.toSorted()).toEqual(told.toSorted())

    const again = createFleet(fleetOptions({ stateFile }))
    await again.start()
    expect(again.truth()).toEqual(fleet.truth())
    await again.close()
  })

  test("lets an asset that is new begin where the others are", async () => {
    const stateFile = join(directory, "state.json")
    await runToNow(createFleet(fleetOptions({ stateFile, assets: assets.slice(0, 2) })))
    broker.received.length = 0
    const options = fleetOptions({ stateFile, assets: assets.slice(0, 3) })
    const fleet = createFleet(options)
    await fleet.start()
    await options.clock.advance(30 * minute)
    await until(() => fleet.progress().simulatedMs === nowMs + 30 * minute)
    await fleet.close()
    expect(broker.received.every(({ payload }) => Number(payload.ts) > nowMs)).toBe(true)
    const sent = perTopic(broker.received)["v1/north/compressor-2/telemetry"] ?? []
    expect(sent).toMatchObject([{ ts: nowMs + 30 * minute }])
  })

  test("is told apart from one with another seed by its state file", async () => {
    const stateFile = join(directory, "state.json")
    await runToNow(createFleet(fleetOptions({ stateFile })))
    const saved = readFileSync(stateFile, "utf8")
    await expect(createFleet(fleetOptions({ stateFile, seed: 12 })).start()).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("seed 11"),
    })
    expect(readFileSync(stateFile, "utf8")).toBe(saved)
  })

  test.each(["{", '{"seed":"eleven"}'])("refuses %s as a state file, naming it", async (content) => {
    const stateFile = join(directory, "state.json")
    writeFileSync(stateFile, content)
    await expect(createFleet(fleetOptions({ stateFile })).start()).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining(stateFile),
    })
  })

  test("refuses a class that it has no model of", () => {
    const crane = [{ id: "crane-1", site: "north", class: "crane" }]
    expect(() => createFleet(fleetOptions({ assets: crane }))).toThrow(
      /crane.*pump, motor, compressor, truck/,
    )
  })

  test("says so when no broker answers, and leaves no connection behind", async () => {
    const url = "mqtt://127.0.0.1:1"
    const fleet = createFleet(fleetOptions({ url }))
    await expect(fleet.start()).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
    await fleet.close()
  })

  test("closes while the broker is away, and publishes what was missing at the next start", async () => {
    await runToNow(createFleet(fleetOptions()))
    const expected = perTopic(broker.received.splice(0))

    const stateFile = join(directory, "state.json")
    const options = fleetOptions({ stateFile })
    const fleet = createFleet(options)
    const loss = broker.downAfter(25)
    await fleet.start()
    await loss
    const closed = fleet.close()
    await options.clock.advance(5000)
    await closed
    await broker.up()
    await runToNow(createFleet(fleetOptions({ stateFile })))
    expect(perTopic(broker.received)).toEqual(expected)
  })
})

describe("simulated time", () => {
  const pace = { fromMs: 0, wallMs: 100 * day, speed: 3600 }

  test("passes an hour in a second until it has caught up with the wall's", () => {
    expect(dueMs(pace, hour)).toBe(100 * day + 1000)
    expect(dueMs(pace, 2 * hour)).toBe(100 * day + 2000)
  })

  test("then passes as the wall's does", () => {
    expect(dueMs(pace, 101 * day)).toBe(101 * day)
    expect(dueMs(pace, 101 * day + 1000)).toBe(101 * day + 1000)
  })
})
