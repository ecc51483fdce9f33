import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { MillwrightError } from "../../core/errors.ts"
import { type KafkaLogOptions, openKafkaLog } from "../../core/log/kafka/log.ts"
import { type KafkaServer, startKafka } from "../../services/kafka.ts"
import { producedErrorAt, requests } from "./log-proxy.ts"
import {
  byKey,
  collect,
  listening,
  openLog,
  openThrough,
  options,
  Recorder,
  until,
  upTo,
  values,
} from "./log-setup.ts"
import { valueTopic } from "./log-topic.ts"

test("while Kafka refuses records, that is what is wrong, whatever else it answers; closing does not wait", async () => {
  const { lines, logger } = listening()
  const { proxy, log } = await openThrough({ logger })
  const [refused, other] = [valueTopic("refused"), valueTopic("other")]
  await log.append(refused, values(0, 1))
  await log.append(other, values(0, 1))
  const notEnoughReplicas = 19
  let isRefusing = true
  proxy.change((request, answer) => {
    if (request !== requests.produce || !isRefusing) return
    answer.writeInt16BE(notEnoughReplicas, producedErrorAt(answer))
  })
  const waiting = log.append(refused, values(1, 2))
  await until(() => !log.reach.isReached)
  expect(log.reach.state).toMatch(/refuses records .*too few copies/)
  expect(await collect(log.read(other))).toHaveLength(1)
  await log.ends(refused)
  expect(log.reach.isReached).toBe(false)
  expect((await log.lags()).length).toBe(0)
  isRefusing = false
  await waiting
  expect([log.reach.isReached, log.reach.state]).toEqual([true, "running"])
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [50, expect.stringMatching(/refuses records: too few copies .*Start the brokers.*Trying again$/)],
    [30, "Kafka takes records again"],
  ])
  isRefusing = true
  const pending = expect(log.append(refused, values(2, 3))).rejects.toThrow(MillwrightError)
  await until(() => !log.reach.isReached)
  await log.close()
  await pending
})

describe("when Kafka goes away", () => {
  let own: KafkaServer
  beforeAll(async () => {
    own = await startKafka()
  })
  afterAll(async () => {
    await own.dispose()
  })
  afterEach(async () => {
    await own.start()
  })
  const openOwn = (overrides: Partial<KafkaLogOptions> = {}) =>
    openLog({ brokers: [own.address], ...overrides })

  test("nothing acknowledged is lost, and each key keeps its order, when it is killed under load", async () => {
    const { lines, logger } = listening()
    const log = await openOwn({ logger })
    const topic = valueTopic("load")
    const recorder = new Recorder()
    await log.subscribe(topic, "readers", recorder)
    let appended = 0
    const acknowledged: number[] = []
    const take = (count: number) => {
      appended += count
      return appended - count
    }
    const append = (count: number) =>
      Promise.all(
        values(take(count), appended).map(async (record) => {
          await log.append(topic, [record])
          acknowledged.push(record.value.n)
        }),
      )
    for (let kills = 0; kills < 2; kills++) {
      const load = Array.from({ length: 20 }, async () => {
        for (let rounds = 0; rounds < 20; rounds++) await append(10)
      })
      await until(() => acknowledged.length > kills * 4000 + 500)
      await own.kill()
      await own.start()
      await Promise.all(load)
    }
    expect(acknowledged).toHaveLength(8000)
    const stored = await collect(log.read(topic))
    for (const all of [stored, recorder.seen]) {
      await until(() => new Set(all.map(({ value }) => value.n)).size === 8000)
      // A repeated record may follow itself; its first place counts.
      for (const numbers of byKey(all)) {
        const first = [...new Set(numbers)]
        expect(first).toEqual([...first].sort((a, b) => a - b))
      }
    }
    const outages = lines.filter(({ server }) => server === "Kafka")
    expect(outages.filter(({ level }) => level === 50).length).toBeLessThanOrEqual(2)
    expect(outages.filter(({ msg }) => msg === "Kafka answers again").length).toBeLessThanOrEqual(2)
  })

  test("one line tells that it is gone and one that it answers again; consumers go on where they were", async () => {
    const { lines, logger } = listening()
    const log = await openOwn({ logger })
    const topic = valueTopic("paused")
    await log.append(topic, values(0, 40))
    const recorder = new Recorder()
    await log.subscribe(topic, "readers", recorder)
    await until(() => recorder.seen.length === 40)
    await own.stop()
    await until(() => !log.reach.isReached)
    expect(log.reach.state).toContain("ECONNREFUSED")
    expect(await log.lags()).toEqual([])
    const waiting = log.append(topic, values(40, 60))
    await own.start()
    await waiting
    await until(() => recorder.seen.length >= 60)
    expect(recorder.numbers).toEqual(upTo(60))
    await until(() => log.reach.isReached)
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
      [50, expect.stringMatching(/^Kafka at .* can't be used: nothing listens there.*Trying again$/)],
      [30, "Kafka answers again"],
    ])
  })

  test("closing does not wait for it: what was not acknowledged is rejected", async () => {
    const log = await openOwn()
    const topic = valueTopic("closing")
    await log.append(topic, values(0, 10))
    const recorder = new Recorder()
    const subscription = await log.subscribe(topic, "readers", recorder)
    await own.kill()
    const pending = Promise.allSettled([log.append(topic, values(10, 20)), log.ends(topic)])
    await until(() => !log.reach.isReached)
    await log.close()
    for (const outcome of await pending) {
      expect(outcome).toMatchObject({ status: "rejected", reason: expect.any(MillwrightError) })
    }
    await subscription.done
    expect(recorder.owned.size).toBe(0)
  })

  test("however many wait for it, no signal has the listeners of all of them", async () => {
    const log = await openOwn()
    const topic = valueTopic("awaited")
    await log.append(topic, values(0, 1))
    const warnings: Error[] = []
    // kafkajs may have others to give while its broker is away.
    const keep = (warning: Error) => {
      if (warning.name === "MaxListenersExceededWarning") warnings.push(warning)
    }
    process.on("warning", keep)
    await own.stop()
    const waiting = upTo(16).map(() => log.ends(topic))
    await until(() => !log.reach.isReached)
    await own.start()
    await Promise.all(waiting)
    process.off("warning", keep)
    expect(warnings).toEqual([])
  })

  test("opening waits for it, and says so once", async () => {
    await own.stop()
    const { lines, logger } = listening()
    const opening = openOwn({ logger })
    await until(() => lines.length === 1)
    await own.start()
    const log = await opening
    await log.append(valueTopic("late"), values(0, 1))
    expect(lines.map(({ level }) => level)).toEqual([50, 30])
  })

  test("a command does not wait", async () => {
    await own.stop()
    await expect(openOwn({ waits: false })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringContaining("Start it, or set the right address"),
    })
  })
})

test.each([
  ["a host that is not there", { brokers: ["nowhere.invalid:9092"] }, /no such host|can't be looked up/],
  ["a broker that speaks no TLS", { ssl: true }, /kafka\.tls/],
  [
    "a broker that asks for no password",
    { sasl: { mechanism: "plain", username: "a", password: "b" } },
    /takes no user and password/,
  ],
] as const)("%s is told in one line, and tried again until nobody waits any more", async (_, wrong, why) => {
  const { lines, logger } = listening()
  const patience = new AbortController()
  const opening = openKafkaLog(options({ ...wrong, logger, signal: patience.signal }))
  const ended = expect(opening).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
  await until(() => lines.length > 0)
  patience.abort()
  await ended
  expect(lines.map(({ msg }) => msg)).toEqual([expect.stringMatching(why)])
})
