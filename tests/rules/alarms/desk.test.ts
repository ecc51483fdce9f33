import { expect, test } from "vitest"
import { topics } from "../../../core/topics.ts"
import { telemetryRecord } from "../../../core/vocabulary.ts"
import { scratch } from "../plant-files.ts"
import { open } from "./setup.ts"
import { id, minute, startMs, step } from "./steps.ts"

const day = 24 * 60 * minute
const act = (actor: string, reason = "on my way") => ({
  actor,
  reason,
  atMs: startMs + 5 * minute,
  arrivedMs: startMs + 6 * minute,
})

/** One incident of two episodes on P1, and another that has ended. */
async function plant() {
  const opened = await open(scratch())
  await opened.stage.start()
  await opened.send([
    step(1, 0),
    step(2, 1, { incident: id(1), asset: "P1", rule: "bearing-temperature" }),
    step(3, 2),
    step(3, 3, { kind: "cleared", sequence: 1 }),
  ])
  await opened.settled()
  return opened
}

test("an incident is acknowledged with all that is open of it, under the asset's key and with a trace", async () => {
  const { stage, actions, audit, log, close } = await plant()
  const done = await stage.acknowledge(id(1), act("jonas"))
  expect(done).toEqual({ incident: id(1), asset: "P1", episodes: [id(1), id(2)] })
  expect(await actions()).toEqual([
    {
      kind: "action",
      action: "acknowledge",
      site: "north",
      asset: "P1",
      episode: id(1),
      ...act("jonas"),
    },
  ])
  for (const action of await actions()) expect(telemetryRecord.parse(action)).toEqual(action)
  for await (const { key } of log.read(topics.telemetry)) expect(key).toBe("P1")
  expect(await audit.list(5)).toMatchObject([
    {
      actor: "jonas",
      action: "alarms.acknowledge",
      subject: "P1 vibration",
      detail: expect.stringContaining("on my way"),
    },
  ])
  await close()
})

test("one episode of an incident is acknowledged by itself, by the start of its id", async () => {
  const { stage, actions, close } = await plant()
  const done = await stage.acknowledge(id(2).slice(0, 10), act("jonas"))
  expect(done.episodes).toEqual([id(2)])
  expect(await actions()).toMatchObject([{ episode: id(2) }])
  await close()
})

test("what is acknowledged already asks nothing of the rules", async () => {
  const { stage, actions, audit, send, settled, close } = await plant()
  const more = { kind: "acknowledged", sequence: 1, actor: "erika" } as const
  await send([step(1, 4, more), step(2, 4, { ...more, incident: id(1), asset: "P1" })])
  await settled()
  expect((await stage.acknowledge(id(1), act("jonas"))).episodes).toEqual([])
  expect(await actions()).toEqual([])
  expect(await audit.list(5)).toEqual([])
  await close()
})

test("a rule is shelved on an asset until a time, listed so, and taken off again", async () => {
  const { stage, actions, audit, close } = await plant()
  const target = { rule: "vibration", asset: "P1" }
  const untilMs = startMs + 5 * minute + 8 * 60 * minute
  expect(await stage.shelve({ ...target, forMs: 8 * 60 * minute }, act("erika", "loose sensor"))).toEqual({
    ...target,
    untilMs,
  })
  const shelved = async (nowMs: number) => (await stage.list({}, nowMs)).shelved
  expect(await shelved(startMs + 10 * minute)).toEqual([
    { ...target, site: "north", untilMs, by: "erika", reason: "loose sensor" },
  ])
  expect(await shelved(untilMs)).toEqual([])
  // Once more is until then instead.
  await stage.shelve({ ...target, forMs: day }, act("erika", "part is ordered"))
  expect(await shelved(startMs + 10 * minute)).toMatchObject([{ reason: "part is ordered" }])
  expect(await stage.unshelve(target, act("erika", "mended"))).toMatchObject({ wasShelved: true })
  expect(await stage.unshelve(target, act("erika", "mended"))).toMatchObject({ wasShelved: false })
  expect(await shelved(startMs + 10 * minute)).toEqual([])
  const sent = await actions()
  expect(sent.map(({ action }) => action)).toEqual(["shelve", "shelve", "unshelve", "unshelve"])
  expect(sent[0]).toMatchObject({ ...target, site: "north", untilMs, reason: "loose sensor" })
  for (const action of sent) expect(telemetryRecord.parse(action)).toEqual(action)
  const trace = await audit.list(9)
  expect(trace[2]?.detail).toBe("part is ordered (for 24 h, until 2026-01-02 00:05 UTC)")
  expect(trace.map(({ action }) => action)).toEqual([
    "alarms.unshelve",
    "alarms.unshelve",
    "alarms.shelve",
    "alarms.shelve",
  ])
  await close()
})

