import { describe, expect, test } from "vitest"
import type { AlarmStep } from "../../../core/vocabulary.ts"
import { Page } from "../../../rules/alarms/fold.ts"
import { id, minute, startMs, step } from "./steps.ts"

/** What each step is to an operator who is told of all that matters. */
function weights(steps: readonly AlarmStep[], page = new Page([])) {
  return steps.map((one) => {
    const weight = page.take(one)
    if (weight !== undefined) page.told(one, "singly")
    return weight ?? "listed"
  })
}

const later = (minutes: number, more: Partial<AlarmStep>, of = step(1, 0)): AlarmStep => ({
  ...of,
  atMs: startMs + minutes * minute,
  ...more,
})
const alarmOf = (page: Page, number = 1) => page.changes().find(({ episode }) => episode === id(number))

describe("an alarm", () => {
  test("is told as it opens, rises, is told again and ends; its fall and acknowledgement are listed", () => {
    const page = new Page([])
    const steps = [
      step(1, 0),
      later(1, { kind: "raised", sequence: 1, severity: "alarm" }),
      later(2, { kind: "acknowledged", sequence: 2, severity: "alarm", actor: "jonas" }),
      later(3, { kind: "lowered", sequence: 3 }),
      later(4, { kind: "re-alarmed", sequence: 4 }),
      later(5, { kind: "cleared", sequence: 5 }),
    ]
    expect(weights(steps, page)).toEqual(["incident", "repeat", "listed", "listed", "repeat", "cleared"])
    expect(alarmOf(page)).toMatchObject({
      state: "cleared",
      endedMs: startMs + 5 * minute,
      acknowledgedBy: "jonas",
      sequence: 5,
      toldSeverity: "alarm",
    })
  })

  test("is no more acknowledged once it is worse", () => {
    const page = new Page([])
    weights([step(1, 0), later(1, { kind: "acknowledged", sequence: 1, actor: "jonas" })], page)
    expect(alarmOf(page)).toMatchObject({ acknowledgedBy: "jonas", acknowledgedMs: startMs + minute })
    weights([later(2, { kind: "raised", sequence: 2, severity: "trip" })], page)
    expect(alarmOf(page)).toMatchObject({ acknowledgedBy: null, acknowledgedMs: null })
  })

  test("keeps what was found when somebody says something of it", () => {
    const page = new Page([])
    const found = { value: 7.2, limit: 7.1, unit: "mm/s", reason: "vibration 7.2 mm/s above 7.1 mm/s" }
    const said = (kind: AlarmStep["kind"], sequence: number, reason: string): AlarmStep =>
      later(sequence, { kind, sequence, reason, actor: "jonas", value: null })
    weights([step(1, 0), said("acknowledged", 1, "on my way")], page)
    expect(alarmOf(page)).toMatchObject({ ...found, acknowledgedNote: "on my way" })
    weights([said("shelved", 2, "the sensor is loose"), said("unshelved", 3, "mended")], page)
    expect(alarmOf(page)).toMatchObject({ ...found, acknowledgedNote: "on my way" })
    weights([later(4, { kind: "raised", sequence: 4, severity: "alarm", value: 12, reason: "worse" })], page)
    expect(alarmOf(page)).toMatchObject({ value: 12, reason: "worse", acknowledgedNote: null })
  })

  test("that late samples make worse asks to be acknowledged again, and keeps who had seen it", () => {
    const page = new Page([])
    const steps = [
      step(1, 0),
      later(1, { kind: "acknowledged", sequence: 1, actor: "jonas", reason: "on my way" }),
      later(2, { kind: "amended", sequence: 2, severity: "alarm" }),
    ]
    expect(weights(steps, page)).toEqual(["incident", "listed", "repeat"])
    expect(alarmOf(page)).toMatchObject({
      acknowledgedBy: null,
      acknowledgedBefore: [{ atMs: startMs + minute, by: "jonas", note: "on my way", severity: "warning" }],
    })
  })

  test("is not changed by the same step again, nor by an older one", () => {
    const page = new Page([])
    const raised = later(1, { kind: "raised", sequence: 1, severity: "alarm" })
    weights([step(1, 0), raised], page)
    const before = alarmOf(page)
    expect(weights([raised, step(1, 0)], page)).toEqual(["listed", "listed"])
    expect(alarmOf(page)).toEqual(before)
  })

  test("of which the first steps are gone is taken all the same", () => {
    expect(weights([later(3, { kind: "raised", sequence: 4, severity: "alarm" })])).toEqual(["incident"])
    expect(weights([later(3, { kind: "cleared", sequence: 4 })])).toEqual(["listed"])
  })

  test("that is withdrawn was none: whoever was told of it hears so", () => {
    const page = new Page([])
    expect(weights([step(1, 0), later(1, { kind: "withdrawn", sequence: 1 })], page)).toEqual([
      "incident",
      "cleared",
    ])
    expect(alarmOf(page)).toMatchObject({ state: "withdrawn" })
  })

  test("that late samples open again is told again", () => {
    const steps = [
      step(1, 0),
      later(1, { kind: "cleared", sequence: 1 }),
      later(2, { kind: "amended", sequence: 2 }),
      later(3, { kind: "amended", sequence: 3 }),
      later(4, { kind: "cleared", sequence: 4 }),
    ]
    expect(weights(steps)).toEqual(["incident", "cleared", "repeat", "listed", "cleared"])
  })
})

