import { z } from "zod"
import type { App } from "../app.ts"
import { MillwrightError } from "../core/errors.ts"
import type { WorkOrder } from "../core/orders.ts"
import { name } from "../core/vocabulary.ts"
import { type Estimate, expectedHours, likeOrders, plannedHours } from "../workorders/estimates.ts"
import { operation } from "./operation.ts"

export const estimateOperations = {
  "orders.estimates": operation(z.object({ template: name.optional() }), async (app, { template }) => {
    const templates = app.catalogue.newest()?.plant.templates ?? []
    const wanted = template === undefined ? templates.map(({ id }) => id) : [template]
    const histories = await app.workorders.estimates({ templates: wanted })
    if (template !== undefined && histories.length === 0 && !templates.some(({ id }) => id === template)) {
      const known = templates.map(({ id }) => id).join(", ") || "none"
      throw new MillwrightError(
        "NOT_FOUND",
        `there is no template "${template}" in the plant: it has ${known}`,
      )
    }
    return wanted.map((id) => {
      const spec = templates.find((one) => one.id === id)
      return {
        template: id,
        plannedHours: spec === undefined ? null : plannedHours(spec),
        histories: histories.filter((one) => one.template === id),
      }
    })
  }),
}

/** How long the order's work is expected to take. */
export async function estimateFor(app: App, order: WorkOrder): Promise<Estimate> {
  const { template, asset } = order
  const histories = template === null ? [] : await app.workorders.estimates({ templates: [template] })
  const ofClass = app.catalogue.newest()?.assets.get(asset)?.class
  return expectedHours(order, likeOrders(histories, template, ofClass))
}
