import { randomUUID } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import fc from "fast-check"
import { pino } from "pino"
import { describe, expect, inject, onTestFinished, test } from "vitest"
import { systemClock } from "../../core/clock.ts"
import { type AssetEvent, partOf } from "../../core/vocabulary.ts"
import { InfluxConnection } from "../../ingest/historian/influx-connection.ts"
import { requestsOf, SetAside } from "../../ingest/historian/influx-lines.ts"
import { openInfluxTelemetry } from "../../ingest/historian/influx-store.ts"
import { reading, samples, telemetryStoreContract } from "../contract/telemetry-store.ts"
import { always, ask, atLevel, level, makeBucket, open, openIn, startMs } from "./telemetry-store-setup.ts"

telemetryStoreContract("in InfluxDB", async () => {
  const influx = inject("servers").influx
  const { name, id } = await makeBucket(influx)
  const logger = pino({ level: "silent" })
  return {
    open: () => openInfluxTelemetry({ ...influx, bucket: name, clock: systemClock, logger }),
    async remove() {
      const headers = { authorization: `Token ${influx.token}` }
      const answer = await fetch(`${influx.url}/api/v2/buckets/${id}`, { method: "DELETE", headers })
      expect(answer.status).toBe(204)
    },
  }
})

describe("what is written to InfluxDB", () => {
  test("every text of an event comes back as it was given", async () => {
    const { store } = await openIn()
    const text = (maxLength: number) =>
      fc.oneof(
        fc.string({ unit: "binary", minLength: 1, maxLength }),
        fc.string({
          unit: fc.constantFrom(
            "\\",
            "\n",
            "\r",
            "\t",
            " ",
            "=",
            ",",
            '"',
            "'",
            "%",
            "\0",
            "\ud800",
            "é",
            "a",
          ),
          minLength: 1,
          maxLength,
        }),
      )
    const key = text(20).filter((one) => one !== "__proto__")
    const value = fc.oneof(
      text(200),
      fc.boolean(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    )
    const anyEvent = fc.record({
      code: text(64),
      component: fc.option(text(100)),
      attributes: fc.dictionary(key, value, { maxKeys: 5 }),
      untimed: fc.boolean(),
    })
    let atMs = startMs
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { minLength: 1, maxLength: 10 }), async (some) => {
        const fromMs = atMs
        const events = some.map(({ code, component, attributes, untimed }): AssetEvent => {
          const all = component === null ? attributes : { ...attributes, component }
          const base = {
            kind: "event",
            site: "plant",
            asset: "é pump: 1",
            code,
            atMs,
            arrivedMs: atMs,
          } as const
          atMs++
          // As JSON has it: the log that they come from knows no minus zero.
          const event = { ...base, attributes: JSON.parse(JSON.stringify(all)) }
          return untimed ? { ...event, untimed } : event
        })
        await store.write(events)
        expect(await store.events("é pump: 1", { fromMs, toMs: atMs })).toEqual(events)
      }),
      { numRuns: 100 },
    )
  })

  test("events of one time and code are as many as they have parts, however often they are written", async () => {
    const { store } = await openIn()
    const event = (code: string, component: string, meter: number): AssetEvent => ({
      ...{ kind: "event", site: "plant", asset: "pump-1", code, atMs: startMs, arrivedMs: startMs },
      attributes: { component, meter },
    })
    const parts = ["bearing, left", "bearing", "seal=1", "seal\\"]
    await store.write(
      parts.flatMap((part) => [event("b", part, 1), event("a", part, 2), event("b", part, 3)]),
    )
    await store.write([event("b", "seal\\", 4)])
    const found = await store.events("pump-1", always)
    expect(found.map((one) => [one.code, partOf(one), one.attributes.meter])).toEqual([
      ...parts.toSorted().map((part) => ["a", part, 2]),
      ...parts.toSorted().map((part) => ["b", part, part === "seal\\" ? 4 : 3]),
    ])
  })

  test("any text will do as the name of an asset, a signal or a bucket", async () => {
    const influx = inject("servers").influx
    const name = `a b/ü=${randomUUID()}'`
    await makeBucket(influx, 0, name)
    const { store } = await open(influx, name)
    const texts = [
      "it's",
      "x' OR 'a' = 'a",
      "a,b=c d",
      "back\\",
      '"',
      "new\nline",
      "100 %",
      "%0041",
      "\udc00",
      "日本",
    ]
    await store.write(texts.map((text, index) => reading(text, startMs, { [text]: index })))
    expect(await store.series()).toEqual(texts.toSorted().map((text) => ({ asset: text, signal: text })))
    for (const [index, text] of texts.entries()) {
      expect(await samples(store, { asset: text, signal: text })).toMatchObject([{ value: index }])
    }
  })

  test("is in one request once", () => {
    const event = (meter: number): AssetEvent => ({
      ...{ kind: "event", site: "plant", asset: "tank-1", code: "filled", atMs: startMs, arrivedMs: startMs },
      attributes: { meter },
    })
    const batch = Array.from({ length: 12_000 }, (_, index) => [
      atLevel(startMs + (index % 6000), index),
      event(index),
    ])
    const requests = [...requestsOf(batch.flat(), new SetAside())]
    const lines = requests.flatMap(({ text }) => text.split("\n"))
    expect(lines).toHaveLength(6001)
    expect(lines[0]).toBe(
      `sample,asset=tank-1,signal=level value=6000,quality=0i,arrived=${startMs + 20}i ${startMs}`,
    )
    expect(lines.at(-1)).toContain("11999")
    expect(requests.map(({ count }) => count)).toEqual([5000, 1001])
  })

  test("of each sample that is in a batch several times, the last one is read", async () => {
    const { store } = await openIn()
    const order = Array.from({ length: 40_000 }, (_, index) => (index * 7919) % 9973)
    await store.write(order.map((step, index) => atLevel(startMs + step, index)))
    const last = new Map(order.map((step, index) => [step, index]))
    const found = await samples(store, level)
    expect(found.map(({ atMs, value }) => [atMs - startMs, value])).toEqual(
      [...last].sort(([a], [b]) => a - b),
    )
  })

  test("is there by InfluxDB's own count once it is acknowledged", async () => {
    const { store, influx, bucket } = await openIn()
    const signals = ["a", "b", "c", "d", "e", "f", "g"]
    const readings = Array.from({ length: 3333 }, (_, step) =>
      reading(
        `pump-${step % 10}`,
        startMs + step,
        Object.fromEntries(signals.map((signal) => [signal, step])),
      ),
    )
    await store.write(readings)
    const query = new URLSearchParams({ db: bucket, q: "SELECT count(value) FROM sample" })
    expect(await ask(influx, `/query?${query}`)).toMatchObject({
      results: [{ series: [{ values: [[expect.anything(), 7 * 3333]] }] }],
    })
  })

  test("what InfluxDB can't hold is set aside with an error line, and the rest is written", async () => {
    const { store, heard } = await openIn()
    const tooLong: AssetEvent = {
      ...{ kind: "event", site: "plant", asset: "tank-1", code: "log", atMs: startMs, arrivedMs: startMs },
      attributes: { text: "x".repeat(1_100_000) },
    }
    const times = [
      Date.UTC(1677, 0, 1),
      Date.UTC(1678, 0, 1),
      startMs,
      Date.UTC(2262, 0, 1),
      Date.UTC(2263, 0, 1),
    ]
    await store.write([...times.map((atMs) => atLevel(atMs, 1)), atLevel(startMs + 1, Number.NaN), tooLong])
    expect((await samples(store, level, always)).map(({ atMs }) => atMs)).toEqual(times.slice(1, 4))
    expect(await store.events("tank-1", always)).toEqual([])
    expect(heard(/not written/)).toMatchObject([
      { level: 50, entries: 4, msg: expect.stringMatching(/^4 .* "level" of asset "tank-1" .* 1677-09-21/) },
    ])
    expect(store.entriesSetAside).toBe(4)
  })

  test("what InfluxDB refuses is an error that says why and how much", async () => {
    const { store, influx, bucket } = await openIn()
    const into = `/api/v2/write?org=${influx.org}&bucket=${bucket}&precision=ms`
    await ask(influx, into, `sample,asset=tank-1,signal=level value="full" ${startMs}`)
    await expect(store.write([atLevel(startMs + 1, 1), atLevel(startMs + 2, 1)])).rejects.toMatchObject({
      code: "STORE_FAILED",
      canRetry: true,
      message: expect.stringMatching(
        /did not take \d of 2 lines \(422\): .*field type conflict.*one of its own/,
      ),
    })
  })
})

