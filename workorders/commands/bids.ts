import { z } from "zod"
import type { Bid } from "../../core/orders.ts"
import { estimatedCost, money } from "../money.ts"
import { withdrawn } from "./approval.ts"
import { command, refuse } from "./command.ts"
import { has } from "./people.ts"

const planners = ["planner", "supervisor", "admin"] as const
const amount = z.number().nonnegative().max(1e12)

export const bid = command({
  summary: "offer to do the work for so much; replaces the contractor's offer before",
  roles: ["contractor", ...planners],
  from: ["requested", "triaged", "awaiting-approval", "approved", "rejected", "planned"],
  input: z.strictObject({
    amount: amount.describe("in the plant's currency, all included"),
    hours: z.number().positive().max(10_000).optional().describe("how long it takes"),
    contractor: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe("whose offer: by default yours; a planner may enter anybody's"),
    document: z.string().min(1).max(200).optional().describe("the name of an attachment of the order"),
    note: z.string().max(2000).default("").describe("what it includes, and what not"),
  }),
  run(order, { amount: asked, hours, contractor = "", document, note }, context) {
    const { actor, atMs, revision, idFor } = context
    if (contractor !== "" && contractor !== actor && !has(context, planners))
      refuse(`${actor} offers for themselves only: leave the contractor out`)
    if (contractor === "" && !has(context, ["contractor"]))
      refuse("say whose offer it is: give the contractor")
    if (document !== undefined && !order.attachments.some(({ name }) => name === document))
      refuse(`${order.number} has no attachment "${document}": attach it first`)
    const by = contractor || actor
    if (order.bids.some((one) => one.contractor === by && one.state === "accepted"))
      refuse(`the offer of ${by} was accepted already: it can't be replaced`)
    const isBefore = (one: Bid) => one.contractor === by && one.state === "offered"
    const before = order.bids.find(isBefore)
    const offered: Bid = {
      id: idFor("bid"),
      contractor: by,
      amount: asked,
      hours: hours ?? null,
      note,
      document: document ?? null,
      state: "offered",
      by: actor,
      atMs,
    }
    const others = order.bids.map((one): Bid => (isBefore(one) ? { ...one, state: "declined" } : one))
    const { plant } = revision
    const instead = before === undefined ? "" : ` instead of ${money(before.amount, plant)}`
    return {
      order: { ...order, bids: [...others, offered] },
      event: "bid",
      note: `${by} offers ${money(asked, plant)}${instead}${note === "" ? "" : `: ${note}`}`,
    }
  },
})

export const acceptBid = command({
  summary:
    "choose a bid: its amount takes the place of the services expected; what then costs more than approved is submitted again",
  roles: planners,
  // Not while it waits for approval: those who approve decide by the cost that they were told.
  from: ["requested", "triaged", "approved", "rejected", "planned"],
  to: ["triaged"],
  input: z.strictObject({
    bid: z.string().min(1).max(128).describe("the contractor, or the id of the bid"),
    note: z.string().max(2000).default("").describe("why this one"),
  }),
  run(order, { bid: wanted, note }, { revision }) {
    const open = order.bids.filter(({ state }) => state === "offered")
    const chosen = open.find(({ id, contractor }) => id === wanted || contractor === wanted)
    if (chosen === undefined)
      refuse(
        `${order.number} has no open bid of "${wanted}": ${open.map(({ contractor }) => contractor).join(", ") || "none"} can be accepted`,
      )
    const { plant } = revision
    const bids = order.bids.map((one): Bid => {
      return { ...one, state: one === chosen ? "accepted" : "declined" }
    })
    const others = order.bids.filter((one) => one !== chosen && one.state !== "declined")
    const declined = others.map(({ contractor, amount: asked }) => `${contractor} at ${money(asked, plant)}`)
    const instead = declined.length === 0 ? "" : `, not ${declined.join(", ")}`
    const accepted = `accepted: ${chosen.contractor} at ${money(chosen.amount, plant)}${instead}${note === "" ? "" : `: ${note}`}`
    const cost = estimatedCost({ ...order, bids }, plant).total
    const isApproved = order.state === "approved" || order.state === "planned"
    if (!isApproved || cost <= (order.approval?.cost ?? 0))
      return { order: { ...order, bids }, event: "bid", note: accepted }
    const more = `estimated at ${money(cost, plant)}, more than was approved: to be submitted again`
    return { ...withdrawn({ ...order, bids }), event: "bid", note: `${accepted}; ${more}` }
  },
})
