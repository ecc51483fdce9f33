import { randomBytes } from "node:crypto"
import { z } from "zod"
import { name } from "../core/vocabulary.ts"
import { publicRequest } from "../workorders/public-form.ts"
import { newOrder } from "../workorders/requests-by-people.ts"
import { operation } from "./operation.ts"

/** As many as nobody tries out, and few enough for a small QR code. */
const codeBytes = 18

/** What those ask who want work done, with an account and without. */
export const requestOperations = {
  "orders.new": operation(newOrder, (app, ask, actor) =>
    app.workorders.requests.open(ask, { actor, atMs: app.now() }),
  ),
  "orders.attachment": operation(z.object({ order: z.string(), name: z.string() }), (app, asked) =>
    app.workorders.attachment(asked.order, asked.name),
  ),
  "requests.public": operation(publicRequest, (app, request) =>
    app.workorders.requests.ask(request, { atMs: app.now(), arrivedMs: app.clock.now() }),
  ),
  "requests.progress": operation(z.object({ request: z.string() }), (app, { request }, actor) =>
    app.workorders.requests.progress(request, actor),
  ),
  "codes.make": operation(z.object({ asset: name }), async (app, { asset }, actor) => {
    const code = randomBytes(codeBytes).toString("base64url")
    const made = await app.workorders.codes.make(asset, code, { actor, atMs: app.clock.now() })
    return { ...made, code }
  }),
  "codes.list": operation(z.object({}), (app, _input, actor) => app.workorders.codes.list({ actor })),
  "codes.revoke": operation(z.object({ id: z.string() }), (app, { id }, actor) =>
    app.workorders.codes.revoke(id, { actor, atMs: app.clock.now() }),
  ),
}