describe("a request to InfluxDB", () => {
  /** Bytes of what was sent and received that something still holds. */
  async function heldBytes(): Promise<number> {
    setFlagsFromString("--expose-gc")
    const collect: () => void = runInNewContext("gc")
    // Some is let go of in the turn after.
    for (let turns = 0; turns < 20; turns++) {
      collect()
      await new Promise((resolve) => setImmediate(resolve))
    }
    return process.memoryUsage().arrayBuffers
  }

  test("leaves nothing of itself in memory", async () => {
    const { influx, bucket } = await openIn()
    const connection = new InfluxConnection({ ...influx, bucket })
    onTestFinished(() => connection.close())
    const text = "x".repeat(400_000)
    const write = (step: number) => connection.write(`event,asset=a,code=c text="${text}" ${startMs + step}`)
    const ask = async () => {
      const rows = []
      for await (const piece of connection.query(`SELECT count(text) FROM event WHERE code != '${text}'`))
        rows.push(piece)
      return rows
    }
    await write(0)
    await ask()
    const before = await heldBytes()
    for (let step = 1; step <= 20; step++) {
      await write(step)
      await ask()
    }
    expect((await heldBytes()) - before).toBeLessThan(4_000_000)
  })

  test("ends when the connection is closed, and there is none after it", async () => {
    const { influx, bucket, store } = await openIn()
    await store.write(Array.from({ length: 50_000 }, (_, index) => atLevel(startMs + index, index)))
    const connection = new InfluxConnection({ ...influx, bucket })
    const reading = (async () => {
      for await (const _ of connection.query("SELECT value FROM sample")) connection.close()
    })()
    await expect(reading).rejects.toThrow(/abort/i)
    await expect(connection.write("")).rejects.toThrow(/abort/i)
  })
})

