/** Seeded hostile messages: what a broken, careless or malicious publisher might send. The same seed gives the same ones. */

export type Message = { readonly topic: string; readonly payload: Buffer }

type Random = () => number

const names = [
  "temperature",
  "vibration",
  "ts",
  "time",
  "t",
  "value",
  "values",
  "fields",
  "signal",
  "unit",
  "quality",
]
const oddNames = [
  "__proto__",
  "constructor",
  "toString",
  "",
  " ",
  "a/b",
  "#",
  "+",
  "{asset}",
  "ß",
  "温度",
  "🔥",
  "a\u0000b",
  "\ud800",
]
const eventNames = ["code", "attributes", "component", "meter", "state", "asset", "site", "id"]
const odd = [
  "",
  "NaN",
  "Infinity",
  "71.5",
  "2024-05-01T12:00:00Z",
  "2024-13-45",
  "1714564800000",
  "0x10",
  "good",
  "°C",
  "5 bar",
]
const codes = ["E17", "component-installed", "meter-replaced", "state"]
const numbers = [
  0,
  -0,
  1,
  -1,
  0.1,
  192,
  1e308,
  -1e308,
  5e-324,
  2 ** 53,
  1714564800,
  1714564800000,
  1714564800000000000,
]
const times = [
  1714564800,
  1714564800.5,
  1714564801000,
  1714564800000000,
  "2024-05-01T12:00:00Z",
  "2031-01-01",
  null,
]
const fittingValues: ReadonlyMap<string, readonly unknown[]> = new Map(
  Object.entries({
    ts: times,
    time: times,
    t: times,
    code: codes,
    signal: ["temperature", "vibration", "flow"],
    unit: ["degC", "°F", "mm/s", "bar"],
    quality: ["good", 192, false],
    asset: ["P-101", "X-1"],
  }),
)
const tokens = [
  "1e999",
  "-1e999",
  "NaN",
  "-Infinity",
  "undefined",
  "01",
  ".5",
  "0x1F",
  "'x'",
  "1e",
  "--1",
  "9".repeat(400),
]

export function* hostileMessages(seed: number, count: number): Generator<Message> {
  const random = mulberry32(seed)
  for (let made = 0; made < count; made++) {
    const to = topic(random)
    yield { topic: to, payload: payload(random, to) }
  }
}

/** Mulberry32: 32 bits of state, enough to choose test data with. */
function mulberry32(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function pick<T>(random: Random, from: readonly [T, ...T[]] | readonly T[]): T {
  const chosen = from[Math.floor(random() * from.length)]
  if (chosen === undefined) throw new Error("nothing to pick from")
  return chosen
}

function whole(random: Random, below: number): number {
  return Math.floor(random() * below)
}

function topic(random: Random): string {
  const asset = random() < 0.7 ? "P-101" : random() < 0.7 ? `X-${whole(random, 40)}` : pick(random, oddNames)
  const site = random() < 0.9 ? "north" : pick(random, oddNames)
  const shape = random()
  if (shape < 0.5) return `v1/${site}/${asset}/telemetry`
  if (shape < 0.65) return `v1/${site}/${asset}/telemetry/${pick(random, random() < 0.7 ? names : oddNames)}`
  if (shape < 0.85) return `v1/${site}/${asset}/events`
  if (shape < 0.95) return "gateways/north/batch"
  return pick(random, [
    "",
    "/",
    "v1",
    "$SYS/x/y/z",
    "v1/".repeat(200),
    "x".repeat(60_000),
    "v1//P-101/telemetry",
  ])
}

function payload(random: Random, to: string): Buffer {
  const shape = random()
  if (shape < 0.05) return Buffer.from(Array.from({ length: whole(random, 64) }, () => whole(random, 256)))
  if (shape < 0.06) return Buffer.from(pick(random, ["[", '{"a":', '[{"values":']).repeat(2000))
  if (shape < 0.1) return Buffer.from(pick(random, tokens))
  const text = Buffer.from(random() < 0.3 ? sound(random, to) : json(random, 0))
  if (shape < 0.2) return text.subarray(0, whole(random, text.length + 1))
  if (shape < 0.3) return mutated(random, text)
  return text
}

/** A message as a good publisher sends it: whole, cut or mutated it reaches checks that random keys seldom do. */
function sound(random: Random, to: string): string {
  const ts = pick(random, times)
  if (to.endsWith("/events"))
    return JSON.stringify({ code: pick(random, codes), ts, component: "bearing", meter: 12, signal: "x" })
  const value = pick(random, numbers)
  const one = { asset: "P-101", ts, signal: "temperature", value, unit: pick(random, ["degC", "°F", "bar"]) }
  return JSON.stringify(
    pick(random, [one, [one, one], value, { asset: "X-1", ts, temperature: value, run_hours: 5 }]),
  )
}

/** A few bytes turned into others, which also makes invalid UTF-8. */
function mutated(random: Random, text: Buffer): Buffer {
  for (let left = 1 + whole(random, 3); left > 0 && text.length > 0; left--) {
    text[whole(random, text.length)] = whole(random, 256)
  }
  return text
}

function json(random: Random, depth: number): string {
  const shape = random()
  if (depth < 5 && shape < (depth === 0 ? 0.7 : 0.12)) return object(random, depth)
  if (depth < 5 && shape < (depth === 0 ? 0.9 : 0.2)) {
    return `[${Array.from({ length: whole(random, 4) }, () => (depth === 0 ? object(random, 0) : json(random, depth + 1)))}]`
  }
  if (random() < 0.7) return JSON.stringify(pick(random, numbers))
  return pick(random, [
    "null",
    "true",
    "false",
    "1e999",
    JSON.stringify(pick(random, odd)),
    JSON.stringify(pick(random, codes)),
  ])
}

function object(random: Random, depth: number): string {
  const entries = Array.from({ length: whole(random, 7) }, () => {
    const key = pick(random, pick(random, [names, names, eventNames, oddNames]))
    return `${JSON.stringify(key)}:${fittingValue(key, random, depth)}`
  })
  return `{${entries.join(",")}}`
}

/** Mostly what belongs there, so that a good part of the messages comes through to the last check. */
function fittingValue(key: string, random: Random, depth: number): string {
  const fitting = fittingValues.get(key)
  if (fitting !== undefined && random() < 0.9) return JSON.stringify(pick(random, fitting))
  if (random() < 0.2) return JSON.stringify(pick(random, [...odd, ...codes]))
  return json(random, depth + 1)
}
