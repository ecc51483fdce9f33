import { expect, test } from "vitest"
import { parse, stringify } from "yaml"
import type { Action, AssetEvent, Detection, Reading } from "../../core/vocabulary.ts"
import { engineOf, plantSource, resumed, revisionOf, startMs } from "./setup.ts"

const minute = 60_000
const signals = { vibration: { unit: "mm/s" }, temperature: { unit: "degC" } }
const high = (more: object = {}) => ({
  id: "high",
  kind: "threshold",
  signal: "vibration",
  component: "bearing",
  params: { above: 7, onDelay: "10m" },
  ...more,
})
const named = (minutes: number) => ({
  site: "north",
  asset: "P1",
  atMs: startMs + minutes * minute,
  arrivedMs: startMs + minutes * minute,
})
const reading = (minutes: number, values: Record<string, number>): Reading => ({
  kind: "reading",
  ...named(minutes),
  values,
})
const entering = (minutes: number, state: string): AssetEvent => ({
  kind: "event",
  ...named(minutes),
  code: "state",
  attributes: { state },
})
const vibration = (minutes: number, value = 8) => reading(minutes, { vibration: value })

function engineFor(rules: readonly object[], more: object = {}) {
  const plant = parse(plantSource(signals, rules)) as object
  return engineOf([revisionOf(stringify({ ...plant, ...more }))]).engine
}
const steps = (found: readonly Detection[]) =>
  found.map(({ kind, rule, atMs }) => `${(atMs - startMs) / minute} ${rule} ${kind}`)

test("while the asset is down nothing is found, and a delay that ran begins anew", () => {
  const engine = engineFor([high()])
  const inputs = [vibration(0), entering(5, "down"), vibration(7), vibration(30), entering(40, "running")]
  expect(inputs.flatMap((one) => engine.apply(one))).toEqual([])
  expect(steps([vibration(41), vibration(60)].flatMap((one) => engine.apply(one)))).toEqual([
    "51 high opened",
  ])
})

test("after the asset has started the rule looks away until it has settled", () => {
  const engine = engineFor([high({ suspend: { settle: "30m" } })])
  const inputs = [
    entering(0, "starting"),
    entering(10, "running"),
    vibration(12),
    vibration(39),
    vibration(41),
  ]
  expect(inputs.flatMap((one) => engine.apply(one))).toEqual([])
  expect(steps(engine.apply(vibration(60)))).toEqual(["51 high opened"])
})

test("what is open stays open while the asset is down: standing still is not being well", () => {
  const engine = engineFor([high()])
  const inputs = [
    vibration(0),
    vibration(20),
    entering(30, "down"),
    vibration(40, 0),
    entering(50, "running"),
  ]
  expect(steps(inputs.flatMap((one) => engine.apply(one)))).toEqual(["10 high opened"])
  expect(steps(engine.apply(vibration(51, 2)))).toEqual(["51 high cleared"])
})

test("states of another plant's words are told in the rule, and a rule may look at all of them", () => {
  const states = ["Stillstand"]
  const engine = engineFor([high({ suspend: { states } }), high({ id: "always", suspend: { states: [] } })])
  const inputs = [entering(0, "Stillstand"), vibration(1), vibration(20)]
  expect(steps(inputs.flatMap((one) => engine.apply(one)))).toEqual(["11 always opened"])
})

test.each([
  ["once", { at: "2026-01-01T01:00:00Z" }],
  ["again and again", { every: "1d", from: "2025-12-01T01:00:00Z" }],
  ["by a pattern", { cron: "0 1 * * *" }],
])("in a maintenance window (%s) rules look away, except those that shall not", (_, schedule) => {
  const window = { id: "cleaning", schedule, lasts: "1h" }
  const rules = [high(), high({ id: "always", suspend: { windows: false } })]
  const engine = engineFor(rules, { maintenanceWindows: [window] })
  const inputs = [vibration(55), vibration(70), vibration(119), vibration(125), vibration(140)]
  expect(steps(inputs.flatMap((one) => engine.apply(one)))).toEqual(["65 always opened", "135 high opened"])
})

