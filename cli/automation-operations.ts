import { z } from "zod"
import { name } from "../core/vocabulary.ts"
import { operation } from "./operation.ts"

/** What can be asked of the automations of the plant file. */
export const automationOperations = {
  "automations.list": operation(z.object({}), (app) => app.workorders.automations.list()),
  "automations.runs": operation(
    z.object({
      automation: name.optional(),
      order: z.string().optional(),
      limit: z.number().int().min(1).max(500).optional(),
    }),
    (app, filter) => app.workorders.automations.runs(filter),
  ),
  "automations.try": operation(
    z.object({ automation: name, order: z.string() }),
    (app, { automation, order }) => app.workorders.automations.try(automation, order, app.now()),
  ),
}
