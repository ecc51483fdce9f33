import pg from "pg"
import { pino } from "pino"
import { beforeEach, describe, expect, inject, onTestFinished, test } from "vitest"
import { type Clock, systemClock } from "../../core/clock.ts"
import type { Database } from "../../core/db/database.ts"
import { openPostgresDatabase, type PostgresOptions } from "../../core/db/postgres.ts"
import { freePort } from "../../services/port.ts"
import { startPostgres } from "../../services/postgres.ts"
import { administer, ownDatabase } from "./own-database.ts"
import { type CuttingProxy, startProxy } from "./proxy.ts"

type Tables = { counter: { id: string; value: number; note?: string } }

type Line = { readonly level: number; readonly msg: string }
let lines: Line[]
let url: string

beforeEach(async () => {
  lines = []
  const own = await ownDatabase()
  url = own.url
  return own.remove
})

const errors = () => lines.filter(({ level }) => level >= 50).map(({ msg }) => msg)

async function open(options: Partial<PostgresOptions> = {}) {
  const database = await openPostgresDatabase({
    url,
    connections: 4,
    clock: systemClock,
    logger: pino({ level: "debug" }, { write: (line) => lines.push(JSON.parse(line)) }),
    ...options,
  })
  onTestFinished(() => database.close())
  return database
}

async function migrate(database: Database): Promise<void> {
  await database.migrate("tests", {
    "001-counter": {
      async up(db) {
        await db.schema
          .createTable("counter")
          .addColumn("id", "text", (column) => column.primaryKey())
          .addColumn("value", "bigint", (column) => column.notNull())
          .addColumn("note", "text")
          .execute()
        await db.insertInto("counter").values({ id: "one", value: 0 }).execute()
      },
    },
  })
}

async function value(database: Database): Promise<number> {
  const db = database.tables<Tables>()
  return (await db.selectFrom("counter").select("value").executeTakeFirstOrThrow()).value
}

/** Adds one, and counts how often it was asked to. */
function increment(database: Database, queue?: keyof Tables) {
  const runs = { count: 0, between: async () => {} }
  const done = () =>
    database.transaction<Tables, string>(async (trx) => {
      runs.count += 1
      const { value: before } = await trx.selectFrom("counter").select("value").executeTakeFirstOrThrow()
      await runs.between()
      await trx
        .updateTable("counter")
        .set({ value: before + 1 })
        .execute()
      return "done"
    }, queue)
  return { runs, done }
}

