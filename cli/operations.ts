import { z } from "zod"
import type { App } from "../app.ts"
import { isShared } from "../core/config.ts"
import { MillwrightError } from "../core/errors.ts"
import { newest } from "../core/newest.ts"
import { orderState } from "../core/orders.ts"
import { problems } from "../core/plant.ts"
import { plantHistory } from "../core/plant-history.ts"
import { authorise } from "../core/plant-register.ts"
import { rollbackSource } from "../core/plant-rollback.ts"
import { topics } from "../core/topics.ts"
import {
  type Detection,
  deadLetterReasons,
  isDetection,
  name,
  orderType,
  priority,
  severity,
  timeMs,
} from "../core/vocabulary.ts"
import { verifyFindings } from "../rules/verify.ts"
import { type CommandName, commands } from "../workorders/life-cycle.ts"
import { actualCost, estimatedCost } from "../workorders/money.ts"
import { auditOperations } from "./audit-operations.ts"
import { automationOperations } from "./automation-operations.ts"
import { estimateFor, estimateOperations } from "./estimate-operations.ts"
import { operation } from "./operation.ts"
import { planOperations } from "./plan-operations.ts"
import { requestOperations } from "./request-operations.ts"
import { scheduleOperations } from "./schedule-operations.ts"
import { stockOperations } from "./stock-operations.ts"

const limit = z.number().int().min(1).max(10_000)
const revision = z.number().int().min(1).max(2_147_483_647)
const letters = z.object({ reason: z.enum(deadLetterReasons).optional(), id: z.string().optional(), limit })

