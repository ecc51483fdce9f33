/** The plant as the planners see it at one moment: orders, people and stock as a week to be planned, and back. */
import type { Revision } from "../../core/catalogue.ts"
import type { OrderState, Slot as PlannedSlot, WorkOrder } from "../../core/orders.ts"
import { problems } from "../../core/plant.ts"
import { type Booking, bookingsOf, crewOf, freePerson } from "./crew-time.ts"
import { type FreeStock, partsOf } from "./order-parts.ts"
import { type Expected, jobOf, wholeOrder, windowsIn } from "./order-work.ts"
import { travelOf } from "./places.ts"
import { type Job, type Slot, type Week, week as weekSchema } from "./problem.ts"

/** States of orders that a week is planned of; `replan` takes those that have a time or people as well. */
export function statesToPlan(replan: boolean): readonly OrderState[] {
  return replan ? ["approved", "planned", "assigned"] : ["approved"]
}

export type Scene = {
  readonly revision: Revision
  /** Whose week it is. */
  readonly crews: readonly string[]
  readonly fromMs: number
  readonly toMs: number
  /** To be given times and people. */
  readonly toPlan: readonly WorkOrder[]
  /** With times and people of their own, which stay. */
  readonly booked: readonly WorkOrder[]
  readonly stock: readonly FreeStock[]
  expected(order: WorkOrder): Expected
}

export type Snapshot = {
  readonly week: Week
  /** By their ids: those that the week is planned of. */
  readonly orders: ReadonlyMap<string, WorkOrder>
  /** What can't be planned as it is. */
  readonly aside: readonly { readonly order: WorkOrder; readonly why: string }[]
}

/** Throws `NOT_FOUND` for a crew that is not there, `NOT_POSSIBLE` for one without hours. */
export function snapshotOf(scene: Scene): Snapshot {
  const { revision, fromMs, toMs } = scene
  const { jobs, orders, aside } = jobsOf(scene)
  const bookings = scene.booked.filter(({ id }) => !orders.has(id)).flatMap(bookingsOf)
  const people = peopleOf(scene, bookings)
  return { week: weekSchema.parse({ fromMs, toMs, people, jobs, travel: travelOf(revision) }), orders, aside }
}

function peopleOf({ revision, crews, fromMs, toMs }: Scene, bookings: readonly Booking[]): Week["people"] {
  return crews.flatMap((id) => {
    const crew = crewOf(id, revision)
    const members = revision.plant.people.filter((person) => person.crew === id)
    return members.map((person) => freePerson(person, crew, { fromMs, toMs }, bookings, revision))
  })
}

function jobsOf({ revision, toPlan, stock, expected, fromMs, toMs }: Scene) {
  const byUrgency = toPlan.toSorted(
    (a, b) => a.priority - b.priority || a.dueMs - b.dueMs || (a.number < b.number ? -1 : 1),
  )
  const parts = partsOf(byUrgency, stock, revision)
  const windowsOf = windowsIn({ fromMs, toMs }, revision)
  const orders = new Map<string, WorkOrder>()
  const aside: { order: WorkOrder; why: string }[] = []
  const jobs: Job[] = []
  for (const order of byUrgency) {
    const job = jobOf(order, {
      expected: expected(order),
      parts: parts.get(order.id) ?? { available: true, fromMs: null, why: "" },
      windows: windowsOf(order),
      fromMs,
      revision,
    })
    const why = job.tasks.length === 0 ? "all its tasks are done" : unfit(job)
    if (why !== undefined) aside.push({ order, why })
    else {
      jobs.push(job)
      orders.set(order.id, order)
    }
  }
  return { jobs, orders, aside }
}

/** What keeps an order from being planned at all: one such must not keep the week from it. */
function unfit(job: Job): string | undefined {
  const travel = { kmPerHour: 1, detour: 1, between: [] }
  const alone = { fromMs: job.earliestMs, toMs: job.earliestMs + 1, people: [], jobs: [job], travel }
  const { error } = weekSchema.safeParse(alone)
  return error && problems(error).join("; ")
}

/** An order as a plan of the week has it: what `plan` takes. */
export type PlannedOrder = {
  readonly order: string
  readonly number: string
  /** As it was when the week was planned. */
  readonly version: number
  readonly startMs: number
  readonly finishMs: number
  readonly slots: readonly PlannedSlot[]
}

/** In the order in which work on them begins. */
export function plannedOrders(slots: readonly Slot[], { orders }: Snapshot): readonly PlannedOrder[] {
  return [...orders.values()]
    .flatMap((order): PlannedOrder[] => {
      const own = slots.filter(({ job }) => job === order.id).toSorted((a, b) => a.startMs - b.startMs)
      const [first] = own
      if (first === undefined) return []
      return [
        {
          order: order.id,
          number: order.number,
          version: order.version,
          startMs: first.startMs,
          finishMs: Math.max(...own.map(({ finishMs }) => finishMs)),
          slots: own.map(({ task, person, startMs, finishMs }) => ({
            task: order.job.tasks.length === 0 && task === wholeOrder ? null : task,
            person,
            startMs,
            finishMs,
          })),
        },
      ]
    })
    .toSorted((a, b) => a.startMs - b.startMs || (a.number < b.number ? -1 : 1))
}
