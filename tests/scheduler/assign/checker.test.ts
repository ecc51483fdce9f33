import { describe, expect, test } from "vitest"
import { byHand } from "../../../scheduler/assign/index.ts"
import type { Slot, Week } from "../../../scheduler/assign/problem.ts"
import { faultsOf } from "./checker.ts"
import { generatedWeek } from "./generate.ts"

const minute = 60_000
const week = generatedWeek({ orders: 60, people: 8, seed: 4 })
const { slots } = byHand(week)
const changed = (slot: Slot, changes: Partial<Slot>) =>
  slots.map((one) => (one === slot ? { ...one, ...changes } : one))
const jobOf = (slot: Slot) => week.jobs.find(({ id }) => id === slot.job)
const taskOf = (slot: Slot) => jobOf(slot)?.tasks.find(({ id }) => id === slot.task)
/** The faults of a plan in which one slot of that kind is changed. */
function faultsWith(kind: (slot: Slot) => boolean, change: (slot: Slot) => Partial<Slot>): string {
  const slot = slots.find(kind)
  if (slot === undefined) throw new RangeError("no slot of that kind in this week")
  return faultsOf(changed(slot, change(slot)), week).join("\n")
}
const later = (ms: number) => (slot: Slot) => ({ startMs: slot.startMs + ms, finishMs: slot.finishMs + ms })
const weekWith = (changes: Partial<Week["jobs"][number]>, id: string): Week => ({
  ...week,
  jobs: week.jobs.map((job) => (job.id === id ? { ...job, ...changes } : job)),
})

describe("the checker finds", () => {
  test("nothing in a plan that can be worked", () => {
    expect(slots.length).toBeGreaterThan(20)
    expect(faultsOf(slots, week)).toEqual([])
  })

  test("work outside a shift, the week, a window", () => {
    expect(faultsWith(() => true, later(-9 * 60 * minute))).toContain("not within one shift")
    expect(faultsWith(() => true, later(9 * 24 * 60 * minute))).toContain("outside the week")
    const windowed = (slot: Slot) => jobOf(slot)?.windows != null
    expect(faultsWith(windowed, later(8 * 60 * minute))).toContain("outside the asset's windows")
  })

  test("a person who may not do it", () => {
    const ofCraft = (slot: Slot) => taskOf(slot)?.craft === "electrician"
    const mechanic = week.people.find(({ craft }) => craft === "mechanic")?.id ?? ""
    expect(faultsWith(ofCraft, () => ({ person: mechanic }))).toContain("wrong craft")
    const special = (slot: Slot) => (taskOf(slot)?.qualifications.length ?? 0) > 0
    const expired = {
      ...week,
      people: week.people.map((one) => ({
        ...one,
        skills: one.skills.map(({ skill }) => ({ skill, untilMs: week.fromMs })),
      })),
    }
    expect(slots.some(special)).toBe(true)
    expect(faultsOf(slots, expired).join("\n")).toMatch(/lacks .* then/)
    const [first] = slots
    const named = weekWith(
      { tasks: jobOf(first as Slot)?.tasks.map((task) => ({ ...task, person: "nobody" })) ?? [] },
      first?.job ?? "",
    )
    expect(faultsOf(slots, named).join("\n")).toContain("nobody was named for it")
  })

  test("an order that is half done, in the wrong order, or too short", () => {
    const [first] = slots.filter((slot) => slots.filter(({ job }) => job === slot.job).length > 1)
    const half = slots.filter((slot) => slot !== first)
    expect(faultsOf(half, week).join("\n")).toMatch(/has 0 ms of|lacks pieces/)
    const waits = (slot: Slot) => (taskOf(slot)?.after.length ?? 0) > 0
    expect(faultsWith(waits, later(-4 * 24 * 60 * minute))).toMatch(/begins before .* is done/)
    expect(
      faultsWith(
        () => true,
        (slot) => ({ finishMs: slot.finishMs - minute }),
      ),
    ).toContain("ms of")
  })

  test("two things at once, and no time for the way", () => {
    const byPerson = slots.filter(({ person }) => person === slots[0]?.person)
    const [first, second] = byPerson.toSorted((a, b) => a.startMs - b.startMs)
    if (first === undefined || second === undefined) throw new RangeError("one slot is too few")
    const together = changed(second, {
      startMs: first.startMs,
      finishMs: first.startMs + second.finishMs - second.startMs,
    })
    expect(faultsOf(together, week).join("\n")).toContain("two things at")
    const slow = { ...week, travel: { ...week.travel, kmPerHour: 5, between: [] } }
    expect(faultsOf(slots, slow).join("\n")).toContain("min of way from")
  })

  test("work before its time and before its parts are there", () => {
    const [first] = slots
    const id = first?.job ?? ""
    expect(faultsOf(slots, weekWith({ earliestMs: week.toMs }, id)).join("\n")).toContain(
      "before it may begin",
    )
    const parts = { available: false, fromMs: null, why: "" }
    expect(faultsOf(slots, weekWith({ parts }, id)).join("\n")).toContain("before its parts are there")
  })
})