describe("a commit whose answer is lost", () => {
  let proxy: CuttingProxy
  let database: Database
  const isCommit = (sent: Buffer) => sent.includes("commit\0")
  const isQuestion = (sent: Buffer) => sent.includes("returning number")

  beforeEach(async () => {
    const through = new URL(url)
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
    through = new URL(url)
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
    const holder = new pg.Client(url)
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
      lines = []
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
      url,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name = 'millwright' and pid <> pg_backend_pid()`,
    )
    expect(await Promise.all(Array.from({ length: 4 }, () => value(database)))).toEqual([0, 0, 0, 0])
    expect(await increment(database).done()).toBe("done")
  })
})

describe("at the start", () => {
  test("a server that is not there yet is waited for, with one line that says what to do", async () => {
    const server = await startPostgres()
    onTestFinished(() => server.dispose())
    await server.stop()
    const met: string[] = []
    const opening = open({ url: server.url, meets: ({ name, state }) => met.push(`${name} ${state}`) })
    while (errors().length === 0) await systemClock.sleep(10)
    expect(met).toEqual(["PostgreSQL connecting"])
    expect(errors()).toEqual([
      expect.stringMatching(/can't be used: nothing listens there .*Start it, or set the right address/),
    ])
    await server.start()
    expect((await opening).reach.state).toBe("running")
  })

  test("the wait ends with the signal", async () => {
    const stop = new AbortController()
    const nowhere = `postgres://millwright@127.0.0.1:${await freePort()}/millwright`
    const refused = expect(open({ url: nowhere, signal: stop.signal })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
    })
    while (errors().length === 0) await systemClock.sleep(10)
    stop.abort()
    await refused
  })

  const changed = (change: (at: URL) => void) => {
    const at = new URL(inject("servers").postgres)
    change(at)
    return at.href
  }

  test.each([
    {
      what: "a wrong password",
      change: (at: URL) => {
        at.password = "guessed"
      },
      says: /the password of the user "\w+" is wrong \(28P01\)\. Set the right one/,
    },
    {
      what: "no password",
      change: (at: URL) => {
        at.password = ""
      },
      says: /it asks for a password of the user "\w+", and none is set/,
    },
    {
      what: "a user that is not there",
      change: (at: URL) => {
        at.username = "nobody"
      },
      says: /the password of the user "nobody" is wrong/,
    },
    {
      what: "a database that is not there",
      change: (at: URL) => {
        at.pathname = "nowhere"
      },
      says: /there is no database "nowhere" \(3D000\)\. Create it: createdb --owner \w+ nowhere/,
    },
    {
      what: "a host that is not there",
      change: (at: URL) => {
        at.hostname = "no-such-host.invalid"
      },
      says: /no such host|can't be looked up/,
    },
    {
      what: "TLS that the server does not speak",
      change: (at: URL) => {
        at.searchParams.set("sslmode", "verify-full")
      },
      says: /TLS does not come about: .* Check postgres.ca/,
    },
  ])("$what is told with what to do, and no password", async ({ change, says }) => {
    const opening = open({ url: changed(change), waits: false })
    const error = await opening.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: "SERVER_UNREACHABLE", message: expect.stringMatching(says) })
    const { password } = new URL(inject("servers").postgres)
    expect(String(error)).not.toContain(password)
    expect(String(error)).not.toContain("guessed")
    expect(JSON.stringify(lines)).not.toContain(password)
  })

  test("too many connections and a role that may not make tables are told", async () => {
    const role = `limited_${url.slice(-8)}`
    await administer(url, `create role ${role} login password 'limited' connection limit 0`)
    onTestFinished(async () => {
      await administer(url, `drop role ${role}`)
    })
    const limited = changed((at) => {
      at.username = role
      at.search = new URL(url).search
    })
    await expect(open({ url: limited, password: "limited", waits: false })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringMatching(/no connection left: .* Lower postgres.connections/),
    })
    await administer(url, `alter role ${role} connection limit -1`)
    const schema = new URL(url).searchParams.get("options")?.split("=").at(-1) ?? ""
    await administer(url, `grant usage on schema ${schema} to ${role}`)
    await expect(open({ url: limited, password: "limited", waits: false })).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/permission denied .* must be allowed to create/),
    })
  })

  test("a password from elsewhere takes the place of the URL's, whatever is in it", async () => {
    const role = `secretive_${url.slice(-8)}`
    const password = "p@ss:w/o%rd'?#&"
    await administer(url, `create role ${role} login superuser password '${password.replace("'", "''")}'`)
    const at = new URL(url)
    at.username = role
    const database = await open({ url: at.href, password })
    expect(database.reach.state).toBe("running")
    await database.close()
    await administer(url, `drop owned by ${role}; drop role ${role}`)
  })

  test("several processes bring the tables up to date together", async () => {
    const all = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const database = await open()
        await Promise.all([migrate(database), database.migrate("more", {})])
        return database
      }),
    )
    expect(await Promise.all(all.map(value))).toEqual([0, 0, 0, 0, 0, 0])
  })
})

describe("transactions of several processes", () => {
  // Nearly all: the server gives a table back a moment before it forgets what the transaction has read.
  test("lose no update, and a queue spares them nearly all clashes", async () => {
    const all = [await open(), await open(), await open()]
    const [first] = all
    if (first === undefined) throw new Error("there are three")
    await migrate(first)
    const clashesOf = async (queue?: keyof Tables) => {
      lines.length = 0
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
      await administer(url, "update counter set value = value + 1")
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
      if (runs.count <= 3) await administer(url, "update counter set value = value + 1")
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
        if (runs === 1) await administer(url, "update counter set value = value + 1")
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
  expect(await administer(url, "select 1::int8 as one")).toEqual([{ one: "1" }])
})

test("a URL that is none is told without its password", async () => {
  const error = await open({ url: "postgres://me:secret@[/nowhere" }).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: "CONFIG_INVALID" })
  expect(String(error)).not.toContain("secret")
})
