import { once } from "node:events"
import { watch } from "node:fs"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { pino } from "pino"
import { ask } from "../../cli/control.ts"
import type { InputOf, OperationName, ResultOf } from "../../cli/operations.ts"
import { type Clock, systemClock } from "../../core/clock.ts"
import { loadSettings } from "../../core/config.ts"
import { MillwrightError } from "../../core/errors.ts"
import { freePort } from "../../services/port.ts"
import { createPublisher, type Publisher } from "../../simulators/publisher.ts"
import type { Load } from "./load.ts"
import { startServer } from "./server.ts"

/** When a server is killed: so long after its start, or as it writes this file, once so many messages are acknowledged. */
export type Moment =
  | { readonly kind: "start"; readonly afterMs: number }
  | { readonly kind: "write"; readonly acknowledged: number; readonly file: string }

const pollMs = 5
/** A gateway that comes back soon: the tests have no second to wait after each kill. */
const impatient: Clock = { now: systemClock.now, sleep: (ms, signal) => systemClock.sleep(ms / 20, signal) }

/**
 * Sends a load to a server that is killed at these moments and started again each time, until all of it is
 * acknowledged and dealt with; then stops the last server. What was acknowledged is never sent a second time.
 */
export async function runLoad(directory: string, load: Load, moments: readonly Moment[]): Promise<void> {
  const port = await freePort()
  let server = startServer(directory, port)
  const publishers = load.gateways.map(() =>
    createPublisher({
      url: `mqtt://127.0.0.1:${port}`,
      inFlight: 200,
      clock: impatient,
      logger: pino({ level: "silent" }),
    }),
  )
  const orEnded = <T>(work: Promise<T>) => Promise.race([server.ended, work])
  try {
    await orEnded(connected(publishers))
    const source = await readFile(new URL("plant.yaml", import.meta.url), "utf8")
    await orEnded(askOf(directory, "plant.apply", { source, reason: "test" }))
    const sending = send(load, publishers)
    for (const moment of moments) {
      await orEnded(until(moment, directory, publishers))
      await server.kill()
      server = startServer(directory, port)
    }
    await orEnded(sending)
    await orEnded(dealtWith(directory))
    const exitCode = await server.stop()
    if (exitCode !== 0) throw new Error(`the server did not stop cleanly: exit code ${exitCode}`)
  } finally {
    for (const publisher of publishers) await publisher.close()
    await server.kill()
  }
}

/** The first server needs its time to start, so the first connection is tried again and again. */
async function connected(publishers: readonly Publisher[]): Promise<void> {
  for (const publisher of publishers) {
    for (;;) {
      try {
        await publisher.start()
        break
      } catch (error) {
        if (!isOneOf(error, "SERVER_UNREACHABLE")) throw error
        await systemClock.sleep(pollMs * 10)
      }
    }
  }
}

async function send({ gateways, introductions }: Load, publishers: readonly Publisher[]): Promise<void> {
  const sendAll = async (from: number, to?: number) => {
    const sent = publishers.map(async (publisher, at) => {
      for (const { topic, payload } of gateways[at]?.slice(from, to) ?? []) {
        await publisher.send(topic, payload)
      }
      await publisher.settled()
    })
    await Promise.all(sent)
  }
  // Plans begin with the first hour that the clock shows: every machine is heard in it before time goes on.
  await sendAll(0, introductions)
  await sendAll(introductions)
}

async function until(moment: Moment, directory: string, publishers: readonly Publisher[]): Promise<void> {
  if (moment.kind === "start") return systemClock.sleep(moment.afterMs)
  const acknowledged = () => publishers.reduce((sum, one) => sum + one.acknowledged(), 0)
  while (acknowledged() < moment.acknowledged) await systemClock.sleep(pollMs)
  const watcher = watch(join(directory, moment.file))
  try {
    await once(watcher, "change")
  } finally {
    watcher.close()
  }
}

async function dealtWith(directory: string): Promise<void> {
  for (;;) {
    const { lags } = await askOf(directory, "status", {})
    if (lags.every(({ uncommitted }) => uncommitted === 0)) return
    await systemClock.sleep(pollMs * 10)
  }
}

/** Over the control socket. A server that just started may hold its directory and not answer yet. */
async function askOf<K extends OperationName>(
  directory: string,
  name: K,
  input: InputOf<K>,
): Promise<ResultOf<K>> {
  const settings = loadSettings({ env: {}, overrides: { directory } })
  for (;;) {
    try {
      return await ask(settings, "engineer", name, input)
    } catch (error) {
      if (!isOneOf(error, "DIRECTORY_IN_USE")) throw error
      await systemClock.sleep(pollMs)
    }
  }
}

function isOneOf(error: unknown, ...codes: MillwrightError["code"][]): boolean {
  return error instanceof MillwrightError && codes.includes(error.code)
}
