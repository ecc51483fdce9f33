import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { expect, onTestFinished, test } from "vitest"
import { Positions } from "../../core/db/positions.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { partitionOf } from "../../core/log/partition.ts"
import { topics } from "../../core/topics.ts"
import { Announcer } from "../../ingest/announcer.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { giveAndTake, oddAndOther } from "../takeover.ts"
import { detectionOf } from "./detection.ts"

test("when another process takes a partition over, the others are said on, and so is that once it comes back", async () => {
  const directory = await mkdtemp(join(tmpdir(), "millwright-announcer-"))
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(join(directory, "log.db"), { partitions: 4, clock, lingerMs: 0 })
  const database = await openDatabase(join(directory, "plant.db"))
  onTestFinished(async () => {
    await Promise.all([log.close(), database.close()])
    await rm(directory, { recursive: true })
  })
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line) => warnings.push(line) })
  const said: string[] = []
  let heard = () => {}
  const announcer = new Announcer(
    { log, database, clock, logger },
    {
      async publish(topic, payload) {
        said.push(`${topic} ${JSON.parse(payload).sequence}`)
        heard()
      },
    },
  )
  const saidAtLast = async (what: string) => {
    while (said.at(-1) !== what) {
      await new Promise<void>((resolve) => {
        heard = resolve
      })
    }
  }
  const send = async (asset: string, sequence: number) => {
    await log.append(topics.detections, [{ key: asset, value: detectionOf(sequence, { asset }) }])
    // Positions are saved with the first records after a second.
    await clock.advance(1000)
  }

  await announcer.prepare()
  await announcer.start()
  const [lost, kept] = oddAndOther(["P-101", "P-102", "P-103"], log.partitions)
  const positions = new Positions(database, "announcer", topics.detections.name)
  await positions.claim(partitionOf(lost, log.partitions))
  await send(lost, 1)
  while (warnings.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await send(lost, 2)
  await send(kept, 3)
  await saidAtLast(`v1/north/${kept}/detections 3`)
  await giveAndTake(log, topics.detections, "announcer")
  await saidAtLast(`v1/north/${lost}/detections 2`)
  expect(said).toEqual([
    `v1/north/${lost}/detections 1`,
    `v1/north/${kept}/detections 3`,
    `v1/north/${lost}/detections 1`,
    `v1/north/${lost}/detections 2`,
  ])
  await announcer.close()
  await announcer.done
  expect(await positions.claim(partitionOf(lost, log.partitions))).toMatchObject({ position: 2 })
})