test("a restart within a window or a standstill changes nothing", () => {
  const window = { id: "cleaning", schedule: { at: "2026-01-01T01:00:00Z" }, lasts: "1h" }
  const rules = [high({ suspend: { settle: "30m" } })]
  const inputs = [
    ...[vibration(50), vibration(59), vibration(70), entering(100, "down"), vibration(125)],
    ...[entering(130, "running"), vibration(140), vibration(150), vibration(165), vibration(180)],
  ]
  const undisturbed = engineFor(rules, { maintenanceWindows: [window] })
  const expected = inputs.flatMap((one) => undisturbed.apply(one))
  expect(expected.length).toBeGreaterThan(0)
  let engine = engineFor(rules, { maintenanceWindows: [window] })
  const found = inputs.flatMap((one) => {
    engine = resumed(engine, engineFor(rules, { maintenanceWindows: [window] }))
    return engine.apply(one)
  })
  expect(found).toEqual(expected)
})

test("a sensor that has failed silences the rules that read it, and asks for an inspection of its own", () => {
  const sensor = { id: "dead", kind: "flatline", signal: "vibration", params: { for: "30m", minSamples: 3 } }
  const warm = {
    id: "warm",
    kind: "threshold",
    signal: "temperature",
    component: "bearing",
    params: { above: 70 },
  }
  const engine = engineFor([high({ params: { above: 7, onDelay: "40m" } }), sensor, warm])
  const stuck = [0, 10, 20, 30, 40, 50, 60].map((at) =>
    reading(at, { vibration: 8, temperature: at > 50 ? 80 : 20 }),
  )
  const found = stuck.flatMap((one) => engine.apply(one))
  expect(steps(found)).toEqual(["30 dead opened", "60 warm opened"])
  expect(found[0]?.incident).not.toBe(found[1]?.incident)
  expect(steps([vibration(70, 8.1), vibration(111, 8.2)].flatMap((one) => engine.apply(one)))).toEqual([
    "70 dead cleared",
    "110 high opened",
  ])
})

test("many signals of one cause are one incident, and it ends with the last of them", () => {
  const temperature = {
    id: "warm",
    kind: "threshold",
    signal: "temperature",
    component: "bearing",
    params: { above: 70 },
  }
  const engine = engineFor([high({ params: { above: 7 } }), temperature])
  const found = [
    reading(0, { vibration: 8, temperature: 20 }),
    reading(10, { vibration: 8, temperature: 80 }),
    reading(20, { vibration: 2, temperature: 80 }),
    reading(30, { vibration: 8, temperature: 20 }),
    reading(40, { vibration: 2, temperature: 20 }),
    reading(50, { vibration: 8, temperature: 20 }),
  ].flatMap((one) => engine.apply(one))
  const incidents = found.map(({ incident }) => incident)
  expect(new Set(incidents.slice(0, -1)).size).toBe(1)
  expect(incidents[0]).toBe(found[0]?.episode)
  expect(incidents.at(-1)).toBe(found.at(-1)?.episode)
})

const act = (minutes: number, what: Partial<Action> & Pick<Action, "action">): Action => ({
  kind: "action",
  ...named(minutes),
  actor: "ann",
  reason: "seen",
  ...what,
})

test("an episode is acknowledged once, by itself or by its incident, and again after it has got worse", () => {
  const levels = [
    { severity: "warning", above: 7 },
    { severity: "alarm", above: 9 },
  ]
  const engine = engineFor([high({ params: { levels } })])
  const [opened] = engine.apply(vibration(0))
  const acknowledge = (minutes: number) =>
    engine.apply(act(minutes, { action: "acknowledge", episode: opened?.incident }))
  expect(acknowledge(1)).toMatchObject([
    { kind: "acknowledged", actor: "ann", sequence: 1, severity: "warning" },
  ])
  expect(acknowledge(2)).toEqual([])
  expect(steps(engine.apply(vibration(3, 10)))).toEqual(["3 high raised"])
  expect(acknowledge(4)).toMatchObject([{ kind: "acknowledged", sequence: 3 }])
})

