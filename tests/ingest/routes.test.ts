import { expect, test } from "vitest"
import { stringify } from "yaml"
import { parsePlant } from "../../core/plant.ts"
import { topicFilters } from "../../ingest/decode/routes.ts"

function filters(...patterns: readonly string[]): readonly string[] {
  const topics = patterns.map((pattern) => ({ pattern, payload: "telemetry" }))
  return topicFilters(parsePlant(stringify({ plant: "p", sites: [{ id: "north" }], ingest: { topics } })))
}

test("a plant without topics of its own subscribes to the default ones", () => {
  expect(topicFilters(parsePlant("plant: p\nsites: [{ id: north }]"))).toEqual([
    "v1/+/+/telemetry",
    "v1/+/+/telemetry/+",
    "v1/+/+/events",
  ])
})

test("named levels are wildcards, and patterns that come to the same are one filter", () => {
  expect(filters("acme/{asset}/{signal}", "acme/{site}/{asset}", "acme/press/+/#")).toEqual([
    "acme/+/+",
    "acme/press/+/#",
  ])
})

test("a filter is left out where another one brings its messages", () => {
  expect(filters("a/b", "a/{asset}", "a/#", "b/{asset}/c", "b/x/c")).toEqual(["a/#", "b/+/c"])
  expect(filters("a", "a/#")).toEqual(["a/#"])
  expect(filters("a/#", "a/+")).toEqual(["a/#"])
  expect(filters("#", "$SYS/{asset}")).toEqual(["#", "$SYS/+"])
  expect(filters("{site}/b", "a/{asset}")).toEqual(["+/b", "a/+"])
})
