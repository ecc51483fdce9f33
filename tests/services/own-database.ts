import { randomUUID } from "node:crypto"
import pg from "pg"
import { inject } from "vitest"

/**
 * Room of its own for tables: an empty schema of the tests' PostgreSQL, and the URL of sessions that see no other.
 * A database each would cost a checkpoint each.
 */
export async function ownDatabase(
  server = inject("servers").postgres,
): Promise<{ readonly url: string; remove(): Promise<void> }> {
  const name = `test_${randomUUID().replaceAll("-", "")}`
  await administer(server, `create schema ${name}`)
  const url = new URL(server)
  url.searchParams.set("options", `-csearch_path=${name}`)
  return {
    url: url.href,
    async remove() {
      await administer(server, `drop schema ${name} cascade`)
    },
  }
}

/** Runs a statement beside all that is under test. */
export async function administer<R extends pg.QueryResultRow>(
  url: string,
  statement: string,
): Promise<readonly R[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query<R>(statement)).rows
  } finally {
    await client.end()
  }
}
