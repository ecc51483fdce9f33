/**
 * How soon a plant wants its orders taken on and done, and who is told when they are not. The clock runs in the site's
 * working time from the request until the work is done, also while an order is on hold.
 */
import type { Revision } from "../core/catalogue.ts"
import type { Sla, WorkOrder } from "../core/orders.ts"
import type { Plant } from "../core/plant.ts"
import { localTime, timeZoneOf } from "../core/wording.ts"
import { addWorkingTime } from "../core/working-time.ts"
import { isOpen } from "./change.ts"
import type { Step } from "./commands/command.ts"

type Due = Sla["steps"][number]

/**
 * The order after a change of it, with its targets kept up: set by the plant when the order is new or its priority is
 * another one, and met when somebody has taken the order on. Who was told stays told.
 */
export function withSla(
  before: WorkOrder | undefined,
  order: WorkOrder,
  atMs: number,
  revision: Revision | undefined,
): WorkOrder {
  const isPromised = before !== undefined && before.priority === order.priority
  const sla = isPromised ? order.sla : targetsFor(order, atMs, revision?.plant)
  if (sla === null) return sla === order.sla ? order : { ...order, sla }
  const isBack = before !== undefined && !isOpen(before) && isOpen(order)
  const isTakenOn = order.state === "acknowledged" || order.state === "in-progress"
  const met = {
    ...sla,
    // Nobody could have been told while nothing was to be done.
    setMs: isBack ? atMs : sla.setMs,
    respondedMs: sla.respondedMs ?? (isTakenOn ? atMs : null),
  }
  return { ...order, sla: { ...met, nextMs: isOpen(order) ? nextMs(met) : null } }
}

/** Null where the plant has no target for the priority. */
function targetsFor(
  { priority, requestedMs, site, sla }: WorkOrder,
  setMs: number,
  plant: Plant | undefined,
): Sla | null {
  const target = plant?.sla.targets[String(priority) as keyof Plant["sla"]["targets"]]
  if (plant === undefined || target === undefined) return null
  const { workingTime } = plant.sites.find(({ id }) => id === site) ?? {}
  const timeZone = timeZoneOf(plant, site)
  const after = (ms: number, duration: number) => addWorkingTime(ms, duration, workingTime, timeZone)
  const respondByMs = after(requestedMs, target.respond)
  const completeByMs = after(requestedMs, target.complete)
  const steps = plant.sla.escalation.flatMap(({ after: late, to }, step): Due[] => [
    { of: "response", step, to, dueMs: after(respondByMs, late) },
    { of: "completion", step, to, dueMs: after(completeByMs, late) },
  ])
  return {
    setMs,
    respondByMs,
    completeByMs,
    respondedMs: sla?.respondedMs ?? null,
    steps: steps.toSorted((a, b) => a.dueMs - b.dueMs),
    escalations: sla?.escalations ?? [],
    nextMs: null,
  }
}

/** The step that is next, unless it is of a response that has come by then. */
function nextStep({ steps, escalations, respondedMs }: Sla): Due | undefined {
  const isTaken = (due: Due) => escalations.some(({ of, step }) => of === due.of && step === due.step)
  return steps.find((due) => !isTaken(due) && (due.of === "completion" || respondedMs === null))
}

/** What was due before the targets were set is due as of then. */
function nextMs(sla: Sla): number | null {
  const next = nextStep(sla)
  return next === undefined ? null : Math.max(next.dueMs, sla.setMs)
}

/** The next telling of somebody that an order is late, if it is due by now: as of when it was due. */
export function escalation(
  order: WorkOrder,
  nowMs: number,
  { plant }: Revision,
): (Step & { readonly atMs: number }) | undefined {
  const { sla } = order
  if (sla === null || sla.nextMs === null || sla.nextMs > nowMs) return undefined
  const due = nextStep(sla)
  if (due === undefined) return undefined
  const atMs = sla.nextMs
  const { of, step, to } = due
  const told = { ...sla, escalations: [...sla.escalations, { of, step, to, atMs }] }
  return {
    order: { ...order, sla: { ...told, nextMs: nextMs(told) } },
    event: "escalated",
    note: `${lateness(order, sla, due, plant)}: told ${namesOf(to, plant)}`,
    atMs,
  }
}

function lateness({ site }: WorkOrder, sla: Sla, { of, step }: Due, plant: Plant): string {
  const byMs = of === "response" ? sla.respondByMs : sla.completeByMs
  const what = of === "response" ? "not taken on" : "not done"
  const timeZone = timeZoneOf(plant, site)
  return `${what} by ${localTime(byMs, timeZone)} (${timeZone}), step ${step + 1}`
}

/** "supervisor Sara, Sam"; a role that nobody has is said to be so. */
function namesOf(role: string, { people }: Plant): string {
  const names = people.filter(({ roles }) => roles.some((one) => one === role)).map(({ name }) => name)
  return names.length === 0 ? `nobody, for nobody has the role ${role}` : `${role} ${names.join(", ")}`
}
