/**
 * The words that every room shares, with their zod schemas as the one source of their types.
 * Times are milliseconds since 1970 in UTC and end in `Ms`; values are in the signal's own unit.
 */
import { z } from "zod"

/** Names of sites, assets, signals, rules: a letter or digit first, no `/`, `+`, `#` or control characters. */
export const namePattern = /^[\p{L}\p{N}][\p{L}\p{N} ._:@-]{0,127}$/u
export const name = z.string().regex(namePattern, "expected 1 to 128 letters, digits, spaces or . _ : @ -")

export const timeMs = z.number().int()

const farthestMs = 8.64e15
/** A time that somebody states: as far as a date reaches. What the product keeps may also be "never". */
export const dateMs = timeMs.min(-farthestMs).max(farthestMs)

/** As OPC UA tells them apart: good is trusted, uncertain is used with a mark, bad is kept but never decides. */
const quality = z.enum(["good", "uncertain", "bad"])
export type Quality = z.infer<typeof quality>

export const scalar = z.union([z.string(), z.number(), z.boolean()])
export type Scalar = z.infer<typeof scalar>

/** One value of one signal: what the telemetry store gives back. */
export type Sample = {
  readonly asset: string
  readonly signal: string
  readonly atMs: number
  readonly value: number
  readonly quality: Quality
  readonly arrivedMs: number
}

/** What one message said of one asset at one instant: the samples that share a time, as they travel in `telemetry`. */
export const reading = z.object({
  kind: z.literal("reading"),
  site: name,
  asset: name,
  atMs: timeMs,
  arrivedMs: timeMs,
  values: z.record(name, z.number()),
  /** Signals whose quality is not good. */
  quality: z.record(name, quality).optional(),
  /** The publisher gave no time to go by: `atMs` was made up at arrival, and a redelivery can't be recognised. */
  untimed: z.literal(true).optional(),
})
export type Reading = z.infer<typeof reading>

/** Codes with a meaning of their own; every other code is an error code of the equipment. */
export const eventCodes = {
  state: "state",
  componentInstalled: "component-installed",
  componentRemoved: "component-removed",
  componentFailed: "component-failed",
  meterReplaced: "meter-replaced",
} as const

/**
 * Something that happened to an asset: an error code, a change of state (`attributes.state`), a component
 * installed, removed or failed (`attributes.component`), a meter replaced (`attributes.signal`, `attributes.meter`).
 */
export const assetEvent = z.object({
  kind: z.literal("event"),
  site: name,
  asset: name,
  code: z.string().min(1).max(128),
  atMs: timeMs,
  arrivedMs: timeMs,
  attributes: z.record(z.string(), scalar),
  /** As of a reading. */
  untimed: z.literal(true).optional(),
})
export type AssetEvent = z.infer<typeof assetEvent>

/** Which part of the asset an event is about: a component or signal, or empty for the asset as a whole. */
export function partOf({ attributes: { component, signal } }: AssetEvent): string {
  return String(component ?? signal ?? "")
}

/** Moves the plant's clock in a partition where nothing else does (clock `event` only). */
const tick = z.object({ kind: z.literal("tick"), atMs: timeMs })
export type Tick = z.infer<typeof tick>

/**
 * What a person decided about the alarms of an asset: it travels with the telemetry, so that a replay of the log gives
 * the same episodes. Only the product's own commands write it; no message of a device becomes one.
 */
const action = z.object({
  kind: z.literal("action"),
  action: z.enum(["acknowledge", "shelve", "unshelve"]),
  site: name,
  asset: name,
  /** Of `acknowledge`: the episode, or the incident whose episodes are meant. */
  episode: z.uuid().optional(),
  /** Of `shelve` and `unshelve`. */
  rule: name.optional(),
  /** Of `shelve`: until when. */
  untilMs: timeMs.optional(),
  actor: z.string(),
  reason: z.string(),
  atMs: timeMs,
  arrivedMs: timeMs,
})
export type Action = z.infer<typeof action>

export const telemetryRecord = z.discriminatedUnion("kind", [reading, assetEvent, action, tick])
export type TelemetryRecord = z.infer<typeof telemetryRecord>

/** From least to most severe. A `watch` is worth a look; it makes no order unless a rule says so. */
export const severities = ["watch", "warning", "alarm", "trip"] as const
export const severity = z.enum(severities)
export type Severity = z.infer<typeof severity>

/** Below 0 when `a` is less severe than `b`. */
export function compareSeverity(a: Severity, b: Severity): number {
  return severities.indexOf(a) - severities.indexOf(b)
}

const sensorRuleKinds: readonly string[] = ["stale", "flatline", "out-of-range"]

/** Whether rules of this kind judge the sensor and not the machine: what they find asks for an inspection. */
export function isAboutSensor(ruleKind: string): boolean {
  return sensorRuleKinds.includes(ruleKind)
}

