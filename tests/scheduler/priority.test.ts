import fc from "fast-check"
import { expect, test } from "vitest"
import { readRevision } from "../../core/catalogue.ts"
import type { Detection } from "../../core/vocabulary.ts"
import { urgencyOf } from "../../scheduler/priority.ts"
import { requestFor } from "../../scheduler/requests.ts"
import { announced, detectionOf } from "./setup.ts"

const hour = 3_600_000
const day = 24 * hour
const atMs = Date.UTC(2026, 0, 1)

const rules = [
  { id: "vibration", kind: "threshold", for: {}, order: {} },
  { id: "oil-change", kind: "usage", for: {}, order: {} },
]
const usualPlant = {
  classes: [{ id: "pump" }],
  assets: [{ id: "P-101", site: "works", class: "pump", criticality: "B" }],
  rules,
}

function revisionOf(more: Readonly<Record<string, unknown>> = {}) {
  const [record] = announced([{ effectiveMs: 0, plant: { ...usualPlant, ...more } }])
  if (record === undefined) throw new Error("there is one revision")
  return readRevision(record)
}

const { plant } = revisionOf()

/** What the first finding asks for, its limit being so far away. */
function asked(leftMs: number | undefined, more: Partial<Detection> = {}, revision = revisionOf()) {
  const dueMs = atMs + (leftMs ?? 0)
  const forecast = { dueMs, earliestMs: dueMs, latestMs: dueMs, perDay: 1 }
  const detection = detectionOf({
    ruleKind: "rate-of-change",
    ...more,
    episode: "e1",
    atMs,
    ...(leftMs !== undefined && { forecast }),
  })
  const request = requestFor(detection, revision, {})
  if (request?.kind !== "open") throw new Error("the finding asks for an order")
  const { priority, priorityReason } = request
  return { priority, priorityReason, dueInMs: request.dueMs - atMs }
}

test("without a forecast the plant's matrix decides", () => {
  expect(asked(undefined)).toEqual({
    priority: 3,
    priorityReason: "warning on an asset of criticality B",
    dueInMs: 14 * day,
  })
})

test("the sooner the limit will be reached, the more urgent, and the reason says so", () => {
  expect(asked(2.5 * day)).toEqual({
    priority: 2,
    priorityReason:
      "warning on an asset of criticality B is 3; its limit will be reached in 2.5 d (below 7 d): 2",
    dueInMs: 2.5 * day,
  })
  expect(asked(5 * hour)).toEqual({
    priority: 1,
    priorityReason:
      "warning on an asset of criticality B is 3; its limit will be reached in 5 h (below 24 h): 1",
    dueInMs: 5 * hour,
  })
})

test("far from its limit it is as urgent as without a forecast", () => {
  for (const left of [7 * day, 30 * day])
    expect(asked(left)).toMatchObject({ priority: 3, priorityReason: "warning on an asset of criticality B" })
})

test("a limit that should have been reached by now is as near as can be", () => {
  expect(asked(-hour)).toMatchObject({
    priority: 1,
    priorityReason:
      "warning on an asset of criticality B is 3; its limit should have been reached by now (below 24 h): 1",
    dueInMs: 0,
  })
})

test("nothing is above priority 1, and a reason that changes nothing is not given", () => {
  expect(asked(hour, { severity: "alarm" })).toMatchObject({
    priority: 1,
    priorityReason: expect.stringMatching(/ is 2; its limit will be reached in 1 h \(below 24 h\): 1$/),
  })
  expect(asked(hour, { severity: "trip" })).toMatchObject({
    priority: 1,
    priorityReason: "trip on an asset of criticality B",
  })
})

test("a service that its meter asks for is no more urgent the nearer it is", () => {
  const service = { rule: "oil-change", ruleKind: "usage", value: 490, limit: 500 }
  expect(asked(hour, service)).toMatchObject({
    priority: 3,
    priorityReason: "warning on an asset of criticality B",
  })
})

test("a later step of the episode raises its order by the forecast of then", () => {
  const episodes = {}
  const revision = revisionOf()
  const step = (sequence: number, left: number) => {
    const dueMs = atMs + left
    return requestFor(
      detectionOf({
        episode: "e1",
        kind: sequence === 0 ? "opened" : "raised",
        sequence,
        atMs,
        ruleKind: "rate-of-change",
        forecast: { dueMs, earliestMs: dueMs, latestMs: dueMs, perDay: 1 },
      }),
      revision,
      episodes,
    )
  }
  expect(step(0, 20 * day)).toMatchObject({ kind: "open", priority: 3 })
  expect(step(1, 2 * day)).toMatchObject({
    kind: "amend",
    priority: 2,
    priorityReason: expect.stringContaining("reached in 2 d"),
  })
})

test("the plant's own steps count, in any order; without steps a forecast raises nothing", () => {
  const remainingLife = [
    { below: "2d", raise: 1 },
    { below: "30d", raise: 2 },
  ]
  const own = revisionOf({ urgency: { remainingLife } })
  expect(asked(day, {}, own).priorityReason).toMatch(/\(below 30 d\): 1$/)
  expect(asked(31 * day, {}, own).priority).toBe(3)
  expect(asked(0, {}, revisionOf({ urgency: { remainingLife: [] } })).priority).toBe(3)
})

test("less time left is never less urgent, and nothing leaves 1 to 5", () => {
  const severities = fc.constantFrom("watch", "warning", "alarm", "trip")
  const classes = fc.constantFrom("A", "B", "C")
  const steps = fc.array(
    fc.record({ below: fc.integer({ min: 0, max: 100 }), raise: fc.integer({ min: 1, max: 4 }) }),
  )
  const left = fc.integer({ min: -10, max: 110 })
  fc.assert(
    fc.property(
      severities,
      classes,
      steps,
      left,
      left,
      (severity, criticality, remainingLife, one, other) => {
        const { priorities } = plant
        const settings = { priorities, urgency: { remainingLife, age: [] } }
        const of = (ms: number) => urgencyOf(settings, severity, criticality, ms).priority
        expect(of(Math.min(one, other))).toBeLessThanOrEqual(of(Math.max(one, other)))
        expect(of(one)).toBeGreaterThanOrEqual(1)
        expect(of(one)).toBeLessThanOrEqual(priorities[severity][criticality])
      },
    ),
  )
})
