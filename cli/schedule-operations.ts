/** What planners ask about people's time: a week for a crew, who could do an order, which orders are worth one way. */
import { v5 as uuidv5 } from "uuid"
import { z } from "zod"
import type { App } from "../app.ts"
import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import { type OrderState, takesTime, type WorkOrder, workOrder } from "../core/orders.ts"
import { authorise } from "../core/plant-register.ts"
import type { Role } from "../core/roles.ts"
import { name, timeMs } from "../core/vocabulary.ts"
import { timeZoneOf } from "../core/wording.ts"
import { type Booking, bookingsOf, crewOf, hasHours, peopleOf } from "../scheduler/assign/crew-time.ts"
import { crewWeek } from "../scheduler/assign/crew-week.ts"
import { autoSchedule } from "../scheduler/assign/index.ts"
import type { Expected } from "../scheduler/assign/order-work.ts"
import { placeOf, travelOf } from "../scheduler/assign/places.ts"
import { replanned } from "../scheduler/assign/replan.ts"
import { type PlannedOrder, plannedOrders, snapshotOf, statesToPlan } from "../scheduler/assign/snapshot.ts"
import { suggest } from "../scheduler/assign/suggest.ts"
import { wayOf } from "../scheduler/assign/travel.ts"
import { type Call, visitsOf } from "../scheduler/visits.ts"
import { operation } from "./operation.ts"
import { bookedOf, expectationsOf, inEffect, nextFiveMinutes, sceneOf, weekOf } from "./schedule-readings.ts"

const minute = 60_000
const day = 86_400_000

/** Drawn once at random. */
const namespace = "3f5d0f1e-6a0c-4f7e-9d5a-61f2b0c1a7d4"
const planners: readonly Role[] = ["planner", "supervisor", "admin"]

/** More than a crew does in a week: the most urgent are planned first. */
const ordersOfAWeek = 500
const notBegun: readonly OrderState[] = [
  "requested",
  "triaged",
  "awaiting-approval",
  "approved",
  "planned",
  "assigned",
]

const visitRules = { withinMs: 3 * day, nearMs: 15 * minute, mostHours: 8 }
const crewAndWeek = { crew: name, week: z.string().optional() }
const { shape: plannedShape } = workOrder.shape.planned.unwrap()

const plannedOrder = z.object({
  order: z.uuid(),
  number: z.string(),
  version: z.number().int(),
  startMs: plannedShape.startMs,
  finishMs: plannedShape.finishMs,
  slots: plannedShape.slots.readonly(),
})

export const scheduleOperations = {
  "schedule.suggest": operation(
    z.object({ order: z.string(), limit: z.number().int().min(1).max(1000) }),
    suggestFor,
  ),
  "schedule.auto": operation(
    z.object({
      ...crewAndWeek,
      seed: z.number().int().min(0).max(2_147_483_647).default(1),
      timeLimitMs: timeMs.min(1000).max(10 * minute),
      /** Orders that are due so long after the week are left for later. */
      aheadMs: timeMs.nonnegative().max(400 * day),
      replan: z.boolean().default(false),
    }),
    planWeek,
  ),
  "schedule.apply": operation(
    z.object({ plan: z.uuid(), orders: z.array(plannedOrder).max(ordersOfAWeek) }),
    applyPlan,
  ),
  "schedule.visits": operation(
    z.object({
      site: name.optional(),
      withinMs: timeMs.nonnegative().default(visitRules.withinMs),
      nearMs: timeMs.nonnegative().default(visitRules.nearMs),
      mostHours: z.number().positive().default(visitRules.mostHours),
    }),
    findVisits,
  ),
  "schedule.week": operation(z.object(crewAndWeek), showWeek),
}

async function suggestFor(
  app: App,
  { order: wanted, limit }: { readonly order: string; readonly limit: number },
  actor: string,
) {
  const revision = inEffect(app)
  const { order } = await app.workorders.get(wanted)
  if (![...notBegun, ...takesTime].includes(order.state))
    throw new MillwrightError(
      "NOT_POSSIBLE",
      `${order.number} is ${order.state}: there is nothing to do on it any more`,
    )
  const { known, unknown } = crewsByHours(revision)
  const fromMs = nextFiveMinutes(app.now())
  const stretch = { revision, crews: known, fromMs, toMs: fromMs + 7 * day, toPlan: [order] }
  const snapshot = snapshotOf(await sceneOf(app, stretch, actor))
  const [unfit] = snapshot.aside
  if (unfit !== undefined)
    throw new MillwrightError("NOT_POSSIBLE", `nobody can be suggested for ${order.number}: ${unfit.why}`)
  const timeZone = timeZoneOf(revision.plant, order.site)
  const { people, about } = suggest(snapshot.week, order.id, timeZone)
  const { number, title, job } = order
  const names = new Map(revision.plant.people.map(({ id, name }) => [id, name]))
  return {
    number,
    title,
    timeZone,
    about: [...about, ...unknown],
    tasks: Math.max(1, job.tasks.length),
    people: people.slice(0, limit).map((one) => ({ ...one, name: names.get(one.person) ?? one.person })),
    left: Math.max(0, people.length - limit),
  }
}

