/** What can be asked of automations: which there are, what they did, and what one would do. */
import { type Automation, automationActor } from "../core/automation.ts"
import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import { nearest } from "../core/nearest.ts"
import type { OrderEvent } from "../core/orders.ts"
import { deedOf, nameOf, withoutNeed } from "./automation-commands.ts"
import { createAutomationDesk } from "./automation-desk.ts"
import { matchOf } from "./automation-match.ts"
import { listRuns, type Run, type RunFilter, type RunStep, type Tally, tallyRuns } from "./automation-runs.ts"
import type { DeskOptions } from "./desk.ts"
import { inEffect } from "./in-effect.ts"
import type { OrderQueries } from "./queries.ts"

/** What an automation would do to an order as it is. */
type Trial = {
  /** Its number. */
  readonly order: string
  /** As if this had just happened to it. */
  readonly event: OrderEvent["kind"]
  /** A text says why it can't be told. */
  readonly holds: boolean | string
  /** What would become of each step where the condition holds. */
  readonly steps: readonly RunStep[]
}

export type AutomationQueries = {
  /** The automations of the plant file, in its order. Rejects with `NOT_FOUND` before the first file. */
  list(): Promise<readonly (Automation & Tally)[]>
  /** By the order's id or number. Rejects with `NOT_FOUND` for an order or automation that is not there. */
  runs(filter: RunFilter): Promise<readonly Run[]>
  /** Carries nothing out. Rejects with `NOT_FOUND`. */
  try(automation: string, order: string, atMs: number): Promise<Trial>
}

const none: Tally = { runs: 0, lastMs: null, failures: 0, lastFailureMs: null }

export function automationQueries(
  options: DeskOptions,
  { get }: Pick<OrderQueries, "get">,
): AutomationQueries {
  const { database, newest } = options
  const desk = createAutomationDesk(options)
  return {
    async list() {
      const { automations } = inEffect(newest).plant
      const tallies = await tallyRuns(database)
      return automations.map((one) => ({ ...one, ...(tallies.get(one.id) ?? none) }))
    },

    async runs({ order, ...filter }) {
      const found = order === undefined ? undefined : (await get(order)).order.id
      const runs = await listRuns(database, { ...filter, order: found })
      // Nothing about a name that was mistyped would look like good news; what has left the plant file has its runs.
      if (runs.length === 0 && filter.automation !== undefined)
        automationOf(filter.automation, inEffect(newest))
      return runs
    },

    async try(id, wanted, atMs) {
      const revision = inEffect(newest)
      const automation = automationOf(id, revision)
      const { order, history } = await get(wanted)
      const last = history.findLast(({ kind }) => automation.when.some((one) => one === kind))
      const event = last?.kind ?? automation.when[0] ?? "created"
      const happening = { kind: event, actor: last?.actor ?? "", note: last?.note ?? "", atMs, order }
      const holds = matchOf(automation)(happening, revision)
      if (holds !== true) return { order: order.number, event, holds, steps: [] }
      const deeds = automation.then.map((action) => deedOf(action, automation, happening, revision.plant))
      const outcomes = await desk.rehearse(order.id, deeds, { actor: automationActor(id), atMs })
      const steps = automation.then.flatMap((action, at) => {
        const outcome = outcomes[at]
        return outcome === undefined ? [] : [{ step: nameOf(action), ...withoutNeed(action, order, outcome) }]
      })
      return { order: order.number, event, holds, steps }
    },
  }
}

function automationOf(id: string, { plant: { automations } }: Revision): Automation {
  const found = automations.find((one) => one.id === id)
  if (found !== undefined) return found
  const ids = automations.map((one) => one.id)
  const meant = nearest(id, ids)
  throw new MillwrightError(
    "NOT_FOUND",
    `there is no automation "${id}" in the plant: ${meant === undefined ? `expected one of ${ids.join(", ") || "none"}` : `did you mean "${meant}"?`}`,
  )
}
