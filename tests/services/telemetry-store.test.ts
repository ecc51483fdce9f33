import { execFile } from "node:child_process"
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { promisify } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import fc from "fast-check"
import { pino } from "pino"
import { afterEach, describe, expect, inject, onTestFinished, test, vi } from "vitest"
import { systemClock } from "../../core/clock.ts"
import type { Series, Span, TelemetryStore } from "../../core/telemetry.ts"
import { type AssetEvent, partOf } from "../../core/vocabulary.ts"
import { InfluxConnection } from "../../ingest/historian/influx-connection.ts"
import { requestsOf, SetAside } from "../../ingest/historian/influx-lines.ts"
import { type InfluxTelemetry, openInfluxTelemetry } from "../../ingest/historian/influx-store.ts"
import { startInflux } from "../../services/influx.ts"
import { reading, samples, telemetryStoreContract } from "../contract/telemetry-store.ts"

type Influx = { readonly url: string; readonly org: string; readonly token: string }

const run = promisify(execFile)
const startMs = Date.UTC(2026, 0, 1)
const always: Span = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.MAX_SAFE_INTEGER }
const level: Series = { asset: "tank-1", signal: "level" }
const atLevel = (atMs: number, value: number) => reading("tank-1", atMs, { level: value })
const unreachable = { code: "SERVER_UNREACHABLE", canRetry: true }