/** The crews whose people can be considered, and what to state of the others. Throws `NOT_POSSIBLE` without the former. */
function crewsByHours(revision: Revision): {
  readonly known: readonly string[]
  readonly unknown: readonly string[]
} {
  const { crews, people } = revision.plant
  if (crews.length === 0)
    throw new MillwrightError(
      "NOT_POSSIBLE",
      "the plant file has no crews, so nobody's hours are known: list them under crews, and name each person's",
    )
  const known = crews.filter((crew) => hasHours(crew, revision)).map(({ id }) => id)
  const unknown = crews.flatMap(({ id, site }) => {
    const members = people.filter(({ crew }) => crew === id).map((one) => one.id)
    if (members.length === 0 || known.includes(id)) return []
    return `crew ${id} has no hours: state them in the plant file, or the workingTime of its site ${site}, to have its people considered (${members.join(", ")})`
  })
  if (known.length > 0) return { known, unknown }
  throw new MillwrightError("NOT_POSSIBLE", `nobody's hours are known: ${unknown.join("; ")}`)
}

async function planWeek(
  app: App,
  input: {
    readonly crew: string
    readonly week?: string | undefined
    readonly seed: number
    readonly timeLimitMs: number
    readonly aheadMs: number
    readonly replan: boolean
  },
  actor: string,
) {
  const revision = inEffect(app)
  const crew = crewOf(input.crew, revision)
  const timeZone = timeZoneOf(revision.plant, crew.site)
  const { week, startMs, endMs } = weekOf(app, input.week, timeZone)
  const fromMs = Math.max(startMs, nextFiveMinutes(app.now()))
  if (fromMs >= endMs)
    throw new MillwrightError("USAGE", `the week ${week} is over: give a later one with --week`)
  const { orders, more } = await app.workorders.read({
    states: statesToPlan(input.replan),
    site: crew.site,
    dueBeforeMs: endMs + input.aheadMs,
    limit: ordersOfAWeek,
  })
  const toPlan = orders.filter((one) => mayPlan(one, crew.id, endMs, revision))
  const scene = await sceneOf(app, { revision, crews: [crew.id], fromMs, toMs: endMs, toPlan }, actor)
  const { snapshot, kept } = replanned(scene, timeZone)
  const { slots, left, ...found } = await autoSchedule(snapshot.week, {
    seed: input.seed,
    timeLimitMs: input.timeLimitMs,
    timeZone,
  })
  const planned = plannedOrders(slots, snapshot)
  const isPlanned = new Set(planned.map(({ order }) => order))
  const stays = scene.booked.filter(({ id }) => !isPlanned.has(id))
  const made = planned.flatMap((one) => bookingsOf(asPlanned(one, snapshot.orders)))
  return {
    /** Made of the plan itself: the same plan is the same one. */
    plan: uuidv5(JSON.stringify(planned), namespace),
    crew: crew.id,
    week,
    timeZone,
    fromMs,
    toMs: endMs,
    looked: toPlan.length,
    /** There are more orders than a week is planned of. */
    more,
    orders: planned,
    people: crewWeek(crew, { startMs, endMs }, [...stays.flatMap(bookingsOf), ...made], revision),
    left: [
      ...left.flatMap(({ job, why }) => leftOut(snapshot.orders.get(job), why, fromMs)),
      ...[...kept, ...snapshot.aside].flatMap(({ order, why }) => leftOut(order, why, fromMs)),
    ],
    untimed: input.replan ? [] : untimedOf(scene.booked),
    visits: visitsAmong(planned, snapshot.orders, scene.expected, revision, app.now()),
    ...found,
  }
}

/** What is planned for a later week stays there, and what another crew's people are named for is theirs to plan. */
function mayPlan(
  { planned, ...order }: WorkOrder,
  crew: string,
  endMs: number,
  { plant }: Revision,
): boolean {
  if (order.state === "approved") return true
  const others = plant.people.filter((person) => person.crew !== crew).map(({ id }) => id)
  return (
    (planned === null || planned.startMs < endMs) &&
    !peopleOf({ planned, ...order }).some((person) => others.includes(person))
  )
}

