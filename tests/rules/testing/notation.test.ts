import { expect, test } from "vitest"
import { LineError, linesOf, type Place, readExpected, readInput } from "../../../rules/testing/notation.ts"

const startMs = Date.UTC(2026, 0, 1)
const minute = 60_000
const place: Place = {
  startMs,
  asset: "P1",
  rules: ["high", "r", "pump: high"],
  assetOf: (id) => (id === "P9" ? undefined : { site: "north", signals: ["a", "b", "oil pressure"] }),
}

/** Minutes, values, and the arrival where it differs. */
function read(text: string) {
  return readInput(linesOf(text), place).map(({ record, arrivesMs }) => {
    const said =
      record.kind === "reading" ? record.values : record.kind === "event" ? record.code : record.kind
    const late = arrivesMs === record.atMs ? [] : [(arrivesMs - startMs) / minute]
    return [(record.atMs - startMs) / minute, said, ...late]
  })
}

test("series run side by side until the longest ends", () => {
  expect(read("00:00 every 1m a=0+1x2 5x1 _x2 7 b=3,-1.5")).toEqual([
    [0, { a: 0, b: 3 }],
    [1, { a: 1, b: -1.5 }],
    [2, { a: 2 }],
    [3, { a: 5 }],
    [4, { a: 5 }],
    [7, { a: 7 }],
  ])
})

test("a series counts its steps, as promtool does, without the dust of binary fractions", () => {
  const values = read("00:00 every 1m a=0+0.1x10").map(([, one]) => one)
  expect(values).toHaveLength(11)
  expect(values.at(3)).toEqual({ a: 0.3 })
  expect(read("00:00 every 1m a=1-1e-3x1").map(([, one]) => one)).toEqual([{ a: 1 }, { a: 0.999 }])
})

test("up to a time the values come in turn", () => {
  expect(read("00:00 to 00:05 every 1m a=1,2").map(([, one]) => one)).toEqual([
    { a: 1 },
    { a: 2 },
    { a: 1 },
    { a: 2 },
    { a: 1 },
  ])
})

test("bad quality, times made up at arrival, other assets, and names with spaces", () => {
  const [one, other] = readInput(linesOf('00:00 a=~3 "oil pressure=2" untimed\n00:01 on "P 2" b=1'), place)
  expect(one?.record).toMatchObject({
    values: { a: 3, "oil pressure": 2 },
    quality: { a: "bad" },
    untimed: true,
  })
  expect(other?.record).toMatchObject({ asset: "P 2", values: { b: 1 } })
  const series = readInput(linesOf("00:00 every 1m a=~5x1"), place).map(({ record }) => record)
  expect(series).toMatchObject([{ quality: { a: "bad" } }, { quality: { a: "bad" } }])
})

test("what arrives later comes after what arrives before it, with its own time", () => {
  expect(read("00:10 a=7 arrives 00:30\n00:20 a=1\n00:40 a=2")).toEqual([
    [20, { a: 1 }],
    [10, { a: 7 }, 30],
    [40, { a: 2 }],
  ])
  expect(read("00:10 a=7 arrives d1 00:00")).toEqual([[10, { a: 7 }, 1440]])
})

test("a line whose time is earlier than that of the line before it is late", () => {
  expect(read("00:10 a=7\n00:05 a=1")).toEqual([
    [10, { a: 7 }],
    [5, { a: 1 }, 10],
  ])
})

test("a series goes on beside the lines below it", () => {
  expect(read("00:00 every 10m a=1x3\n00:10 !error4\n00:25 tick")).toEqual([
    [0, { a: 1 }],
    [10, { a: 1 }],
    [10, "error4"],
    [20, { a: 1 }],
    [25, "tick"],
    [30, { a: 1 }],
  ])
})

test("days count from the first one, and a date stands for itself", () => {
  expect(read("d2 01:00 a=1\n2026-01-05 00:00:30 a=2").map(([at]) => at)).toEqual([
    2 * 1440 + 60,
    4 * 1440 + 0.5,
  ])
})

