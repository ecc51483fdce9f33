import { setMaxListeners } from "node:events"
import type { Logger } from "pino"
import { type Clock, every } from "../core/clock.ts"
import { MillwrightError } from "../core/errors.ts"
import type { Service } from "../core/service.ts"
import { type Gateway, type Pace, runGateway, type Simulated } from "./fleet/gateway.ts"
import { readFleetState, writeFleetState } from "./fleet/state.ts"
import { describeMachine, type Fault, newMachine } from "./machines/machine.ts"
import { type MachineClass, machineModels } from "./machines/models.ts"
import { createPublisher } from "./publisher.ts"
import { publishRecording, type ReplayOptions, type ReplayProgress } from "./replay/publish.ts"
import { type Scan, scan } from "./replay/runs.ts"

const saveEveryMs = 5000
/** How long a stop waits for acknowledgements; what a fleet misses then it publishes again at the next start. */
const closeWithinMs = 5000

export type FleetOptions = {
  /** mqtt://[user:password@]host:port */
  readonly url: string
  /** Assets of the classes pump, motor, compressor and truck. */
  readonly assets: readonly { readonly id: string; readonly site: string; readonly class: string }[]
  readonly seed: number
  /** How many times faster than in reality parts wear and sensors fail. */
  readonly wear: number
  /** Simulated time of the first sample; a state file goes before. */
  readonly fromMs: number
  readonly sampleEveryMs: number
  /** Simulated seconds in a second, until simulated time has caught up with the clock. 1 is real time. */
  readonly speed: number
  readonly assetsPerGateway: number
  /** Messages that a gateway may have under way. */
  readonly inFlight: number
  /** Where the simulation's state is kept from one start to the next. */
  readonly stateFile?: string
  readonly clock: Clock
  readonly logger: Logger
}

type FleetProgress = {
  /** The slowest gateway's simulated time: everything up to here is acknowledged. */
  readonly simulatedMs: number
  readonly acknowledged: number
  readonly gateways: number
  readonly connected: number
}

export type Fleet = Service & {
  progress(): FleetProgress
  /** What really happened so far, for scoring; it goes over no wire. */
  truth(): readonly (Fault & { readonly asset: string })[]
}

/**
 * Seeded machines that publish to `v1/{site}/{asset}/telemetry` and `…/events`, one MQTT connection for each gateway.
 * Throws `USAGE` for an asset of a class without a model; `start` rejects with `SERVER_UNREACHABLE` or `CONFIG_INVALID`.
 */
export function createFleet(options: FleetOptions): Fleet {
  const { seed, wear, clock, logger, sampleEveryMs, stateFile } = options
  const machines = options.assets.map(({ id, site, class: model }) =>
    describeMachine(id, site, knownModel(id, model), { seed, wear }),
  )
  const stopping = new AbortController()
  // Every gateway sleeps on it: many listeners are no leak here.
  setMaxListeners(0, stopping.signal)
  let gateways: readonly Gateway[] = []
  let running = Promise.resolve()

  const simulated = () => gateways.flatMap((gateway) => gateway.machines)

  const resume = async (): Promise<Simulated[]> => {
    const saved = stateFile === undefined ? undefined : await readFleetState(stateFile)
    if (saved && (saved.seed !== seed || saved.wear !== wear)) {
      throw new MillwrightError(
        "CONFIG_INVALID",
        `${stateFile} was made with seed ${saved.seed} and wear ${saved.wear}, not ${seed} and ${wear}: give those, or delete it`,
      )
    }
    const known = saved?.machines ?? {}
    // An asset that is new in an old simulation begins where the others are.
    const firstMs = Math.ceil(options.fromMs / sampleEveryMs) * sampleEveryMs - sampleEveryMs
    const sampledMs = Math.max(firstMs, ...Object.values(known).map((one) => one.sampledMs))
    return machines.map((machine) => ({
      machine,
      ...(known[machine.asset] ?? { sampledMs, state: newMachine(machine, sampledMs) }),
    }))
  }

  const save = async () => {
    if (stateFile === undefined) return
    const entries = simulated().map(({ machine, sampledMs, state }) => [machine.asset, { sampledMs, state }])
    await writeFleetState(stateFile, { seed, wear, machines: Object.fromEntries(entries) })
  }

  const run = async (pace: Pace): Promise<void> => {
    const { signal } = stopping
    const runs = gateways.map((gateway) => runGateway(gateway, { clock, pace, sampleEveryMs, signal }))
    try {
      await Promise.all([...runs, every(clock, saveEveryMs, signal, save)])
    } finally {
      stopping.abort()
      await Promise.allSettled(runs)
    }
  }

  return {
    async start() {
      const all = await resume()
      gateways = inGroups(all, options.assetsPerGateway).map((group) => ({
        publisher: createPublisher({ url: options.url, inFlight: options.inFlight, clock, logger }),
        machines: group,
      }))
      await Promise.all(gateways.map(({ publisher }) => publisher.start()))
      const fromMs = Math.min(...all.map(({ sampledMs }) => sampledMs))
      running = run({ fromMs, wallMs: clock.now(), speed: options.speed })
    },
    async close() {
      stopping.abort()
      const waited = new AbortController()
      try {
        await Promise.race([running, clock.sleep(closeWithinMs, waited.signal)])
      } finally {
        waited.abort()
        await Promise.all(gateways.map(({ publisher }) => publisher.close()))
      }
      await running
      await save()
    },
    get done() {
      return running
    },
    progress: () => ({
      simulatedMs: Math.min(...simulated().map(({ sampledMs }) => sampledMs)),
      acknowledged: gateways.reduce((sum, { publisher }) => sum + publisher.acknowledged(), 0),
      gateways: gateways.length,
      connected: gateways.filter(({ publisher }) => publisher.isConnected()).length,
    }),
    truth: () =>
      simulated().flatMap(({ machine, state }) =>
        state.faults.map((fault) => ({ asset: machine.asset, ...fault })),
      ),
  }
}

/**
 * Publishes recorded CSV files over MQTT in order of time, QoS 1. Resolves when all is acknowledged, or, once `signal`
 * has aborted, when what is in flight is or 5 s later. Rejects with `PAYLOAD_INVALID`, `USAGE`, `SERVER_UNREACHABLE`.
 */
export async function replayFiles(
  options: ReplayOptions,
  onProgress: (progress: ReplayProgress) => void,
  signal: AbortSignal,
): Promise<ReplayProgress> {
  const scans: Scan[] = []
  for (const source of options.sources) scans.push(await scan(source, options))
  const publisher = createPublisher(options)
  await publisher.start()

  // The broker may never come back: who asked to stop is not kept waiting for its acknowledgements.
  const finished = new AbortController()
  let givingUp = Promise.resolve()
  const giveUp = () => {
    givingUp = options.clock.sleep(closeWithinMs, finished.signal).then(() => publisher.close())
  }
  signal.addEventListener("abort", giveUp, { once: true })
  try {
    return await publishRecording(scans, publisher, options, onProgress, signal)
  } finally {
    signal.removeEventListener("abort", giveUp)
    finished.abort()
    await publisher.close()
    await givingUp
  }
}

function knownModel(asset: string, model: string): MachineClass {
  if (Object.hasOwn(machineModels, model)) return model as MachineClass
  throw new MillwrightError(
    "USAGE",
    `there is no simulated machine for class "${model}" of asset "${asset}": the classes are ${Object.keys(machineModels).join(", ")}`,
  )
}

function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, group) =>
    items.slice(group * size, (group + 1) * size),
  )
}
