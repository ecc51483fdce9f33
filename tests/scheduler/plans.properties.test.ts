import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { OpenOrder, OrderRequest } from "../../core/orders.ts"
import type { DetectionRecord } from "../../core/vocabulary.ts"
import type { PlanNote } from "../../scheduler/note.ts"
import { type PartitionState, partitionState } from "../../scheduler/state.ts"
import {
  day,
  type Play,
  plants,
  play,
  punctualStories,
  startMs,
  stories,
  tick,
  work,
  workOf,
} from "./plan-play.ts"
import { announced, requestsOf, revisionsOf, schedulerOf } from "./setup.ts"

const fixed = { seed: 2026, numRuns: 150 }
const copy = <T>(value: T): T => JSON.parse(JSON.stringify(value))
const opened = (requests: readonly OrderRequest[]) =>
  requests.filter((one): one is OpenOrder => one.kind === "open")

const ofAsset = (requests: readonly OrderRequest[], asset: string) =>
  requests.filter((one) => one.asset === asset)

/** But for whose order was told of last, which may be another's once more. */
function standings({ plans, ...others }: PartitionState) {
  return [others, Object.entries(plans).map(([key, cycle]) => [key, { ...cycle, told: null }])]
}

describe("any plant of plans", () => {
  test("a restart anywhere changes nothing", () => {
    fc.assert(
      fc.property(plants, stories, fc.nat(), (revisions, story, cut) => {
        const { records, requests, scheduler } = play(revisions, story)
        const at = cut % records.length
        const before = schedulerOf(revisions)
        const first = requestsOf(before, records.slice(0, at))
        const after = schedulerOf(revisions, { state: partitionState.parse(copy(before.state)) })
        expect([...first, ...requestsOf(after, records.slice(at))]).toEqual(requests)
        expect(after.state).toEqual(scheduler.state)
      }),
      fixed,
    )
  })

  test("ticks at other moments give the same requests of each asset, in the same order", () => {
    const times = fc.array(fc.integer({ min: 0, max: 150 * 24 * 3600 }), { maxLength: 30 })
    fc.assert(
      fc.property(plants, punctualStories, times, (revisions, story, seconds) => {
        const { records, requests } = play(revisions, story)
        const [first, ...others] = records
        const last = tick(startMs + 200 * day)
        // A tick says that all up to its time was told.
        const inner = [
          ...others.filter(({ kind }) => kind !== "tick"),
          ...seconds.map((one) => tick(startMs + one * 1000 + 999)),
        ].toSorted((a, b) => a.atMs - b.atMs)
        const again = requestsOf(schedulerOf(revisions), [first ?? last, ...inner, last])
        const scheduler = schedulerOf(revisions)
        const once = [...requestsOf(scheduler, records), ...requestsOf(scheduler, [last])]
        expect(once.slice(0, requests.length)).toEqual(requests)
        for (const asset of ["P-101", "P-102"]) {
          expect(ofAsset(again, asset)).toEqual(ofAsset(once, asset))
        }
      }),
      fixed,
    )
  })

  test("what is told again changes nothing more", () => {
    fc.assert(
      fc.property(plants, stories, fc.nat(), fc.nat(6), (revisions, story, which, later) => {
        const { records } = play(revisions, story)
        const at = which % records.length
        const to = Math.min(records.length, at + 1 + later)
        const last = tick(startMs + 200 * day)
        const [once, again] = [schedulerOf(revisions), schedulerOf(revisions)]
        const requests = requestsOf(once, [...records, last])
        const more = requestsOf(again, [
          ...records.slice(0, to),
          ...records.slice(at, at + 1),
          ...records.slice(to),
          last,
        ])
        for (const asset of ["P-101", "P-102"]) expect(ofAsset(more, asset)).toEqual(ofAsset(requests, asset))
        expect(standings(again.state)).toEqual(standings(once.state))
      }),
      { ...fixed, numRuns: 300 },
    )
  })

  test("no occurrence is asked for twice", () => {
    fc.assert(
      fc.property(plants, stories, (revisions, story) => {
        const orders = opened(play(revisions, story).requests).map(({ order }) => order)
        expect(orders).toEqual([...new Set(orders)])
      }),
      { ...fixed, numRuns: 300 },
    )
  })

  test("a plan waits only for an order that is open, or will be asked for", () => {
    fc.assert(
      fc.property(plants, stories, (revisions, story) => {
        play(revisions, story, expectNobodyWaits)
      }),
      { ...fixed, numRuns: 300 },
    )
  })

  test("once all that was asked for is done, every interval and date is asked for again within its time", () => {
    fc.assert(
      fc.property(plants, stories, (revisions, story) => {
        const { scheduler, requests, records } = play(revisions, story)
        let nowMs = Math.max(...records.map(({ atMs }) => atMs)) + day
        const running = {
          kind: "event",
          site: "works",
          code: "state",
          attributes: { state: "running" },
        } as const
        const told = requestsOf(scheduler, [
          ...["P-101", "P-102"].map((asset) => ({ ...running, asset, atMs: nowMs, arrivedMs: nowMs })),
          tick(nowMs),
        ])
        let open = opened([...requests, ...told])
        const asked: OpenOrder[] = []
        for (let week = 0; week < 30; week++) {
          nowMs += 3 * day
          const done = open.map((one) => ({ ...work(1000 + week, "done"), ...workOf(one, nowMs) }))
          const next = requestsOf(scheduler, [...done, tick(nowMs)])
          open = opened(next)
          asked.push(...open)
        }
        const plans = revisions.newest()?.plant.plans ?? []
        for (const { id, triggers, template } of plans) {
          const isDated = triggers?.some(
            (one) => ("every" in one && !("meter" in one)) || "cron" in one || "rrule" in one,
          )
          // Its work may always be done with another's.
          const isShared = plans.some(
            (one) => one.id !== id && (one.contains.includes(id) || one.template === template),
          )
          if (!isDated || isShared) continue
          for (const asset of ["P-101", "P-102"])
            expect(asked.filter((one) => one.asset === asset && isOf(one, id)).length, id).toBeGreaterThan(0)
        }
      }),
      { ...fixed, numRuns: 100 },
    )
  })

  test("the state grows with plans and meters, not with time", () => {
    fc.assert(
      fc.property(plants, stories, (revisions, story) => {
        const { state } = play(revisions, [...story, ...story, ...story]).scheduler
        const plans = revisions.newest()?.plant.plans.length ?? 0
        expect(Object.keys(state.plans).length).toBe(2 * plans)
        expect(Object.keys(state.meters).length).toBeLessThanOrEqual(2)
        expect(JSON.stringify(state).length).toBeLessThan(2000 + 2 * plans * 1000)
      }),
      { ...fixed, numRuns: 30 },
    )
  })
})

