import { z } from "zod"
import type { Asset, Plant, RuleSpec } from "../core/plant.ts"
import {
  type AssetEvent,
  type Detection,
  type Evidence,
  type Severity,
  severity,
  timeMs,
} from "../core/vocabulary.ts"
import type { Series } from "./series.ts"

// Plain integers stand for "never" and "no deadline": unlike infinity and null they survive JSON,
// and a field that only ever holds numbers is updated in place.
export const never = Number.MIN_SAFE_INTEGER
export const noDeadline = Number.MAX_SAFE_INTEGER

/** A rule as read from one revision of the plant, for assets of one class. */
export type Rule<Params = unknown> = {
  /** As in the plant file; with `signals` it is one rule for each, which here have their `signal`. */
  readonly spec: RuleSpec
  readonly kind: RuleKind
  readonly params: Params
  /** The plant's revision in which the rule last changed. */
  readonly revision: number
  /** SHA-256 of all that decides: a watch keeps its state for as long as this stays. */
  readonly parameters: string
  /** What the memory was shaped by: while this stays, a changed rule may keep its state. */
  readonly shape: string
  readonly unit: string | null
  /** Of the value and the limit that it tells. */
  readonly valueUnit: string | null
  /** What is watched, as a sentence begins: "bearing vibration". */
  readonly subject: string
}

const openEpisode = z.object({
  id: z.uuid(),
  acknowledged: z.boolean(),
  /** Of the last step. */
  sequence: z.number().int(),
  openedAtMs: timeMs,
  atMs: timeMs,
  severity,
  limit: z.number().nullable(),
})

/** What a watch keeps between records. */
export const watchState = z.object({
  rule: z.string(),
  signal: z.string().nullable(),
  parameters: z.string(),
  shape: z.string(),
  /** How many episodes this rule has opened on this asset. */
  opened: z.number().int(),
  episode: openEpisode.nullable(),
  /** When the condition last ended by itself. */
  endedMs: z.number(),
  dueMs: z.number(),
  /** Until when it looks away because of the asset's state: `noDeadline` while the state lasts, `never` if it does not. */
  awayUntilMs: z.number(),
  /** Until when somebody has shelved it; `never` if nobody has. */
  shelvedUntilMs: z.number(),
  /** The kind's own, by its `memory` schema. */
  memory: z.unknown(),
})
type WatchState<Memory> = z.infer<typeof watchState> & { memory: Memory }

/** Whether a state is this rule's, over the same signal. */
export function isOf(
  { spec }: Pick<Rule, "spec">,
  { rule, signal }: Pick<z.infer<typeof watchState>, "rule" | "signal">,
): boolean {
  return rule === spec.id && signal === (spec.signal ?? null)
}

/** One rule on one asset. */
export type Watch<Params = unknown, Memory = unknown> = {
  readonly rule: Rule<Params>
  readonly site: string
  readonly asset: string
  readonly state: WatchState<Memory>
  /** The newest samples of the rule's signal. */
  readonly series: Series
  /** The signals that the kind reads besides, by name, with their newest usable samples. */
  readonly others: ReadonlyMap<string, Series>
  /** The watches, on the same asset, of the rules that this one goes by. */
  readonly members: Watch[]
  /** The watches whose member this is. */
  readonly followers: Watch[]
  /** The watches that judge the sensors it reads; while one of them has an episode, it looks away. */
  readonly sensors: Watch[]
  /** The watches that look away while this one has an episode. */
  readonly guarded: Watch[]
  /** It looks away: whatever comes is not for it. */
  away: boolean
  readonly lane: LaneOf
}

/** What a watch needs of the lane that it is in. */
export type LaneOf = {
  /** The earliest deadline of the lane; it may be too early, never too late. */
  nextDueMs: number
  readonly outbox: Detection[]
  /** 0, or which time this is that records are looked at again: what opens then is not yet what it will be told as. */
  rehearsal: number
  /** Planned work is going on. */
  inWindow: boolean
  /** With what the verdict can be recomputed; undefined where the verdict is only recomputed. */
  replayOf(watch: Watch, atMs: number): Evidence["replay"]
}

