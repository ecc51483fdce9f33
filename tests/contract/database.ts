import { type Generated, type Kysely, type Migration, sql } from "kysely"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import type { Database } from "../../core/db/database.ts"
import { Positions } from "../../core/db/positions.ts"

/** A store of its own for one test. `open` may be called again after a close, and then finds the same data. */
export type DatabaseFixture = { open(): Promise<Database>; remove(): Promise<void> }

type Tables = {
  pump: {
    id: string
    site: string
    state: Generated<string>
    started_ms: number | null
    notes: string | null
  }
  counter: { id: string; value: number }
}

const migrations: Record<string, Migration> = {
  "001-pumps": {
    async up(db) {
      await db.schema
        .createTable("pump")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("site", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull().defaultTo("open"))
        .addColumn("started_ms", "bigint")
        .addColumn("notes", "text")
        .execute()
      await db.schema
        .createIndex("pump_open_per_site")
        .on("pump")
        .column("site")
        .unique()
        .where(sql.ref("state"), "=", sql.lit("open"))
        .execute()
    },
  },
  "002-counter": {
    async up(db) {
      await db.schema
        .createTable("counter")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("value", "bigint", (column) => column.notNull())
        .execute()
      // Runs again, this would be refused: the key is there.
      await db.insertInto("counter").values({ id: "one", value: 0 }).execute()
    },
  },
}

const storeFailed = { code: "STORE_FAILED" }

