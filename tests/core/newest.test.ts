import { rm } from "node:fs/promises"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { Log } from "../../core/log/log.ts"
import { newest } from "../../core/newest.ts"
import { topics } from "../../core/topics.ts"
import type { DetectionRecord } from "../../core/vocabulary.ts"
import { ManualClock } from "../manual-clock.ts"
import { scratchDirectory } from "../pipeline.ts"

const count = 50_000

test("the newest are found from the end, oldest first, without reading the rest of the topic", async () => {
  const log = await filledLog()
  const { counted, read } = counting(log)
  const found = await newest(counted, topics.detections, 3, ({ value }) =>
    value.atMs % 2 === 0 ? value.atMs : undefined,
  )
  expect(found).toEqual([count - 6, count - 4, count - 2])
  expect(read()).toBeLessThan(count / 5)
})

test("the whole topic is read once where too little fits", async () => {
  const log = await filledLog()
  const { counted, read } = counting(log)
  const found = await newest(counted, topics.detections, 3, ({ value }) =>
    value.atMs === 7 || value.atMs === 40_000 ? value.atMs : undefined,
  )
  expect(found).toEqual([7, 40_000])
  expect(read()).toBe(count)
})

async function filledLog(): Promise<EmbeddedLog> {
  const directory = await scratchDirectory()
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, "log.sqlite")
  const log = await EmbeddedLog.open(path, { partitions: 4, clock: new ManualClock(), lingerMs: 0 })
  onTestFinished(() => log.close())
  await log.append(
    topics.detections,
    Array.from({ length: count }, (_, atMs) => {
      const value: DetectionRecord = {
        kind: "maintained",
        site: "s",
        asset: `a${atMs % 9}`,
        component: "c",
        atMs,
      }
      return { key: value.asset, value }
    }),
  )
  return log
}

/** The same log, which counts what is read of it. */
function counting(log: Log): { readonly counted: Log; readonly read: () => number } {
  let records = 0
  const counted: Log = Object.create(log, {
    read: {
      async *value(...parts: Parameters<Log["read"]>) {
        for await (const record of log.read(...parts)) {
          records += 1
          yield record
        }
      },
    },
  })
  return { counted, read: () => records }
}
