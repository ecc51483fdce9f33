import { stockInputs } from "../workorders/stock-desk.ts"
import { operation } from "./operation.ts"

/** What storekeepers ask for beside any order. */
export const stockOperations = {
  "stock.list": operation(stockInputs.list, (app, filter, actor) => app.workorders.stock.list(filter, actor)),
  "stock.history": operation(stockInputs.history, (app, filter, actor) =>
    app.workorders.stock.history(filter, actor),
  ),
  "stock.receive": operation(stockInputs.receive, (app, input, actor) =>
    app.workorders.stock.receive(input, { actor, atMs: app.now() }),
  ),
  "stock.count": operation(stockInputs.count, (app, input, actor) =>
    app.workorders.stock.count(input, { actor, atMs: app.now() }),
  ),
  "stock.move": operation(stockInputs.move, (app, input, actor) =>
    app.workorders.stock.move(input, { actor, atMs: app.now() }),
  ),
}