/** What every adapter of `Database` promises. */
export function databaseContract(name: string, create: () => Promise<DatabaseFixture>): void {
  describe(`a database on ${name}`, () => {
    let fixture: DatabaseFixture
    let database: Database
    let db: Kysely<Tables>

    async function open(): Promise<void> {
      database = await fixture.open()
      db = database.tables<Tables>()
    }

    beforeEach(async () => {
      fixture = await create()
      await open()
      await database.migrate("tests", migrations)
    })

    afterEach(async () => {
      await database.close()
      await fixture.remove()
    })

    const pumps = () => db.selectFrom("pump").select("id").orderBy("id").execute()
    const insert = (id: string, site = id) => db.insertInto("pump").values({ id, site })

    it("finds the data again after it was closed and opened", async () => {
      await insert("P-1").execute()
      await database.close()
      await open()
      expect(await pumps()).toEqual([{ id: "P-1" }])
    })

    it("runs each migration once, however often and by however many rooms it is asked to", async () => {
      const other: Record<string, Migration> = {
        "001-other": {
          async up(kysely) {
            await kysely.schema.createTable("other").addColumn("id", "text").execute()
          },
        },
      }
      await Promise.all([database.migrate("tests", migrations), database.migrate("other", other)])
      await database.close()
      await open()
      await database.migrate("other", other)
      await database.migrate("tests", migrations)
      expect(await db.selectFrom("counter").selectAll().execute()).toEqual([{ id: "one", value: 0 }])
    })

    it("runs only the migrations that are new", async () => {
      await database.migrate("tests", {
        ...migrations,
        "003-more": {
          async up(kysely) {
            await kysely.insertInto("counter").values({ id: "two", value: 2 }).execute()
          },
        },
      })
      expect(await db.selectFrom("counter").select("id").orderBy("id").execute()).toEqual([
        { id: "one" },
        { id: "two" },
      ])
    })

    it("leaves nothing of a migration that fails, and names the room and the migration", async () => {
      const failing: Record<string, Migration> = {
        "001-half": {
          async up(kysely) {
            await kysely.schema.createTable("half").addColumn("id", "text").execute()
            await kysely.insertInto("nowhere").values({ id: 1 }).execute()
          },
        },
      }
      await expect(database.migrate("halves", failing)).rejects.toMatchObject({
        code: "STORE_FAILED",
        message: expect.stringMatching(/halves.*001-half/s),
      })
      const tables = await db.introspection.getTables()
      expect(tables.map((table) => table.name)).not.toContain("half")
    })

    it("commits what a transaction wrote and gives its result back", async () => {
      const result = await database.transaction<Tables, string>(async (trx) => {
        await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
        return "written"
      })
      expect(result).toBe("written")
      expect(await pumps()).toEqual([{ id: "P-1" }])
    })

    it("takes everything back when a transaction throws", async () => {
      const broken = database.transaction<Tables, void>(async (trx) => {
        await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
        throw new Error("changed my mind")
      })
      await expect(broken).rejects.toThrow("changed my mind")
      expect(await pumps()).toEqual([])
    })

    it("takes everything back when a constraint fails inside a transaction", async () => {
      const broken = database.transaction<Tables, void>(async (trx) => {
        await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
        await trx.insertInto("pump").values({ id: "P-1", site: "south" }).execute()
      })
      await expect(broken).rejects.toMatchObject(storeFailed)
      expect(await pumps()).toEqual([])
    })

    it("fails a transaction with a failed statement even when the error was caught", async () => {
      const broken = database.transaction<Tables, void>(async (trx) => {
        await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
        const repeated = trx.insertInto("pump").values({ id: "P-1", site: "south" }).execute()
        await expect(repeated).rejects.toMatchObject(storeFailed)
        const later = trx.insertInto("pump").values({ id: "P-2", site: "south" }).execute()
        await expect(later).rejects.toMatchObject(storeFailed)
      })
      await expect(broken).rejects.toMatchObject(storeFailed)
      expect(await pumps()).toEqual([])
    })

    it("goes on after a failed transaction", async () => {
      const broken = database.transaction(() => Promise.reject(new Error("no")))
      await expect(broken).rejects.toThrow("no")
      await insert("P-1").execute()
      expect(await pumps()).toEqual([{ id: "P-1" }])
    })

    it("turns a repeated key into an update, or into nothing", async () => {
      await insert("P-1").execute()
      const ignored = await insert("P-1", "south")
        .onConflict((conflict) => conflict.column("id").doNothing())
        .executeTakeFirst()
      expect(ignored.numInsertedOrUpdatedRows).toBe(0n)
      await insert("P-1", "east")
        .onConflict((conflict) =>
          conflict.column("id").doUpdateSet((excluded) => ({ site: excluded.ref("excluded.site") })),
        )
        .execute()
      expect(await db.selectFrom("pump").select(["id", "site"]).execute()).toEqual([
        { id: "P-1", site: "east" },
      ])
    })

    it("gives back what an insert, update or delete returns", async () => {
      expect(await insert("P-1").returning(["id", "state"]).execute()).toEqual([{ id: "P-1", state: "open" }])
      const closed = db.updateTable("pump").set({ state: "closed" }).returning("state")
      expect(await closed.execute()).toEqual([{ state: "closed" }])
      expect(await db.deleteFrom("pump").returning("id").execute()).toEqual([{ id: "P-1" }])
    })

    it("counts the rows that an update or delete touched", async () => {
      await db
        .insertInto("pump")
        .values([
          { id: "P-1", site: "north" },
          { id: "P-2", site: "south" },
        ])
        .execute()
      const updated = await db.updateTable("pump").set({ notes: "greased" }).executeTakeFirst()
      expect(updated.numUpdatedRows).toBe(2n)
      const deleted = await db.deleteFrom("pump").where("id", "=", "P-1").executeTakeFirst()
      expect(deleted.numDeletedRows).toBe(1n)
    })

    it("holds a partial unique index only among the rows it is for", async () => {
      await insert("P-1", "north").execute()
      await expect(insert("P-2", "north").execute()).rejects.toMatchObject(storeFailed)
      await db.updateTable("pump").set({ state: "closed" }).where("id", "=", "P-1").execute()
      await insert("P-2", "north").execute()
      expect(await pumps()).toEqual([{ id: "P-1" }, { id: "P-2" }])
    })

    it("gives instants back as numbers, to the millisecond and before 1970", async () => {
      for (const [id, started_ms] of [
        ["P-1", 1_767_225_599_999],
        ["P-2", -1],
        ["P-3", Number.MAX_SAFE_INTEGER],
        ["P-4", null],
      ] as const) {
        await db.insertInto("pump").values({ id, site: id, started_ms }).execute()
        const row = await db.selectFrom("pump").select("started_ms").where("id", "=", id).executeTakeFirst()
        expect(row).toEqual({ started_ms })
      }
    })

    it("divides whole numbers as whole numbers", async () => {
      await db.insertInto("pump").values({ id: "P-1", site: "north", started_ms: 7 }).execute()
      const half = sql<number>`started_ms / ${2}`.as("half")
      expect(await db.selectFrom("pump").select(half).execute()).toEqual([{ half: 3 }])
    })

    it("keeps JSON text and every other text as it was given", async () => {
      const notes = JSON.stringify({ text: "Lager é 轴承 🛠 ' \" \\ \n", list: [1, null, true] })
      await db.insertInto("pump").values({ id: "P-1", site: "north", notes }).execute()
      const row = await db.selectFrom("pump").select("notes").executeTakeFirstOrThrow()
      expect(row.notes).toBe(notes)
    })

    it("loses no update of concurrent transactions", async () => {
      const increment = () =>
        database.transaction<Tables, void>(async (trx) => {
          const { value } = await trx.selectFrom("counter").select("value").executeTakeFirstOrThrow()
          await trx
            .updateTable("counter")
            .set({ value: value + 1 })
            .execute()
        })
      await Promise.all(Array.from({ length: 20 }, increment))
      expect(await db.selectFrom("counter").select("value").execute()).toEqual([{ value: 20 }])
    })

    it("shows a query beside a transaction nothing of what may still be taken back", async () => {
      let release = () => {}
      const held = new Promise<void>((resolve) => {
        release = resolve
      })
      const broken = database.transaction<Tables, void>(async (trx) => {
        await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
        release()
        throw new Error("changed my mind")
      })
      const seen = held.then(pumps)
      await expect(broken).rejects.toThrow("changed my mind")
      expect(await seen).toEqual([])
    })

    it("refuses a query beside the transaction around it, and says what to do", async () => {
      const nested = database.transaction(async () => {
        await pumps()
      })
      await expect(nested).rejects.toMatchObject({
        code: "NESTED_QUERY",
        message: expect.stringContaining("trx"),
      })
      const twice = database.transaction(() => database.transaction(async () => {}))
      await expect(twice).rejects.toMatchObject({ code: "NESTED_QUERY" })
      const migration = database.transaction(() => database.migrate("tests", migrations))
      await expect(migration).rejects.toMatchObject({ code: "NESTED_QUERY" })
      const closing = database.transaction(() => database.close())
      await expect(closing).rejects.toMatchObject({ code: "NESTED_QUERY" })
    })

    it("takes queries again from work that a transaction began and did not wait for", async () => {
      let release = () => {}
      const ended = new Promise<void>((resolve) => {
        release = resolve
      })
      const { later } = await database.transaction<Tables, { later: Promise<unknown> }>(async (trx) => {
        await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
        return { later: ended.then(pumps) }
      })
      release()
      expect(await later).toEqual([{ id: "P-1" }])
    })

    it("waits for running transactions before it closes", async () => {
      const written = database.transaction<Tables, void>(async (trx) => {
        await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
        await trx.insertInto("pump").values({ id: "P-2", site: "south" }).execute()
      })
      await database.close()
      await written
      await open()
      expect(await pumps()).toEqual([{ id: "P-1" }, { id: "P-2" }])
    })

    it("refuses queries after it was closed", async () => {
      await database.close()
      await expect(pumps()).rejects.toMatchObject(storeFailed)
      await expect(database.transaction(async () => {})).rejects.toMatchObject(storeFailed)
      await open()
    })

    describe("the positions of a stage", () => {
      let positions: Positions

      beforeEach(async () => {
        positions = new Positions(database, "workorders", "requests")
        await positions.migrate()
      })

      it("start at 0, are kept, and every claim has a higher epoch", async () => {
        const first = await positions.claim(3)
        expect(first).toEqual({ partition: 3, position: 0, epoch: 1 })
        await database.transaction((trx) => positions.save(trx, first, 42))
        expect(await positions.claim(3)).toEqual({ partition: 3, position: 42, epoch: 2 })
        expect(await positions.claim(4)).toEqual({ partition: 4, position: 0, epoch: 1 })
        const others = new Positions(database, "rules", "requests")
        expect(await others.claim(3)).toEqual({ partition: 3, position: 0, epoch: 1 })
      })

      it("refuse an older owner, and its transaction leaves nothing behind", async () => {
        const older = await positions.claim(0)
        const newer = await positions.claim(0)
        const late = database.transaction<Tables, void>(async (trx) => {
          await trx.insertInto("pump").values({ id: "P-1", site: "north" }).execute()
          await positions.save(trx, older, 7)
        })
        await expect(late).rejects.toMatchObject({ code: "OWNER_REPLACED" })
        expect(await pumps()).toEqual([])
        await database.transaction((trx) => positions.save(trx, newer, 5))
        expect(await positions.claim(0)).toMatchObject({ position: 5, epoch: 3 })
      })

      it("are saved of those partitions that are still owned, and it is told which", async () => {
        const claims = [await positions.claim(0), await positions.claim(1), await positions.claim(2)]
        await positions.claim(1)
        const reached = claims.map((claim) => ({ claim, position: 10 + claim.partition }))
        const save = (some: typeof reached) =>
          database.transaction<Tables, ReadonlySet<number>>((trx) => positions.saveOwned(trx, some))
        expect([...(await save(reached))].sort()).toEqual([0, 2])
        expect(await save([])).toEqual(new Set())
        const kept = [await positions.claim(0), await positions.claim(1), await positions.claim(2)]
        expect(kept.map(({ position }) => position)).toEqual([10, 0, 12])
      })

      it("are claimed by many at once, each with an epoch of its own", async () => {
        const claims = await Promise.all(Array.from({ length: 12 }, () => positions.claim(0)))
        expect(claims.map(({ epoch }) => epoch).sort((a, b) => a - b)).toEqual(
          Array.from({ length: 12 }, (_, at) => at + 1),
        )
      })
    })

    it("runs transactions of one queue one after the other, and others beside them", async () => {
      const running = new Set<number>()
      let most = 0
      let others = 0
      const queued = (n: number) =>
        database.transaction<Tables, void>(async (trx) => {
          running.add(n)
          most = Math.max(most, running.size)
          try {
            const { value } = await trx.selectFrom("counter").select("value").executeTakeFirstOrThrow()
            await trx
              .updateTable("counter")
              .set({ value: value + 1 })
              .execute()
          } finally {
            running.delete(n)
          }
        }, "counter")
      const other = (n: number) =>
        database.transaction<Tables, void>(async (trx) => {
          await trx
            .insertInto("pump")
            .values({ id: `P-${n}`, site: `${n}` })
            .execute()
          others += 1
        })
      await Promise.all(Array.from({ length: 10 }, (_, n) => [queued(n), other(n)]).flat())
      expect(most).toBe(1)
      expect(others).toBeGreaterThanOrEqual(10)
      expect(await db.selectFrom("counter").select("value").execute()).toEqual([{ value: 10 }])
      expect(await pumps()).toHaveLength(10)
    })

    it("fails a transaction whose queue is no table, and goes on", async () => {
      const wrong = database.transaction<Tables, number>(async () => 1, "nowhere" as "pump")
      // A file has no need of the queue and so does not look for it.
      await wrong.catch((error: unknown) => expect(error).toMatchObject(storeFailed))
      await insert("P-1").execute()
      expect(await pumps()).toEqual([{ id: "P-1" }])
    })
  })
}