/** What can be asked of a plant's server: the same whether it runs elsewhere or the files are opened here. */
export const operations = {
  "orders.list": operation(
    z.object({
      state: orderState.optional(),
      type: orderType.optional(),
      site: name.optional(),
      asset: name.optional(),
      priority: priority.optional(),
      person: name.optional(),
      open: z.literal(true).optional(),
      overdue: z.literal(true).optional(),
      limit: limit.max(500),
      after: z.string().optional(),
    }),
    async (app, { overdue, ...filter }) => {
      const page = await app.workorders.list({ ...filter, ...(overdue && { dueBeforeMs: app.now() }) })
      if (page.orders.length === 0) mustBeThere(app, filter)
      return page
    },
  ),
  "orders.board": operation(
    z.object({ site: name.optional(), limit: limit.max(100) }),
    async (app, filter) => {
      mustBeThere(app, filter)
      return app.workorders.board(filter)
    },
  ),
  "orders.show": operation(z.object({ order: z.string() }), async (app, { order }) => {
    const found = await app.workorders.get(order)
    const related = await app.workorders.related(found.order)
    const plant = app.catalogue.newest()?.plant
    const expected = plant === undefined ? null : estimatedCost(found.order, plant)
    return {
      ...found,
      related,
      estimate: await estimateFor(app, found.order),
      cost: { expected, soFar: actualCost(found.order) },
      currency: plant?.currency ?? "",
    }
  }),
  "orders.do": operation(
    z.object({
      order: z.string(),
      command: z.enum(Object.keys(commands) as [CommandName, ...CommandName[]]),
      input: z.unknown(),
      version: z.number().int().optional(),
      id: z.uuid().optional(),
    }),
    (app, ask, actor) => app.workorders.perform(ask, { actor, atMs: app.now() }),
  ),
  ...estimateOperations,
  ...requestOperations,
  ...stockOperations,
  ...planOperations,
  ...scheduleOperations,
  ...automationOperations,
  "budgets.list": operation(z.object({ year: z.number().int().optional() }), (app, filter, actor) =>
    app.workorders.budgets(filter, actor),
  ),
  "orders.verify": operation(z.object({ order: z.string() }), async (app, { order: wanted }) => {
    const { order, findingCount } = await app.workorders.get(wanted)
    const findings = await verifyFindings(order.asset, order.findings, { store: app.store, plant: app.plant })
    return { number: order.number, findings, left: findingCount - order.findings.length }
  }),
  "detections.list": operation(
    z.object({ asset: name.optional(), rule: name.optional(), severity: severity.optional(), limit }),
    listDetections,
  ),
  "alarms.list": operation(
    z.object({
      state: z.enum(["open", "all"]).optional(),
      site: name.optional(),
      asset: name.optional(),
      severity: severity.optional(),
      limit: limit.max(500).optional(),
    }),
    (app, filter) => app.alarms.list(filter, app.now()),
  ),
  "alarms.show": operation(z.object({ alarm: z.string() }), (app, { alarm }) => app.alarms.get(alarm)),
  "alarms.report": operation(
    z.object({ site: name.optional(), lastMs: timeMs.positive() }),
    (app, { site, lastMs }) => {
      // Up to and with what is dated now, since "now" on the clock `event` is the newest sample's own time.
      const toMs = app.now() + 1
      return app.alarms.report({ site, fromMs: toMs - lastMs, toMs, firstMs: firstRecords(app) })
    },
  ),
  "alarms.acknowledge": operation(
    z.object({ alarm: z.string(), reason: z.string() }),
    (app, { alarm, reason }, actor) => app.alarms.acknowledge(alarm, actOf(app, actor, reason)),
  ),
  "alarms.shelve": operation(
    z.object({ rule: name, asset: name, forMs: timeMs, reason: z.string() }),
    (app, { reason, ...target }, actor) => app.alarms.shelve(target, actOf(app, actor, reason)),
  ),
  "alarms.unshelve": operation(
    z.object({ rule: name, asset: name, reason: z.string() }),
    (app, { reason, ...target }, actor) => app.alarms.unshelve(target, actOf(app, actor, reason)),
  ),
  "samples.list": operation(
    z.object({
      asset: name,
      signal: name,
      lastMs: timeMs.positive(),
      toMs: timeMs.optional(),
      bucketMs: timeMs.positive(),
    }),
    listBuckets,
  ),
  "dead-letters.list": operation(letters, (app, query) => app.ingest.deadLetters.list(query)),
  "dead-letters.replay": operation(letters, async (app, query, actor) => {
    const plant = app.catalogue.newest()?.plant
    if (plant !== undefined) authorise(plant, actor, ["engineer", "admin"])
    return app.ingest.deadLetters.replay(query, actor, app.clock.now())
  }),
  "devices.list": operation(z.object({}), async (app) => app.ingest.devices()),
  "plant.compare": operation(z.object({ source: z.string() }), (app, { source }) =>
    app.plant.compare(source, app.catalogue.newest()?.number),
  ),
  "plant.apply": operation(
    z.object({ source: z.string(), reason: z.string(), base: z.number().int().min(0).optional() }),
    (app, { source, reason, base }, actor) => app.apply({ source, actor, reason, base }),
  ),
  "plant.export": operation(z.object({}), async (app) => {
    const newest = await app.plant.newest()
    if (newest !== undefined) return newest
    throw new MillwrightError("NOT_FOUND", "no plant file was applied yet: millwright apply FILE")
  }),
  "rules.history": operation(z.object({ rule: name.optional(), limit }), (app, query) =>
    plantHistory(app.plant, query),
  ),
  "plant.rollback": operation(
    z.object({ to: revision, rule: name.optional(), reason: z.string().min(1), dryRun: z.boolean() }),
    rollBack,
  ),
  ...auditOperations,
  status: operation(z.object({}), async (app) => ({
    health: app.health(),
    isShared: isShared(app.settings),
    plantTimeMs: app.now(),
    mqttPort: app.ingest.port,
    lags: await app.log.lags(),
    orders: await app.workorders.counts(),
  })),
}

type Operations = typeof operations
export type OperationName = keyof Operations
export type InputOf<K extends OperationName> = z.input<Operations[K]["input"]>
export type ResultOf<K extends OperationName> = Awaited<ReturnType<Operations[K]["run"]>>

/** Checks the input and carries it out. Throws `USAGE` for an input that doesn't fit. */
export async function perform<K extends OperationName>(
  app: App,
  name: K,
  input: unknown,
  actor: string,
): Promise<ResultOf<K>> {
  const parsed = operations[name].input.safeParse(input)
  if (!parsed.success) throw new MillwrightError("USAGE", `${name}: ${problems(parsed.error).join("; ")}`)
  // The table pairs each input with its own run; the compiler can't follow that through an index.
  const run = operations[name].run as (app: App, input: unknown, actor: string) => Promise<ResultOf<K>>
  return await run(app, parsed.data, actor)
}

