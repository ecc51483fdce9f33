/** What the planning of people's time goes by: orders, stock and estimates as the stage of work orders has them. */
import type { App } from "../app.ts"
import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import { weekAt, weekSpan } from "../core/iso-week.ts"
import { takesTime, type WorkOrder } from "../core/orders.ts"
import type { FreeStock } from "../scheduler/assign/order-parts.ts"
import type { Expected } from "../scheduler/assign/order-work.ts"
import type { Scene } from "../scheduler/assign/snapshot.ts"
import { expectedHours, likeOrders } from "../workorders/estimates.ts"

const minute = 60_000
/** More than the people of a crew can have to do. */
const bookedAtMost = 5000

/** By default the week that it is now, on the clocks of the site. */
export function weekOf(app: App, wanted: string | undefined, timeZone: string) {
  const week = wanted ?? weekAt(app.now(), timeZone)
  const span = weekSpan(week, timeZone)
  if (span !== undefined) return { week, ...span }
  throw new MillwrightError(
    "USAGE",
    `"${week}" is no week: expected a year and a week of it, such as ${weekAt(app.now(), timeZone)}`,
  )
}

/** What people of these crews have to do, whichever site it is at. Throws `NOT_POSSIBLE` for more than can be read. */
export async function bookedOf(
  app: App,
  crews: readonly string[],
  { plant }: Revision,
): Promise<readonly WorkOrder[]> {
  const people = plant.people
    .filter(({ crew }) => crew !== undefined && crews.includes(crew))
    .map(({ id }) => id)
  if (people.length === 0) return []
  const { orders, more } = await app.workorders.read({ states: takesTime, people, limit: bookedAtMost })
  if (!more) return orders
  throw new MillwrightError(
    "NOT_POSSIBLE",
    `the people of ${crews.join(", ")} have more than ${bookedAtMost} orders that are not done: close what was done, and ask again`,
  )
}

/** What these orders are planned among. */
export async function sceneOf(
  app: App,
  stretch: Pick<Scene, "revision" | "crews" | "fromMs" | "toMs" | "toPlan">,
  actor: string,
): Promise<Scene> {
  const { revision, crews, toPlan } = stretch
  return {
    ...stretch,
    booked: await bookedOf(app, crews, revision),
    stock: await stockFor(app, toPlan, actor, revision),
    expected: await expectationsOf(app, toPlan, revision),
  }
}

/** What is free of the parts that these orders take. */
async function stockFor(
  app: App,
  orders: readonly WorkOrder[],
  actor: string,
  { plant }: Revision,
): Promise<readonly FreeStock[]> {
  const parts = new Set(orders.flatMap(({ job }) => job.materials.map(({ part }) => part)))
  const levels: FreeStock[] = []
  for (const { id: part } of plant.parts) {
    if (!parts.has(part)) continue
    const found = await app.workorders.stock.list({ part, low: false, limit: 10_000 }, actor)
    levels.push(...found.levels)
  }
  return levels
}

export async function expectationsOf(
  app: App,
  orders: readonly WorkOrder[],
  { assets }: Revision,
): Promise<(order: WorkOrder) => Expected> {
  const templates = [...new Set(orders.flatMap(({ template }) => template ?? []))]
  const histories = await app.workorders.estimates({ templates })
  return (order) =>
    expectedHours(order, likeOrders(histories, order.template, assets.get(order.asset)?.class))
}

export function inEffect(app: App): Revision {
  const revision = app.catalogue.newest()
  if (revision !== undefined) return revision
  throw new MillwrightError("NOT_FOUND", "no plant file was applied yet: millwright apply FILE")
}

/** Nobody begins at a second of a minute. */
export function nextFiveMinutes(ms: number): number {
  return Math.ceil(ms / (5 * minute)) * 5 * minute
}