function isOf({ trigger }: OpenOrder, plan: string): boolean {
  return trigger.kind === "plan" && trigger.plan === plan
}

function expectNobodyWaits({ scheduler, outcomes }: Play): void {
  const { plans } = scheduler.state
  for (const [key, { asked, covered }] of Object.entries(plans)) {
    const ended = [...outcomes].flatMap(([order, outcome]) => (outcome === "reopened" ? [] : [order]))
    if (asked !== null) expect(ended, `${key} waits`).not.toContain(asked.order)
    if (covered === null) continue
    const [, asset] = key.split("|")
    expect(Object.keys(plans), `${key} is left to a plan that is there`).toContain(`${covered.by}|${asset}`)
  }
}

const plantWith = (plan: Readonly<Record<string, unknown>>) =>
  revisionsOf(
    announced([
      {
        effectiveMs: 0,
        plant: {
          classes: [{ id: "pump", signals: { hours: { kind: "meter" } } }],
          assets: [{ id: "P-101", site: "works", class: "pump" }],
          templates: [{ id: "inspect", title: "Inspect {asset}" }],
          plans: [{ id: "round", for: {}, template: "inspect", ...plan }],
        },
      },
    ]),
  )

const dueOf = (requests: readonly OrderRequest[]) =>
  opened(requests).map(({ trigger }) => (trigger.kind === "plan" ? trigger.dueMs : Number.NaN))