describe("an incident", () => {
  const part = (number: number, minutes: number, more: Partial<AlarmStep> = {}) =>
    step(number, minutes, { incident: id(1), asset: "P1", rule: `rule-${number}`, ...more })

  test("is told once, however many rules find it, and again by one that finds worse", () => {
    const steps = [
      part(1, 0),
      part(2, 1),
      part(3, 2, { severity: "trip" }),
      part(4, 3, { severity: "alarm" }),
    ]
    expect(weights(steps)).toEqual(["incident", "listed", "repeat", "listed"])
  })

  test("that a watch holds open is told of a warning once, of a reminder and of worse", () => {
    const end = (number: number, minutes: number) => part(number, minutes, { kind: "cleared", sequence: 1 })
    const steps = [
      part(1, 0, { severity: "watch" }),
      part(2, 10),
      end(2, 20),
      part(3, 30),
      part(3, 40, { kind: "re-alarmed", sequence: 1 }),
      part(3, 50, { kind: "raised", sequence: 2, severity: "alarm" }),
    ]
    expect(weights(steps)).toEqual(["incident", "repeat", "listed", "listed", "repeat", "repeat"])
  })

  test("is over when the last of its episodes is", () => {
    const end = (number: number, minutes: number) => part(number, minutes, { kind: "cleared", sequence: 1 })
    expect(weights([part(1, 0), part(2, 1), end(1, 2), end(2, 3)])).toEqual([
      "incident",
      "listed",
      "listed",
      "cleared",
    ])
  })

  test("is each episode by itself where none is named", () => {
    const { incident: _, ...one } = step(1, 0)
    const { incident: __, ...other } = step(2, 1)
    expect(weights([one, other])).toEqual(["incident", "incident"])
  })
})

describe("what is shelved", () => {
  const quiet = { quiet: "shelved" } as const

  test("is listed and told to nobody", () => {
    const page = new Page([])
    const steps = [
      step(1, 0, quiet),
      later(1, { kind: "raised", sequence: 1, severity: "trip", ...quiet }),
      later(2, { kind: "cleared", sequence: 2, ...quiet }),
    ]
    expect(weights(steps, page)).toEqual(["listed", "listed", "listed"])
    expect(alarmOf(page)).toMatchObject({ told: null, toldSeverity: null, quiet: true, state: "cleared" })
  })

  test("is told once it is off the shelf and still there", () => {
    const page = new Page([])
    const steps = [
      step(1, 0),
      later(1, { kind: "shelved", sequence: 1, ...quiet }),
      later(2, { kind: "re-alarmed", sequence: 2, ...quiet }),
      later(3, { kind: "unshelved", sequence: 3 }),
      later(4, { kind: "cleared", sequence: 4 }),
    ]
    expect(weights(steps, page)).toEqual(["incident", "listed", "listed", "repeat", "cleared"])
    expect(alarmOf(page)).toMatchObject({ quiet: false })
  })

  test("hides nothing of another rule that finds the same", () => {
    const other = step(2, 1, { incident: id(1), asset: "P1", rule: "other" })
    expect(weights([step(1, 0, quiet), other])).toEqual(["listed", "incident"])
  })
})
