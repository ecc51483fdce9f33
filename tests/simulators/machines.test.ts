import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parsePlant } from "../../core/plant.ts"
import {
  describeMachine,
  type Machine,
  type MachineState,
  newMachine,
  step,
} from "../../simulators/machines/machine.ts"
import { type MachineClass, machineModels } from "../../simulators/machines/models.ts"
import { gaussian, keyOf, uniform } from "../../simulators/machines/noise.ts"
import { ambientTemperature, plannedLoad } from "../../simulators/machines/surroundings.ts"

const hour = 3_600_000
const day = 24 * hour
const fromMs = Date.UTC(2026, 0, 5)
const classes = Object.keys(machineModels) as MachineClass[]

function machine(machineClass: MachineClass, seed = 1, wear = 8): Machine {
  return describeMachine(`${machineClass}-1`, "site", machineClass, { seed, wear })
}

type Life = {
  readonly state: MachineState
  readonly readings: { atMs: number; values: Readonly<Record<string, number>> | undefined }[]
  readonly events: { code: string; atMs: number; attributes: Readonly<Record<string, unknown>> }[]
}

/** Steps through these instants; `between` stands for what happens to a state that is put away and taken up again. */
function live(
  subject: Machine,
  instants: readonly number[],
  between: (state: MachineState) => MachineState = (state) => state,
): Life {
  let state = newMachine(subject, fromMs)
  const readings: Life["readings"] = []
  const events: Life["events"] = []
  for (const atMs of instants) {
    const result = step(subject, between(state), atMs)
    state = result.state
    readings.push({ atMs, values: result.values })
    events.push(...result.events)
  }
  return { state, readings, events }
}

function everyHour(days: number): number[] {
  return Array.from({ length: days * 24 }, (_, at) => fromMs + (at + 1) * hour)
}

