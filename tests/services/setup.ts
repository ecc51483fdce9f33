import type { TestProject } from "vitest/node"
import { type Addresses, addressesOf } from "../../services/deployment.ts"
import { startInflux } from "../../services/influx.ts"
import { startKafka } from "../../services/kafka.ts"
import { startMosquitto } from "../../services/mosquitto.ts"
import { startPostgres } from "../../services/postgres.ts"
import type { Server } from "../../services/server.ts"

/** Where the servers are that all tests share: `inject("servers")`. A test that kills one starts its own. */
export type Servers = Addresses

declare module "vitest" {
  interface ProvidedContext {
    servers: Servers
  }
}

/** Starts the four servers once for all files. A server that can't be had fails the run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started: Server[] = []
  const keep = async <T extends Server>(starting: Promise<T>): Promise<T> => {
    const server = await starting
    started.push(server)
    return server
  }
  const disposeAll = async () => {
    await Promise.all(started.map((server) => server.dispose()))
  }
  // All are waited for, also when one fails: what came up must be stopped.
  const starting = [
    keep(startKafka()),
    keep(startInflux()),
    keep(startPostgres()),
    keep(startMosquitto()),
  ] as const
  await Promise.allSettled(starting)
  try {
    const [kafka, influx, postgres, mosquitto] = await Promise.all(starting)
    project.provide("servers", addressesOf({ kafka, influx, postgres, mosquitto }))
  } catch (error) {
    await disposeAll()
    throw error
  }
  return disposeAll
}
