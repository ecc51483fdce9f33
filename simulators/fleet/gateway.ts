import type { Clock } from "../../core/clock.ts"
import { type Machine, type MachineEvent, type MachineState, step } from "../machines/machine.ts"
import type { Publisher } from "../publisher.ts"

/** A machine and how far it has been published: everything up to and with `sampledMs` is acknowledged. */
export type Simulated = {
  readonly machine: Machine
  readonly sampledMs: number
  readonly state: MachineState
}

/** Simulated time runs from `fromMs`, beginning at `wallMs`, `speed` times as fast as the wall's, until it catches up. */
export type Pace = { readonly fromMs: number; readonly wallMs: number; readonly speed: number }

/** The wall's time at which an instant of simulated time has come: never before it has really come. */
export function dueMs({ fromMs, wallMs, speed }: Pace, atMs: number): number {
  return Math.max(atMs, wallMs + (atMs - fromMs) / speed)
}

export type Gateway = {
  readonly publisher: Publisher
  /** Replaced, never changed in place: whoever holds one sees one instant. */
  machines: readonly Simulated[]
}

/**
 * Samples the gateway's machines every `sampleEveryMs` until `signal` aborts. An instant is over when the broker has
 * acknowledged all of it; only then do the machines move on, so a stop or a crash repeats an instant and never skips.
 */
export async function runGateway(
  gateway: Gateway,
  options: {
    readonly clock: Clock
    readonly pace: Pace
    readonly sampleEveryMs: number
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { clock, pace, sampleEveryMs, signal } = options
  while (!signal.aborted) {
    const atMs = Math.min(...gateway.machines.map(({ sampledMs }) => sampledMs)) + sampleEveryMs
    await clock.sleep(Math.max(0, dueMs(pace, atMs) - clock.now()), signal)
    if (signal.aborted) return
    const next: Simulated[] = []
    for (const one of gateway.machines) {
      next.push(one.sampledMs < atMs ? await sample(one, atMs, gateway.publisher) : one)
    }
    if (!(await gateway.publisher.settled())) return
    gateway.machines = next
  }
}

async function sample({ machine, state }: Simulated, atMs: number, publisher: Publisher): Promise<Simulated> {
  const result = step(machine, state, atMs)
  const topic = `v1/${machine.site}/${machine.asset}`
  for (const event of result.events) await publisher.send(`${topic}/events`, eventPayload(event))
  if (result.values) {
    await publisher.send(`${topic}/telemetry`, JSON.stringify({ ts: atMs, ...result.values }))
  }
  return { machine, sampledMs: atMs, state: result.state }
}

function eventPayload({ code, atMs, attributes }: MachineEvent): string {
  return JSON.stringify({ code, ts: atMs, ...attributes })
}
