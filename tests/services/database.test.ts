import { pino } from "pino"
import { systemClock } from "../../core/clock.ts"
import { openPostgresDatabase } from "../../core/db/postgres.ts"
import { databaseContract } from "../contract/database.ts"
import { ownDatabase } from "./own-database.ts"

const logger = pino({ level: "silent" })

databaseContract("PostgreSQL", async () => {
  const { url, remove } = await ownDatabase()
  return {
    open: () => openPostgresDatabase({ url, connections: 4, clock: systemClock, logger }),
    remove,
  }
})
