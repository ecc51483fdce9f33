import { readFileSync } from "node:fs"
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { parse, stringify } from "yaml"
import { z } from "zod"
import { type Plant, parsePlant } from "../../core/plant.ts"
import { telemetryRecord } from "../../core/vocabulary.ts"
import { createDecoder } from "../../ingest/decode/decoder.ts"
import { checkTopics } from "../../ingest/decode/routes.ts"
import { hostileMessages } from "./fuzz.ts"

const json = z.record(z.string(), z.unknown())
const caseFile = z.strictObject({
  arrives: z.string(),
  plant: json,
  cases: z.array(
    z.strictObject({
      name: z.string(),
      topic: z.string(),
      payload: z.string(),
      readings: z.array(json).default([]),
      events: z.array(json).default([]),
      faults: z.record(z.string(), z.string()).default({}),
      clocksAhead: z.array(json).default([]),
    }),
  ),
})
const file = caseFile.parse(parse(readFileSync(new URL("cases/payloads.yaml", import.meta.url), "utf8")))
const plant = parsePlant(stringify(file.plant))
const arrivedMs = Date.parse(file.arrives)

function expected({ at, ...record }: Record<string, unknown>, kind: string): Record<string, unknown> {
  return {
    kind,
    site: "north",
    atMs: typeof at === "string" ? Date.parse(at) : arrivedMs,
    arrivedMs,
    ...record,
  }
}

function changed(ingest: Partial<Plant["ingest"]>): Plant {
  return { ...plant, ingest: { ...plant.ingest, ...ingest } }
}

describe("payloads as they come", () => {
  test.each(file.cases)("$name", ({ topic, payload, readings, events, faults, clocksAhead }) => {
    const decoded = createDecoder(plant).decode(topic, Buffer.from(payload), arrivedMs)
    expect(decoded.records).toEqual([
      ...readings.map((record) => expected(record, "reading")),
      ...events.map((record) => expected(record, "event")),
    ])
    expect(decoded.faults.map(({ reason }) => reason)).toEqual(Object.keys(faults))
    for (const { reason, detail } of decoded.faults) expect(detail).toContain(faults[reason])
    expect(decoded.clocksAhead).toEqual(clocksAhead)
  })
})

