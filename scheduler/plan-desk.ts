/** What people ask about plans and tell of them. */
import { v5 as uuidv5 } from "uuid"
import { z } from "zod"
import { Audit } from "../core/audit.ts"
import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import { totalOf } from "../core/meter.ts"
import { authorise } from "../core/plant-register.ts"
import type { Role } from "../core/roles.ts"
import type { StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { dateMs, name } from "../core/vocabulary.ts"
import { instant } from "../core/wording.ts"
import { type Due, nextDue } from "./due.ts"
import { meterOf } from "./meters.ts"
import type { PlanNote } from "./note.ts"
import { rounded, triggerInWords } from "./plan-requests.ts"
import { type Assignment, assignmentsOf } from "./plans.ts"
import type { Cycle, PartitionState } from "./state.ts"
import type { Store } from "./store.ts"

const limit = z.number().int().min(1).max(10_000)

export const planInputs = {
  list: z.strictObject({
    plan: name.optional().describe("of this plan"),
    asset: name.optional().describe("on this asset"),
    limit: limit.default(100).describe("at most so many"),
  }),
  history: z.strictObject({
    plan: name.optional().describe("of this plan"),
    asset: name.optional().describe("on this asset"),
    limit: limit.default(50).describe("at most so many"),
  }),
  credit: z.strictObject({
    plan: name.describe("whose work was done"),
    asset: name.describe("on which asset"),
    atMs: dateMs.optional().describe("when it was done; by default now"),
    reason: z.string().min(1).max(2000).describe("how you know"),
    id: z.uuid().describe("made by the sender: sent again, it counts once"),
  }),
} as const

/** Where a plan stands on an asset. */
type PlanStanding = {
  readonly plan: string
  readonly asset: string
  readonly component: string | null
  readonly mode: "fixed" | "floating"
  /** Null while it waits: for its order, for a reading, for a condition, or out of service. */
  readonly dueMs: number | null
  /** By a meter: the reading at which it is due, and what it reads. */
  readonly meter: { readonly signal: string; readonly reading: number; readonly now: number } | null
  /** In words. */
  readonly because: string
  /** The newest order that is not known to have ended. */
  readonly order: string | null
}

type Asker = { readonly actor: string; readonly atMs: number }

export type PlanDesk = {
  list(filter: z.output<typeof planInputs.list>): Promise<{
    readonly plans: readonly PlanStanding[]
    readonly left: number
  }>
  history(filter: z.output<typeof planInputs.history>): Promise<readonly PlanNote[]>
  /** States that the work of a plan was done. Rejects with `NOT_ALLOWED`, `NOT_FOUND`. */
  credit(ask: z.output<typeof planInputs.credit>, asker: Asker): Promise<{ readonly atMs: number }>
  /** The states of all plans as they were last saved: at most seconds old. */
  states(): Promise<readonly PartitionState[]>
}

const crediters: readonly Role[] = ["planner", "supervisor", "engineer", "admin"]
/** Drawn once at random. */
const namespace = "0d0b8c53-1f0c-4f5c-a7f0-4a9a8f1f4f1e"

export function createPlanDesk({ log, database, catalogue }: StageContext, store: Store): PlanDesk {
  const audit = new Audit(database)

  function inForce(): Revision {
    const revision = catalogue.newest()
    if (revision !== undefined) return revision
    throw new MillwrightError("NOT_FOUND", "no plant file was applied yet: millwright apply FILE")
  }

  return {
    async list({ plan, asset, limit: most }) {
      const revision = inForce()
      mustBeThere(revision, { plan, asset })
      const states = await store.states()
      const found: PlanStanding[] = []
      for (const assignment of assignmentsOf(revision, 1).get(0) ?? []) {
        if (plan !== undefined && assignment.plan.id !== plan) continue
        if (asset !== undefined && assignment.asset.id !== asset) continue
        const state = states.find(({ plans }) => Object.hasOwn(plans, assignment.key))
        found.push(standingOf(assignment, state))
      }
      found.sort((a, b) => (a.dueMs ?? Number.MAX_VALUE) - (b.dueMs ?? Number.MAX_VALUE))
      return { plans: found.slice(0, most), left: Math.max(0, found.length - most) }
    },

    async history(filter) {
      mustBeThere(inForce(), filter)
      return store.history(filter)
    },

    async credit({ plan, asset, atMs, reason, id }, { actor, atMs: nowMs }) {
      const revision = inForce()
      authorise(revision.plant, actor, crediters)
      mustBeThere(revision, { plan, asset })
      const site = revision.assets.get(asset)?.site
      if (site === undefined || !revision.plansFor(asset).some((one) => one.id === plan))
        throw new MillwrightError("NOT_FOUND", `the plan "${plan}" is not for ${asset}`)
      const doneMs = atMs ?? nowMs
      if (doneMs > nowMs)
        throw new MillwrightError(
          "USAGE",
          "work that is yet to be done can't be credited: give a time that has passed",
        )
      const told = uuidv5(JSON.stringify([actor, id]), namespace)
      await database.transaction((trx) =>
        audit.record(trx, {
          atMs: nowMs,
          actor,
          action: "plans.credit",
          subject: `${plan} on ${asset}`,
          detail: `done ${instant(doneMs)}: ${reason} (id ${told})`,
        }),
      )
      await log.append(topics.detections, [
        { key: asset, value: { kind: "credit", id: told, site, asset, plan, atMs: doneMs, actor, reason } },
      ])
      return { atMs: doneMs }
    },

    states: () => store.states(),
  }
}

function standingOf(assignment: Assignment, state: PartitionState | undefined): PlanStanding {
  const { plan, asset, triggers } = assignment
  const cycle = state?.plans[assignment.key]
  const place = { plan: plan.id, asset: asset.id, component: plan.component ?? null, mode: plan.mode }
  const order = cycle?.asked?.order ?? null
  const none = { ...place, dueMs: null, meter: null, order }
  if (state === undefined || cycle === undefined) return { ...none, because: "begins with the plant's clock" }
  const itsState = state.states[asset.id]?.state
  if (itsState !== undefined && plan.suspend.states.includes(itsState))
    return { ...none, because: `waits: ${asset.id} is ${itsState}` }
  const meters = { of: (one: string, signal: string) => meterOf(state.meters, one, signal) }
  const due = nextDue({ assignment, cycle, meters })
  const trigger = due && triggers[due.trigger]
  if (due === undefined || trigger === undefined) return { ...none, because: waiting(assignment, cycle) }
  const because = triggerInWords(trigger, cycle.from, assignment)
  return { ...place, dueMs: due.dueMs, meter: meterIn(assignment, due, state), because, order }
}

function meterIn({ asset, triggers }: Assignment, due: Due, state: PartitionState): PlanStanding["meter"] {
  const trigger = triggers[due.trigger]
  if (trigger === undefined || !("meter" in trigger) || due.reading === undefined) return null
  const memory = meterOf(state.meters, asset.id, trigger.meter)
  const now = memory === undefined ? 0 : rounded(totalOf(memory))
  return { signal: trigger.meter, reading: rounded(due.reading), now }
}

function waiting({ triggers }: Assignment, { asked, covered, from }: Cycle): string {
  if (covered !== null) return `waits: part of the work of ${covered.by}`
  if (asked !== null) return "waits until its order is done"
  const [first] = triggers
  if (first !== undefined && "meter" in first && from.readings[first.meter] === undefined)
    return `waits for the first reading of ${first.meter}`
  const words = triggers.map((one) =>
    "rule" in one
      ? `rule ${one.rule}`
      : "event" in one
        ? `event ${one.event}`
        : "meter" in one
          ? one.meter
          : "dates",
  )
  return `waits for: ${words.join(", ")}`
}

/** An empty answer about a name that was mistyped would look like good news. */
function mustBeThere(
  { plant, assets }: Revision,
  { plan, asset }: { readonly plan?: string | undefined; readonly asset?: string | undefined },
): void {
  if (plan !== undefined && !plant.plans.some(({ id }) => id === plan)) {
    const known = plant.plans.map(({ id }) => id).join(", ")
    throw new MillwrightError(
      "NOT_FOUND",
      `there is no plan "${plan}" in the plant: expected one of ${known || "none"}`,
    )
  }
  if (asset !== undefined && !assets.has(asset))
    throw new MillwrightError("NOT_FOUND", `there is no asset "${asset}" in the plant`)
}
