/** Weeks as plants have them, from a seed: several sites, few people for the rare skills, windows, parts on their way. */

import type { Job, Person, Place, Span, Task, Week } from "../../../scheduler/assign/problem.ts"
import { week as weekSchema } from "../../../scheduler/assign/problem.ts"
import { pick, type Random, randomOf, shuffled } from "../../../scheduler/assign/random.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
/** A Monday. */
export const mondayMs = Date.UTC(2026, 10, 30)

const crafts = ["mechanic", "electrician", "instruments"] as const
const common = ["lubrication", "hoisting", "pumps", "drives"]
/** Few have them, many orders want them. */
const rare = ["laser alignment", "high voltage", "welding", "vibration analysis"]

export type Size = { readonly orders: number; readonly people: number; readonly seed: number }

export function generatedWeek({ orders, people, seed }: Size): Week {
  const random = randomOf(seed)
  const between = (from: number, to: number) => from + Math.floor(random() * (to - from + 1))
  const chance = (share: number) => random() < share
  const sites = Array.from({ length: 2 + Math.ceil(people / 6) }, (_, at): Place => {
    const far = at === 0 ? 0 : 0.05 + random() * 0.25
    const angle = random() * 2 * Math.PI
    return { id: `site-${at + 1}`, lat: 51.5 + far * Math.sin(angle), lon: 7.2 + far * Math.cos(angle) }
  })
  const crew = Array.from({ length: people }, (_, at) => personOf(at, { random, between, chance, sites }))
  const jobs = Array.from({ length: orders }, (_, at) => jobOf(at, crew, { random, between, chance, sites }))
  return weekSchema.parse({
    fromMs: mondayMs,
    toMs: mondayMs + 7 * day,
    people: crew,
    jobs,
    travel: {
      kmPerHour: 50,
      detour: 1.3,
      between: [{ from: "site-1", to: "site-2", ms: 25 * minute }],
    },
  })
}

type Dice = {
  readonly random: Random
  readonly between: (from: number, to: number) => number
  readonly chance: (share: number) => boolean
  readonly sites: readonly Place[]
}

function personOf(at: number, { random, between, chance, sites }: Dice): Person {
  const craft = crafts[at % 8 < 4 ? 0 : at % 8 < 7 ? 1 : 2] ?? null
  const early = chance(0.6)
  const fixed: Person["fixed"] = []
  const shifts: Span[] = []
  for (let date = 0; date < 5; date++) {
    if (chance(0.07)) continue
    const startMs = mondayMs + date * day + (early ? 6 : 13) * hour
    const breakMs = startMs + 4 * hour
    const halves = [
      { startMs, endMs: breakMs },
      { startMs: breakMs + 30 * minute, endMs: startMs + 8.5 * hour },
    ]
    const busy = chance(0.15)
      ? { startMs: startMs + between(0, 5) * hour, ms: between(1, 3) * hour }
      : undefined
    if (busy === undefined) shifts.push(...halves)
    else {
      const span = { startMs: busy.startMs, endMs: Math.min(startMs + 8.5 * hour, busy.startMs + busy.ms) }
      fixed.push({ ...span, place: pick(sites, random) ?? null })
      shifts.push(...halves.flatMap((half) => without(half, span)))
    }
  }
  const own = shuffled(common, random).slice(0, between(2, 3))
  const special = chance(0.3) ? shuffled(rare, random).slice(0, between(1, 2)) : []
  // Whoever is first has each rare skill: no order is beyond everybody.
  const skills = [...own, ...(at < 4 ? [rare[at] ?? ""] : []), ...special]
  return {
    id: `person-${at + 1}`,
    skills: [...new Set(skills)].map((skill) => ({
      skill,
      untilMs: chance(0.1) ? mondayMs + between(1, 6) * day : null,
    })),
    craft,
    shifts,
    home: sites[at % 3 === 0 ? Math.floor(random() * sites.length) : 0] ?? null,
    fixed,
  }
}

function without(span: Span, busy: Span): readonly Span[] {
  return [
    { startMs: span.startMs, endMs: Math.min(span.endMs, busy.startMs) },
    { startMs: Math.max(span.startMs, busy.endMs), endMs: span.endMs },
  ].filter(({ startMs, endMs }) => startMs < endMs)
}

function jobOf(at: number, crew: readonly Person[], { random, between, chance, sites }: Dice): Job {
  const dueMs = mondayMs + between(-3, 9) * day + 12 * hour
  const tasks: Task[] = []
  const count = chance(0.7) ? 1 : between(2, 4)
  for (let number = 1; number <= count; number++) {
    const before = number > 1 && chance(0.75) ? [String(number - 1)] : []
    tasks.push({
      id: String(number),
      ms: chance(0.04) ? between(9, 14) * hour : between(2, 12) * 30 * minute * (count > 1 ? 0.5 : 1),
      craft: chance(0.7) ? (pick(crafts.slice(0, chance(0.8) ? 2 : 3), random) ?? null) : null,
      skills: chance(0.35) ? [pick(common, random) ?? ""] : [],
      qualifications: chance(0.2) ? [pick(rare, random) ?? ""] : [],
      after: before,
      person: chance(0.03) ? (pick(crew, random)?.id ?? null) : null,
    })
  }
  const windows = chance(0.25)
    ? Array.from({ length: between(1, 3) }, (_, n) => {
        const startMs = mondayMs + Math.min(4, between(0, 2) + 2 * n) * day + between(6, 14) * hour
        return { startMs, endMs: startMs + between(3, 7) * hour }
      }).filter((one, n, all) => n === 0 || one.startMs >= (all[n - 1]?.endMs ?? 0))
    : null
  const missing = chance(0.08)
  return {
    id: `order-${at + 1}`,
    number: `WO-${String(at + 1).padStart(6, "0")}`,
    priority: pick([1, 2, 2, 3, 3, 3, 3, 4, 4, 5], random) ?? 3,
    dueMs,
    earliestMs: chance(0.1) ? mondayMs + between(0, 3) * day : mondayMs - day,
    windows,
    place: sites[chance(0.5) ? 0 : Math.floor(random() * sites.length)] ?? null,
    parts: missing
      ? {
          available: false,
          fromMs: chance(0.7) ? mondayMs + between(1, 6) * day : null,
          why: "1 of 2 seals is in stock",
        }
      : { available: true, fromMs: null, why: "" },
    timed: false,
    tasks,
  }
}
