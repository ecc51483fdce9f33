import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { systemClock } from "../../../core/clock.ts"
import { greedy } from "../../../scheduler/assign/greedy.ts"
import { autoSchedule, byHand } from "../../../scheduler/assign/index.ts"
import { type Week, type WeekPlan, week as weekSchema } from "../../../scheduler/assign/problem.ts"
import { Routes } from "../../../scheduler/assign/routes.ts"
import { highsSolver, type Solver } from "../../../scheduler/assign/solver.ts"
import { workOf } from "../../../scheduler/assign/work.ts"
import { faultsOf } from "./checker.ts"
import { generatedWeek, mondayMs } from "./generate.ts"

const hour = 3_600_000
const everyOrderOnce = (week: Week, { slots, left }: Awaited<ReturnType<typeof autoSchedule>>) =>
  expect([...new Set(slots.map(({ job }) => job)), ...left.map(({ job }) => job)].toSorted()).toEqual(
    week.jobs.map(({ id }) => id).toSorted(),
  )

describe("a generated week", () => {
  test("is planned so that people can work it, and never worth less than by hand", async () => {
    const size = fc.record({
      orders: fc.integer({ min: 1, max: 14 }),
      people: fc.integer({ min: 1, max: 4 }),
      seed: fc.integer({ min: 0, max: 100_000 }),
    })
    await fc.assert(
      fc.asyncProperty(size, async (one) => {
        const week = generatedWeek(one)
        const hand = byHand(week)
        expect(faultsOf(hand.slots, week)).toEqual([])
        const plan = await autoSchedule(week, { seed: one.seed })
        expect(faultsOf(plan.slots, week)).toEqual([])
        expect(plan.score.total).toBeGreaterThanOrEqual(hand.score.total)
        expect(plan.solver).toMatchObject({ timeLimitHit: false, failed: null })
        everyOrderOnce(week, plan)
        for (const { why } of plan.left) expect(why.length).toBeGreaterThan(10)
      }),
      { seed: 1, numRuns: 6 },
    )
  })

  test("leaves no order that had a time and that the plan by hand has a place for", async () => {
    const size = fc.record({
      people: fc.integer({ min: 2, max: 4 }),
      seed: fc.integer({ min: 0, max: 100_000 }),
    })
    await fc.assert(
      fc.asyncProperty(size, async ({ people, seed }) => {
        const { jobs, ...rest } = generatedWeek({ orders: 30, people, seed })
        const week = { ...rest, jobs: jobs.map((job, at) => ({ ...job, timed: at % 3 === 0 })) }
        const timed = new Set(week.jobs.flatMap(({ id, timed }) => (timed ? [id] : [])))
        const timedIn = ({ slots }: WeekPlan) => slots.map(({ job }) => job).filter((job) => timed.has(job))
        const plan = await autoSchedule(week, { seed })
        expect(faultsOf(plan.slots, week)).toEqual([])
        expect(timedIn(plan)).toEqual(expect.arrayContaining(timedIn(byHand(week))))
        expect(plan.score.total).toBeGreaterThanOrEqual(plan.greedyScore.total)
      }),
      { seed: 4, numRuns: 3 },
    )
  })

  test("is planned by hand so that people can work it, whatever its size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 50, max: 200 }), (seed, orders) => {
        const week = generatedWeek({ orders, people: Math.ceil(orders / 14), seed })
        expect(faultsOf(byHand(week).slots, week)).toEqual([])
      }),
      { seed: 2, numRuns: 20 },
    )
  })

  test("of 50 orders gets more done than by hand", async () => {
    const week = generatedWeek({ orders: 50, people: 5, seed: 2 })
    const plan = await autoSchedule(week, { seed: 1 })
    expect(faultsOf(plan.slots, week)).toEqual([])
    expect(plan.score.total).toBeGreaterThan(plan.greedyScore.total)
    everyOrderOnce(week, plan)
  })

  test("is the same plan for the same seed", async () => {
    const week = generatedWeek({ orders: 12, people: 3, seed: 7 })
    const first = await autoSchedule(week, { seed: 3 })
    expect(await autoSchedule(week, { seed: 3 })).toEqual(first)
  })
})

