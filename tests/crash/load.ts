import { keyOf, uniform } from "../../simulators/machines/noise.ts"

const minute = 60_000
const hour = 60 * minute
const stepMs = 10 * minute
const startMs = Date.UTC(2026, 0, 1)

const machines = Array.from({ length: 12 }, (_, at) => `M-${String(at + 1).padStart(2, "0")}`)
const gateways = 3

type Message = { readonly topic: string; readonly payload: string }

/** What must be in the telemetry store once a load was taken: written as `asset signal time`. */
type Sent = { readonly samples: ReadonlyMap<string, number>; readonly events: ReadonlySet<string> }

export type Load = {
  /** What each gateway sends, in order; each machine is on one of them. */
  readonly gateways: readonly (readonly Message[])[]
  /** So many messages of each gateway make every machine known, all in the same hour. */
  readonly introductions: number
  readonly sent: Sent
}

type Draft = { samples: Map<string, number>; events: Set<string> }

/** Some days of twelve machines that vibrate, shift, drive, and report errors now and then, and of gateways that also talk nonsense. */
export function createLoad(seed: number, days: number): Load {
  const sent: Draft = { samples: new Map(), events: new Set() }
  const steps = Math.round((days * 24 * hour) / stepMs)
  const own = (gateway: number) => machines.filter((_, at) => at % gateways === gateway)
  return {
    introductions: machines.length / gateways,
    sent,
    gateways: Array.from({ length: gateways }, (_, gateway) => {
      const histories = own(gateway).map((machine) => history(seed, machine, steps, sent))
      return Array.from({ length: steps }, (_, step) => histories.flatMap((of) => of[step] ?? [])).flat()
    }),
  }
}

/** The messages of one machine for each step. */
function history(seed: number, machine: string, steps: number, sent: Draft): Message[][] {
  const chance = (name: string, n: number) => uniform(keyOf(seed, `${machine} ${name}`), n)
  const topic = (kind: string) => `v1/north/${machine}/${kind}`
  let mileage = 1000 * chance("mileage", 0)

  function telemetry(atMs: number, values: Record<string, number>): Message {
    for (const [signal, value] of Object.entries(values)) {
      sent.samples.set(`${machine} ${signal} ${atMs}`, value)
    }
    return { topic: topic("telemetry"), payload: JSON.stringify({ ts: atMs, ...values }) }
  }

  function event(atMs: number, code: string, attributes: Record<string, string | number> = {}): Message {
    sent.events.add(`${machine} ${code} ${atMs}`)
    return { topic: topic("events"), payload: JSON.stringify({ ts: atMs, code, ...attributes }) }
  }

  return Array.from({ length: steps }, (_, step) => {
    const atMs = startMs + step * stepMs
    const spell = Math.floor(step / 18)
    const isRough = chance("rough", spell) < 0.15
    const hasShifted = chance("shifted", Math.floor(step / 100)) < 0.2
    const rough = isRough ? 2 + 5 * chance("how rough", spell) : 0
    const messages: Message[] = []
    mileage += 10 * chance("drive", step)
    if (step > 0 && chance("reset", step) < 0.001) mileage = 0
    messages.push(
      telemetry(atMs, {
        vibration: 2 + rough + chance("vibration", step),
        power: (hasShifted ? 60 : 50) + chance("power", step),
        mileage,
      }),
    )
    if (step === 0) return messages
    const laterMs = atMs + minute
    if (chance("E1", step) < 0.03) messages.push(event(laterMs, "E1"))
    if (chance("E2", step) < (isRough ? 0.08 : 0.01)) {
      messages.push(event(laterMs, "E2", { component: "bearing" }))
    }
    if (chance("installed", step) < 0.002) {
      messages.push(event(laterMs, "component-installed", { component: "bearing" }))
    }
    if (chance("meter replaced", step) < 0.0005) {
      mileage = 5
      messages.push(event(laterMs, "meter-replaced", { signal: "mileage", meter: mileage }))
    }
    const odd = chance("odd", step)
    if (odd < 0.004) messages.push({ topic: topic("telemetry"), payload: `no JSON at ${step}` })
    else if (odd < 0.006) messages.push({ topic: `plc/${machine}`, payload: `{"vibration":${step}}` })
    else if (odd < 0.012) {
      const half = telemetry(laterMs, { power: 50 })
      messages.push({ ...half, payload: half.payload.replace("{", '{"vibration":"n/a",') })
    }
    return messages
  })
}
