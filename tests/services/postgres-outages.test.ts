import pg from "pg"
import { beforeEach, describe, expect, onTestFinished, test } from "vitest"
import { systemClock } from "../../core/clock.ts"
import type { Database } from "../../core/db/database.ts"
import { startPostgres } from "../../services/postgres.ts"
import { administer } from "./own-database.ts"
import { increment, migrate, ownTables, value } from "./postgres-setup.ts"
import { type CuttingProxy, startProxy } from "./proxy.ts"

const { url, open, lines, errors, forget } = ownTables()

describe("a commit whose answer is lost", () => {
  let proxy: CuttingProxy
  let database: Database
  const isCommit = (sent: Buffer) => sent.includes("commit\0")
  const isQuestion = (sent: Buffer) => sent.includes("returning number")

  beforeEach(async () => {
    const through = new URL(url())
    proxy = await startProxy(Number(through.port))
    through.port = String(proxy.port)
    database = await open({ url: through.href })
    await migrate(database)
    return () => proxy.close()
  })

  test("was made: it is not made again", async () => {
    const { runs, done } = increment(database)
    proxy.decide((sent) => (isCommit(sent) ? "lose-answer" : "pass"))
    expect(await done()).toBe("done")
    proxy.decide(() => "pass")
    expect(await value(database)).toBe(1)
    expect(runs.count).toBe(1)
  })

  test("never arrived: the transaction runs again", async () => {
    const { runs, done } = increment(database)
    let lost = 0
    proxy.decide((sent) => (isCommit(sent) && lost++ === 0 ? "lose" : "pass"))
    expect(await done()).toBe("done")
    expect(await value(database)).toBe(1)
    expect(runs.count).toBe(2)
  })

  test.each([0, 1])("is still on its way: whoever asks waits for it, after %i others", async (others) => {
    for (let at = 0; at < others; at++) await increment(database).done()
    const { runs, done } = increment(database)
    proxy.decide((sent) => {
      if (isCommit(sent)) return "hold"
      if (isQuestion(sent)) setImmediate(() => proxy.release())
      return "pass"
    })
    expect(await done()).toBe("done")
    proxy.decide(() => "pass")
    expect(await value(database)).toBe(others + 1)
    expect(runs.count).toBe(1)
  })

  test("is no reason to hang for who closes meanwhile, nor is a server that says nothing", async () => {
    const { done } = increment(database)
    const refused = expect(done()).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
    const held = new Promise<void>((resolve) => {
      proxy.decide((sent) => {
        if (!isQuestion(sent)) return isCommit(sent) ? "lose" : "pass"
        resolve()
        // The answer never comes: the server is there and says nothing.
        return "lose-answer"
      })
    })
    await held
    proxy.decide(() => "hold")
    await database.close()
    await refused
  })
})

describe("a server that says nothing", () => {
  const answerMs = 500
  let proxy: CuttingProxy
  let through: URL

  beforeEach(async () => {
    through = new URL(url())
    proxy = await startProxy(Number(through.port))
    through.port = String(proxy.port)
    return () => proxy.close()
  })

  test("is given up for another connection, is told, and delays a query only", async () => {
    const database = await open({ url: through.href, answerMs })
    await migrate(database)
    let swallowed = 0
    proxy.decide((sent) => (sent.includes('from "counter"') && swallowed++ === 0 ? "swallow" : "pass"))
    expect(await value(database)).toBe(0)
    expect(swallowed).toBe(2)
    expect(errors()).toEqual([
      expect.stringMatching(/^PostgreSQL at .* can't be used: it does not answer\. Check the address/),
    ])
    expect(database.reach.state).toBe("running")
  })

  test("nor to a commit: the transaction is made once", async () => {
    const database = await open({ url: through.href, answerMs })
    await migrate(database)
    const { runs, done } = increment(database)
    let swallowed = 0
    proxy.decide((sent) => (sent.includes("commit\0") && swallowed++ === 0 ? "swallow" : "pass"))
    expect(await done()).toBe("done")
    expect(await value(database)).toBe(1)
    expect(runs.count).toBe(2)
  })

  test("keeps nobody who closes, and no command", async () => {
    const waiting = await open({ url: through.href, answerMs })
    const hasty = await open({ url: through.href, answerMs, waits: false })
    await migrate(waiting)
    proxy.decide(() => "swallow")
    await expect(value(hasty)).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
    const refused = expect(value(waiting)).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
    while (errors().length === 0) await systemClock.sleep(10)
    await Promise.all([waiting.close(), hasty.close()])
    await refused
  })

  test("is not meant where others bring the tables up to date and it takes longer", async () => {
    const holder = new pg.Client(url())
    await holder.connect()
    onTestFinished(() => holder.end())
    await holder.query("select pg_advisory_lock(4771203116)")
    const opening = open({ answerMs })
    const longWaiting = `select pid from pg_stat_activity where wait_event = 'advisory'
      and now() - query_start > interval '${2 * answerMs} milliseconds'`
    while ((await holder.query(longWaiting)).rows.length === 0 && errors().length === 0)
      await systemClock.sleep(10)
    await holder.query("select pg_advisory_unlock(4771203116)")
    expect((await opening).reach.state).toBe("running")
    expect(errors()).toEqual([])
  })
})

describe("a server that goes away", () => {
  test("and comes back, by a stop or a kill: what was begun is done once, and it is told once", async () => {
    const server = await startPostgres()
    onTestFinished(() => server.dispose())
    const database = await open({ url: server.url })
    await migrate(database)
    for (const [at, end] of [server.stop, server.kill].entries()) {
      forget()
      const { runs, done } = increment(database)
      let ended: Promise<void> | undefined
      runs.between = async () => {
        ended ??= end()
        await ended
      }
      const result = done()
      while (errors().length === 0) await systemClock.sleep(10)
      expect(database.reach.isReached).toBe(false)
      expect(database.reach.state).toMatch(/^not usable at 127.0.0.1:/)
      await server.start()
      expect(await result).toBe("done")
      expect(await value(database)).toBe(at + 1)
      expect(runs.count).toBe(2)
      expect(errors()[0]).toMatch(/^PostgreSQL at 127.0.0.1:\d+\/\w+ can't be used: .*\. Trying again$/)
      expect(new Set(errors()).size).toBe(errors().length)
      expect(lines.filter(({ msg }) => msg === "PostgreSQL answers again")).toHaveLength(1)
      expect(database.reach.state).toBe("running")
    }
  })

  test("keeps nobody who closes or who does not want to wait", async () => {
    const server = await startPostgres()
    onTestFinished(() => server.dispose())
    const waiting = await open({ url: server.url })
    const hasty = await open({ url: server.url, waits: false })
    await migrate(waiting)
    await server.kill()
    await expect(value(hasty)).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringMatching(/Start it, or set the right address|See its own log/),
    })
    await hasty.close()
    const refused = Promise.all(
      [value(waiting), increment(waiting).done()].map((asked) =>
        expect(asked).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" }),
      ),
    )
    while (errors().length === 0) await systemClock.sleep(10)
    await waiting.close()
    await refused
  })

  test("while nobody asks it is noticed by the next one only, who never hears of it", async () => {
    const database = await open()
    await migrate(database)
    await Promise.all(Array.from({ length: 4 }, () => value(database)))
    await administer(
      url(),
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'millwright' and pid <> pg_backend_pid()`,
    )
    expect(await Promise.all(Array.from({ length: 4 }, () => value(database)))).toEqual([0, 0, 0, 0])
    expect(await increment(database).done()).toBe("done")
  })
})