describe("against a model that knows only what must be asked for", () => {
  /** The clock goes by jumps, now and then back. */
  const clocks = fc.array(fc.integer({ min: -20, max: 60 }), { minLength: 1, maxLength: 40 }).map((steps) => {
    let nowMs = startMs
    return steps.map((step) => {
      nowMs += (step * day) / 7
      return Math.round(nowMs)
    })
  })

  test("each date of a fixed plan is asked for once", () => {
    const first = Date.UTC(2026, 0, 1, 6)
    const schedules = fc.constantFrom(
      {
        schedule: { every: "9d", from: "2026-01-01T06:00:00Z" },
        isDue: (ms: number) => (ms - first) % (9 * day) === 0,
      },
      { schedule: { cron: "0 6 * * MON" }, isDue: (ms: number) => new Date(ms).getUTCDay() === 1 },
      { schedule: { rrule: "FREQ=MONTHLY;BYDAY=1MO", from: "2026-01-05T06:00:00Z" }, isDue: isFirstMonday },
    )
    fc.assert(
      fc.property(schedules, clocks, ({ schedule, isDue }, times) => {
        const ticks = [startMs, ...times]
        const expected: number[] = []
        for (let ms = Date.UTC(2026, 2, 20, 6); ms <= Math.max(...ticks); ms += day)
          if (isDue(ms)) expected.push(ms)
        expect(dueOf(requestsOf(schedulerOf(plantWith({ schedule })), ticks.map(tick)))).toEqual(expected)
      }),
      fixed,
    )
  })

  test("by the wall clock each stop makes one order, for the newest date that it missed", () => {
    fc.assert(
      fc.property(clocks, (times) => {
        const expected: number[] = []
        let nowMs = startMs
        for (const toMs of times) {
          let newest: number | undefined
          for (let ms = Date.UTC(2026, 2, 20, 6); ms <= toMs; ms += day) if (ms > nowMs) newest = ms
          if (newest !== undefined) expected.push(newest)
          nowMs = Math.max(nowMs, toMs)
        }
        const plant = plantWith({ schedule: { cron: "0 6 * * *" } })
        const ticks = [startMs, ...times].map(tick)
        const asked = dueOf(requestsOf(schedulerOf(plant, { clock: "wall" }), ticks, "wall"))
        expect(asked).toEqual(expected)
      }),
      fixed,
    )
  })

  test("each multiple that a meter passes is asked for, the newest for those passed at once", () => {
    const readings = fc.array(
      fc.record({
        more: fc.integer({ min: 0, max: 900 }),
        late: fc.constantFrom(0, 0, 2),
        isTwice: fc.boolean(),
      }),
      { minLength: 1, maxLength: 30 },
    )
    fc.assert(
      fc.property(readings, (steps) => {
        const records: DetectionRecord[] = [tick(startMs)]
        let [value, base, newestMs] = [0, Number.NaN, startMs]
        const expected: string[] = []
        steps.forEach(({ more, late, isTwice }, number) => {
          value += more
          const atMs = startMs + (number + 1 - late) * day
          const record = {
            kind: "meter",
            site: "works",
            asset: "P-101",
            signal: "hours",
            value,
            atMs,
          } as const
          records.push(record, ...(isTwice ? [record] : []))
          if (atMs <= newestMs && !Number.isNaN(base)) return
          newestMs = atMs
          const passed = Math.floor(value / 250) * 250
          if (passed > base) expected.push(`hours at ${passed}`)
          base = passed
        })
        const noted: PlanNote[] = []
        const scheduler = schedulerOf(plantWith({ triggers: [{ meter: "hours", every: 250 }] }), {
          note: (one) => noted.push(one),
        })
        requestsOf(scheduler, records)
        expect(noted.map(({ note }) => note.split(":")[0])).toEqual(expected)
      }),
      fixed,
    )
  })

  test("a floating interval is counted from each completion, or from its due time where it was dropped", () => {
    const works = fc.array(fc.record({ late: fc.integer({ min: -4, max: 60 }), isDropped: fc.boolean() }), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(works, (steps) => {
        const every = 10 * day
        const scheduler = schedulerOf(plantWith({ schedule: { every: "10d" }, mode: "floating", lead: "5d" }))
        const requests = requestsOf(scheduler, [tick(startMs)])
        const expected: number[] = []
        let dueMs = startMs + every
        let askedMs = dueMs - every / 2
        for (const { late, isDropped } of steps) {
          expected.push(dueMs)
          requests.push(...requestsOf(scheduler, [tick(askedMs)]))
          const order = opened(requests).at(-1)
          if (order === undefined) throw new Error("nothing was asked for")
          const endMs = Math.max(dueMs + late * day, askedMs + 1)
          const outcome = isDropped ? "dropped" : "done"
          requests.push(...requestsOf(scheduler, [{ ...work(1, outcome), ...workOf(order, endMs) }]))
          dueMs = (isDropped ? dueMs : endMs) + every
          askedMs = Math.max(dueMs - every / 2, isDropped ? endMs : 0)
        }
        expect(dueOf(requests)).toEqual(expected)
      }),
      fixed,
    )
  })
})

function isFirstMonday(ms: number): boolean {
  const date = new Date(ms)
  return date.getUTCDay() === 1 && date.getUTCDate() <= 7
}
