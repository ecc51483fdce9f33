/**
 * A machine as pure functions over plain data. Life goes on in cells of ten minutes on a fixed grid, and readings
 * are a function of the cell and the instant; so neither step sizes nor stops change anything, bit for bit.
 */
import { z } from "zod"
import { eventCodes, type Scalar } from "../../core/vocabulary.ts"
import { type MachineClass, type MachineModel, machineModels, type WearModel } from "./models.ts"
import { gaussian, keyOf, uniform } from "./noise.ts"
import { ambientTemperature, plannedLoad } from "./surroundings.ts"

const cellMs = 600_000
const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** Time constant with which a machine's mass takes up heat. */
const thermalMs = 90 * 60_000
/** The load at which a part's life is stated. */
const ratedLoad = 0.7

export type Machine = {
  readonly asset: string
  readonly site: string
  readonly model: MachineModel
  readonly seed: number
  readonly siteKey: number
  /** How many times faster than in reality parts wear and sensors fail. */
  readonly wear: number
}

/** What really happened, known to the simulator alone; null until it has happened. A sensor's fault is no failure. */
const fault = z.object({
  component: z.string(),
  mode: z.string(),
  faultStartMs: z.number(),
  failureMs: z.number().nullable(),
  repairedMs: z.number().nullable(),
})
export type Fault = z.infer<typeof fault>

const part = z.object({
  /** 0 is the part that was there at the start, 1 the first replacement, and so on. */
  life: z.number(),
  /** Share of its life that is used up; from 1 on it has failed. */
  age: z.number(),
  repairMs: z.number().nullable(),
})
type Part = z.infer<typeof part>

const sensor = z.object({
  sinceMs: z.number(),
  untilMs: z.number(),
  /** What a stuck sensor shows. */
  value: z.number(),
})
type Sensor = z.infer<typeof sensor>

export const machineState = z.object({
  /** Beginning of the cell that it is in. */
  atMs: z.number(),
  /** Demand over or under the plan, 0 on average, changing slowly. */
  demand: z.number(),
  warmth: z.number(),
  meters: z.record(z.string(), z.number()),
  parts: z.record(z.string(), part),
  /** Sensors that lie now, by signal. */
  sensors: z.record(z.string(), sensor),
  faults: z.array(fault),
})
export type MachineState = z.infer<typeof machineState>

export type MachineEvent = {
  readonly code: string
  readonly atMs: number
  readonly attributes: Readonly<Record<string, Scalar>>
}

export type Step = {
  readonly state: MachineState
  readonly events: readonly MachineEvent[]
  /** Undefined while the machine stands or is isolated for repair: its instruments have no power then. */
  readonly values: Readonly<Record<string, number>> | undefined
}

export function describeMachine(
  asset: string,
  site: string,
  machineClass: MachineClass,
  options: { readonly seed: number; readonly wear: number },
): Machine {
  return {
    asset,
    site,
    model: machineModels[machineClass],
    seed: keyOf(options.seed, asset),
    siteKey: keyOf(options.seed, site),
    wear: options.wear,
  }
}

/** Parts begin at any age, meters at any reading, as in a plant that has run for years. */
export function newMachine(machine: Machine, atMs: number): MachineState {
  const startMs = Math.floor(atMs / cellMs) * cellMs
  const parts: Record<string, Part> = {}
  const faults: Fault[] = []
  for (const wear of machine.model.wear) {
    const age = 0.95 * uniform(keyOf(machine.seed, `age of ${wear.component}`), 0)
    parts[wear.component] = { life: 0, age, repairMs: null }
    if (age > wear.onset) faults.push(newFault(wear.component, wear.mode, startMs))
  }
  const meters: Record<string, number> = {}
  for (const [name, { upTo }] of Object.entries(machine.model.meters)) {
    meters[name] = upTo * uniform(keyOf(machine.seed, name), 0)
  }
  return { atMs: startMs, demand: 0, warmth: 0, meters, parts, sensors: {}, faults }
}

