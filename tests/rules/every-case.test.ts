import { expect, test } from "vitest"
import type { Detection, TelemetryRecord } from "../../core/vocabulary.ts"
import type { Engine } from "../../rules/engine.ts"
import { ruleKinds } from "../../rules/kinds.ts"
import { openTrial } from "../../rules/testing/trial.ts"
import { type Case, everyCase } from "./every-case.ts"
import { resumed, stateOf } from "./setup.ts"
import { fold } from "./standing.ts"

const cases = await everyCase()
const named = cases.map((one) => [one.name, one] as const)

function take(engine: Engine, record: TelemetryRecord): readonly Detection[] {
  return record.kind === "tick" ? engine.advance(record.atMs) : engine.apply(record)
}

/** A recording is long: so many stops, spread over all of it, are enough. */
const mostStops = 500

test.each(named)("saved and restored all the time it finds the same: %s", (_, { source, records, found }) => {
  const undisturbed = openTrial(source).engine
  let engine = openTrial(source).engine
  const every = Math.ceil(records.length / mostStops)
  const again = records.flatMap((record, at) => {
    take(undisturbed, record)
    if (at % every === 0) engine = resumed(engine, openTrial(source).engine)
    return take(engine, record)
  })
  expect(JSON.stringify(again)).toBe(JSON.stringify(found))
  expect(stateOf(engine)).toBe(stateOf(undisturbed))
})

test.each(named)("it finds the same again, whenever the clock is looked at: %s", (_, one) => {
  const ticking = openTrial(one.source).engine
  let nowMs = Number.MIN_SAFE_INTEGER
  const again = one.records.flatMap((record, at) => {
    const before = nowMs === Number.MIN_SAFE_INTEGER ? record.atMs : nowMs
    nowMs = Math.max(before, record.atMs)
    // Somewhere between the record before and this one: no record from before a tick comes after it, unless late.
    const tickMs = before + Math.floor(((nowMs - before) * (at % 4)) / 3)
    return [...ticking.advance(tickMs), ...take(ticking, record)]
  })
  expect(JSON.stringify(again)).toBe(JSON.stringify(one.found))
})

test.each(named)("its steps fit together, and its incidents hold what is open: %s", (_, one) => {
  const { engine } = openTrial(one.source)
  const folded = fold()
  for (const record of one.records) {
    for (const step of take(engine, record)) folded.take(step)
    const incidents = engine.assets().flatMap((asset) => asset.incidents)
    expect(incidents.flatMap(({ episodes }) => episodes).sort()).toEqual([...folded.open()].sort())
  }
})

test("the cases reach every kind of rule", () => {
  const kindsOf = ({ found }: Case) => found.map(({ ruleKind }) => ruleKind)
  expect([...new Set(cases.flatMap(kindsOf))].sort()).toEqual(Object.keys(ruleKinds).sort())
})