/** Has `fire` called at this time of the asset's clock, in place of an earlier wish. */
export function setDeadline(watch: Watch, dueMs: number): void {
  watch.state.dueMs = dueMs
  if (dueMs < watch.lane.nextDueMs) watch.lane.nextDueMs = dueMs
}

/** What a kind knows of its reasons; samples come from the watch's series, from `fromMs` on. */
type Grounds = Pick<Evidence, "statistic" | "fromMs" | "baseline"> & {
  readonly events?: Evidence["events"]
}

/** What a rule is about, for those whose parameters depend on it. */
export type Subject = { readonly asset: Asset; readonly timeZone: string }

/**
 * One kind of rule. Its functions are steps over `watch.state.memory`: no IO, no clock, and nothing kept elsewhere.
 * Memory is plain JSON without NaN and infinities, so that a restored watch goes on bit for bit.
 * Methods are declared as methods, which lets one table hold kinds of different memories: a kind only ever gets
 * the watches that were made with it.
 */
export interface RuleKind<Params = unknown, Memory = unknown> {
  readonly params: z.ZodType<Params>
  readonly memory: z.ZodType<Memory>
  /** Which signal the rule must name. */
  readonly signal: "any" | "meter" | "none"
  /** Takes no samples whose time was made up at arrival, since a redelivery would count twice. */
  readonly timedOnly?: boolean
  /** Judges the sensor and not the machine: while its episode is open, other rules that read the signal look away. */
  readonly ofSensor?: boolean
  /** Never looks away: what it counts goes on whatever the asset does. */
  readonly always?: boolean
  fresh(params: Params): Memory
  /** The part of the parameters that the memory depends on; left out: all of them. */
  shape?(params: Params): unknown
  /** The unit of the value that it tells, where that is not the signal's. */
  valueUnit?(params: Params, unit: string | null): string | null
  /** With which severities it may find something, where the rule states `own`; left out: with that one. */
  severities?(params: Params, own: Severity): readonly Severity[]
  /** Fills in what the asset itself says: attributes, time zone. Called once for each revision and asset. */
  resolve?(params: Params, subject: Subject): Params
  /** What only the plant can tell is wrong, a text each that begins with the parameter's name. */
  check?(params: Params, spec: RuleSpec, plant: Plant): string[]
  /** The codes of events that it hears. */
  codes?(params: Params): readonly string[]
  /** The signals that it reads besides the rule's own. */
  reads?(params: Params): readonly string[]
  /** The rules that it goes by. */
  members?(params: Params): readonly string[]
  /** A usable sample of the rule's own signal, newer than all before it. */
  sample?(watch: Watch<Params, Memory>, atMs: number, value: number): void
  /** A record brought usable samples of signals that it reads (`reads`, or its own); all of them are in their series. */
  settled?(watch: Watch<Params, Memory>, atMs: number): void
  event?(watch: Watch<Params, Memory>, event: AssetEvent): void
  /** A member's episode has opened, for this reason. */
  joined?(watch: Watch<Params, Memory>, atMs: number, member: Watch, reason: string): void
  /** A member's episode has ended. */
  parted?(watch: Watch<Params, Memory>, atMs: number): void
  /** The deadline has come; it is unset, and `atMs` is its own time. */
  fire?(watch: Watch<Params, Memory>, atMs: number): void
  /**
   * From now on the rule looks away for a while (the asset is down, its sensor has failed); its deadline is unset.
   * Drops what must not outlive a gap: delays that run, windows half full. What was learned and what is open stays.
   */
  interrupted?(watch: Watch<Params, Memory>, atMs: number): void
  /** The rule looks again. */
  resumed?(watch: Watch<Params, Memory>, atMs: number): void
  /** The component was replaced; its open episode has been cleared. Forgets what was the old component's. */
  maintained(watch: Watch<Params, Memory>, event: AssetEvent): void
  grounds(watch: Watch<Params, Memory>, atMs: number): Grounds
}
