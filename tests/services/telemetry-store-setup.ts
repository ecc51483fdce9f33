import { randomUUID } from "node:crypto"
import { pino } from "pino"
import { expect, inject, onTestFinished, vi } from "vitest"
import { systemClock } from "../../core/clock.ts"
import type { Series, Span } from "../../core/telemetry.ts"
import { type InfluxTelemetry, openInfluxTelemetry } from "../../ingest/historian/influx-store.ts"
import { reading } from "../contract/telemetry-store.ts"

export type Influx = { readonly url: string; readonly org: string; readonly token: string }

export const startMs = Date.UTC(2026, 0, 1)
export const always: Span = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.MAX_SAFE_INTEGER }
export const level: Series = { asset: "tank-1", signal: "level" }
export const atLevel = (atMs: number, value: number) => reading("tank-1", atMs, { level: value })
export const unreachable = { code: "SERVER_UNREACHABLE", canRetry: true }

/** Asks InfluxDB itself, past the store. */
export async function ask(influx: Influx, path: string, body?: string | object): Promise<unknown> {
  const answer = await fetch(influx.url + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Token ${influx.token}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
  return text === "" ? undefined : JSON.parse(text)
}

export async function makeBucket(
  influx: Influx,
  retentionSeconds = 0,
  name = `test-${randomUUID()}`,
): Promise<{ name: string; id: string }> {
  const orgs = (await ask(influx, `/api/v2/orgs?org=${influx.org}`)) as { orgs: { id: string }[] }
  const retentionRules = [{ type: "expire", everySeconds: retentionSeconds }]
  const bucket = { name, orgID: orgs.orgs[0]?.id, retentionRules }
  return (await ask(influx, "/api/v2/buckets", bucket)) as { name: string; id: string }
}

export async function bucketNamed(influx: Influx, name: string) {
  const found = await ask(influx, `/api/v2/buckets?org=${influx.org}&name=${name}`)
  return (found as { buckets: { id: string; orgID: string; retentionRules: object[] }[] }).buckets[0]
}

type Said = { readonly level: number; readonly msg: string } & Readonly<Record<string, unknown>>

export async function open(
  influx: Influx,
  bucket: string,
  options: { token?: string; waits?: boolean } = {},
) {
  const said: Said[] = []
  const logger = pino({ level: "info" }, { write: (line: string) => void said.push(JSON.parse(line)) })
  const { url, org, token } = influx
  const store = await openInfluxTelemetry({ url, org, token, bucket, clock: systemClock, logger, ...options })
  onTestFinished(() => store.close())
  return { store, said, heard: (part: RegExp) => said.filter(({ msg }) => part.test(msg)) }
}

export async function openIn(retentionSeconds = 0) {
  const influx = inject("servers").influx
  const bucket = await makeBucket(influx, retentionSeconds)
  return { influx, bucket: bucket.name, ...(await open(influx, bucket.name)) }
}

export async function reached({ reach }: InfluxTelemetry): Promise<void> {
  await vi.waitFor(() => expect(reach.state).toBe("running"), { timeout: 60_000 })
}
