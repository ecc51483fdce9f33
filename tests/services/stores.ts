import { randomBytes } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pg from "pg"
import type { Servers } from "./setup.ts"

export type OwnStores = {
  /** Settings of a pipeline that has topics, bucket and database of its own on the shared servers. */
  readonly overrides: Readonly<Record<string, string>>
  dispose(): Promise<void>
}

export async function ownStores({ kafka, influx, postgres, mosquitto }: Servers): Promise<OwnStores> {
  const name = `test_${randomBytes(6).toString("hex")}`
  const directory = await mkdtemp(join(tmpdir(), "millwright-secrets-"))
  const tokenFile = join(directory, "token")
  await writeFile(tokenFile, influx.token, { mode: 0o600 })
  await administer(postgres, `create database ${name}`)
  const own = new URL(postgres)
  own.pathname = `/${name}`
  return {
    overrides: {
      "kafka.brokers": kafka,
      "kafka.prefix": `${name}.`,
      "influx.url": influx.url,
      "influx.org": influx.org,
      "influx.bucket": name,
      "influx.tokenFile": tokenFile,
      "postgres.url": own.href,
      "mqtt.url": mosquitto,
      "mqtt.clientId": name,
      "mqtt.group": name,
    },
    async dispose() {
      await administer(postgres, `drop database ${name}`)
      await rm(directory, { recursive: true })
    },
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