test("a shelved rule goes on quietly until its time is up, and then tells what is open", () => {
  const engine = engineFor([high({ params: { above: 7 } })])
  engine.apply(vibration(0, 1))
  expect(engine.apply(act(1, { action: "shelve", rule: "high", untilMs: startMs + 60 * minute }))).toEqual([])
  expect(engine.apply(vibration(10))).toMatchObject([{ kind: "opened", quiet: "shelved" }])
  const [unshelved, ...rest] = engine.apply(vibration(70))
  expect(unshelved).toMatchObject({ kind: "unshelved", atMs: startMs + 60 * minute, sequence: 1 })
  expect(unshelved).not.toHaveProperty("quiet")
  expect(rest).toEqual([])
})

test("what is open when it is shelved goes quiet, and whoever shelved it can take it back", () => {
  const engine = engineFor([high({ params: { above: 7 } })])
  engine.apply(vibration(0))
  const untilMs = startMs + 600 * minute
  expect(engine.apply(act(1, { action: "shelve", rule: "high", untilMs }))).toMatchObject([
    { kind: "shelved", actor: "ann", quiet: "shelved" },
  ])
  expect(engine.apply(vibration(5, 1))).toMatchObject([{ kind: "cleared", quiet: "shelved" }])
  expect(engine.apply(act(6, { action: "unshelve", rule: "high" }))).toEqual([])
  expect(engine.apply(vibration(7))[0]).not.toHaveProperty("quiet")
})

const cleaning = { id: "cleaning", schedule: { at: "2026-01-01T01:00:00Z" }, lasts: "8h" }
const silent = { id: "silent", kind: "stale", signal: "vibration", params: { after: "10m" } }

/** An engine over plants that take effect one after the other. */
function engineOver(
  ...plants: readonly (readonly [minutes: number, rules: readonly object[], more?: object])[]
) {
  const revisions = plants.map(([minutes, rules, more = {}], at) => {
    const plant = parse(plantSource(signals, rules)) as object
    return revisionOf(stringify({ ...plant, ...more }), at + 1, at === 0 ? 0 : startMs + minutes * minute)
  })
  return engineOf(revisions).engine
}

test("a window that the plant file has no more is over at once: silence counts from then on", () => {
  const engine = engineOver([0, [silent], { maintenanceWindows: [cleaning] }], [90, [silent]])
  const inputs = [vibration(55), reading(85, { temperature: 20 }), reading(95, { temperature: 20 })]
  expect(inputs.flatMap((one) => engine.apply(one))).toEqual([])
  expect(steps(engine.advance(startMs + 120 * minute))).toEqual(["100 silent opened"])
})

test("a window that the plant file has from now on begins at once: delays that run are dropped", () => {
  const engine = engineOver([0, [high()]], [65, [high()], { maintenanceWindows: [cleaning] }])
  const inputs = [vibration(60), vibration(64), vibration(66), vibration(80)]
  expect(inputs.flatMap((one) => engine.apply(one))).toEqual([])
  expect(engine.advance(startMs + 120 * minute)).toEqual([])
})

test("in which states a rule looks away an edit says at once, whenever the asset has entered its state", () => {
  const [lenient, strict] = [high({ suspend: { states: ["down"] } }), high({ suspend: { states: ["idle"] } })]
  const engine = engineOver([0, [lenient]], [20, [strict]], [60, [lenient]])
  const inputs = [entering(0, "down"), vibration(1), vibration(15), vibration(25), vibration(36)]
  expect(steps(inputs.flatMap((one) => engine.apply(one)))).toEqual(["35 high opened"])
  expect(steps([vibration(61, 2)].flatMap((one) => engine.apply(one)))).toEqual([])
})

test("a rule that comes while the asset is down looks away too, also one that waits for late samples", () => {
  const slow = high({ id: "slow", lateness: "10m", params: { above: 7 } })
  const engine = engineOver([0, [high()]], [20, [high(), slow]])
  const inputs = [vibration(0, 5), entering(5, "down"), vibration(25), vibration(45), vibration(65)]
  expect(inputs.flatMap((one) => engine.apply(one))).toEqual([])
  expect(engine.assets()[0]?.lanes.map(({ core }) => core.assetState)).toEqual(["down", "down"])
})
