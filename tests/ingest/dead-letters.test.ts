import { expect, onTestFinished, test } from "vitest"
import { topics } from "../../core/topics.ts"
import type { DeadLetter } from "../../core/vocabulary.ts"
import { type Pipeline, startPipeline } from "../pipeline.ts"
import { connectRaw } from "./raw-mqtt.ts"

const startMs = Date.UTC(2026, 0, 1)

test("the newest letters are listed, oldest first, by reason and by the start of an id", async () => {
  const { app } = await openPipeline()
  await append(
    app,
    Array.from({ length: 20 }, (_, n) => letter(n, { reason: n % 2 ? "not-json" : "unknown-topic" })),
  )
  const { deadLetters } = app.ingest
  const ids = async (query: Parameters<typeof deadLetters.list>[0]) =>
    (await deadLetters.list(query)).map(({ id }) => Number(id.slice(-4)))
  expect(await ids({ limit: 3 })).toEqual([17, 18, 19])
  expect(await ids({ limit: 2, reason: "unknown-topic" })).toEqual([16, 18])
  expect(await ids({ limit: 2, id: letter(10).id.slice(0, -1) })).toEqual([18, 19])
})

test("more letters than fit one group are all replayed, each once, and those cut at the limit are left", async () => {
  const { app, settled } = await openPipeline()
  const whole = 2500
  await append(app, [
    ...Array.from({ length: whole }, (_, n) => letter(n)),
    letter(whole, { truncated: true }),
  ])
  const { deadLetters } = app.ingest
  expect(await deadLetters.replay({ limit: 10_000 }, "erika", startMs)).toEqual({
    replayed: whole,
    truncated: 1,
  })
  await settled()
  const times = await readTimes(app)
  expect(times).toHaveLength(whole)
  expect(new Set(times).size).toBe(whole)
  expect((await deadLetters.list({ limit: 10_000 })).map(({ id }) => id)).toEqual([letter(whole).id])
  const audited = (await app.audit.list(10)).filter(({ action }) => action === "dead-letters.replay")
  expect(audited.map(({ subject }) => Number.parseInt(subject, 10)).reduce((sum, one) => sum + one)).toBe(
    whole,
  )
})

test("a message that was kept once for each reason is sent once, also where a group ends between its letters", async () => {
  const { app, settled } = await openPipeline()
  const letters = Array.from({ length: 1500 }, (_, n) => [
    letter(2 * n, { arrivedMs: n, payload: payloadOf(n) }),
    letter(2 * n + 1, { arrivedMs: n, payload: payloadOf(n), reason: "not-a-number" }),
  ]).flat()
  // One more in front: a thousand letters then end with the first of a pair.
  await append(app, [letter(9999), ...letters])
  await app.ingest.deadLetters.replay({ limit: 10_000 }, "erika", startMs)
  await settled()
  expect(await readTimes(app)).toHaveLength(1501)
})

test("a replay where nothing is left says so", async () => {
  const { app } = await openPipeline()
  await expect(app.ingest.deadLetters.replay({ limit: 10 }, "erika", startMs)).rejects.toMatchObject({
    code: "NOT_FOUND",
  })
})

test("what is refused again is a new letter, and the old one is gone", async () => {
  const { app } = await openPipeline()
  const client = await connectRaw(app.ingest.port, "gateway")
  await client.publish([{ topic: "nobody/knows", payload: Buffer.from("1") }])
  await client.close()
  const { deadLetters } = app.ingest
  const [before] = await deadLetters.list({ limit: 10 })
  await deadLetters.replay({ limit: 10 }, "erika", startMs)
  const after = await deadLetters.list({ limit: 10 })
  expect(after).toHaveLength(1)
  expect(after[0]).toMatchObject({ topic: "nobody/knows", reason: before?.reason })
  expect(after[0]?.id).not.toBe(before?.id)
})

async function openPipeline(): Promise<Pipeline> {
  const pipeline = await startPipeline({})
  onTestFinished(() => pipeline.close())
  return pipeline
}

function append(app: Pipeline["app"], letters: readonly DeadLetter[]): Promise<void> {
  return app.log.append(
    topics.deadLetters,
    letters.map((value) => ({ key: value.topic, value })),
  )
}

async function readTimes(app: Pipeline["app"]): Promise<readonly number[]> {
  const times: number[] = []
  for await (const { value } of app.log.read(topics.telemetry))
    if (value.kind === "reading") times.push(value.atMs)
  return times
}

function payloadOf(n: number): string {
  return Buffer.from(JSON.stringify({ ts: startMs + n, temperature: n })).toString("base64")
}

/** The nth letter: a message that the pipeline takes, were it sent now. */
function letter(n: number, more: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
    reason: "unknown-asset",
    detail: "",
    topic: "v1/north/P-101/telemetry",
    payload: payloadOf(n),
    truncated: false,
    arrivedMs: startMs + n,
    ...more,
  }
}
