import { type AlarmStep, compareSeverity, type Severity } from "../../core/vocabulary.ts"
import type { Told, Weight } from "./flood.ts"

/** What somebody has seen and said of an episode while it was of this severity. */
type Acknowledgement = {
  readonly atMs: number
  readonly by: string | null
  readonly note: string | null
  readonly severity: Severity
}

/** An episode as the operator's list has it. Times are milliseconds since 1970 in UTC, of the plant's clock. */
export type Alarm = {
  readonly episode: string
  readonly incident: string
  readonly site: string
  readonly asset: string
  readonly component: string | null
  readonly rule: string
  readonly ruleKind: string
  readonly signal: string | null
  readonly severity: Severity
  readonly state: "open" | "cleared" | "withdrawn"
  readonly openedMs: number
  /** Of the newest step. */
  readonly changedMs: number
  readonly endedMs: number | null
  readonly acknowledgedMs: number | null
  readonly acknowledgedBy: string | null
  /** What that person said. */
  readonly acknowledgedNote: string | null
  /** Who acknowledged it before it became worse, the newest last. */
  readonly acknowledgedBefore: readonly Acknowledgement[]
  /** The rule is shelved on this asset: listed, and told to nobody. */
  readonly quiet: boolean
  /** Of the newest step that found something: what people say is no finding. */
  readonly reason: string
  readonly value: number | null
  readonly limit: number | null
  readonly unit: string | null
  /** The newest step that was taken: an older one, or the same again, changes nothing. */
  readonly sequence: number
  /** How the newest step that was told was told; null while none was: part of an incident, or shelved. */
  readonly told: Told | null
  /** The highest severity that was told. */
  readonly toldSeverity: Severity | null
}

/**
 * The alarms that some steps are about, with those of the same incidents, as the table has them. `take` follows the
 * steps and knows what the table must be told after them.
 */
export class Page {
  private readonly alarms = new Map<string, Alarm>()
  private readonly incidents = new Map<string, Set<string>>()
  private readonly changed = new Set<string>()

  constructor(alarms: readonly Alarm[]) {
    for (const alarm of alarms) this.keep(alarm)
  }

  /** Takes a step; gives what it is to the operator, undefined where it is only listed or came before. */
  take(step: AlarmStep): Weight | undefined {
    const before = this.alarms.get(step.episode)
    if (before !== undefined && before.sequence >= step.sequence) return undefined
    const siblings = this.siblings(step)
    const after = follow(before, step)
    this.write(after)
    return weigh(before, after, step, siblings)
  }

  /** The step that was just taken was told so. */
  told({ episode, severity }: AlarmStep, told: Told): void {
    const alarm = this.alarms.get(episode)
    if (alarm === undefined) return
    const { toldSeverity } = alarm
    const worst =
      toldSeverity === null || compareSeverity(severity, toldSeverity) > 0 ? severity : toldSeverity
    this.write({ ...alarm, told, toldSeverity: worst })
  }

  /** What is new or has changed since the page was made. */
  changes(): readonly Alarm[] {
    return [...this.changed].flatMap((episode) => this.alarms.get(episode) ?? [])
  }

  private siblings(step: AlarmStep): readonly Alarm[] {
    const episodes = [...(this.incidents.get(incidentOf(step)) ?? [])]
    return episodes.filter((one) => one !== step.episode).flatMap((one) => this.alarms.get(one) ?? [])
  }

  private write(alarm: Alarm): void {
    this.keep(alarm)
    this.changed.add(alarm.episode)
  }

  private keep(alarm: Alarm): void {
    this.alarms.set(alarm.episode, alarm)
    const episodes = this.incidents.get(alarm.incident) ?? new Set()
    episodes.add(alarm.episode)
    this.incidents.set(alarm.incident, episodes)
  }
}

/** Records from before 0.2 have no incident: each episode is one of its own. */
export function incidentOf({ incident, episode }: AlarmStep): string {
  return incident ?? episode
}

