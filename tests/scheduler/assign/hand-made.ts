/** Weeks written by hand: the notation of `cases/`. */
import { z } from "zod"
import { type Place, type Span, type Week, week } from "../../../scheduler/assign/problem.ts"
import { mondayMs } from "./generate.ts"

const hour = 3_600_000
const day = 24 * hour
const names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

/** "Mon 06:00"; "Mon+7 06:00" is a week later. */
const time = z.string().transform((text) => {
  const [, name = "", more = "0", hours = "", minutes = ""] =
    /^(\w{3})([+-]\d+)? (\d\d):(\d\d)$/.exec(text) ?? []
  const date = names.indexOf(name)
  if (date === -1) throw new RangeError(`no such time: ${text}`)
  return mondayMs + (date + Number(more)) * day + Number(hours) * hour + Number(minutes) * 60_000
})

/** "Mon 06:00-14:00". */
const span = z.string().transform((text): Span => {
  const [from = "", until = ""] = text.split("-").length === 2 ? text.split("-") : []
  return { startMs: time.parse(from), endMs: time.parse(`${from.split(" ")[0]} ${until}`) }
})

const person = z.strictObject({
  craft: z.string().nullable().default(null),
  skills: z.array(z.union([z.string(), z.strictObject({ skill: z.string(), until: time })])).default([]),
  home: z.string().optional(),
  shifts: z.array(span),
})

const task = z.strictObject({
  hours: z.number(),
  craft: z.string().nullable().default(null),
  skills: z.array(z.string()).default([]),
  qualifications: z.array(z.string()).default([]),
  person: z.string().nullable().default(null),
})

const order = z.strictObject({
  priority: z.number().default(3),
  due: time.default(mondayMs + 7 * day),
  earliest: time.default(mondayMs),
  windows: z.array(span).nullable().default(null),
  place: z.string().optional(),
  parts: z.strictObject({ from: time.optional(), why: z.string() }).optional(),
  /** Each after the one before. */
  tasks: z.array(task),
})

const inWords = z.record(z.string(), z.string()).default({})
export const handMade = z.strictObject({
  case: z.string(),
  places: z.record(z.string(), z.tuple([z.number(), z.number()])).default({}),
  people: z.record(z.string(), person),
  orders: z.record(z.string(), order),
  greedy: z.array(z.number()),
  solver: z.array(z.number()),
  whyGreedyLeft: inWords,
  whyLeft: inWords,
})

export function weekOf({ places, people, orders }: z.infer<typeof handMade>): Week {
  const placeOf = (id: string | undefined): Place | null => {
    if (id === undefined) return null
    const [lat = 0, lon = 0] = places[id] ?? []
    return { id, lat, lon }
  }
  return week.parse({
    fromMs: mondayMs,
    toMs: mondayMs + 7 * day,
    travel: { kmPerHour: 50, detour: 1, between: [] },
    people: Object.entries(people).map(([id, { craft, skills, home, shifts }]) => ({
      id,
      craft,
      skills: skills.map((one) =>
        typeof one === "string" ? { skill: one, untilMs: null } : { skill: one.skill, untilMs: one.until },
      ),
      shifts,
      home: placeOf(home),
      fixed: [],
    })),
    jobs: Object.entries(orders).map(([id, { priority, due, earliest, windows, place, parts, tasks }]) => ({
      id,
      number: `WO-${id}`,
      priority,
      dueMs: due,
      earliestMs: earliest,
      windows,
      place: placeOf(place),
      parts: { available: parts === undefined, fromMs: parts?.from ?? null, why: parts?.why ?? "" },
      tasks: tasks.map(({ hours, ...rest }, at) => ({
        id: String(at + 1),
        ms: hours * hour,
        after: at === 0 ? [] : [String(at)],
        ...rest,
      })),
    })),
  })
}
