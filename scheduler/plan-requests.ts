/** What plans ask for: the orders themselves, and how their due times come into working time. */
import type { Revision } from "../core/catalogue.ts"
import { type Job, jobOf, noJob, worded } from "../core/job.ts"
import type { CreditOrder, OpenOrder } from "../core/orders.ts"
import { formatPeriod } from "../core/period.ts"
import { timeAllowed } from "../core/plant.ts"
import type { PlanTrigger } from "../core/plant-planning.ts"
import type { Detection, Finding } from "../core/vocabulary.ts"
import { fillIn, localTime } from "../core/wording.ts"
import { mergeKey, orderOfOccurrence } from "./identity.ts"
import type { Assignment } from "./plans.ts"
import type { Counted } from "./state.ts"
import { dueInOpenTime } from "./work-calendar.ts"

export type Occurrence = {
  /** What tells this occurrence of the plan from all others. */
  readonly name: string
  /** When the order is asked for. */
  readonly atMs: number
  /** When the plan has it due. */
  readonly dueMs: number
  /** Its due date tells nobody how long there is: it comes from the priority, from this time on. */
  readonly allowFromMs?: number
  readonly because: string
  /** What it stands in for besides itself. */
  readonly missed?: string | undefined
  readonly detection?: { readonly finding: Finding; readonly urgency: Urgency }
}

type Urgency = { readonly priority: number; readonly priorityReason: string }

/** What an occurrence asks for. */
export function requestForPlan(
  assignment: Assignment,
  { plant }: Revision,
  { name, atMs, dueMs, allowFromMs, because, missed, detection }: Occurrence,
): OpenOrder {
  const { plan, asset, changedIn } = assignment
  const place = { asset: asset.id, component: plan.component ?? null }
  const template = plant.templates.find(({ id }) => id === plan.template)
  const usual: Urgency = { priority: plan.priority, priorityReason: `set by the plan ${plan.id}` }
  const urgency =
    detection !== undefined && detection.urgency.priority < usual.priority ? detection.urgency : usual
  const job: Job = worded(template === undefined ? noJob : jobOf(template), (text) => fillIn(text, place))
  const wanted = allowFromMs === undefined ? dueMs : allowFromMs + timeAllowed(plant, urgency.priority)
  const due = dueInOpenTime(wanted, assignment, plant, job)
  const words = fillIn(template?.description || plan.description || "", place)
  return {
    kind: "open",
    order: orderOfOccurrence({ ...place, plan: plan.id, name }),
    type: template?.type ?? "preventive",
    site: asset.site,
    ...place,
    mergeKey: mergeKey(place, `plan:${plan.id}`),
    title: fillIn(template?.title ?? plan.id, place),
    description: [words, missed, due.moved].filter((one) => one !== undefined && one !== "").join("\n\n"),
    template: plan.template,
    job,
    ...urgency,
    atMs,
    dueMs: due.ms,
    trigger: { kind: "plan", plan: plan.id, revision: changedIn, dueMs, because },
    findings: detection === undefined ? [] : [detection.finding],
    costCentre: asset.costCentre ?? null,
  }
}

/** The plan's work was done otherwise: what it has asked for until then is met. */
export function creditRequest(
  { plan, asset }: Assignment,
  { by, atMs, reason }: { readonly by: string | null; readonly atMs: number; readonly reason: string },
): CreditOrder {
  return { kind: "credit", asset: asset.id, plan: plan.id, by, atMs, reason }
}

/** "The one order for all occurrences missed from … to …", in the site's time. */
export function missedInWords(fromMs: number, toMs: number, timeZone: string): string {
  const span =
    fromMs === toMs
      ? `the occurrence missed at ${localTime(fromMs, timeZone)}`
      : `the occurrences missed from ${localTime(fromMs, timeZone)} to ${localTime(toMs, timeZone)}`
  return `Stands also for ${span} (${timeZone}).`
}

/** "every 3mo, counted from 2026-03-01 06:00, when it was done". */
export function triggerInWords(
  trigger: PlanTrigger,
  { why, atMs, readings }: Counted,
  { timeZone }: Assignment,
  reading?: number,
): string {
  if ("meter" in trigger) {
    const { meter, every } = trigger
    const from = readings[meter]
    const since = from === undefined ? "" : `, counted from ${rounded(from)}${inWords[why]}`
    return `${meter} ${reading === undefined ? "" : `at ${rounded(reading)}: `}every ${every}${since}`
  }
  if ("rule" in trigger) return `rule ${trigger.rule}`
  if ("event" in trigger) return `event ${trigger.event}`
  if ("cron" in trigger) return `cron ${trigger.cron}`
  if ("rrule" in trigger) return trigger.rrule
  const since = why === "begin" ? "" : `, counted from ${localTime(atMs, timeZone)}${inWords[why]}`
  return `every ${formatPeriod(trigger.every)}${since}`
}

const inWords: Readonly<Record<Counted["why"], string>> = {
  begin: ", where the plan began",
  due: ", when it was due",
  done: ", when it was done",
  credit: ", when other work did it",
  dropped: ", when it was due and not done",
}

export function conditionInWords({ rule, reason }: Pick<Detection, "rule" | "reason">): string {
  return `rule ${rule}: ${reason}`
}

/** A meter's total carries the rounding of its sums. */
export function rounded(reading: number): number {
  return Number(reading.toPrecision(12))
}