/** Steps in which nothing was measured: their reason is a person's. */
const said: readonly AlarmStep["kind"][] = ["acknowledged", "shelved", "unshelved"]

function follow(before: Alarm | undefined, step: AlarmStep): Alarm {
  const ended = step.kind === "cleared" || step.kind === "withdrawn"
  // Of what ended somebody may still say something; only late samples can open it again.
  const staysEnded = before !== undefined && before.state !== "open" && step.kind !== "amended"
  const found = before !== undefined && said.includes(step.kind) ? before : step
  const state = step.kind === "withdrawn" ? "withdrawn" : ended ? "cleared" : "open"
  return {
    episode: step.episode,
    incident: incidentOf(step),
    site: step.site,
    asset: step.asset,
    component: step.component,
    rule: step.rule,
    ruleKind: step.ruleKind,
    signal: step.signal,
    severity: step.severity,
    state: staysEnded && !ended ? before.state : state,
    openedMs: step.openedAtMs,
    changedMs: step.atMs,
    endedMs: ended ? step.atMs : staysEnded ? before.endedMs : null,
    ...acknowledgement(before, step),
    quiet: step.kind === "shelved" || (step.kind !== "unshelved" && step.quiet === "shelved"),
    reason: found.reason,
    value: found.value,
    limit: found.limit,
    unit: found.unit,
    sequence: step.sequence,
    told: before?.told ?? null,
    toldSeverity: before?.toldSeverity ?? null,
  }
}

type Seen = Pick<Alarm, "acknowledgedMs" | "acknowledgedBy" | "acknowledgedNote" | "acknowledgedBefore">

/** As often as an episode may rise and be acknowledged again, and still all of it be read. */
const seenKept = 10

/** What has become worse is more than what somebody has acknowledged. */
function acknowledgement(before: Alarm | undefined, step: AlarmStep): Seen {
  const { kind, atMs, actor, reason } = step
  const { acknowledgedMs = null, acknowledgedBy = null, acknowledgedNote = null } = before ?? {}
  const { acknowledgedBefore = [] } = before ?? {}
  if (kind === "acknowledged") {
    const by = actor ?? null
    return { acknowledgedMs: atMs, acknowledgedBy: by, acknowledgedNote: reason, acknowledgedBefore }
  }
  const { severity } = before ?? step
  if (acknowledgedMs === null || compareSeverity(step.severity, severity) <= 0)
    return { acknowledgedMs, acknowledgedBy, acknowledgedNote, acknowledgedBefore }
  const seen = { atMs: acknowledgedMs, by: acknowledgedBy, note: acknowledgedNote, severity }
  return {
    acknowledgedMs: null,
    acknowledgedBy: null,
    acknowledgedNote: null,
    acknowledgedBefore: [...acknowledgedBefore, seen].slice(-seenKept),
  }
}

function weigh(
  before: Alarm | undefined,
  after: Alarm,
  step: AlarmStep,
  siblings: readonly Alarm[],
): Weight | undefined {
  if (after.quiet) return undefined
  const told = [before, ...siblings].flatMap((one) => one?.toldSeverity ?? [])
  if (after.state !== "open") {
    const hasJustEnded = before === undefined || before.state === "open"
    const isLast = siblings.every(({ state }) => state !== "open")
    return hasJustEnded && isLast && told.length > 0 ? "cleared" : undefined
  }
  const again: Weight = told.length === 0 ? "incident" : "repeat"
  switch (step.kind) {
    case "raised":
    case "re-alarmed":
    case "unshelved":
      return again
    case "opened":
    case "amended": {
      const reopened = before !== undefined && before.state !== "open"
      const isWorse = told.every((one) => compareSeverity(step.severity, one) > 0)
      return isWorse || reopened ? again : undefined
    }
    default:
      return undefined
  }
}
