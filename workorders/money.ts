/** What work costs, expected and in the end, in the plant's currency. */
import type { Cost, WorkOrder } from "../core/orders.ts"
import type { Plant } from "../core/plant.ts"

/**
 * Labour by the tasks' hours, or where none are stated by the order's; materials at what their parts cost now; and
 * what is hired. A task without a craft, or with one that has left the plant, costs the plant's first craft.
 */
export function estimatedCost(
  { job, bids }: Pick<WorkOrder, "job" | "bids">,
  { crafts, parts }: Pick<Plant, "crafts" | "parts">,
): Cost {
  const usual = crafts[0]?.rate ?? 0
  const rateOf = (craft: string | undefined) => crafts.find(({ id }) => id === craft)?.rate ?? usual
  const byTask = job.tasks.filter(({ hours }) => hours !== undefined)
  const labour =
    byTask.length > 0
      ? sum(byTask.map(({ hours = 0, craft }) => hours * rateOf(craft)))
      : (job.estimatedHours ?? 0) * usual
  const unitCost = (part: string) => parts.find(({ id }) => id === part)?.unitCost ?? 0
  const materials = sum(job.materials.map(({ part, quantity }) => quantity * unitCost(part)))
  return costOf(labour, materials, hired({ job, bids }))
}

/** What was clocked, used and hired, at the prices of then. A clock that still runs costs nothing yet. */
export function actualCost({ job, bids, work }: Pick<WorkOrder, "job" | "bids" | "work">): Cost {
  const hours = work.labour.map(({ startMs, endMs, rate }) =>
    endMs === null ? 0 : ((endMs - startMs) / 3_600_000) * rate,
  )
  const parts = work.parts.map(({ quantity, unitCost }) => quantity * unitCost)
  return costOf(sum(hours), sum(parts), hired({ job, bids }))
}

/** The accepted bid, or what the job expects of services. */
function hired({ job, bids }: Pick<WorkOrder, "job" | "bids">): number {
  return bids.find(({ state }) => state === "accepted")?.amount ?? job.services
}

function costOf(labour: number, parts: number, services: number): Cost {
  const cost = { labour: toCents(labour), parts: toCents(parts), services: toCents(services) }
  return { ...cost, total: toCents(cost.labour + cost.parts + cost.services) }
}

/** Sums of money in binary fractions carry dust: 0.1 + 0.2 must still fit a budget of 0.3. */
export function toCents(amount: number): number {
  return Math.round(amount * 100) / 100
}

const figures = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })

/** "1,200.00 EUR" */
export function money(amount: number, { currency }: Pick<Plant, "currency">): string {
  return `${figures.format(amount)} ${currency}`
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, one) => total + one, 0)
}
