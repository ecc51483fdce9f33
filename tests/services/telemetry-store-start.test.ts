import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { describe, expect, inject, onTestFinished, test, vi } from "vitest"
import { systemClock } from "../../core/clock.ts"
import { samples } from "../contract/telemetry-store.ts"
import {
  always,
  ask,
  atLevel,
  bucketNamed,
  type Influx,
  level,
  open,
  openIn,
  reached,
  startMs,
  unreachable,
} from "./telemetry-store-setup.ts"

/** A token for one bucket alone. */
async function makeToken(influx: Influx, bucket: string, actions: readonly string[]): Promise<string> {
  const found = await bucketNamed(influx, bucket)
  const resource = { type: "buckets", id: found?.id, orgID: found?.orgID }
  const permissions = actions.map((action) => ({ action, resource }))
  const made = await ask(influx, "/api/v2/authorizations", { orgID: found?.orgID, permissions })
  return (made as { token: string }).token
}

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
