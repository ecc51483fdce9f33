import { z } from "zod"
import type { App } from "../app.ts"
import { MillwrightError } from "../core/errors.ts"
import { authorise } from "../core/plant-register.ts"
import type { Role } from "../core/roles.ts"
import { dateMs, name } from "../core/vocabulary.ts"
import { operation } from "./operation.ts"

/** Who may read all that anybody did. */
const readers: readonly Role[] = ["auditor", "planner", "engineer", "supervisor", "admin"]

/** What an auditor asks for. Long answers come in pages, so that neither side holds more than one. */
export const auditOperations = {
  "audit.list": operation(z.object({ limit: z.number().int().min(1).max(10_000) }), (app, { limit }) =>
    app.audit.list(limit),
  ),
  "audit.verify": operation(
    z.object({ order: z.string().optional(), after: z.string().optional() }),
    async (app, ask, actor) => {
      mayRead(app, actor)
      return app.workorders.audit.check(ask)
    },
  ),
  "audit.report": operation(
    z.object({
      asset: name.optional(),
      site: name.optional(),
      fromMs: dateMs.optional(),
      toMs: dateMs.optional(),
      after: z.string().optional(),
    }),
    async (app, { after, ...filter }, actor) => {
      const plant = mayRead(app, actor)
      const page = await app.workorders.audit.records(filter, after)
      // An empty report about a name that was mistyped would look like good news. What has left the plant has its orders.
      if (page.records.length === 0 && after === undefined) mustBeKnown(app, filter)
      return {
        ...page,
        plant: plant?.plant ?? "",
        currency: plant?.currency ?? "",
        madeMs: app.now(),
        madeBy: actor,
      }
    },
  ),
}

function mayRead(app: App, actor: string) {
  const plant = app.catalogue.newest()?.plant
  if (plant !== undefined) authorise(plant, actor, readers)
  return plant
}

function mustBeKnown(
  app: App,
  { asset, site }: { asset?: string | undefined; site?: string | undefined },
): void {
  const revision = app.catalogue.newest()
  if (asset !== undefined && revision?.assets.has(asset) !== true)
    throw new MillwrightError("NOT_FOUND", `there is no asset "${asset}" in the plant, and no order on it`)
  const sites = revision?.plant.sites.map(({ id }) => id) ?? []
  if (site !== undefined && !sites.includes(site))
    throw new MillwrightError(
      "NOT_FOUND",
      `there is no site "${site}" in the plant, and no order there: expected one of ${sites.join(", ")}`,
    )
}
