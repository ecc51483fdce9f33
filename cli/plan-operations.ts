/** What planners ask about maintenance plans and tell of them. */
import { z } from "zod"
import type { App } from "../app.ts"
import { MillwrightError } from "../core/errors.ts"
import { addPeriod } from "../core/period.ts"
import { name } from "../core/vocabulary.ts"
import { foresee } from "../scheduler/forecast.ts"
import { planInputs } from "../scheduler/plan-desk.ts"
import { type Workload, workload } from "../scheduler/workload.ts"
import { expectedHours, likeOrders } from "../workorders/estimates.ts"
import { operation } from "./operation.ts"

const ordersAtMost = 1000

export const forecastInput = z.strictObject({
  months: z.number().int().min(1).max(36).default(12).describe("so many months ahead"),
  site: name.optional().describe("of this site"),
  plan: name.optional().describe("of this plan"),
  asset: name.optional().describe("of this asset"),
  orders: z.boolean().default(false).describe("each order with its date, instead of weeks and crafts"),
})

/** An order to come, with the days between which it will be due four times out of five. */
type Coming = {
  readonly plan: string
  readonly asset: string
  readonly title: string
  readonly dueMs: number
  readonly earliestMs: number
  readonly latestMs: number | null
  readonly hours: number
}

export type PlansForecast = {
  readonly fromMs: number
  readonly toMs: number
  readonly weeks: readonly Workload[]
  readonly orders: readonly Coming[]
  readonly left: number
}

export const planOperations = {
  "plans.list": operation(planInputs.list, (app, filter) => app.plans.list(filter)),
  "plans.history": operation(planInputs.history, (app, filter) => app.plans.history(filter)),
  "plans.credit": operation(planInputs.credit, (app, ask, actor) =>
    app.plans.credit(ask, { actor, atMs: app.now() }),
  ),
  "plans.forecast": operation(forecastInput, planForecast),
}

async function planForecast(
  app: App,
  { months, site, plan, asset, orders }: z.output<typeof forecastInput>,
): Promise<PlansForecast> {
  const revision = app.catalogue.newest()
  if (revision === undefined)
    throw new MillwrightError("NOT_FOUND", "no plant file was applied yet: millwright apply FILE")
  // Says which names are wrong.
  await app.plans.list({ plan, asset, limit: 1 })
  if (site !== undefined && !revision.plant.sites.some(({ id }) => id === site))
    throw new MillwrightError("NOT_FOUND", `there is no site "${site}" in the plant`)
  const nowMs = app.now()
  const toMs = addPeriod(nowMs, { months }, "UTC")
  const states = await app.plans.states()
  const foreseen = await foresee({ revision, states, nowMs, toMs }, nextTurn)
  const wanted = foreseen.filter(
    (one) =>
      (site === undefined || one.site === site) &&
      (plan === undefined || one.plan === plan) &&
      (asset === undefined || one.asset === asset),
  )
  const histories = await app.workorders.estimates({})
  const hoursOf: Parameters<typeof workload>[0]["hoursOf"] = (job, { template, asset: id }) =>
    expectedHours({ job }, likeOrders(histories, template, revision.assets.get(id)?.class))
  const setup = { revision, nowMs, toMs, hoursOf }
  if (!orders) return { fromMs: nowMs, toMs, weeks: workload(setup, wanted), orders: [], left: 0 }
  const expected = wanted.filter(({ isExpected, dueMs }) => isExpected && dueMs <= toMs)
  const coming = expected.slice(0, ordersAtMost).map((one): Coming => {
    const { title, dueMs, earliestMs, latestMs = null, job, template } = one
    const { hours } = hoursOf(job, { template, asset: one.asset })
    return { plan: one.plan, asset: one.asset, title, dueMs, earliestMs, latestMs, hours }
  })
  return { fromMs: nowMs, toMs, weeks: [], orders: coming, left: expected.length - coming.length }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))
