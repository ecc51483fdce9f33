import { describe, expect, inject, onTestFinished, test } from "vitest"
import { systemClock } from "../../core/clock.ts"
import { freePort } from "../../services/port.ts"
import { startPostgres } from "../../services/postgres.ts"
import { administer } from "./own-database.ts"
import { migrate, ownTables, value } from "./postgres-setup.ts"

const { url, open, lines, errors } = ownTables()

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
    const role = `limited_${url().slice(-8)}`
    await administer(url(), `create role ${role} login password 'limited' connection limit 0`)
    onTestFinished(async () => {
      await administer(url(), `drop role ${role}`)
    })
    const limited = changed((at) => {
      at.username = role
      at.search = new URL(url()).search
    })
    await expect(open({ url: limited, password: "limited", waits: false })).rejects.toMatchObject({
      code: "SERVER_UNREACHABLE",
      message: expect.stringMatching(/no connection left: .* Lower postgres.connections/),
    })
    await administer(url(), `alter role ${role} connection limit -1`)
    const schema = new URL(url()).searchParams.get("options")?.split("=").at(-1) ?? ""
    await administer(url(), `grant usage on schema ${schema} to ${role}`)
    await expect(open({ url: limited, password: "limited", waits: false })).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringMatching(/permission denied .* must be allowed to create/),
    })
  })

  test("a password from elsewhere takes the place of the URL's, whatever is in it", async () => {
    const role = `secretive_${url().slice(-8)}`
    const password = "p@ss:w/o%rd'?#&"
    await administer(url(), `create role ${role} login superuser password '${password.replace("'", "''")}'`)
    const at = new URL(url())
    at.username = role
    const database = await open({ url: at.href, password })
    expect(database.reach.state).toBe("running")
    await database.close()
    await administer(url(), `drop owned by ${role}; drop role ${role}`)
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