describe("the solver", () => {
  const week = generatedWeek({ orders: 20, people: 4, seed: 5 })

  test("ends at its time limit, says so, and is not worse than by hand", async () => {
    let nowMs = 0
    // Each look at the clock costs a second: the limit is reached in the middle.
    const clock = { ...systemClock, now: () => (nowMs += 1000) }
    const plan = await autoSchedule(week, { seed: 1, timeLimitMs: 20_000, clock })
    expect(plan.solver.timeLimitHit).toBe(true)
    expect(nowMs).toBeLessThanOrEqual(25_000)
    expect(faultsOf(plan.slots, week)).toEqual([])
    expect(plan.score.total).toBeGreaterThanOrEqual(plan.greedyScore.total)
  })

  test("that can't be used is told, and the plan is one that people can work", async () => {
    const broken: Solver = {
      solve: () => Promise.reject(new Error("the solver's thread has ended")),
      close: () => Promise.resolve(),
    }
    const plan = await autoSchedule(week, { seed: 1, solver: broken })
    expect(plan.solver).toMatchObject({ failed: "the solver's thread has ended", programs: 0 })
    expect(faultsOf(plan.slots, week)).toEqual([])
    expect(plan.score.total).toBeGreaterThanOrEqual(plan.greedyScore.total)
  })

  test("gives up when it is told to", async () => {
    const stop = new AbortController()
    const planning = autoSchedule(week, { seed: 1, signal: stop.signal })
    stop.abort(new Error("nobody waits for it any more"))
    await expect(planning).rejects.toThrow("nobody waits for it any more")
  })

  test.each([
    [0.9, 950],
    [30, 30_500],
  ])("is not waited for when it does not end: of %d s at most %d ms", async (seconds, mostMs) => {
    const slept: number[] = []
    // As long as it sleeps is as long as it takes: the guard is there before HiGHS.
    const sleep = (ms: number) => Promise.resolve(void slept.push(ms))
    const solver = highsSolver({ ...systemClock, sleep })
    const roster = greedy(workOf(week))
    const routes = new Routes(10)
    routes.note(roster)
    const { program } = routes.program(roster)
    const limits = { seed: 1, nodes: 20, gap: 0.02, seconds }
    try {
      expect(await solver.solve({ program, limits }, new AbortController().signal)).toEqual({
        values: null,
        timedOut: true,
        proven: false,
      })
      expect(Math.max(...slept)).toBeLessThanOrEqual(mostMs)
    } finally {
      await solver.close()
    }
  })

  test("says what HiGHS failed with", async () => {
    const solver = highsSolver()
    const program = {
      cost: new Float64Array([1]),
      integer: new Int32Array([1]),
      rowLower: new Float64Array([0]),
      rowUpper: new Float64Array([1]),
      starts: new Int32Array([0, 1]),
      // There is no such row.
      indices: new Int32Array([7]),
      values: new Float64Array([1]),
    }
    const limits = { seed: 1, nodes: 1, gap: 0.01, seconds: 1 }
    try {
      await expect(solver.solve({ program, limits }, new AbortController().signal)).rejects.toThrow(
        "outside the model",
      )
    } finally {
      await solver.close()
    }
  })
})