/** An order as it would be with its plan. */
function asPlanned(
  { order, startMs, finishMs, slots }: PlannedOrder,
  orders: ReadonlyMap<string, WorkOrder>,
): WorkOrder {
  const found = orders.get(order)
  if (found === undefined)
    throw new RangeError(`the plan has the order ${order}, which was not to be planned`)
  return { ...found, state: "planned", planned: { startMs, finishMs, slots: [...slots] } }
}

function leftOut(order: WorkOrder | undefined, why: string, fromMs: number) {
  if (order === undefined) return []
  const { number, title, priority, dueMs, planned } = order
  const time =
    planned === null
      ? ""
      : planned.finishMs > fromMs
        ? "; it keeps the time that it has"
        : "; its time is over"
  return [{ number, title, priority, dueMs, why: `${why}${time}` }]
}

/** A planner has said who does them, but not when: they take no time in this week. */
function untimedOf(orders: readonly WorkOrder[]) {
  return orders
    .filter(({ state, planned }) => state === "assigned" && planned === null)
    .map(({ number, title, assignees }) => ({ number, title, assignees }))
}

function visitsAmong(
  planned: readonly PlannedOrder[],
  orders: ReadonlyMap<string, WorkOrder>,
  expected: (order: WorkOrder) => Expected,
  revision: Revision,
  nowMs: number,
) {
  const calls = planned.flatMap(({ order }) => {
    const found = orders.get(order)
    return found === undefined ? [] : [callOf(found, expected, revision)]
  })
  const way = wayOf(travelOf(revision))
  const starts = new Map(planned.map(({ order, startMs }) => [order, startMs]))
  return visitsOf(calls, { ...visitRules, nowMs, way })
    .filter((visit) => visit.calls.length > 1)
    .map((visit) => ({
      orders: visit.calls.map(({ order, number }) => ({ number, startMs: starts.get(order) ?? nowMs })),
      why: visit.why,
    }))
}

async function applyPlan(
  app: App,
  { plan, orders }: { readonly plan: string; readonly orders: readonly PlannedOrder[] },
  actor: string,
) {
  authorise(inEffect(app).plant, actor, planners)
  const results: { number: string; done: boolean; repeated: boolean; code: string | null; note: string }[] =
    []
  for (const { order, number, version, startMs, finishMs, slots } of orders) {
    const id = uuidv5(`${plan}|${order}`, namespace)
    const input = { startMs, finishMs, slots, note: "planned with its crew's week" }
    try {
      const { note, repeated } = await app.workorders.perform(
        { order, command: "plan", input, version, id },
        { actor, atMs: app.now() },
      )
      results.push({ number, done: true, repeated, code: null, note })
    } catch (error) {
      // One that somebody has changed meanwhile is told, and the others go on; what the store can't do now, ends it.
      if (!(error instanceof MillwrightError) || error.canRetry) throw error
      results.push({ number, done: false, repeated: false, code: error.code, note: error.message })
    }
  }
  return { results }
}

async function findVisits(
  app: App,
  input: {
    readonly site?: string | undefined
    readonly withinMs: number
    readonly nearMs: number
    readonly mostHours: number
  },
) {
  const revision = inEffect(app)
  const { site, ...rules } = input
  if (site !== undefined && !revision.plant.sites.some(({ id }) => id === site))
    throw new MillwrightError("NOT_FOUND", `there is no site "${site}" in the plant`)
  const { orders, more } = await app.workorders.read({ states: notBegun, site, limit: ordersOfAWeek })
  const expected = await expectationsOf(app, orders, revision)
  const calls = orders.map((order) => callOf(order, expected, revision))
  const visits = visitsOf(calls, { ...rules, nowMs: app.now(), way: wayOf(travelOf(revision)) })
  return { visits, more }
}

async function showWeek(app: App, input: { readonly crew: string; readonly week?: string | undefined }) {
  const revision = inEffect(app)
  const crew = crewOf(input.crew, revision)
  const timeZone = timeZoneOf(revision.plant, crew.site)
  const { week, startMs, endMs } = weekOf(app, input.week, timeZone)
  const others = await bookedOf(app, [crew.id], revision)
  const bookings: readonly Booking[] = others.flatMap(bookingsOf)
  return {
    crew: crew.id,
    week,
    timeZone,
    people: crewWeek(crew, { startMs, endMs }, bookings, revision),
    untimed: untimedOf(others),
  }
}

function callOf(order: WorkOrder, expected: (order: WorkOrder) => Expected, revision: Revision): Call {
  const { id, number, asset, site, dueMs } = order
  const location = revision.assets.get(asset)?.location ?? null
  const place = placeOf(order, revision)
  return { order: id, number, asset, site, location, place, dueMs, hours: expected(order).hours }
}
