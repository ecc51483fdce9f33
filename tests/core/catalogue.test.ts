import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { topics } from "../../core/topics.ts"
import { ManualClock } from "../manual-clock.ts"
import { announced } from "../scheduler/setup.ts"
import { behind } from "../takeover.ts"

test("a revision that a saved state goes by is read where following is behind; without it nobody goes on", async () => {
  const directory = await mkdtemp(join(tmpdir(), "catalogue-"))
  onTestFinished(() => rm(directory, { recursive: true }))
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 4, clock, lingerMs: 0 })
  onTestFinished(() => log.close())
  const catalogue = new Catalogue(behind(log))
  await catalogue.start()
  const revisions = announced([
    { effectiveMs: 0, plant: {} },
    { effectiveMs: 1000, plant: {} },
  ])
  await log.append(
    topics.catalogue,
    revisions.map((value) => ({ key: value.plant, value })),
  )
  expect(catalogue.newest()).toBeUndefined()
  await catalogue.readUpTo(2)
  expect(catalogue.newest()?.number).toBe(2)
  expect(catalogue.at(999)?.number).toBe(1)
  await expect(catalogue.readUpTo(3)).rejects.toMatchObject({
    code: "LOG_LOST",
    message: expect.stringContaining("goes by revision 3 of the plant, the log has only 2"),
  })
})
