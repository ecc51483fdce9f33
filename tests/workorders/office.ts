import { readRevision } from "../../core/catalogue.ts"
import type { WorkOrder } from "../../core/orders.ts"
import { createDesk } from "../../workorders/desk.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import { orderQueries } from "../../workorders/queries.ts"
import { createStockDesk } from "../../workorders/stock-desk.ts"
import type { Done } from "../../workorders/writing.ts"
import { at, open, openStore, takeFor } from "./requests.ts"

/** A plant where each role has somebody. Further lists of the plant file may be added to it. */
export const people = `
plant: test
sites: [{ id: north, timeZone: Europe/Berlin }]
classes: [{ id: pump, components: [bearing, seal], signals: { vibration: { unit: mm/s }, run_hours: { unit: h, kind: meter } } }]
assets: [{ id: P-101, site: north, class: pump, criticality: A }, { id: P-102, site: north, class: pump }]
people:
  - { id: rita, name: Rita, roles: [requester] }
  - { id: cora, name: Cora, roles: [customer] }
  - { id: paul, name: Paul, roles: [planner] }
  - { id: tina, name: Tina, roles: [technician], skills: [vibration] }
  - { id: theo, name: Theo, roles: [technician] }
  - { id: carl, name: Carl, roles: [contractor] }
  - { id: stan, name: Stan, roles: [storekeeper] }
  - { id: ella, name: Ella, roles: [engineer] }
  - { id: sara, name: Sara, roles: [supervisor] }
  - { id: ada, name: Ada, roles: [auditor] }
  - { id: adam, name: Adam, roles: [admin] }
`

/** Of the log. */
const partitions = 4

/**
 * A store with the desk over it, in a file or (":memory:") none, for the plant file given. Time stands still until it
 * is set; it begins with the year 2026.
 */
export async function office(plant = people, path = ":memory:") {
  const database = await openStore(path)
  let revision = readRevision({
    revision: 1,
    plant: "test",
    source: plant,
    changedIn: {},
    effectiveMs: 0,
    author: "adam",
    reason: "",
    atMs: 0,
  })
  const clock = { atMs: at(0) }
  const desk = createDesk({ database, newest: () => revision, partitions })
  const queries = orderQueries(database)
  const stock = createStockDesk({ database, newest: () => revision })
  return {
    database,
    desk,
    queries,
    stock,
    clock,
    get revision() {
      return revision
    },
    /** Another plant file takes effect. */
    apply(source: string) {
      revision = readRevision({
        revision: revision.number + 1,
        plant: "test",
        source,
        changedIn: {},
        effectiveMs: 0,
        author: "adam",
        reason: "",
        atMs: 0,
      })
    },
    /** The nth order, as a rule asks for it; each for a need of its own. */
    async order(n: number, more: Parameters<typeof open>[1] = {}): Promise<WorkOrder> {
      const request = open(n, { mergeKey: `need ${n}`, ...more })
      await takeFor(revision, database, request)
      return (await queries.get(request.order)).order
    },
    /** Carries a command out as this person; `more` has the version seen, or the command's own id. */
    perform(
      actor: string,
      order: string,
      command: CommandName,
      input: unknown = {},
      more: { readonly version?: number; readonly id?: string } = {},
    ): Promise<Done> {
      return desk.perform({ order, command, input, ...more }, { actor, atMs: clock.atMs })
    },
    async get(order: string): Promise<WorkOrder> {
      return (await queries.get(order)).order
    },
  }
}
