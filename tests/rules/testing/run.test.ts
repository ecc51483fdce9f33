import { expect, test } from "vitest"
import {
  type Readers,
  type Recorded,
  recordingSpec,
  testRules,
  tryRule,
} from "../../../rules/testing/index.ts"

const plant = `plant: works
sites: [{ id: hall }]
classes: [{ id: pump, components: [bearing], signals: { vibration: { unit: mm/s, max: 100 } } }]
assets: [{ id: P-101, site: hall, class: pump }, { id: P-102, site: hall, class: pump }]
rules:
  - { id: high, kind: threshold, for: { class: pump }, signal: vibration, params: { above: 7 } }
  - { id: low, kind: threshold, for: { class: pump }, signal: vibration, params: { below: 1 } }
`

function readers(rows: readonly Recorded[] = []): Readers {
  return {
    plant: async () => plant,
    async *recording() {
      yield* rows
    },
  }
}

const hour = 3_600_000
const startMs = Date.UTC(2026, 2, 4, 6)
const row = (asset: string, hours: number, vibration: number): Recorded => ({
  asset,
  atMs: startMs + hours * hour,
  kind: "reading",
  values: { vibration, remark: 3 },
})

async function lines(text: string, rows?: readonly Recorded[]): Promise<string[]> {
  const { cases } = await testRules(text, readers(rows))
  return cases.flatMap((one) => [
    one.isOk ? "ok" : "failed",
    ...one.lines.map(({ sign, text }) => `${sign} ${text}`),
    ...one.counts.map(({ name, expected, found }) => `${name} ${expected} ${found}`),
  ])
}

const machine = (input: string, detections: string, more = "") => `signals: { vibration: { unit: mm/s } }
rules: [{ id: high, kind: threshold, signal: vibration, severity: alarm, params: { above: 7 } }]
cases:
  - name: one
    input: |
${input.replace(/^/gm, "      ")}
    detections: |
${detections.replace(/^/gm, "      ")}
${more}`

test("what is expected and what is found are told apart, in order", async () => {
  const input = "00:00 vibration=8\n00:10 vibration=1\n00:20 vibration=9"
  const reason = "vibration 9 mm/s above 7 mm/s"
  expect(
    await lines(
      machine(input, `00:00 high opened alarm\n00:10 high cleared alarm\n00:20 high opened alarm: ${reason}`),
    ),
  ).toEqual([
    "ok",
    "  00:00 high opened alarm: vibration 8 mm/s above 7 mm/s",
    "  00:10 high cleared alarm: vibration 1 mm/s is back within its limit of 7 mm/s",
    `  00:20 high opened alarm: ${reason}`,
  ])
  const wrong = "00:00 high opened alarm: too much\n00:10 high cleared alarm\n00:30 high opened alarm"
  expect(await lines(machine(input, wrong, "    counts: { samples: 3, late: 2 }\n"))).toEqual([
    "failed",
    "- 00:00 high opened alarm: too much",
    "+ 00:00 high opened alarm: vibration 8 mm/s above 7 mm/s",
    "  00:10 high cleared alarm: vibration 1 mm/s is back within its limit of 7 mm/s",
    "- 00:30 high opened alarm",
    `+ 00:20 high opened alarm: ${reason}`,
    "late 2 0",
  ])
})

test("people acknowledge what is open and shelve a rule, and late samples come when they arrive", async () => {
  const people = "00:00 vibration=8\n00:05 @acknowledge\n00:10 @shelve high until 05:00\n00:20 vibration=2"
  const found = `00:00 high opened alarm
00:05 high acknowledged alarm
00:10 high shelved alarm (shelved)
00:20 high cleared alarm (shelved)`
  expect((await lines(machine(people, found)))[0]).toBe("ok")
  const late = machine(
    "00:00 vibration=3\n00:10 vibration=8 arrives 00:30\n00:20 vibration=3\n02:00 tick",
    "00:10 high opened alarm\n00:20 high cleared alarm",
  )
  expect((await lines(late.replace("severity: alarm", "severity: alarm, lateness: 30m")))[0]).toBe("ok")
})

