import { z } from "zod"
import type { Approval, WorkOrder } from "../../core/orders.ts"
import type { Plant } from "../../core/plant.ts"
import { roles } from "../../core/roles.ts"
import { decidersFor, inWhoseName, isSame, levelsFor, wording } from "../approval-rules.ts"
import { commit, release, type Settled, shortfall } from "../budgets.ts"
import { estimatedCost, money } from "../money.ts"
import { releaseStock } from "../stock.ts"
import { type Context, command, refuse, type Step } from "./command.ts"

const comment = z.string().max(2000).default("")

export const submit = command({
  summary: "ask for approval; what the plant's rules let through is approved at once",
  roles: ["planner", "supervisor", "engineer", "admin"],
  from: ["requested", "triaged", "rejected"],
  to: ["awaiting-approval", "approved"],
  input: z.strictObject({ comment: comment.describe("what those who approve should know") }),
  run(order, { comment: said }, context) {
    const { atMs, actor, sameNeed, revision, asset } = context
    const { plant } = revision
    if (sameNeed !== undefined) refuse(`${sameNeed} is open for the same need: go on there`)
    const cost = estimatedCost(order, plant).total
    const short = shortfall(order, cost, context)
    const { levels: byRules, standsMs } = levelsFor(order, cost, { plant, asset })
    const levels = short === undefined ? byRules : withAdmin(byRules, short)
    for (const level of levels) mustHaveDecider(level, plant, atMs)
    const approval: Approval = {
      askedBy: actor,
      askedMs: atMs,
      expiresMs: levels.length === 0 || standsMs === null ? null : atMs + standsMs,
      cost,
      overBudget: short !== undefined,
      levels: [...levels],
      decisions: [],
      committed: null,
    }
    const asked: WorkOrder = { ...order, approval, finishedMs: null }
    const estimate = `estimated cost ${money(cost, plant)}`
    if (levels.length === 0) return approved(asked, ["needs no approval", estimate, said], context)
    const waits = levels.map(({ by, why }) => `${wording(by)} (${why})`).join(", then ")
    return {
      order: { ...asked, state: "awaiting-approval" },
      event: "submitted",
      note: sentence([`waits for ${waits}`, estimate, said]),
    }
  },
})

export const approve = command({
  summary: "agree to the work, or to the level of approval that is yours",
  // Whom the plant's rules name, and whom those delegate to, may have any role.
  roles,
  from: ["awaiting-approval"],
  to: ["awaiting-approval", "approved"],
  input: z.strictObject({ comment }),
  run(order, { comment: said }, context) {
    const { plant } = context.revision
    const { approval, level, which } = decided("approved", order, said, context)
    const cost = estimatedCost(order, plant).total
    if (cost > approval.cost)
      refuse(
        `${order.number} is now estimated at ${money(cost, plant)}, and approval was asked for ${money(approval.cost, plant)}: withdraw it and submit it again, or reject it`,
      )
    if (approval.overBudget && level.by === "admin" && said === "")
      refuse(`${order.number} is over its budget: state in a comment why it is to be done all the same`)
    if (approval.decisions.length < approval.levels.length)
      return { order: { ...order, approval }, event: "approved", note: sentence([which, said]) }
    const short = approval.overBudget ? undefined : shortfall(order, cost, context)
    if (short !== undefined)
      refuse(
        `${short}. Withdraw ${order.number} and submit it again, and an admin decides; or raise the budget`,
      )
    return approved({ ...order, approval }, [which, said], context)
  },
})

export const reject = command({
  summary: "refuse the work, with the reason",
  roles,
  from: ["awaiting-approval"],
  to: ["rejected"],
  input: z.strictObject({ comment: z.string().min(1).max(2000).describe("why not") }),
  run(order, { comment: said }, context) {
    const { approval, which } = decided("rejected", order, said, context)
    return {
      order: { ...order, state: "rejected", finishedMs: context.atMs, approval },
      event: "rejected",
      note: sentence([which, said]),
    }
  },
})

export const withdraw = command({
  summary: "take back the request for approval, or the approval, so that the order can be changed",
  roles: ["planner", "supervisor", "engineer", "admin"],
  from: ["awaiting-approval", "approved", "planned"],
  to: ["triaged"],
  input: z.strictObject({ reason: z.string().min(1).max(2000).describe("why") }),
  run(order, { reason }) {
    const what = order.state === "awaiting-approval" ? "the request for approval" : "the approval"
    return { ...withdrawn(order), event: "triaged", note: `took back ${what}: ${reason}` }
  },
})

/** Looked over and not yet submitted: what its approval and its plan had set aside is free again. */
export function withdrawn(order: WorkOrder): Settled {
  const { order: unpaid, effects: freed } = release(order)
  const { order: empty, effects: returned } = releaseStock(unpaid)
  return {
    order: { ...empty, state: "triaged", approval: null, planned: null },
    effects: [...freed, ...returned],
  }
}

/** The request for approval with the actor's decision on its next level. Throws `NOT_ALLOWED`. */
function decided(
  decision: "approved" | "rejected",
  order: WorkOrder,
  comment: string,
  { actor, atMs, revision: { plant } }: Context,
) {
  const { approval } = order
  const level = approval?.levels[approval.decisions.length]
  if (approval === null || level === undefined)
    refuse(`${order.number} has no request for approval any more: submit it again`)
  const onBehalfOf = inWhoseName(actor, level, order, { plant, atMs })
  const at = approval.decisions.length
  const decisions = [...approval.decisions, { level: at, by: actor, onBehalfOf, decision, comment, atMs }]
  const name = onBehalfOf === null ? "" : ` on behalf of ${onBehalfOf}`
  const which = `level ${at + 1} of ${approval.levels.length} (${wording(level.by)})${name}`
  return { approval: { ...approval, decisions }, level, which }
}

/** Nothing stands against it any more: its cost is committed. */
function approved(order: WorkOrder, said: readonly string[], context: Context): Step {
  const { order: committed, effects } = commit(order, context)
  const taken = committed.approval?.committed ?? null
  const where =
    taken === null
      ? ""
      : `${money(taken.amount, context.revision.plant)} committed on ${taken.costCentre} for ${taken.year}`
  return {
    order: { ...committed, state: "approved" },
    event: "approved",
    note: sentence([...said, where]),
    effects,
  }
}

/** An admin decides last on what no budget covers. */
function withAdmin(levels: readonly Approval["levels"][number][], short: string) {
  if (levels.some(({ by }) => isSame(by, "admin"))) return levels
  return [...levels, { rule: "budgets", by: "admin", why: short }]
}

/** Told when approval is asked for, not to whoever waits for it in vain. */
function mustHaveDecider({ by, rule, why }: Approval["levels"][number], plant: Plant, atMs: number): void {
  if (plant.people.length === 0 || decidersFor(by, plant, atMs).length > 0) return
  refuse(
    `it takes the approval of ${wording(by)} (rule ${rule}: ${why}), and the plant has nobody who is that: add them in the plant file`,
  )
}

function sentence(parts: readonly string[]): string {
  return parts.filter((one) => one !== "").join("; ")
}