describe("what is decoded", () => {
  const value = fc.oneof(fc.double(), fc.boolean(), fc.string(), fc.constant(null), fc.jsonValue())
  const object = fc.dictionary(
    fc.oneof(
      fc.constantFrom("ts", "temperature", "vibration", "signal", "value", "code", "unit"),
      fc.string(),
    ),
    fc.oneof(value, fc.constant(1714564800)),
  )
  const topic = fc.constantFrom(
    "v1/north/P-101/telemetry",
    "v1/x/new/telemetry",
    "v1/north/P-101/telemetry/flow",
    "v1/north/P-101/events",
  )

  test("a record is one of the vocabulary and comes back from the log's JSON unchanged", () => {
    const decoder = createDecoder(plant)
    fc.assert(
      fc.property(topic, fc.oneof(object, fc.array(object)), (on, content) => {
        for (const record of decoder.decode(on, Buffer.from(JSON.stringify(content)), arrivedMs).records) {
          expect(telemetryRecord.parse(record)).toStrictEqual(record)
          expect(JSON.parse(JSON.stringify(record))).toStrictEqual(record)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test("every declared number within its range is decoded as it was sent", () => {
    const decoder = createDecoder(plant)
    const sent = fc.record({
      temperature: fc.double({ min: -50, max: 400, noNaN: true }),
      vibration: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
    })
    fc.assert(
      fc.property(sent, (values) => {
        const payload = Buffer.from(JSON.stringify({ ts: arrivedMs, ...values }))
        const { records, faults } = decoder.decode("v1/north/P-101/telemetry", payload, arrivedMs)
        expect(faults).toEqual([])
        expect(records).toEqual([
          {
            kind: "reading",
            site: "north",
            asset: "P-101",
            atMs: arrivedMs,
            arrivedMs,
            values: { temperature: values.temperature + 0, vibration: values.vibration + 0 },
          },
        ])
      }),
    )
  })

  test("one hundred thousand hostile messages each give a record or a fault, and never an exception", () => {
    const decoder = createDecoder(plant)
    let withRecords = 0
    let withFaults = 0
    for (const { topic, payload } of hostileMessages(20240501, 100_000)) {
      const { records, faults } = decoder.decode(topic, payload, arrivedMs)
      if (records.length === 0 && faults.length === 0) expect(payload.toString()).toContain("null")
      for (const record of records) {
        const { success, data } = telemetryRecord.safeParse(record)
        if (!success) expect.fail(`${topic} ${payload}: ${JSON.stringify(record)}`)
        if (JSON.stringify(data) !== JSON.stringify(record)) expect(data).toEqual(record)
      }
      for (const { detail } of faults) if (detail.length > 2000) expect.fail(`a detail of ${detail.length}`)
      withRecords += records.length > 0 ? 1 : 0
      withFaults += faults.length > 0 ? 1 : 0
    }
    // A generator that only ever makes rubbish, or only good messages, would prove nothing.
    expect(withRecords).toBeGreaterThan(15_000)
    expect(withFaults).toBeGreaterThan(15_000)
  })
})

describe("limits", () => {
  const telemetry = "v1/north/P-101/telemetry"
  const reasons = (decoder: ReturnType<typeof createDecoder>, topic: string, payload: string) =>
    decoder.decode(topic, Buffer.from(payload), arrivedMs).faults.map(({ reason }) => reason)

  test("a payload beyond the limit is too large, one at the limit is not", () => {
    const decoder = createDecoder(plant, { maxPayloadBytes: 15 })
    expect(reasons(decoder, telemetry, '{"vibration":5}')).toEqual([])
    expect(reasons(decoder, telemetry, '{"vibration":50}')).toEqual(["too-large"])
  })

  test("a list beyond the limit is refused whole", () => {
    const decoder = createDecoder(plant, { maxItems: 2 })
    expect(decoder.decode(telemetry, Buffer.from('[{"a":1},{"a":1},{"a":1}]'), arrivedMs)).toMatchObject({
      records: [],
      faults: [{ reason: "too-large" }],
    })
  })

  test("a topic beyond 1024 characters is too large, whatever it would match", () => {
    const decoder = createDecoder(plant)
    expect(reasons(decoder, `line/1/M-1/x/${"a".repeat(1024 - 13)}`, "1")).toEqual([])
    expect(reasons(decoder, `line/1/M-1/x/${"a".repeat(1025 - 13)}`, "1")).toEqual(["too-large"])
  })

  test("undeclared signals are taken up to the limit, and the known ones after it too", () => {
    const decoder = createDecoder(plant, { maxDiscoveredSignalsPerAsset: 2 })
    const { records, faults } = decoder.decode(
      telemetry,
      Buffer.from('{"a":1,"b":2,"c":3,"flow":4}'),
      arrivedMs,
    )
    expect(records).toMatchObject([{ values: { a: 1, b: 2, flow: 4 } }])
    expect(faults).toMatchObject([{ reason: "too-many-signals" }])
    expect(reasons(decoder, telemetry, '{"a":1,"b":2}')).toEqual([])
  })

  test("undeclared signals of all assets have a limit together", () => {
    const decoder = createDecoder(plant, { maxDiscoveredSignals: 1 })
    expect(reasons(decoder, telemetry, '{"a":1}')).toEqual([])
    expect(reasons(decoder, "v1/north/X-1/telemetry", '{"a":1}')).toEqual(["too-many-signals"])
  })

  test("text never uses up a place for a signal", () => {
    const decoder = createDecoder(plant, { maxDiscoveredSignalsPerAsset: 1 })
    expect(reasons(decoder, telemetry, '{"a":"x","b":null,"c":[]}')).toEqual(["not-a-number", "wrong-shape"])
    expect(reasons(decoder, telemetry, '{"d":1}')).toEqual([])
  })

  test("unknown assets are discovered up to the limit", () => {
    const decoder = createDecoder(plant, { maxDiscoveredAssets: 1 })
    expect(reasons(decoder, "v1/north/X-1/telemetry", '{"a":1}')).toEqual([])
    expect(reasons(decoder, "v1/north/X-2/telemetry", '{"a":1}')).toEqual(["too-many-assets"])
    expect(reasons(decoder, "v1/north/X-1/telemetry", '{"a":1}')).toEqual([])
    expect(reasons(decoder, telemetry, '{"a":1}')).toEqual([])
  })

  test("what an earlier decoder discovered is known, and counts towards the limits", () => {
    const limits = { maxDiscoveredAssets: 1, maxDiscoveredSignalsPerAsset: 1 }
    const earlier = createDecoder(plant, limits)
    const known = '{"a":1,"flow":2}'
    expect(reasons(earlier, "v1/north/X-1/telemetry", '{"a":1}')).toEqual([])
    expect(reasons(earlier, telemetry, known)).toEqual([])
    const later = createDecoder(plant, limits, earlier.discovered())
    expect(reasons(later, "v1/north/X-2/telemetry", '{"a":1}')).toEqual(["too-many-assets"])
    expect(reasons(later, "v1/north/X-1/telemetry", '{"b":1}')).toEqual(["too-many-signals"])
    expect(reasons(later, telemetry, '{"b":1}')).toEqual(["too-many-signals"])
    expect(reasons(later, "v1/north/X-1/telemetry", '{"a":1}')).toEqual([])
    expect(reasons(later, telemetry, known)).toEqual([])
    const strict = createDecoder(changed({ unknownAssets: "refuse" }), limits, earlier.discovered())
    expect(reasons(strict, "v1/north/X-1/telemetry", '{"a":1}')).toEqual(["unknown-asset"])
  })

  test("unknown assets can be refused", () => {
    const decoder = createDecoder(changed({ unknownAssets: "refuse" }))
    expect(reasons(decoder, "v1/north/X-1/telemetry", '{"a":1}')).toEqual(["unknown-asset"])
    expect(reasons(decoder, telemetry, '{"a":1}')).toEqual([])
  })

  test("a topic means the same after the kept ones were forgotten", () => {
    const decoder = createDecoder(plant, { maxRoutes: 1 })
    for (const asset of ["P-101", "T-1", "P-101"]) {
      const { records } = decoder.decode(`v1/north/${asset}/telemetry`, Buffer.from('{"x":1}'), arrivedMs)
      expect(records).toMatchObject([{ asset }])
    }
  })

  test("a message with ten thousand faults tells of five and counts the rest", () => {
    const items = Array.from({ length: 10_000 }, () => '{"temperature":"x"}')
    const { faults } = createDecoder(plant).decode(telemetry, Buffer.from(`[${items}]`), arrivedMs)
    expect(faults).toHaveLength(1)
    expect(faults[0]?.detail).toMatch(
      /^("temperature" is the text "x": expected a number; ){5}and 9995 more like these$/,
    )
  })

  test("a batch from a fast clock is noted once, with the furthest time", () => {
    const items = [900, 1800, 600].map((s) => ({ ts: arrivedMs / 1000 + s, flow: 1 }))
    const { clocksAhead } = createDecoder(plant).decode(
      telemetry,
      Buffer.from(JSON.stringify(items)),
      arrivedMs,
    )
    expect(clocksAhead).toEqual([{ asset: "P-101", aheadMs: 1_800_000 }])
  })

  test("a payload of nothing but open brackets is harmless", () => {
    const decoder = createDecoder(plant)
    expect(reasons(decoder, telemetry, "[".repeat(1_000_000))).toEqual(["not-json"])
    const depth = 50_000
    expect(reasons(decoder, telemetry, `${'{"values":'.repeat(depth)}1${"}".repeat(depth)}`)).toEqual([
      "wrong-shape",
    ])
  })

  test("a long row of digits that is no number is read once, not once for each digit", () => {
    const decoder = createDecoder(plant)
    expect(reasons(decoder, `${telemetry}/flow`, `${"9".repeat(400_000)}x`)).toEqual(["not-a-number"])
  })

  test("bytes that aren't UTF-8 are refused, the replacement character itself is not", () => {
    const decoder = createDecoder(plant)
    const broken = Buffer.from('{"code":"E17","text":"\xff"}', "latin1")
    expect(decoder.decode("v1/north/P-101/events", broken, arrivedMs).faults).toMatchObject([
      { reason: "not-json" },
    ])
    expect(reasons(decoder, "v1/north/P-101/events", '{"code":"E17","text":"\uFFFD"}')).toEqual([])
  })
})

describe("topic patterns", () => {
  test("a pattern that can't work is named, and no decoder is made from it", () => {
    const broken = changed({
      topics: [
        { pattern: "v1/#/x", payload: "telemetry" },
        { pattern: "v1/dev-{asset}/{color}", payload: "telemetry" },
        { pattern: "v1/{asset}", payload: "value" },
      ],
    })
    expect(checkTopics(broken)).toEqual([
      expect.stringContaining('ingest.topics[0].pattern: "v1/#/x" has a level "#"'),
      expect.stringContaining('has a level "dev-{asset}"'),
      expect.stringContaining('has a level "{color}"'),
      expect.stringContaining("needs a level {signal} or a fixed signal"),
    ])
    expect(() => createDecoder(broken)).toThrow(expect.objectContaining({ code: "PLANT_INVALID" }))
    expect(checkTopics(plant)).toEqual([])
  })

  test("the first pattern that matches decides", () => {
    const decoder = createDecoder(
      changed({
        topics: [
          { pattern: "a/{asset}", payload: "events" },
          { pattern: "a/{signal}", payload: "value", asset: "P-101" },
        ],
      }),
    )
    expect(decoder.decode("a/flow", Buffer.from('{"code":"E1"}'), arrivedMs).records).toMatchObject([
      { kind: "event", asset: "flow" },
    ])
  })

  test("no wildcard takes a topic of the broker itself", () => {
    const decoder = createDecoder(changed({ topics: [{ pattern: "+/{asset}/#", payload: "telemetry" }] }))
    expect(decoder.decode("$SYS/uptime/x", Buffer.from('{"a":1}'), arrivedMs).faults).toMatchObject([
      { reason: "unknown-topic" },
    ])
  })
})