test("events have attributes, of which numbers are numbers", () => {
  const [one] = readInput(linesOf('00:00 !"E 4" component=bearing meter=12 note="two words"'), place)
  expect(one?.record).toMatchObject({
    kind: "event",
    code: "E 4",
    attributes: { component: "bearing", meter: 12, note: "two words" },
  })
})

test("what people do is an action on the asset", () => {
  const text =
    "00:00 @acknowledge\n00:01 on P2 @acknowledge high\n00:02 @shelve high until d1 08:00\n00:03 @unshelve high"
  expect(readInput(linesOf(text), place).map(({ record }) => record)).toMatchObject([
    { kind: "action", action: "acknowledge", asset: "P1", atMs: startMs },
    { action: "acknowledge", asset: "P2", rule: "high" },
    { action: "shelve", rule: "high", untilMs: startMs + 32 * 3_600_000 },
    { action: "unshelve", rule: "high" },
  ])
})

test.each([
  ["vibration", 'expected a time, such as 06:00, 06:00:30, d2 06:00 or 2026-03-04 06:00, in "vibration"'],
  ["25:00 a=1", "expected a time"],
  ["00:61 a=1", "expected a time"],
  ["2026-13-01 00:00 a=1", "expected a time"],
  ["00:00", "expected signal=value, !event, @action or tick"],
  ["00:00 tock", 'expected signal=value, !event, @action or tick, got "tock"'],
  ["00:00 c=1", 'there is no signal "c": expected one of a, b, oil pressure'],
  ["00:00 on P9 a=1", 'there is no asset "P9"'],
  ["00:00 a=high", 'expected a value such as 7.4, ~7.4, 5x3, 0+1x10 or _x2, got "high"'],
  ["00:00 a=1,2", 'expected one value of each signal, or "every 1m" before several'],
  ["00:00 a=1 a=2", "expected a once in a line"],
  ["00:00 every 1 a=1", 'expected "every 1m signal=values"'],
  ["00:00 every 0s a=1", 'expected "every 1m signal=values"'],
  ["00:00 to 00:00 every 1m a=1", "expected an end after the beginning, and values"],
  ["00:00 every 1m a=1x99999999", "expected at most 1000000 records in one case"],
  ["00:00 to d999999 00:00 every 1s a=1", "expected at most 1000000 records in one case"],
  ["00:00 every 1m !error", "expected signals: an event or action happens once"],
  ["00:00 !error bearing", 'expected attribute=value, got "bearing"'],
  ["00:10 a=1 arrives 00:05", "expected an arrival that is not before the time itself"],
  [
    "00:00 @shelve high",
    "expected @acknowledge, @acknowledge RULE, @shelve RULE until TIME (later) or @unshelve RULE",
  ],
  ["00:00 @shelve high until 00:00", "expected @acknowledge"],
])("%s is refused with what was expected", (text, message) => {
  const refused = () => readInput(linesOf(`\n${text}`, 7), place)
  expect(refused).toThrow(LineError)
  expect(refused).toThrow(message)
  try {
    refused()
  } catch (error) {
    expect(error).toMatchObject({ line: 8 })
  }
})

test("a detection is expected with or without its reason", () => {
  const expected = (text: string) => readExpected({ number: 3, text }, place)
  expect(expected("d1 00:20 on P2 pump: high opened alarm: value 8 (of 7): too much")).toMatchObject({
    atMs: startMs + 1460 * minute,
    asset: "P2",
    rule: "pump: high",
    kind: "opened",
    severity: "alarm",
    mark: "",
    reason: "value 8 (of 7): too much",
  })
  expect(expected("00:20 high cleared alarm (maintenance)")).toMatchObject({
    asset: "P1",
    mark: "maintenance",
    reason: undefined,
  })
  expect(() => expected("00:20 high rose alarm")).toThrow(/expected "TIME RULE STEP SEVERITY: REASON"/)
})