describe("a week", () => {
  const anna = {
    id: "anna",
    skills: [],
    craft: null,
    shifts: [0, 1, 2].map((date) => ({
      startMs: mondayMs + (24 * date + 6) * hour,
      endMs: mondayMs + (24 * date + 14) * hour,
    })),
    home: { id: "works" },
    fixed: [],
  }
  const order = {
    id: "1",
    number: "WO-1",
    priority: 3,
    dueMs: mondayMs + 48 * hour,
    earliestMs: mondayMs,
    windows: null,
    place: { id: "pit" },
    parts: { available: true, fromMs: null, why: "" },
    tasks: [{ id: "1", ms: 20 * hour, craft: null, skills: [], qualifications: [], after: [], person: null }],
  }
  const stated = (ms: number) => ({ kmPerHour: 50, detour: 1, between: [{ from: "works", to: "pit", ms }] })
  const weekWith = (changes: object) =>
    weekSchema.parse({
      fromMs: mondayMs,
      toMs: mondayMs + 7 * 24 * hour,
      people: [anna],
      jobs: [order],
      travel: stated(0),
      ...changes,
    })

  test("has a task that is longer than a shift done in pieces, each within one shift", () => {
    const week = weekWith({})
    const { slots } = byHand(week)
    expect(slots.map(({ piece, pieces, startMs, finishMs }) => [piece, pieces, finishMs - startMs])).toEqual([
      [1, 3, 400 * 60_000],
      [2, 3, 400 * 60_000],
      [3, 3, 400 * 60_000],
    ])
    expect(faultsOf(slots, week)).toEqual([])
  })

  test("has nothing done bit by bit in the gaps of a shift that is nearly full", () => {
    const shifts = [0, 1, 2].map((gap) => ({
      startMs: mondayMs + (6 + gap) * hour,
      endMs: mondayMs + (6 + gap) * hour + hour / 4,
    }))
    const short = { ...order, tasks: [{ ...order.tasks[0], ms: hour / 2 }] }
    const week = weekWith({ people: [{ ...anna, shifts, longestMs: 8 * hour }], jobs: [short] })
    expect(byHand(week)).toMatchObject({
      slots: [],
      left: [{ why: "nobody who may do the work is free for 30 min in one go, the way besides," }],
    })
  })

  test("has the way to the work and home again within the shift", () => {
    const week = weekWith({
      travel: stated(hour),
      jobs: [{ ...order, tasks: [{ ...order.tasks[0], ms: 6 * hour }] }],
    })
    const { slots } = byHand(week)
    expect(slots).toMatchObject([{ startMs: mondayMs + 7 * hour, finishMs: mondayMs + 13 * hour }])
    expect(faultsOf(slots, week)).toEqual([])
    const moved = slots.map((slot) => ({ ...slot, startMs: slot.startMs + 1, finishMs: slot.finishMs + 1 }))
    expect(faultsOf(moved, week)).toHaveLength(1)
  })

  test("respects whom a planner has named, also against craft and skill, and not against a qualification", () => {
    const task = { ...order.tasks[0], ms: hour, craft: "diver", skills: ["diving"], person: "anna" }
    const named = weekWith({ jobs: [{ ...order, tasks: [task] }] })
    expect(byHand(named).slots).toHaveLength(1)
    const law = weekWith({ jobs: [{ ...order, tasks: [{ ...task, qualifications: ["diving licence"] }] }] })
    expect(byHand(law)).toMatchObject({
      slots: [],
      left: [{ job: "1", why: 'anna, who was named for it, lacks "diving licence"' }],
    })
  })

  test("keeps the way to what is planned already free", () => {
    const fixed = [{ startMs: mondayMs + 9 * hour, endMs: mondayMs + 10 * hour, place: { id: "works" } }]
    const [first, ...others] = anna.shifts
    const shifts = [
      { startMs: first?.startMs, endMs: mondayMs + 9 * hour },
      { startMs: mondayMs + 10 * hour, endMs: first?.endMs },
      ...others,
    ]
    const week = weekWith({
      travel: stated(hour),
      people: [{ ...anna, shifts, fixed }],
      jobs: [{ ...order, tasks: [{ ...order.tasks[0], ms: 2 * hour }] }],
    })
    const { slots } = byHand(week)
    // Two hours would fit in before nine, but not with the way there and back.
    expect(slots).toMatchObject([{ startMs: mondayMs + 11 * hour }])
    expect(faultsOf(slots, week)).toEqual([])
  })

  test("has a time for whatever had one before, also where another order is worth more", async () => {
    const eight = [{ ...order.tasks[0], ms: 8 * hour }]
    const [first] = anna.shifts
    const week = weekWith({
      people: [{ ...anna, shifts: [first] }],
      jobs: [
        { ...order, priority: 1, tasks: eight },
        { ...order, id: "2", number: "WO-2", priority: 5, tasks: eight, timed: true },
      ],
    })
    const { slots, left } = await autoSchedule(week, { seed: 1 })
    expect(slots.map(({ job }) => job)).toEqual(["2"])
    expect(left).toMatchObject([{ job: "1", why: expect.stringContaining("no time is left") }])
  })

  test("is refused where tasks wait for one another or an order is there twice", () => {
    const task = (id: string, after: string[]) => ({ ...order.tasks[0], id, after })
    expect(() => weekWith({ jobs: [{ ...order, tasks: [task("1", ["2"]), task("2", ["1"])] }] })).toThrow(
      'task \\"1\\" waits for itself',
    )
    expect(() => weekWith({ jobs: [order, order] })).toThrow("expected each order once")
  })
})