describe("downsampling in InfluxDB", () => {
  const minute = 60_000

  test("gives what counting here gives, also before 1970", async () => {
    const { store } = await openIn()
    const readings = Array.from({ length: 6000 }, (_, index) =>
      reading(
        "tank-1",
        (index - 3000) * 1000 + (index % 7),
        { level: Math.sin(index) },
        {
          level: index % 11 === 0 ? "bad" : index % 13 === 0 ? "uncertain" : "good",
        },
      ),
    )
    await store.write(readings)
    const good = readings.filter(({ quality }) => quality?.level !== "bad")
    for (const bucketMs of [minute, 7 * minute + 1, 1_000_000]) {
      const span = { fromMs: -2_500_300, toMs: 2_000_100 }
      const expected = new Map<number, number[]>()
      for (const { atMs, values } of good) {
        if (atMs < span.fromMs || atMs >= span.toMs) continue
        const fromMs = Math.floor(atMs / bucketMs) * bucketMs
        expected.set(fromMs, [...(expected.get(fromMs) ?? []), Number(values.level)])
      }
      expect(await store.downsample(level, span, bucketMs)).toEqual(
        [...expected].map(([fromMs, values]) => ({
          fromMs,
          count: values.length,
          min: Math.min(...values),
          max: Math.max(...values),
          mean: expect.closeTo(values.reduce((sum, value) => sum + value, 0) / values.length, 9),
        })),
      )
    }
  })

  test("gives the mean of values whose sum no double holds", async () => {
    const { store } = await openIn()
    await store.write(
      Array.from({ length: 600 }, (_, step) => atLevel(startMs + step * 1000, Number.MAX_VALUE)),
    )
    const [bucket, ...others] = await store.downsample(
      level,
      { fromMs: startMs, toMs: startMs + 10 * minute },
      10 * minute,
    )
    expect(bucket).toMatchObject({ count: 600, max: Number.MAX_VALUE })
    expect(bucket?.mean).toBeGreaterThan(Number.MAX_VALUE * 0.999_999)
    expect(others).toEqual([])
  })
})
