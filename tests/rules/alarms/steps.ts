import { v5 as uuid } from "uuid"
import type { AlarmStep, Announcement } from "../../../core/vocabulary.ts"
import { type FloodLimits, type SiteState, take, type Weight } from "../../../rules/alarms/flood.ts"

export const minute = 60_000
export const startMs = Date.UTC(2026, 0, 1)
export const limits: FloodLimits = { above: 10, within: 10 * minute, endsBelow: 5 }

/** The id of the episode with this number. */
export function id(number: number): string {
  return uuid(`${number}`, "6b0f2a3e-0d5c-5e6a-9b7e-4f1f5d1c8a21")
}

/** The first step of an episode of a pump, `minutes` after the start. */
export function step(number: number, minutes: number, more: Partial<AlarmStep> = {}): AlarmStep {
  const atMs = startMs + Math.round(minutes * minute)
  return {
    kind: "opened",
    episode: id(number),
    incident: id(number),
    sequence: 0,
    site: "north",
    asset: `P${number}`,
    component: "bearing",
    rule: "vibration",
    ruleKind: "threshold",
    revision: 1,
    severity: "warning",
    openedAtMs: atMs,
    atMs,
    signal: "vibration",
    value: 7.2,
    limit: 7.1,
    unit: "mm/s",
    reason: "vibration 7.2 mm/s above 7.1 mm/s",
    ...more,
  }
}

export function minutesOf(atMs: number): number {
  return (atMs - startMs) / minute
}

/** What is announced, in short: "0 alarm P1", "10.9 digest 3+0-1". */
export function words(told: Announcement): string {
  const at = minutesOf(told.atMs)
  if ("step" in told) return `${at} ${told.kind} ${told.step.asset}`
  if (told.kind === "digest") return `${at} digest ${told.incidents}+${told.repeats}-${told.cleared}`
  return `${at} ${told.kind}`
}

/** Alarms `every` so many minutes. */
export function burst(
  state: SiteState,
  {
    from,
    count,
    every,
    weight = "incident",
    first = 0,
  }: {
    readonly from: number
    readonly count: number
    readonly every: number
    readonly weight?: Weight
    readonly first?: number
  },
  more: Partial<AlarmStep> = {},
): Announcement[] {
  return Array.from({ length: count }, (_, at) =>
    take(state, limits, step(first + at, from + at * every, more), weight),
  ).flatMap(({ announced }) => announced)
}