/** Goes on to `toMs`: events in (state.atMs, toMs], and the readings of that instant. */
export function step(machine: Machine, state: MachineState, toMs: number): Step {
  const events: MachineEvent[] = []
  let now = state
  while (now.atMs + cellMs <= toMs) now = nextCell(machine, now, events)
  return { state: now, events, values: read(machine, now, toMs) }
}

/** 0 while standing or down. */
function loadOf(machine: Machine, state: MachineState): number {
  const planned = plannedLoad(machine.model.profile, state.atMs)
  const down = Object.values(state.parts).some(({ repairMs }) => repairMs !== null)
  return planned === 0 || down ? 0 : Math.min(1.1, Math.max(0.15, planned + state.demand))
}

function nextCell(machine: Machine, state: MachineState, events: MachineEvent[]): MachineState {
  const load = loadOf(machine, state)
  const cell = state.atMs / cellMs
  const next: MachineState = {
    atMs: state.atMs + cellMs,
    demand: 0.97 * state.demand + 0.02 * gaussian(keyOf(machine.seed, "demand"), cell),
    warmth: state.warmth + (load - state.warmth) * -Math.expm1(-cellMs / thermalMs),
    meters: { ...state.meters },
    parts: { ...state.parts },
    sensors: { ...state.sensors },
    faults: [...state.faults],
  }
  countMeters(machine, next.meters, load, cellMs)
  for (const wear of machine.model.wear) liveOn(machine, wear, next, load, events)
  for (const model of machine.model.sensorFaults) disturbSensor(machine, model, next)
  return next
}

function countMeters(machine: Machine, meters: Record<string, number>, load: number, forMs: number): void {
  if (load === 0) return
  for (const [name, { perHour, perLoad }] of Object.entries(machine.model.meters)) {
    meters[name] = (meters[name] ?? 0) + (perLoad ? load : 1) * perHour * (forMs / hourMs)
  }
}

/** One part through the cell that ends at `next.atMs`: it wears, begins to show it, reports errors, fails, is replaced. */
function liveOn(
  machine: Machine,
  wear: WearModel,
  next: MachineState,
  load: number,
  events: MachineEvent[],
): void {
  const { component } = wear
  const before = next.parts[component] ?? { life: 0, age: 0, repairMs: null }
  const atMs = next.atMs
  if (before.repairMs !== null) {
    if (atMs < before.repairMs) return
    next.parts[component] = { life: before.life + 1, age: 0, repairMs: null }
    settleFault(next.faults, component, { repairedMs: atMs })
    const meter = Math.round(next.meters[machine.model.serviceMeter] ?? 0)
    events.push({ code: eventCodes.componentInstalled, atMs, attributes: { component, meter } })
    events.push({ code: eventCodes.state, atMs, attributes: { state: "running" } })
    return
  }
  // A part that fails stops the machine, and so no other fails in the same cell.
  const stopped = Object.values(next.parts).some(({ repairMs }) => repairMs !== null)
  if (load === 0 || stopped) return

  const lifeKey = keyOf(machine.seed, `life of ${component}`)
  const lifeMs =
    (wear.lifeDays * dayMs * Math.exp(wear.scatter * gaussian(lifeKey, before.life))) / machine.wear
  const age = before.age + ((load / ratedLoad) * cellMs) / lifeMs
  next.parts[component] = { ...before, age }
  if (before.age <= wear.onset && age > wear.onset) next.faults.push(newFault(component, wear.mode, atMs))
  if (wear.error) {
    const { code, healthyPerYear, failingPerDay } = wear.error
    const perDay = healthyPerYear / 365 + severity(wear, age) * failingPerDay
    const key = keyOf(machine.seed, code)
    if (uniform(key, atMs) < (perDay * cellMs) / dayMs) events.push({ code, atMs, attributes: {} })
  }
  if (age < 1) return
  const repairDays = 0.5 + 2.5 * uniform(keyOf(machine.seed, `repair of ${component}`), before.life)
  next.parts[component] = { ...before, age, repairMs: atMs + repairDays * dayMs }
  settleFault(next.faults, component, { failureMs: atMs })
  events.push({ code: eventCodes.componentFailed, atMs, attributes: { component } })
  events.push({ code: eventCodes.state, atMs, attributes: { state: "failed" } })
}