describe("a machine's fate", () => {
  test("the same seed gives the same fate, bit for bit, whatever the steps and however often it is put away", () => {
    const instant = fc.integer({ min: 1, max: 40 * day })
    fc.assert(
      fc.property(
        fc.constantFrom(...classes),
        fc.integer(),
        fc.uniqueArray(instant, { minLength: 1, maxLength: 30 }),
        (machineClass, seed, offsets) => {
          const subject = machine(machineClass, seed, 20)
          const instants = [...offsets, 40 * day].toSorted((a, b) => a - b).map((offset) => fromMs + offset)
          const stopped = live(subject, instants, (state) => JSON.parse(JSON.stringify(state)))
          const steady = live(subject, everyHour(40))
          expect(stopped.state).toEqual(steady.state)
          expect(stopped.events).toEqual(steady.events)
          const readAt = new Map(stopped.readings.map(({ atMs, values }) => [atMs, values]))
          expect(live(subject, instants.slice(-1)).readings).toEqual([
            { atMs: fromMs + 40 * day, values: readAt.get(fromMs + 40 * day) },
          ])
        },
      ),
      { numRuns: 20 },
    )
  })

  test("other seeds and other assets have other fates", () => {
    const fates = [1, 2, 3].map((seed) =>
      JSON.stringify(live(machine("pump", seed), everyHour(90)).state.faults),
    )
    expect(new Set(fates).size).toBe(3)
    const other = describeMachine("pump-2", "site", "pump", { seed: 1, wear: 8 })
    expect(newMachine(other, fromMs).parts).not.toEqual(newMachine(machine("pump"), fromMs).parts)
  })

  test.each(classes)("every failure of a %s is told as an event and mended within days", (machineClass) => {
    const { state, events } = live(machine(machineClass, 5, 20), everyHour(365))
    const failures = state.faults.filter(({ failureMs }) => failureMs !== null)
    expect(failures.length).toBeGreaterThan(3)
    const told = (code: string) =>
      events
        .filter((event) => event.code === code)
        .map(({ atMs, attributes }) => [atMs, attributes.component])
    expect(told("component-failed")).toEqual(
      failures.map(({ failureMs, component }) => [failureMs, component]).toSorted(byTime),
    )
    expect(told("component-installed")).toEqual(
      failures
        .filter(({ repairedMs }) => repairedMs !== null)
        .map(({ repairedMs, component }) => [repairedMs, component])
        .toSorted(byTime),
    )
    for (const { faultStartMs, failureMs, repairedMs } of failures) {
      expect(faultStartMs).toBeLessThan(failureMs ?? 0)
      if (repairedMs !== null) expect(repairedMs - (failureMs ?? 0)).toBeLessThan(4 * day)
    }
  })

  test("a machine that waits for its repair sends nothing, and its meters stand", () => {
    const { state, readings } = live(machine("pump", 5, 20), everyHour(365))
    const repaired = state.faults.find(
      ({ failureMs, repairedMs }) => failureMs !== null && repairedMs !== null,
    )
    const [downMs, upMs] = [repaired?.failureMs ?? 0, repaired?.repairedMs ?? 0]
    const during = readings.filter(({ atMs }) => atMs >= downMs && atMs < upMs)
    expect(during.length).toBeGreaterThan(10)
    expect(during.every(({ values }) => values === undefined)).toBe(true)
    const hoursAt = (from: number, to: number) =>
      readings
        .filter(({ atMs, values }) => values && atMs >= from && atMs < to)
        .map(({ values }) => values?.run_hours ?? 0)
    const [before, after] = [hoursAt(0, downMs).at(-1) ?? 0, hoursAt(upMs, Infinity)[0] ?? 0]
    expect(after - before).toBeLessThanOrEqual(2)
  })

  test("a worn bearing shows in vibration and temperature, slowly at first and fast at the end", () => {
    const { state, readings } = live(machine("pump", 1), everyHour(60))
    const wear = state.faults.find(
      ({ component, failureMs }) => component === "bearing" && failureMs !== null,
    )
    const [startMs, failureMs] = [wear?.faultStartMs ?? 0, wear?.failureMs ?? 0]
    const mean = (signal: string, from: number, to: number) => {
      const values = readings
        .filter(({ atMs }) => atMs >= from && atMs < to)
        .flatMap(({ values }) => values?.[signal] ?? [])
      return values.reduce((sum, value) => sum + value, 0) / values.length
    }
    const halfway = (startMs + failureMs) / 2
    const healthy = mean("vibration", 0, startMs + day)
    expect(mean("vibration", halfway - day, halfway + day) - healthy).toBeLessThan(2)
    expect(mean("vibration", failureMs - day, failureMs) - healthy).toBeGreaterThan(7)
    expect(mean("bearing_temperature", failureMs - day, failureMs)).toBeGreaterThan(
      mean("bearing_temperature", 0, startMs + day) + 20,
    )
  })

  test("error codes come often before a failure and hardly ever otherwise", () => {
    const { state, events } = live(machine("compressor", 3, 20), everyHour(730))
    const failing = state.faults.filter(({ component }) => component === "valve")
    const codes = events.filter(({ code }) => code === "C210")
    const before = codes.filter(({ atMs }) =>
      failing.some(({ faultStartMs, failureMs }) => atMs >= faultStartMs && atMs <= (failureMs ?? Infinity)),
    )
    expect(before.length).toBeGreaterThan(10)
    expect(codes.length - before.length).toBeLessThan(before.length / 4)
  })

  test("meters never run back", () => {
    for (const machineClass of classes) {
      const { readings } = live(machine(machineClass, 9, 20), everyHour(200))
      for (const meter of Object.keys(machineModels[machineClass].meters)) {
        const shown = readings.flatMap(({ values }) => values?.[meter] ?? [])
        expect(shown).toEqual(shown.toSorted((a, b) => a - b))
      }
    }
  })

  test("a truck is parked at night", () => {
    const { readings } = live(machine("truck", 2, 0.001), everyHour(7))
    for (const { atMs, values } of readings) {
      const clockHour = new Date(atMs).getUTCHours()
      expect(values !== undefined).toBe(clockHour >= 5 && clockHour < 21)
    }
  })
})

describe("sensors that lie", () => {
  function during(machineClass: MachineClass, signal: string) {
    const { state, readings } = live(machine(machineClass, 4, 20), everyHour(365))
    const faults = state.faults.filter(
      ({ component, repairedMs }) => component === `${signal} sensor` && repairedMs !== null,
    )
    const lengths = faults.map(({ faultStartMs, repairedMs }) => (repairedMs ?? 0) - faultStartMs)
    const longest = faults[lengths.indexOf(Math.max(...lengths))]
    const shown = readings.filter(
      ({ atMs, values }) =>
        values && atMs >= (longest?.faultStartMs ?? 0) && atMs < (longest?.repairedMs ?? 0),
    )
    return { fault: longest, values: shown.map(({ values }) => values?.[signal]) }
  }

  test("a stuck one shows one value", () => {
    const { fault, values } = during("pump", "flow")
    expect(fault?.failureMs).toBeNull()
    expect(values.length).toBeGreaterThan(5)
    expect(new Set(values).size).toBe(1)
  })

  test("a drifting one moves away from where it was", () => {
    const { values } = during("pump", "bearing_temperature")
    const mean = (some: (number | undefined)[]) =>
      some.reduce<number>((sum, one) => sum + (one ?? 0), 0) / some.length
    expect(mean(values.slice(-24)) - mean(values.slice(0, 24))).toBeGreaterThan(3)
  })

  test("one with a loose plug leaves most samples out", () => {
    const { values } = during("truck", "tyre_pressure")
    const missing = values.filter((value) => value === undefined).length
    expect(missing / values.length).toBeGreaterThan(0.6)
    expect(missing).toBeLessThan(values.length)
  })
})

