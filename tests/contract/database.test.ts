import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sql } from "kysely"
import { describe, expect, it } from "vitest"
import { openSqliteDatabase } from "../../core/db/sqlite.ts"
import { databaseContract } from "./database.ts"

databaseContract("SQLite", async () => {
  const directory = await mkdtemp(join(tmpdir(), "millwright-database-"))
  return {
    open: () => openSqliteDatabase(join(directory, "plant.db")),
    remove: () => rm(directory, { recursive: true }),
  }
})

describe("the SQLite database alone", () => {
  it("rejects when its file can't be opened, and names it", async () => {
    await expect(openSqliteDatabase("/nowhere/at/all/plant.db")).rejects.toMatchObject({
      code: "STORE_FAILED",
      message: expect.stringContaining("/nowhere/at/all/plant.db"),
    })
  })

  it("tells the error for which SQLite rolled back by itself", async () => {
    const database = await openSqliteDatabase(":memory:")
    const db = database.tables()
    await sql`create table pump (id text primary key on conflict rollback)`.execute(db)
    const broken = database.transaction(async (trx) => {
      await sql`insert into pump values ('P-1')`.execute(trx)
      await sql`insert into pump values ('P-1')`.execute(trx)
    })
    await expect(broken).rejects.toThrow("UNIQUE constraint failed")
    expect((await sql`select * from pump`.execute(db)).rows).toEqual([])
    await database.close()
  })

  it("rejects a parameter that can't cross to its thread, and goes on", async () => {
    const database = await openSqliteDatabase(":memory:")
    const db = database.tables()
    await expect(sql`select ${Symbol("not data")}`.execute(db)).rejects.toThrow()
    await expect(sql`select ${true}`.execute(db)).rejects.toThrow("bind")
    expect((await sql`select ${1} as one`.execute(db)).rows).toEqual([{ one: 1 }])
    await database.close()
  })
})