/** When each site was first heard of. */
function firstRecords(app: App): ReadonlyMap<string, number> {
  const first = new Map<string, number>()
  for (const { site, firstMs } of app.ingest.devices())
    first.set(site, Math.min(firstMs, first.get(site) ?? firstMs))
  return first
}

function actOf(app: App, actor: string, reason: string) {
  return { actor, reason, atMs: app.now(), arrivedMs: app.clock.now() }
}

/** Makes a revision that is as an earlier one, or as its rule was; `made` is missing from a dry run. */
async function rollBack(
  app: App,
  { to, rule, reason, dryRun }: { to: number; rule?: string | undefined; reason: string; dryRun: boolean },
  actor: string,
) {
  const { source, base } = await rollbackSource(app.plant, { to, rule, actor })
  const compared = await app.plant.compare(source, app.catalogue.newest()?.number)
  if (dryRun) return { ...compared, made: null }
  const what = rule === undefined ? "plant" : `rule ${rule}`
  const because = `${what} as in revision ${to}: ${reason}`
  return { ...compared, made: (await app.apply({ source, actor, reason: because, base })) ?? null }
}

async function listBuckets(
  app: App,
  {
    asset,
    signal,
    lastMs,
    toMs,
    bucketMs,
  }: { asset: string; signal: string; lastMs: number; toMs?: number | undefined; bucketMs: number },
) {
  // Up to and with the newest sample, since "now" on the clock `event` is that sample's own time.
  const endMs = toMs ?? app.now() + 1
  const buckets = await app.store.downsample(
    { asset, signal },
    { fromMs: endMs - lastMs, toMs: endMs },
    bucketMs,
  )
  if (buckets.length === 0) mustBeThere(app, { asset })
  const revision = app.catalogue.newest()
  const ofAsset = revision?.assets.get(asset)?.class
  const signals = revision?.plant.classes.find(({ id }) => id === ofAsset)?.signals ?? {}
  if (buckets.length === 0 && !Object.hasOwn(signals, signal)) {
    const known = Object.keys(signals).join(", ")
    throw new MillwrightError("NOT_FOUND", `${asset} has no signal "${signal}": expected one of ${known}`)
  }
  return { unit: signals[signal]?.unit ?? null, buckets }
}

/** An empty answer about a name that was mistyped would look like good news. What once was there may still be asked for. */
function mustBeThere(
  app: App,
  { site, asset, rule }: { readonly [what in "site" | "asset" | "rule"]?: string | undefined },
): void {
  const revision = app.catalogue.newest()
  const sites = revision?.plant.sites.map(({ id }) => id) ?? []
  const rules = revision?.plant.rules.map(({ id }) => id) ?? []
  const absent = (what: string, name: string, others: readonly string[] = []) => {
    const expected = others.length === 0 ? "" : `: expected one of ${others.join(", ")}`
    return new MillwrightError("NOT_FOUND", `there is no ${what} "${name}" in the plant${expected}`)
  }
  if (site !== undefined && !sites.includes(site)) throw absent("site", site, sites)
  if (asset !== undefined && revision?.assets.has(asset) !== true) throw absent("asset", asset)
  if (rule !== undefined && !rules.includes(rule)) throw absent("rule", rule, rules)
}

async function listDetections(
  app: App,
  filter: {
    asset?: string | undefined
    rule?: string | undefined
    severity?: string | undefined
    limit: number
  },
): Promise<readonly Detection[]> {
  const found = await newest(app.log, topics.detections, filter.limit, ({ value }) => {
    if (!isDetection(value)) return undefined
    if (filter.asset !== undefined && value.asset !== filter.asset) return undefined
    if (filter.rule !== undefined && value.rule !== filter.rule) return undefined
    if (filter.severity !== undefined && value.severity !== filter.severity) return undefined
    return value
  })
  if (found.length === 0) mustBeThere(app, filter)
  return found
}
