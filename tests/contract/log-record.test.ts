import { expect, test } from "vitest"
import { shapeOf } from "../../core/log/kafka/record.ts"
import { type Topic, topics } from "../../core/topics.ts"

const told = { site: "north", asset: "pump-1", atMs: 1, arrivedMs: 2 }

test.each([
  ["a reading", { kind: "reading", ...told, values: { pressure: 4 } }],
  ["an event", { kind: "event", ...told, code: "error4", attributes: {} }],
  ["a tick", { kind: "tick", atMs: 1 }],
  [
    "what a person decided",
    {
      kind: "action",
      action: "acknowledge",
      ...told,
      actor: "ann",
      reason: "seen",
      episode: crypto.randomUUID(),
    },
  ],
])("%s is telemetry", (_, value) => {
  expect(topics.telemetry.schema.safeParse(value).success).toBe(true)
  expect(shapeOf(topics.telemetry as Topic<unknown>)(value)).toBeUndefined()
})

test.each([
  ["null", null],
  ["a list", []],
  ["a number", 4],
  ["an empty object", {}],
  ["another kind", { kind: "alarm", ...told }],
  ["a reading without values", { kind: "reading", ...told }],
  ["a reading with a list for values", { kind: "reading", ...told, values: [4] }],
  ["a reading without an asset", { kind: "reading", atMs: 1, arrivedMs: 2, values: {} }],
  ["a reading without a time", { kind: "reading", site: "north", asset: "pump-1", values: {} }],
  ["an event without a code", { kind: "event", ...told, attributes: {} }],
  ["an event without attributes", { kind: "event", ...told, code: "error4" }],
  ["a tick without a time", { kind: "tick" }],
  ["an action without an actor", { kind: "action", action: "shelve", ...told, reason: "noise" }],
])("%s is no telemetry, and no record of another topic", (_, value) => {
  for (const topic of Object.values(topics)) {
    expect(shapeOf(topic as unknown as Topic<unknown>)(value)).toEqual(expect.any(String))
  }
})