test("a case beside a plant file names assets, and may look at some rules only", async () => {
  const cases = (rules: string) => `plant: plant.yaml
cases:
  - name: one
    asset: P-102
    ${rules}
    input: |
      00:00 vibration=8
      00:10 on P-101 vibration=0.5
    detections: |
      00:00 high opened warning
      00:10 on P-101 low opened warning
`
  expect((await lines(cases("")))[0]).toBe("ok")
  expect(await lines(cases("rules: [high]"))).toEqual([
    "failed",
    "  00:00 high opened warning: vibration 8 mm/s above 7 mm/s",
    "- 00:10 on P-101 low opened warning",
  ])
})

test("a recording goes before lines of the same time, and its days are dates", async () => {
  const text = `plant: plant.yaml
cases:
  - name: one
    asset: P-101
    csv: pump.csv
    input: |
      07:30 !component-installed component=bearing
      09:00 vibration=2
    detections: |
      2026-03-04 07:00 high opened warning
      09:00 high cleared warning
      d1 06:00 high opened warning
`
  const rows = [
    row("P-101", 0, 2),
    row("P-101", 1, 8),
    row("P-102", 2, 9),
    row("P-101", 4, 2000),
    row("P-101", 24, 8),
  ]
  expect(await lines(text, rows)).toEqual([
    "ok",
    "  2026-03-04 07:00 high opened warning: vibration 8 mm/s above 7 mm/s",
    "  2026-03-04 09:00 high cleared warning: vibration 2 mm/s is back within its limit of 7 mm/s",
    "  2026-03-05 06:00 high opened warning: vibration 8 mm/s above 7 mm/s",
  ])
  await expect(lines(text, [row("P-9", 0, 1)])).rejects.toThrow(
    "line 5: none of its 1 rows is about an asset that is meant (1 are about others)",
  )
  await expect(lines(text, [])).rejects.toThrow("line 5: the recording has no rows")
})

test("a machine may have attributes, other assets, a time zone and maintenance windows", async () => {
  const text = `signals: { vibration: {} }
assets: { P1: { criticality: A }, P2: { attributes: { rated: 7 } } }
timeZone: Europe/Berlin
maintenanceWindows: []
cases:
  - name: one
    rules:
      - { id: high, kind: threshold, signal: vibration, params: { above: 7 }, overrides: [{ for: { asset: P2 }, params: { above: 9 } }] }
    input: |
      00:00 vibration=8
      00:00 on P2 vibration=8
    detections: 00:00 high opened warning
`
  expect((await lines(text))[0]).toBe("ok")
})