export const criticality = z.enum(["A", "B", "C"])
export type Criticality = z.infer<typeof criticality>

/** 1 is the most urgent, 5 the least. */
export const priority = z.number().int().min(1).max(5)

/** Enough to follow the verdict, and later to recompute it. */
const evidence = z.object({
  /** What was compared, in words a technician uses: "mean of 12 h", "code error4 within 24 h". */
  statistic: z.string(),
  fromMs: timeMs,
  toMs: timeMs,
  /** The newest samples that decided, oldest first; at most 16. */
  samples: z.array(z.object({ signal: z.string(), atMs: timeMs, value: z.number() })).max(16),
  /** Codes that decided, oldest first; at most 16. */
  events: z.array(z.object({ code: z.string(), atMs: timeMs })).max(16),
  /** What the rule had learned before: centre, spread, meter readings. */
  baseline: z.record(z.string(), z.number()).optional(),
  /** SHA-256 of the rule's kind and parameters. */
  parameters: z.string(),
  /** With it and the stored telemetry anybody can recompute the verdict; left out where a step decided nothing new. */
  replay: z
    .object({
      /** The plant's revision in force. */
      revision: z.number().int().positive(),
      /** What the rule, and the rules that it goes by, kept in memory at `fromMs`: before all that is counted here. */
      state: z.unknown(),
      fromMs: timeMs,
      /** How far the rule's clock had come: nothing later had been seen. */
      toMs: timeMs,
      /** The newest arrival among what decided: later arrivals were not known. */
      knownMs: timeMs,
      /** How many samples and events since `fromMs` decided, and the SHA-256 of them. */
      records: z.number().int().nonnegative(),
      hash: z.string(),
    })
    .optional(),
})
export type Evidence = z.infer<typeof evidence>

/**
 * What can happen to an episode. `re-alarmed`: told once more, since it has lasted. `amended`: late samples changed what
 * was found, and the episode is open with these figures. `withdrawn`: with them there is nothing to be found.
 */
export const steps = [
  "opened",
  "raised",
  "lowered",
  "re-alarmed",
  "acknowledged",
  "shelved",
  "unshelved",
  "amended",
  "cleared",
  "withdrawn",
] as const

/**
 * One step of an episode. (episode, sequence) names it: a repeat carries the same pair and the same content.
 * `cause` tells why an episode ended: the condition did, somebody maintained the component, or the rule changed.
 */
