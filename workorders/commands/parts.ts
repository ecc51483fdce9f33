import { z } from "zod"
import { agreed } from "../../core/orders.ts"
import { name } from "../../core/vocabulary.ts"
import {
  freeOf,
  lowAfter,
  partOf,
  releaseStock,
  reserveMaterials,
  rounded,
  storeOf,
  takeFor,
} from "../stock.ts"
import { type Context, command, refuse, withNote } from "./command.ts"
import { assigned, executors } from "./people.ts"

const quantity = z.number().min(1e-6, "expected more than 0").max(1_000_000).transform(rounded)
const note = z.string().max(2000).default("")
const storekeepers = ["storekeeper", "planner", "supervisor", "admin"] as const

export const reserve = command({
  summary: "set the materials of the order aside in the stores; what is short is told",
  roles: storekeepers,
  from: agreed,
  input: z.strictObject({}),
  run(order, _input, context) {
    if (order.job.materials.length === 0) refuse(`${order.number} takes no materials`)
    const { work, effects, told } = reserveMaterials(order, context)
    return {
      order: { ...order, work },
      event: "part",
      note: told.join("; ") || "all its materials are set aside already",
      effects,
    }
  },
})

export const release = command({
  summary: "give back what is set aside for the order and not used",
  roles: storekeepers,
  from: [...agreed, "completed", "verified"],
  input: z.strictObject({ part: name.optional().describe("only of this part"), note }),
  run(order, { part, note: said }) {
    const { order: after, effects } = releaseStock(order, part)
    const given = order.work.reserved.filter((one) => !after.work.reserved.includes(one))
    if (given.length === 0)
      refuse(`nothing${part === undefined ? "" : ` of ${part}`} is set aside for ${order.number}`)
    const what = given.map((one) => `${one.quantity} ${one.part} in ${one.store}`).join(", ")
    return { order: after, event: "part", note: withNote(`released ${what}`, said), effects }
  },
})

export const usePart = command({
  summary: "take a part for the work: what is set aside for it first, then what is free",
  roles: [...executors, "storekeeper"],
  assigned,
  from: ["acknowledged", "in-progress", "on-hold", "completed", "reopened"],
  input: z.strictObject({
    part: name,
    quantity: quantity.default(1),
    store: name
      .optional()
      .describe("by default where it is set aside, or the first of the site that has enough"),
    note,
  }),
  run(order, { part, quantity: wanted, store, note: said }, context) {
    const { actor, atMs } = context
    const { plant } = context.revision
    const { unitCost } = partOf(plant, part)
    if (store !== undefined) storeOf(plant, store)
    const { taken, reserved, effects, missing } = takeFor(order, { part, quantity: wanted, store }, context)
    if (missing > 0)
      refuse(
        `${order.number} can't take ${wanted} of ${part}${store === undefined ? "" : ` from ${store}`}: ${whatIsThere(part, context)}`,
      )
    const used = taken.map((one) => ({ part, ...one, unitCost, by: actor, atMs }))
    const from = taken.map((one) => `${one.quantity} ${part} from ${one.store}`).join(", ")
    return {
      order: {
        ...order,
        work: { ...order.work, reserved: [...reserved], parts: [...order.work.parts, ...used] },
      },
      event: "part",
      note: [withNote(`took ${from}`, said), ...lowAfter(effects, context)].join("; "),
      effects,
    }
  },
})

export const returnPart = command({
  summary: "bring a part back that was taken and not needed",
  roles: [...executors, "storekeeper"],
  assigned,
  from: ["acknowledged", "in-progress", "on-hold", "completed", "reopened"],
  input: z.strictObject({
    part: name,
    quantity: quantity.default(1),
    store: name.optional().describe("only what was taken from this store"),
    note,
  }),
  run(order, { part, quantity: wanted, store, note: said }) {
    let left = wanted
    const parts: typeof order.work.parts = []
    const back = new Map<string, number>()
    // What was taken last comes back first.
    for (const one of order.work.parts.toReversed()) {
      const fits = one.part === part && (store === undefined || one.store === store)
      const given = fits ? Math.min(left, one.quantity) : 0
      left = rounded(left - given)
      if (given > 0) back.set(one.store, rounded((back.get(one.store) ?? 0) + given))
      if (one.quantity > given) parts.unshift({ ...one, quantity: rounded(one.quantity - given) })
    }
    if (left > 0)
      refuse(
        `${order.number} took ${rounded(wanted - left)} of ${part}${store === undefined ? "" : ` from ${store}`}, so ${wanted} can't come back`,
      )
    const to = [...back].map(([place, given]) => `${given} ${part} to ${place}`).join(", ")
    return {
      order: { ...order, work: { ...order.work, parts } },
      event: "part",
      note: withNote(`brought back ${to}`, said),
      effects: [...back].map(([place, given]) => ({
        kind: "stock",
        part,
        store: place,
        onHand: given,
        reserved: 0,
      })),
    }
  },
})

function whatIsThere(part: string, { stock }: Context): string {
  const levels = stock.filter((one) => one.part === part)
  if (levels.length === 0) return "no store has any; receive some first (stock receive)"
  const each = levels.map((one) => `${one.store} has ${freeOf(one)} free (${one.reserved} set aside)`)
  return each.join(", ")
}
