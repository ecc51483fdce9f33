import { expect } from "vitest"
import { orderEvent } from "../../core/orders.ts"
import { detectionRecord } from "../../core/vocabulary.ts"
import type { Content } from "./content.ts"
import type { Load } from "./load.ts"

const changeOfOrder = orderEvent.pick({ kind: true })

/** Nothing of the load was lost, what came again was the same, and what was derived is what it should be. */
export function expectSame(content: Content, expected: Content, load: Load): void {
  expect(kindsIn(expected)).toEqual([
    "amended",
    "completed",
    "created",
    "deviation",
    "events",
    "maintained",
    "merged",
    "threshold",
    "usage",
  ])
  expect(content.samples).toEqual(load.sent.samples)
  expect([...content.events.keys()].sort()).toEqual([...load.sent.events].sort())
  expect([...content.logged].sort()).toEqual([...load.sent.samples.keys(), ...load.sent.events].sort())
  expect(content.repeats.different).toEqual([])
  for (const part of ["samples", "events", "detections", "orders", "orderEvents", "deadLetters"] as const) {
    expect(content[part], part).toEqual(expected[part])
  }
}

/** What the load gives to lose: the kinds of rules that found something, and of changes to orders. */
function kindsIn({ detections, orderEvents }: Content): string[] {
  const found = [...detections.values()].flat().map((text) => detectionRecord.parse(JSON.parse(text)))
  const rules = found.map((one) => ("ruleKind" in one ? one.ruleKind : one.kind))
  const changes = [...orderEvents.values()].map((text) => changeOfOrder.parse(JSON.parse(text)).kind)
  return [...new Set([...rules, ...changes])].sort()
}

export function summaryOf({ gateways, sent }: Load, content: Content): string {
  return [
    `${gateways.reduce((sum, one) => sum + one.length, 0)} messages`,
    `${sent.samples.size} samples, ${content.events.size} events`,
    `${[...content.detections.values()].flat().length} detections, ${content.orders.size} orders`,
    `${content.orderEvents.size} order events, ${content.deadLetters.size} dead letters`,
    `${content.repeats.records} records repeated`,
  ].join("; ")
}