/** How far a part's damage has come, 0 to 1: from its onset on, exponentially, as bearings do. */
function severity({ onset, growth }: WearModel, age: number): number {
  if (age <= onset) return 0
  return Math.expm1((growth * (Math.min(age, 1) - onset)) / (1 - onset)) / Math.expm1(growth)
}

function disturbSensor(
  machine: Machine,
  model: MachineModel["sensorFaults"][number],
  next: MachineState,
): void {
  const { signal, mode } = model
  const name = `${signal} sensor`
  const current = next.sensors[signal]
  if (current) {
    if (next.atMs < current.untilMs) return
    delete next.sensors[signal]
    settleFault(next.faults, name, { repairedMs: next.atMs })
    return
  }
  const key = keyOf(machine.seed, `${signal} ${mode}`)
  if (uniform(key, next.atMs) >= (machine.wear * cellMs) / (model.everyDays * dayMs)) return
  const lastsMs = model.lastsDays * dayMs * Math.exp(0.5 * gaussian(key, next.atMs))
  const value = gauge(machine, next, loadOf(machine, next), signal, next.atMs)
  next.sensors[signal] = { sinceMs: next.atMs, untilMs: next.atMs + lastsMs, value }
  next.faults.push(newFault(name, mode, next.atMs))
}

function newFault(component: string, mode: string, faultStartMs: number): Fault {
  return { component, mode, faultStartMs, failureMs: null, repairedMs: null }
}

function settleFault(faults: Fault[], component: string, what: Partial<Fault>): void {
  const at = faults.findLastIndex((one) => one.component === component)
  const found = faults[at]
  if (found) faults[at] = { ...found, ...what }
}

function read(machine: Machine, state: MachineState, atMs: number): Record<string, number> | undefined {
  const load = loadOf(machine, state)
  if (load === 0) return undefined
  const values: Record<string, number> = {}
  for (const signal of Object.keys(machine.model.gauges)) {
    const shown = throughSensor(
      machine,
      state.sensors[signal],
      signal,
      gauge(machine, state, load, signal, atMs),
      atMs,
    )
    if (shown !== undefined) values[signal] = rounded(shown)
  }
  const meters = { ...state.meters }
  countMeters(machine, meters, load, atMs - state.atMs)
  for (const [name, reading] of Object.entries(meters)) values[name] = rounded(reading)
  return values
}

/** The physical value of a signal, whatever its sensor makes of it. */
function gauge(machine: Machine, state: MachineState, load: number, signal: string, atMs: number): number {
  const model = machine.model.gauges[signal]
  if (!model) return 0
  const { base, load: byLoad = 0, warmth = 0, ambient = 0, noise } = model
  const outdoors = ambient === 0 ? 0 : ambient * (ambientTemperature(machine.siteKey, atMs) - 20)
  let value = base + byLoad * load + warmth * state.warmth + outdoors
  value += noise * gaussian(keyOf(machine.seed, signal), atMs)
  for (const wear of machine.model.wear) {
    const effect = wear.effects[signal]
    if (effect !== undefined) value += effect * severity(wear, state.parts[wear.component]?.age ?? 0)
  }
  return value
}

function throughSensor(
  machine: Machine,
  lying: Sensor | undefined,
  signal: string,
  value: number,
  atMs: number,
): number | undefined {
  const model = machine.model.sensorFaults.find((one) => one.signal === signal)
  if (!lying || !model) return value
  switch (model.mode) {
    case "stuck":
      return lying.value
    case "drift":
      return value + ((model.perDay ?? 0) * (atMs - lying.sinceMs)) / dayMs
    case "drop-out":
      // A loose plug: most samples are missing, some come through.
      return uniform(keyOf(machine.seed, `${signal} plug`), atMs) < 0.8 ? undefined : value
  }
}

/** Instruments don't resolve more than a thousandth of their unit. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}