export const detection = z.object({
  kind: z.enum(steps),
  episode: z.uuid(),
  /**
   * What is wrong with one component of one asset, however many signals tell of it: the first episode that is open
   * names it, and those that open before all of them have ended are part of it. Records from before 0.2 have none.
   */
  incident: z.uuid().optional(),
  sequence: z.number().int().nonnegative(),
  site: name,
  asset: name,
  component: name.nullable(),
  rule: name,
  ruleKind: z.string(),
  revision: z.number().int().positive(),
  severity,
  openedAtMs: timeMs,
  atMs: timeMs,
  signal: z.string().nullable(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
  unit: z.string().nullable(),
  /** One sentence for a person: what, how much, against which limit. */
  reason: z.string(),
  cause: z.enum(["condition", "maintenance", "rule-changed", "next-due"]).optional(),
  /** Somebody has shelved the rule on this asset: the step is kept, and nobody is to be told or sent. */
  quiet: z.literal("shelved").optional(),
  /** When the meter, or the value, will be at its limit, going on as it did; the span is what that allows. */
  forecast: z.object({ dueMs: timeMs, earliestMs: timeMs, latestMs: timeMs, perDay: z.number() }).optional(),
  /** Who acknowledged, shelved or unshelved. */
  actor: z.string().optional(),
  evidence,
})
export type Detection = z.infer<typeof detection>

/** A step of an episode as an operator is told of it: the evidence stays with the detection. */
export const alarmStep = detection.omit({ evidence: true })
export type AlarmStep = z.infer<typeof alarmStep>

const count = z.number().int().nonnegative()

/** One step, told by itself. `cleared`: nothing of the incident is open any more. */
const singleAnnouncement = z.object({
  kind: z.enum(["alarm", "cleared"]),
  site: name,
  /** Never before that of what the site was told earlier. */
  atMs: timeMs,
  step: alarmStep,
})

/** What came in a flood and was not told one by one. A step is counted in one digest, or told by itself. */
const digest = z.object({
  kind: z.literal("digest"),
  site: name,
  /** When the flood began. */
  sinceMs: timeMs,
  fromMs: timeMs,
  toMs: timeMs,
  atMs: timeMs,
  /** New incidents. */
  incidents: count,
  /** Steps of incidents that the operator had been told of: raised, told again, back from the shelf. */
  repeats: count,
  /** Incidents that ended. */
  cleared: count,
  /** Trips of this span that were told one by one all the same; counted nowhere else in it. */
  singly: count,
  /** Incidents and repeats by their severity. */
  bySeverity: z.object({ watch: count, warning: count, alarm: count, trip: count }),
  /** Those with the most incidents and repeats, at most 5. */
  topRules: z.array(z.object({ rule: name, count })).max(5),
  topAssets: z.array(z.object({ asset: name, count })).max(5),
  /** What came first, at most 10: in a flood the cause is often there. */
  first: z
    .array(alarmStep.pick({ episode: true, asset: true, rule: true, severity: true, atMs: true }))
    .max(10),
})

/** What a site's operator is told: docs/alarms.md. */
export const announcement = z.discriminatedUnion("kind", [
  singleAnnouncement,
  digest,
  /** `recent`: so many alarms within the time that the plant file states. */
  z.object({ kind: z.literal("flood-began"), site: name, atMs: timeMs, recent: count }),
  z.object({ kind: z.literal("flood-ended"), site: name, sinceMs: timeMs, atMs: timeMs }),
])
export type Announcement = z.infer<typeof announcement>

/** A new component was installed, whatever had been found about the old one. */
const maintained = z.object({
  kind: z.literal("maintained"),
  site: name,
  asset: name,
  component: name,
  atMs: timeMs,
})
export type Maintained = z.infer<typeof maintained>

/** A meter that some plan goes by was read, or replaced by one that reads so much. */
const meterRead = z.object({
  kind: z.literal("meter"),
  site: name,
  asset: name,
  signal: name,
  atMs: timeMs,
  value: z.number(),
  replaced: z.literal(true).optional(),
})
export type MeterRead = z.infer<typeof meterRead>

/** What became of the work of an order, as the scheduler has to know it. */
const workTold = z.object({
  kind: z.literal("work"),
  site: name,
  asset: name,
  component: name.nullable(),
  order: z.uuid(),
  number: z.string(),
  /** Of the order's event that tells of it. */
  sequence: z.number().int().positive(),
  /** `dropped`: rejected or cancelled, so that the work was not done. */
  outcome: z.enum(["done", "dropped", "reopened"]),
  /** The plan that asked for it, or whose orders it joined. */
  plan: name.nullable(),
  template: name.nullable(),
  /** Tasks were left out, so it does not stand for anything else. */
  partly: z.boolean(),
  atMs: timeMs,
})
export type WorkTold = z.infer<typeof workTold>

/** Somebody states that the work of a plan was done on an asset, without an order for it. */
const credit = z.object({
  kind: z.literal("credit"),
  id: z.uuid(),
  site: name,
  asset: name,
  plan: name,
  /** When it was done. */
  atMs: timeMs,
  actor: z.string(),
  reason: z.string(),
})
export type Credit = z.infer<typeof credit>

/**
 * The scheduler sees all that it goes by among the detections: maintenance, meters, events and the passing of time in the
 * order in which the rules saw them, and work that was done as it becomes known.
 */
export const detectionRecord = z.discriminatedUnion("kind", [
  detection,
  maintained,
  meterRead,
  assetEvent,
  workTold,
  credit,
  tick,
])
export type DetectionRecord = z.infer<typeof detectionRecord>

export function isDetection(record: DetectionRecord): record is Detection {
  return "episode" in record
}

export const orderTypes = ["reactive", "preventive", "predictive", "installation", "specialised"] as const
export const orderType = z.enum(orderTypes)
export type OrderType = z.infer<typeof orderType>

/** A step of an episode as an order keeps it. */
export const finding = detection.pick({
  episode: true,
  sequence: true,
  kind: true,
  rule: true,
  revision: true,
  severity: true,
  openedAtMs: true,
  atMs: true,
  signal: true,
  value: true,
  limit: true,
  unit: true,
  reason: true,
  evidence: true,
})
export type Finding = z.infer<typeof finding>

export const deadLetterReasons = [
  "unknown-topic",
  "not-json",
  "wrong-shape",
  "not-a-number",
  "unknown-unit",
  "time-unreadable",
  "unknown-asset",
  "too-many-assets",
  "too-many-signals",
  "out-of-range",
  "too-large",
  "unusable-name",
] as const

/** A message, or part of one, that could not be taken: kept whole, with the reason, so that it can be replayed. */
export const deadLetter = z.object({
  id: z.uuid(),
  reason: z.enum(deadLetterReasons),
  /** What was wrong, where, and what was expected. */
  detail: z.string(),
  topic: z.string(),
  /** The payload as base64; cut at the configured payload limit, and then `truncated`. */
  payload: z.string(),
  truncated: z.boolean(),
  arrivedMs: timeMs,
})
export type DeadLetter = z.infer<typeof deadLetter>