describe("surroundings", () => {
  test("it is warmer in July than in January, and in the afternoon than before dawn", () => {
    const mean = (times: number[]) =>
      times.reduce((sum, atMs) => sum + ambientTemperature(7, atMs), 0) / times.length
    const days = (month: number, at: number) =>
      Array.from({ length: 28 }, (_, date) => Date.UTC(2026, month, date + 1, at))
    expect(mean(days(6, 15)) - mean(days(0, 15))).toBeGreaterThan(10)
    expect(mean(days(6, 15)) - mean(days(6, 3))).toBeGreaterThan(5)
  })

  test("pumps work less at the weekend", () => {
    const [friday, saturday] = [Date.UTC(2026, 0, 9, 10), Date.UTC(2026, 0, 10, 10)]
    expect(plannedLoad("continuous", saturday)).toBeLessThan(plannedLoad("continuous", friday))
  })

  test("noise has the mean and spread it says, at instants far apart and close together", () => {
    for (const stride of [1, 1000, 600_000]) {
      const key = keyOf(3, "noise")
      const at = Array.from({ length: 20_000 }, (_, n) => fromMs + n * stride)
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
      const normal = at.map((n) => gaussian(key, n))
      expect(mean(normal)).toBeCloseTo(0, 1)
      expect(mean(normal.map((value) => value * value))).toBeCloseTo(1, 1)
      expect(mean(at.map((n) => uniform(key, n)))).toBeCloseTo(0.5, 1)
      expect(mean(normal.slice(1).map((value, n) => value * (normal[n] ?? 0)))).toBeCloseTo(0, 1)
    }
  })
})

describe("the demo plant", () => {
  const demo = parsePlant(readFileSync(new URL("../../examples/demo/plant.yaml", import.meta.url), "utf8"))

  test("declares every signal that its machines send, and no value is outside its bounds", () => {
    for (const { id, site, class: named } of demo.assets) {
      const declared = demo.classes.find((one) => one.id === named)?.signals ?? {}
      const subject = describeMachine(id, site, named as MachineClass, { seed: 93, wear: 8 })
      for (const { values = {} } of live(subject, everyHour(60)).readings) {
        for (const [signal, value] of Object.entries(values)) {
          const { min = -Infinity, max = Infinity } = declared[signal] ?? { min: Infinity }
          expect(value, `${id} ${signal}`).toBeGreaterThanOrEqual(min)
          expect(value, `${id} ${signal}`).toBeLessThanOrEqual(max)
        }
      }
    }
  })

  test("with seed 93 a bearing is in zone C and a truck is due for its service within two days of any start", () => {
    const tenMinutes = Array.from({ length: 2 * 144 }, (_, at) => (at + 1) * 600_000)
    for (const startMs of [0, 5, 10, 15, 20].map((offset) => fromMs + offset * hour)) {
      const readings = (asset: string, machineClass: MachineClass, site: string) => {
        const subject = describeMachine(asset, site, machineClass, { seed: 93, wear: 8 })
        const start = newMachine(subject, startMs)
        return tenMinutes.map((offset) => step(subject, start, startMs + offset).values ?? {})
      }
      expect(
        readings("pump-5", "pump", "quarry").filter(({ vibration = 0 }) => vibration > 4.5).length,
      ).toBeGreaterThan(20)
      const mileage = readings("truck-2", "truck", "quarry").flatMap((values) => values.mileage ?? [])
      expect(Math.floor((mileage.at(-1) ?? 0) / 5000)).toBe(Math.floor((mileage[0] ?? 0) / 5000) + 1)
    }
  })
})

function byTime(a: readonly unknown[], b: readonly unknown[]): number {
  return Number(a[0]) - Number(b[0])
}
