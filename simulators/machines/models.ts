import type { LoadProfile } from "./surroundings.ts"

/** value = base + load·L + warmth·W + ambient·(T − 20 °C) + noise·N(0, 1) + what failing parts add. */
type GaugeModel = {
  readonly base: number
  /** Per unit of load, 0 to about 1. */
  readonly load?: number
  /** Per unit of load as the machine's mass has taken it up (first order, 90 min). */
  readonly warmth?: number
  /** Per °C of outdoor temperature. */
  readonly ambient?: number
  readonly noise: number
}

/** One way in which a component wears out. Its life is counted in days of work at a load of 0.7. */
export type WearModel = {
  readonly component: string
  readonly mode: string
  /** Median life, and the deviation of its logarithm from one part to the next. */
  readonly lifeDays: number
  readonly scatter: number
  /** Share of life after which it begins to show: the P of the P-F interval. */
  readonly onset: number
  /** How late the damage grows: 0.1 is nearly a straight line, 4 mostly at the end. */
  readonly growth: number
  /** What it adds to each signal at the moment of failure. */
  readonly effects: Readonly<Record<string, number>>
  /** An error code that the controller reports now and then when healthy, and often when failing. */
  readonly error?: { readonly code: string; readonly healthyPerYear: number; readonly failingPerDay: number }
}

/** One way in which a sensor lies. `everyDays` is the mean time between such faults. */
type SensorFaultModel = {
  readonly signal: string
  readonly mode: "stuck" | "drift" | "drop-out"
  readonly everyDays: number
  /** Median days until somebody sees to it. */
  readonly lastsDays: number
  /** Units per day, for a drift. */
  readonly perDay?: number
}

export type MachineModel = {
  readonly profile: LoadProfile
  readonly gauges: Readonly<Record<string, GaugeModel>>
  /** Counts up by so much per hour of work (`perLoad`: times the load), from a start between 0 and `upTo`. */
  readonly meters: Readonly<Record<string, { perHour: number; perLoad?: true; upTo: number }>>
  /** The meter whose reading goes with a component event. */
  readonly serviceMeter: string
  readonly wear: readonly WearModel[]
  readonly sensorFaults: readonly SensorFaultModel[]
}