test.each<[string, string, string]>([
  ["no YAML", "signals: {\ncases: [", "line 2: not YAML: "],
  [
    "neither plant nor signals",
    "cases: [{ name: a }]",
    'line 1: (top level): expected either "plant", a plant file, or "signals"',
  ],
  ["both", "plant: a\nsignals: {}\ncases: [{ name: a }]", "line 2: signals: is in the plant file already"],
  ["no cases", "signals: {}\n", "line 1: cases: "],
  [
    "an unknown key",
    "signals: {}\ncases:\n  - name: a\n    inputs: x",
    'line 4: cases[0]: Unrecognized key: "inputs"',
  ],
  [
    "a rule that can't be used",
    "signals: { a: {} }\ncases:\n  - name: a\n    rules:\n      - { id: r, kind: threshold, signal: b, params: { above: 1 } }",
    'line 5: rule "r": signal: no class that the rule is for declares "b"',
  ],
  [
    "a rule without an id",
    "signals: { a: {} }\nrules:\n  - kind: threshold\n    signal: a\ncases: [{ name: a }]",
    "line 3: rules[0].id: ",
  ],
  [
    "a signal's unknown key",
    "signals:\n  a: {}\n  b: { units: mm }\ncases: [{ name: a }]",
    "line 3: signals.b: ",
  ],
  [
    "a wrong line",
    "signals: { a: {} }\ncases:\n  - name: a\n    input: |\n      00:00 a=1\n      00:10 b=1",
    'line 6: there is no signal "b"',
  ],
  [
    "a wrong expectation",
    "signals: { a: {} }\ncases:\n  - name: a\n    detections: |\n      # first\n      00:00 high up alarm",
    'line 6: expected "TIME RULE STEP SEVERITY: REASON"',
  ],
  [
    "several wrong lines",
    "signals: { a: {} }\ncases:\n  - name: a\n    input: |\n      00:00 b=1\n      0:10 a=1\n    detections: |\n      00:00 up",
    'line 5: there is no signal "b": expected one of a, in "00:00 b=1"\nline 6: expected a time, such as 06:00, 06:00:30, d2 06:00 or 2026-03-04 06:00, in "0:10 a=1"\nline 8: expected "TIME RULE STEP',
  ],
  [
    "wrong lines in several cases",
    "plant: p\ncases:\n  - name: a\n    asset: P-9\n  - name: b\n    asset: P-101\n    input: 0:00 vibration=1",
    'line 4: there is no asset "P-9" in the plant\nline 7: expected a time',
  ],
  [
    "an expected detection of a rule that is not there",
    "signals: { a: {} }\nrules: [{ id: high, kind: threshold, signal: a, params: { above: 1 } }]\ncases:\n  - name: a\n    detections: 00:00 hihg opened alarm",
    'line 5: there is no rule "hihg": expected one of high',
  ],
  [
    "an action on a rule that is not there",
    "plant: p\ncases:\n  - name: a\n    asset: P-101\n    input: |\n      00:00 @shelve hihg until 01:00\n      00:00 @unshelve hihg\n      00:00 @acknowledge hihg",
    'line 6: there is no rule "hihg": expected one of high, low, in "00:00 @shelve hihg until 01:00"\nline 7: ',
  ],
  [
    "a count that there is not",
    "signals: { a: {} }\ncases:\n  - name: a\n    counts: { sample: 3 }",
    'line 4: cases[0].counts: Unrecognized key: "sample"',
  ],
  [
    "a start that is no date",
    "signals: { a: {} }\ncases:\n  - name: a\n    start: 1.2.2026",
    "line 4: cases[0].start: expected a date such as 2026-03-04",
  ],
  [
    "a case without a name",
    "signals: { a: {} }\ncases: [{ input: x }]",
    "line 2: cases[0].name: expected a sentence",
  ],
  [
    "a rule that the plant lacks",
    "plant: p\ncases:\n  - name: a\n    rules: [high, hi]",
    'line 4: there is no rule "hi" in the plant: expected one of high, low',
  ],
  [
    "an asset that the plant lacks",
    "plant: p\ncases:\n  - name: a\n    asset: P-9",
    'line 4: there is no asset "P-9" in the plant',
  ],
  [
    "no asset named",
    "plant: p\ncases:\n  - name: a\n    input: 00:00 vibration=1",
    'line 4: expected "on ASSET"',
  ],
  [
    "nothing to acknowledge",
    "signals: { a: {} }\ncases:\n  - name: a\n    input: 00:00 @acknowledge",
    "line 4: nothing is open on P1 that could be acknowledged",
  ],
])("a file with %s is refused with the line", async (_, text, message) => {
  await expect(testRules(text, readers())).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining(message),
  })
})

test("a rule tried on a recording tells its detections and how often it would speak", async () => {
  const rows = Array.from({ length: 61 }, (_, day) => row("P-101", day * 24, day % 20 === 10 ? 8 : 2))
  const request = { source: plant, rule: "high", recording: recordingSpec.parse({ file: "pump.csv" }) }
  const report = await tryRule(
    { ...request, asset: "P-101" },
    readers([...rows, row("P-102", 24, 9), row("P-101", 1441, 200)]),
  )
  expect(report).toMatchObject({
    episodes: 3,
    assets: 1,
    samples: 61,
    use: { rows: 63, strangers: 1, outside: 1, unknown: ["remark"] },
  })
  expect(report.detections).toHaveLength(6)
  expect(report.perMonth).toBeCloseTo(1.5, 1)
  await expect(tryRule({ ...request, rule: "hi", asset: undefined }, readers(rows))).rejects.toThrow(
    'there is no rule "hi" in the plant file: expected one of high, low',
  )
  await expect(tryRule({ ...request, asset: "P-9" }, readers(rows))).rejects.toThrow(
    'the rule "high" is not for an asset "P-9": it is for P-101, P-102',
  )
})
