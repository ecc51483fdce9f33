import { describe, expect, test } from "vitest"
import { week as weekSchema } from "../../../scheduler/assign/problem.ts"
import { suggest } from "../../../scheduler/assign/suggest.ts"
import { mondayMs } from "./generate.ts"

const hour = 3_600_000
const day = 24 * hour
const shift = (date: number) => ({
  startMs: mondayMs + date * day + 5 * hour,
  endMs: mondayMs + date * day + 13 * hour,
})
const works = { id: "works", lat: 51.5, lon: 7.2 }
const pit = { id: "pit", lat: 51.55, lon: 7.2 }
const someone = { craft: "mechanic", skills: [], shifts: [shift(0), shift(1)], home: works, fixed: [] }
const alignment = { skill: "laser alignment", untilMs: Date.UTC(2027, 2, 1, 23) }

const week = weekSchema.parse({
  fromMs: mondayMs,
  toMs: mondayMs + 7 * day,
  travel: { kmPerHour: 50, detour: 1.3, between: [] },
  people: [
    { ...someone, id: "anna", craft: "electrician" },
    { ...someone, id: "ben", skills: [alignment] },
    {
      ...someone,
      id: "carl",
      skills: [{ ...alignment, untilMs: null }],
      home: pit,
      shifts: [shift(1)],
      fixed: [{ ...shift(0), place: null }],
    },
    { ...someone, id: "dora", skills: [{ ...alignment, untilMs: mondayMs - 10 * day }] },
    { ...someone, id: "emil", skills: [alignment], shifts: [] },
  ],
  jobs: [
    {
      id: "1",
      number: "WO-000001",
      priority: 2,
      dueMs: mondayMs + 12 * hour,
      earliestMs: mondayMs,
      windows: null,
      place: pit,
      parts: { available: true, fromMs: null, why: "seal 2 of 2 free" },
      tasks: [
        {
          id: "1",
          ms: 2 * hour,
          craft: "mechanic",
          skills: ["laser alignment"],
          qualifications: [],
          after: [],
          person: "carl",
        },
      ],
    },
  ],
})

describe("suggest", () => {
  const { about, people } = suggest(week, "1", "Europe/Berlin")

  test("ranks whoever can do it soonest first, and the unqualified last", () => {
    expect(people.map(({ person }) => person)).toEqual(["ben", "carl", "emil", "anna", "dora"])
    expect(people.map(({ tasks }) => tasks.length)).toEqual([1, 1, 1, 0, 0])
  })

  test("tells every criterion in words", () => {
    const why = Object.fromEntries(people.map((one) => [one.person, one.why]))
    expect(why).toEqual({
      ben: [
        'has the craft "mechanic"',
        'has "laser alignment" until 2027-03-01',
        "from 2026-11-30 06:09 to 2026-11-30 08:09, in time, on shift Monday 06:00–14:00",
        "9 min from works",
        "0 min of 16 h planned this week",
      ],
      carl: [
        "named by a planner for task 1",
        'has the craft "mechanic"',
        'has "laser alignment"',
        "from 2026-12-01 06:00 to 2026-12-01 08:00, 19 h late, on shift Tuesday 06:00–14:00",
        "begins the day there",
        "8 h of 16 h planned this week",
      ],
      emil: [
        'has the craft "mechanic"',
        'has "laser alignment" until 2027-03-01',
        "has no time for it this week",
        "9 min from works",
        "not at work this week",
      ],
      anna: [
        'has the craft "electrician", "mechanic" is wanted',
        'lacks "laser alignment"',
        "9 min from works",
        "0 min of 16 h planned this week",
      ],
      dora: [
        '"laser alignment" expired on 2026-11-20',
        'has the craft "mechanic"',
        "9 min from works",
        "0 min of 16 h planned this week",
      ],
    })
    expect(about).toEqual(["due 2026-11-30 13:00", "parts: seal 2 of 2 free"])
  })

  test("says what keeps anybody from it", () => {
    const parts = { available: false, fromMs: null, why: "seal 0 of 2 free" }
    const waiting = { ...week, jobs: week.jobs.map((job) => ({ ...job, parts })) }
    const { about, people } = suggest(waiting, "1")
    expect(about).toContain("can't be planned this week: waits for parts: seal 0 of 2 free")
    expect(people.every(({ startMs }) => startMs === null)).toBe(true)
  })

  test("refuses an order that is not there", () => {
    expect(() => suggest(week, "2")).toThrow("the order 2 is not among those to be planned")
  })
})
