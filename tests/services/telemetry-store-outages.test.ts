import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { startInflux } from "../../services/influx.ts"
import { samples } from "../contract/telemetry-store.ts"
import { always, ask, atLevel, level, open, reached, startMs, unreachable } from "./telemetry-store-setup.ts"

const run = promisify(execFile)

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
    // What was asked over a connection that it still had open says only that it was closed.
    await vi.waitFor(() => expect(store.reach.state).toMatch(/nothing listens/), { timeout: 60_000 })
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
