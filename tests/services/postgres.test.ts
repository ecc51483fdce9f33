import { describe, expect, test } from "vitest"
import { type Clock, systemClock } from "../../core/clock.ts"
import { administer } from "./own-database.ts"
import { increment, migrate, ownTables, type Tables, value } from "./postgres-setup.ts"

const { url, open, lines, forget } = ownTables()

describe("transactions of several processes", () => {
  // Nearly all: the server gives a table back a moment before it forgets what the transaction has read.
  test("lose no update, and a queue spares them nearly all clashes", async () => {
    const all = [await open(), await open(), await open()]
    const [first] = all
    if (first === undefined) throw new Error("there are three")
    await migrate(first)
    const clashesOf = async (queue?: keyof Tables) => {
      forget()
      await Promise.all(
        all.flatMap((database) => Array.from({ length: 10 }, () => increment(database, queue).done())),
      )
      return lines.filter(({ msg }) => msg.includes("another one was in its way")).length
    }
    const queued = await clashesOf("counter")
    expect(await value(first)).toBe(30)
    const free = await clashesOf()
    expect(await value(first)).toBe(60)
    expect(free).toBeGreaterThan(10)
    expect(queued * 5).toBeLessThan(free)
  })

  test("that clash every time give up with STORE_FAILED", async () => {
    const database = await open({ random: () => 0 })
    const other = await open()
    await migrate(database)
    const { runs, done } = increment(database)
    runs.between = async () => {
      await administer(url(), "update counter set value = value + 1")
    }
    await expect(done()).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringContaining(`in the way ${runs.count || 40} times`),
    })
    expect(runs.count).toBe(40)
    expect(await value(other)).toBe(40)
  })

  test("run again after a pause also during a shutdown", async () => {
    const stop = new AbortController()
    let cutShort = 0
    const clock: Clock = {
      now: systemClock.now,
      sleep(ms, signal) {
        if (signal?.aborted) cutShort += 1
        return systemClock.sleep(ms, signal)
      },
    }
    const database = await open({ clock, signal: stop.signal })
    await migrate(database)
    const { runs, done } = increment(database)
    runs.between = async () => {
      stop.abort()
      if (runs.count <= 3) await administer(url(), "update counter set value = value + 1")
    }
    expect(await done()).toBe("done")
    expect(runs.count).toBe(4)
    expect(cutShort).toBe(0)
  })

  test("run again also where the work made another error of the clash, or none", async () => {
    const database = await open()
    await migrate(database)
    let runs = 0
    for (const rethrow of [true, false]) {
      runs = 0
      await database.transaction<Tables, void>(async (trx) => {
        runs += 1
        await trx.selectFrom("counter").select("value").execute()
        if (runs === 1) await administer(url(), "update counter set value = value + 1")
        try {
          await trx
            .updateTable("counter")
            .set({ note: `${rethrow}` })
            .execute()
        } catch (error) {
          if (rethrow) throw new Error("something else", { cause: error })
        }
      })
      expect(runs).toBe(2)
      const db = database.tables<Tables>()
      expect(await db.selectFrom("counter").select("note").execute()).toEqual([{ note: `${rethrow}` }])
    }
  })
})

test("text with a NUL, which PostgreSQL can't keep, stops nobody", async () => {
  const database = await open()
  await migrate(database)
  const db = database.tables<Tables>()
  await db.updateTable("counter").set({ note: "a\0b" }).execute()
  expect(await db.selectFrom("counter").select("note").execute()).toEqual([{ note: "a\ufffdb" }])
})

test("what pg makes of types elsewhere in the process stays as it was", async () => {
  const database = await open()
  await migrate(database)
  expect(await value(database)).toBe(0)
  expect(await administer(url(), "select 1::int8 as one")).toEqual([{ one: "1" }])
})

test("a URL that is none is told without its password", async () => {
  const error = await open({ url: "postgres://me:secret@[/nowhere" }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: "CONFIG_INVALID" })
  expect(String(error)).not.toContain("secret")
})