/** Asks InfluxDB itself, past the store. */
async function ask(influx: Influx, path: string, body?: string | object): Promise<unknown> {
  const answer = await fetch(influx.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Token ${influx.token}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
  return text === "" ? undefined : JSON.parse(text)
}

async function makeBucket(
  influx: Influx,
  retentionSeconds = 0,
  name = `test-${randomUUID()}`,
): Promise<{ name: string; id: string }> {
  const orgs = (await ask(influx, `/api/v2/orgs?org=${influx.org}`)) as { orgs: { id: string }[] }
  const retentionRules = [{ type: "expire", everySeconds: retentionSeconds }]
  const bucket = { name, orgID: orgs.orgs[0]?.id, retentionRules }
  return (await ask(influx, "/api/v2/buckets", bucket)) as { name: string; id: string }
}

async function bucketNamed(influx: Influx, name: string) {
  const found = await ask(influx, `/api/v2/buckets?org=${influx.org}&name=${name}`)
  return (found as { buckets: { id: string; orgID: string; retentionRules: object[] }[] }).buckets[0]
}

/** A token for one bucket alone. */
async function makeToken(influx: Influx, bucket: string, actions: readonly string[]): Promise<string> {
  const found = await bucketNamed(influx, bucket)
  const resource = { type: "buckets", id: found?.id, orgID: found?.orgID }
  const permissions = actions.map((action) => ({ action, resource }))
  const made = await ask(influx, "/api/v2/authorizations", { orgID: found?.orgID, permissions })
  return (made as { token: string }).token
}

type Said = { readonly level: number; readonly msg: string } & Readonly<Record<string, unknown>>

const opened: TelemetryStore[] = []
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

async function open(influx: Influx, bucket: string, options: { token?: string; waits?: boolean } = {}) {
  const said: Said[] = []
  const logger = pino({ level: "info" }, { write: (line: string) => void said.push(JSON.parse(line)) })
  const { url, org, token } = influx
  const store = await openInfluxTelemetry({ url, org, token, bucket, clock: systemClock, logger, ...options })
  opened.push(store)
  return { store, said, heard: (part: RegExp) => said.filter(({ msg }) => part.test(msg)) }
}

async function openIn(retentionSeconds = 0) {
  const influx = inject("servers").influx
  const bucket = await makeBucket(influx, retentionSeconds)
  return { influx, bucket: bucket.name, ...(await open(influx, bucket.name)) }
}

async function reached({ reach }: InfluxTelemetry): Promise<void> {
  await vi.waitFor(() => expect(reach.state).toBe("running"), { timeout: 60_000 })
}

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

describe("an InfluxDB that is not as it should be", () => {
  test("a bucket that is not there is made, to keep everything", async () => {
    const influx = inject("servers").influx
    const name = `test-${randomUUID()}`
    const { store, heard } = await open(influx, name)
    await reached(store)
    expect(heard(/^made the bucket/)).toHaveLength(1)
    expect(await bucketNamed(influx, name)).toMatchObject({ retentionRules: [{ everySeconds: 0 }] })
    await store.write([atLevel(startMs, 1)])
    expect(await samples(store, level)).toHaveLength(1)
  })

  test("a bucket that is not there and can't be made is said once, with how to make it", async () => {
    const { influx, bucket: other } = await openIn()
    const token = await makeToken(influx, other, ["read", "write"])
    const name = `test-${randomUUID()}`
    const { store, heard } = await open(influx, name, { token })
    await expect(store.write([atLevel(startMs, 1)])).rejects.toMatchObject(unreachable)
    await expect(samples(store, level)).rejects.toMatchObject(unreachable)
    await vi.waitFor(() => expect(heard(/there is no bucket "test-.*influx bucket create/)).toHaveLength(1))
    expect(store.reach.state).toContain("there is no bucket")
  })

  test("a bucket that forgets is warned of, and what it no longer takes is set aside", async () => {
    const { store, heard } = await openIn(86_400)
    await reached(store)
    expect(heard(/deletes what is older than 24 h/)).toMatchObject([{ level: 40 }])
    const nowMs = systemClock.now()
    await store.write([atLevel(nowMs - 7 * 86_400_000, 1), atLevel(nowMs, 2), atLevel(startMs, 3)])
    expect((await samples(store, level, always)).map(({ value }) => value)).toEqual([2])
    expect(heard(/not written.*outside retention policy/)).toMatchObject([{ level: 50, entries: 2 }])
  })

  test("a wrong token and a wrong organisation are said once, with what to do", async () => {
    const influx = inject("servers").influx
    const cases = [
      {
        as: { ...influx, token: "wrong" },
        says: /refuses the token \(401\).*influx\.tokenFile.*Trying again$/,
      },
      { as: { ...influx, org: "nobody" }, says: /no organisation "nobody".*influx\.org/ },
    ]
    for (const { as, says } of cases) {
      const { store, said } = await open(as, "any")
      await expect(store.write([atLevel(startMs, 1)])).rejects.toMatchObject(unreachable)
      await expect(store.write([atLevel(startMs, 1)])).rejects.toMatchObject(unreachable)
      expect(said.map(({ msg }) => msg)).toEqual([expect.stringMatching(says)])
    }
  })

  test("something else that listens there is told from it", async () => {
    const page = createServer((request, response) => {
      response.statusCode = request.url?.includes("buckets") ? 200 : 404
      response.end("<html>")
    })
    page.listen(0, "127.0.0.1")
    await once(page, "listening")
    onTestFinished(() => void page.close())
    const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`
    const { store, said } = await open({ ...inject("servers").influx, url }, "any")
    const other = /does not answer as InfluxDB 2 does .*influx\.url/
    await expect(store.write([atLevel(startMs, 1)])).rejects.toMatchObject({
      message: expect.stringMatching(other),
    })
    await vi.waitFor(() => expect(said.length).toBeGreaterThan(0))
    for (const { msg } of said) expect(msg).toMatch(other)
  })

  test("a token that may only read, or only write, is found out before anything is written", async () => {
    const { influx, bucket } = await openIn()
    for (const action of ["read", "write"]) {
      const token = await makeToken(influx, bucket, [action])
      const { store, heard } = await open(influx, bucket, { token })
      await vi.waitFor(() =>
        expect(heard(/not enough rights .*Give a token that may read and write/)).toHaveLength(1),
      )
      expect(store.reach.isReached).toBe(false)
    }
  })

  test("a command is told at once", async () => {
    const influx = { ...inject("servers").influx, token: "wrong" }
    const { store, said } = await open(influx, "any", { waits: false })
    await expect(store.series()).rejects.toMatchObject({
      ...unreachable,
      message: expect.stringMatching(/token/),
    })
    await store.close()
    expect(said).toEqual([])
  })
})

describe("an InfluxDB that goes and comes", () => {
  async function ownInflux() {
    const influx = await startInflux({ say: () => {} })
    onTestFinished(() => influx.dispose())
    return influx
  }

  test("may be away when the store is opened", async () => {
    const influx = await ownInflux()
    await influx.stop()
    const { store, said } = await open(influx, influx.bucket)
    await expect(store.write([atLevel(startMs, 1)])).rejects.toMatchObject(unreachable)
    await expect(samples(store, level)).rejects.toMatchObject(unreachable)
    await expect(store.downsample(level, always, 1000)).rejects.toMatchObject(unreachable)
    await expect(store.forgetBefore(startMs)).rejects.toMatchObject(unreachable)
    await influx.start()
    await reached(store)
    await store.write([atLevel(startMs, 1)])
    expect(await samples(store, level)).toHaveLength(1)
    expect(said.map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/^InfluxDB at 127.0.0.1:\d+ can't be used: nothing listens there/),
      "InfluxDB answers again",
    ])
  })

  test("killed in the middle of writing, it has everything that was acknowledged", async () => {
    const influx = await ownInflux()
    const { store } = await open(influx, influx.bucket)
    const perBatch = 20_000
    let acknowledged = 0
    let isDone = false
    let failures = 0
    const write = async () => {
      while (!isDone) {
        const from = acknowledged * perBatch
        const batch = Array.from({ length: perBatch }, (_, index) =>
          atLevel(startMs + from + index, from + index),
        )
        // As the historian does, until it is written; it waits for the server, not for a time.
        for (;;) {
          const error = await store.write(batch).then(
            () => undefined,
            (failure: unknown) => failure,
          )
          if (error === undefined) break
          expect(error).toMatchObject(unreachable)
          failures++
          await reached(store)
        }
        acknowledged++
      }
    }
    const disturb = async () => {
      for (let kills = 0; kills < 4; kills++) {
        const before = acknowledged
        await vi.waitFor(() => expect(acknowledged).toBeGreaterThan(before + 1), {
          timeout: 60_000,
          interval: 3,
        })
        await influx.kill()
        await influx.start()
      }
      isDone = true
    }
    await Promise.all([write(), disturb()])
    expect(failures).toBeGreaterThan(0)
    let expected = 0
    for await (const { atMs, value } of store.range(level, always)) {
      if (value !== expected || atMs !== startMs + expected)
        throw new Error(`${value} instead of ${expected}`)
      expected++
    }
    expect(expected).toBe(acknowledged * perBatch)
  })

  test("whose disk is full is said to refuse, once, until there is room", async () => {
    const influx = await ownInflux()
    const { store, said } = await open(influx, influx.bucket)
    await reached(store)
    const limitFiles = (bytes: string) => run("prlimit", [`--pid=${influx.pid}`, `--fsize=${bytes}:`])
    const batch = Array.from({ length: 20_000 }, (_, index) => atLevel(startMs + index, Math.sin(index)))
    await limitFiles("10000")
    for (let tries = 0; tries < 3; tries++) {
      await expect(store.write(batch)).rejects.toMatchObject({
        code: "STORE_FAILED",
        canRetry: true,
        message: expect.stringMatching(/\(500\): .*file too large.*disk is full/),
      })
    }
    expect(store.reach.state).toMatch(/refuses what is written \(500\)/)
    await limitFiles("unlimited")
    await store.write(batch)
    expect(store.reach.state).toBe("running")
    expect(said.map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/can't be used: it refuses what is written \(500\).*disk is full/),
      "InfluxDB answers again",
    ])
    expect(await samples(store, level)).toHaveLength(batch.length)
    await influx.kill()
    await influx.start()
    expect(await samples(store, level)).toHaveLength(batch.length)
  })

  test("that refuses what is written is not in order because it is there again", async () => {
    const influx = await ownInflux()
    const { store, heard } = await open(influx, influx.bucket)
    await reached(store)
    const into = `/api/v2/write?org=${influx.org}&bucket=${influx.bucket}&precision=ms`
    await ask(influx, into, `sample,asset=tank-1,signal=level value="full" ${startMs}`)
    await expect(store.write([atLevel(startMs + 1, 1)])).rejects.toMatchObject({ code: "STORE_FAILED" })
    expect(store.reach.state).toMatch(/refuses what is written \(422\)/)
    await influx.stop()
    await expect(samples(store, level)).rejects.toMatchObject(unreachable)
    expect(store.reach.state).toMatch(/nothing listens/)
    await influx.start()
    await vi.waitFor(() => expect(heard(/refuses what is written \(422\)/)).toHaveLength(2), {
      timeout: 60_000,
    })
    expect(store.reach.isReached).toBe(false)
    await store.write([
      {
        ...{
          kind: "event",
          site: "plant",
          asset: "tank-1",
          code: "filled",
          atMs: startMs,
          arrivedMs: startMs,
        },
        attributes: {},
      },
    ])
    expect(store.reach.state).toBe("running")
  })

  test("a read that it broke off goes on where it was", async () => {
    const influx = await ownInflux()
    const { store } = await open(influx, influx.bucket)
    const count = 400_000
    for (let from = 0; from < count; from += 50_000) {
      await store.write(
        Array.from({ length: 50_000 }, (_, index) => atLevel(startMs + from + index, from + index)),
      )
    }
    let expected = 0
    let kills = 0
    for await (const { value } of store.range(level, always)) {
      if (value !== expected) throw new Error(`${value} instead of ${expected}`)
      expected++
      // More is still to come than the connection has in its buffers.
      if (expected % 20_000 === 1 && kills < 2) {
        kills++
        await influx.kill()
        await influx.start()
      }
    }
    expect(expected).toBe(count)
    const broken = (async () => {
      for await (const { value } of store.range(level, always)) if (value === 0) await influx.kill()
    })()
    await expect(broken).rejects.toMatchObject(unreachable)
  })
})