/** Healthy pumps and motors run near 2 mm/s; ISO 20816-3 zones C and D begin at 4.5 and 7.1 (group 1, rigid). */
export const machineModels = {
  pump: {
    profile: "continuous",
    gauges: {
      vibration: { base: 1.6, load: 0.6, noise: 0.12 },
      bearing_temperature: { base: 30, warmth: 24, ambient: 0.5, noise: 0.4 },
      discharge_pressure: { base: 7.2, load: -1, noise: 0.05 },
      flow: { base: 20, load: 160, noise: 2 },
    },
    meters: { run_hours: { perHour: 1, upTo: 30_000 } },
    serviceMeter: "run_hours",
    wear: [
      {
        component: "bearing",
        mode: "bearing wear",
        lifeDays: 900,
        scatter: 0.3,
        onset: 0.6,
        growth: 3.5,
        effects: { vibration: 9, bearing_temperature: 32 },
        error: { code: "P201", healthyPerYear: 0.5, failingPerDay: 3 },
      },
      {
        component: "seal",
        mode: "seal leak",
        lifeDays: 1200,
        scatter: 0.35,
        onset: 0.75,
        growth: 2,
        effects: { discharge_pressure: -2.8, flow: -35 },
        error: { code: "P310", healthyPerYear: 0.5, failingPerDay: 4 },
      },
    ],
    sensorFaults: [
      { signal: "bearing_temperature", mode: "drift", everyDays: 1500, lastsDays: 6, perDay: 0.8 },
      { signal: "flow", mode: "stuck", everyDays: 1200, lastsDays: 1.5 },
    ],
  },
  motor: {
    profile: "continuous",
    gauges: {
      vibration: { base: 1.2, load: 0.5, noise: 0.1 },
      winding_temperature: { base: 40, warmth: 48, ambient: 0.8, noise: 0.6 },
      current: { base: 22, load: 70, noise: 0.8 },
      speed: { base: 1492, load: -16, noise: 0.7 },
    },
    meters: { run_hours: { perHour: 1, upTo: 40_000 } },
    serviceMeter: "run_hours",
    wear: [
      {
        component: "bearing",
        mode: "bearing wear",
        lifeDays: 1100,
        scatter: 0.3,
        onset: 0.6,
        growth: 3.5,
        effects: { vibration: 8, winding_temperature: 7 },
      },
      {
        component: "winding",
        mode: "insulation ageing",
        lifeDays: 1500,
        scatter: 0.25,
        onset: 0.7,
        growth: 2,
        effects: { winding_temperature: 45, current: 7 },
        error: { code: "M120", healthyPerYear: 0.3, failingPerDay: 4 },
      },
    ],
    sensorFaults: [
      { signal: "winding_temperature", mode: "stuck", everyDays: 1400, lastsDays: 1 },
      { signal: "speed", mode: "drop-out", everyDays: 900, lastsDays: 0.5 },
    ],
  },
  compressor: {
    profile: "continuous",
    gauges: {
      discharge_pressure: { base: 8.3, load: -0.4, noise: 0.05 },
      filter_pressure_drop: { base: 0.1, load: 0.08, noise: 0.006 },
      oil_temperature: { base: 52, warmth: 22, ambient: 0.4, noise: 0.5 },
      current: { base: 45, load: 90, noise: 1.2 },
    },
    meters: { run_hours: { perHour: 1, upTo: 25_000 } },
    serviceMeter: "run_hours",
    wear: [
      {
        component: "filter",
        mode: "fouling",
        lifeDays: 400,
        scatter: 0.25,
        onset: 0.1,
        growth: 1.5,
        effects: { filter_pressure_drop: 0.55, oil_temperature: 4, current: 6 },
        error: { code: "C330", healthyPerYear: 0.3, failingPerDay: 2 },
      },
      {
        component: "valve",
        mode: "leak",
        lifeDays: 1000,
        scatter: 0.3,
        onset: 0.7,
        growth: 2,
        effects: { discharge_pressure: -2.4, current: 28, oil_temperature: 8 },
        error: { code: "C210", healthyPerYear: 0.5, failingPerDay: 4 },
      },
    ],
    sensorFaults: [
      { signal: "oil_temperature", mode: "drop-out", everyDays: 1000, lastsDays: 0.5 },
      { signal: "discharge_pressure", mode: "stuck", everyDays: 1500, lastsDays: 1 },
    ],
  },
  truck: {
    profile: "shifts",
    gauges: {
      coolant_temperature: { base: 72, warmth: 16, ambient: 0.2, noise: 0.7 },
      oil_pressure: { base: 3.4, load: 0.9, noise: 0.07 },
      tyre_pressure: { base: 8.1, warmth: 0.4, ambient: 0.015, noise: 0.03 },
    },
    meters: {
      mileage: { perHour: 34, perLoad: true, upTo: 180_000 },
      engine_hours: { perHour: 1, upTo: 9_000 },
    },
    serviceMeter: "mileage",
    wear: [
      {
        component: "tyre",
        mode: "slow puncture",
        lifeDays: 350,
        scatter: 0.4,
        onset: 0.85,
        growth: 1,
        effects: { tyre_pressure: -2.6 },
      },
      {
        component: "oil-pump",
        mode: "oil pump wear",
        lifeDays: 1100,
        scatter: 0.3,
        onset: 0.7,
        growth: 2,
        effects: { oil_pressure: -2.2, coolant_temperature: 4 },
        error: { code: "T522", healthyPerYear: 0.5, failingPerDay: 4 },
      },
      {
        component: "radiator",
        mode: "fouling",
        lifeDays: 800,
        scatter: 0.3,
        onset: 0.6,
        growth: 2,
        effects: { coolant_temperature: 26 },
        error: { code: "T110", healthyPerYear: 0.3, failingPerDay: 3 },
      },
    ],
    sensorFaults: [{ signal: "tyre_pressure", mode: "drop-out", everyDays: 700, lastsDays: 1 }],
  },
} as const satisfies Record<string, MachineModel>

export type MachineClass = keyof typeof machineModels