test("what can't be done is refused with what would do, and leaves no trace", async () => {
  const { stage, actions, audit, close } = await plant()
  const target = { rule: "vibration", asset: "P1", forMs: day }
  const refused = async (work: Promise<unknown>, code: string, text: string) =>
    expect(work).rejects.toMatchObject({ code, message: expect.stringContaining(text) })
  await refused(stage.acknowledge(id(1), act("rita")), "NOT_ALLOWED", "technician, planner, engineer")
  await refused(stage.shelve(target, act("jonas")), "NOT_ALLOWED", "engineer, supervisor, admin")
  await refused(stage.unshelve(target, act("jonas")), "NOT_ALLOWED", "engineer, supervisor, admin")
  await refused(stage.acknowledge(id(8), act("jonas")), "NOT_FOUND", "there is no alarm")
  await refused(stage.acknowledge(id(3), act("jonas")), "USAGE", "has ended")
  await refused(stage.acknowledge(id(1), act("jonas", " ")), "USAGE", "expected a reason")
  await refused(stage.shelve(target, act("erika", "x".repeat(501))), "USAGE", "got 501")
  await refused(stage.shelve({ ...target, forMs: 31 * day }, act("erika")), "USAGE", "at most 30 d, got 31 d")
  await refused(stage.shelve({ ...target, forMs: 0 }, act("erika")), "USAGE", "at most 30 d")
  await refused(stage.shelve({ ...target, asset: "P7" }, act("erika")), "NOT_FOUND", 'no asset "P7"')
  await refused(
    stage.shelve({ ...target, rule: "heat" }, act("erika")),
    "NOT_FOUND",
    'no rule "heat" for P1: expected one of vibration',
  )
  await refused(stage.shelve({ ...target, asset: "F1" }, act("erika")), "USAGE", "is not for asset")
  expect(await actions()).toEqual([])
  expect(await audit.list(5)).toEqual([])
  await close()
})

test("names that nothing has are told, so that a slip is not taken for a quiet plant", async () => {
  const { stage, send, settled, close } = await plant()
  const refused = (work: Promise<unknown>, text: string) =>
    expect(work).rejects.toMatchObject({ code: "NOT_FOUND", message: expect.stringContaining(text) })
  await refused(stage.list({ asset: "P-1" }, startMs), 'no asset "P-1"')
  await refused(
    stage.list({ site: "nord" }, startMs),
    'no site "nord" in the plant: expected one of north, south, east',
  )
  const span = { fromMs: startMs, toMs: startMs + day }
  await refused(stage.report({ site: "nord", ...span }), 'no site "nord"')
  expect(await stage.report({ site: "south", ...span })).toMatchObject([{ site: "south", alarms: 0 }])
  expect((await stage.list({ asset: "F1" }, startMs)).alarms).toEqual([])
  // Of an asset that has left the plant file there may be alarms still.
  await send([
    step(4, 5, { site: "west", asset: "P9" }),
    step(4, 6, { site: "west", asset: "P9", kind: "cleared", sequence: 1 }),
  ])
  await settled()
  expect((await stage.list({ asset: "P9" }, startMs)).alarms).toEqual([])
  expect((await stage.list({ site: "west" }, startMs)).alarms).toEqual([])
  await close()
})
