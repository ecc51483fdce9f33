import { z } from "zod"
import { agreed, beforeTheEnd } from "../../core/orders.ts"
import { own } from "../readiness.ts"
import { command, refuse, withNote } from "./command.ts"
import { assigned, executors } from "./people.ts"

const kind = z.string().min(1).max(64).describe("its kind, such as lock-out")

export const grantPermit = command({
  summary: "grant a permit to work, such as lock-out/tag-out",
  roles: ["supervisor", "engineer", "admin"],
  from: agreed,
  input: z.strictObject({
    permit: kind,
    number: z.string().min(1).max(64).describe("the number on the permit or the tag"),
    note: z.string().max(2000).default(""),
  }),
  run(order, { permit, number, note }, { actor, atMs }) {
    const asked = order.job.permits.map((one) => one.kind)
    if (!asked.includes(permit))
      refuse(
        `the job of ${order.number} asks for no permit "${permit}": ${asked.length === 0 ? "it takes none" : `expected one of ${asked.join(", ")}`}`,
      )
    const before = own(order.work.permits, permit)
    if (before?.returnedMs === null)
      refuse(
        `the permit ${permit} (${before.number}) of ${order.number} was granted by ${before.by}, and not handed back yet`,
      )
    const granted = { number, by: actor, grantedMs: atMs, returnedMs: null, returnedBy: null }
    return {
      order: { ...order, work: { ...order.work, permits: { ...order.work.permits, [permit]: granted } } },
      event: "permit",
      note: withNote(`${permit} granted as ${number}`, note),
    }
  },
})

export const returnPermit = command({
  summary: "hand a permit back: the asset is safe to run again",
  roles: [...executors, "engineer"],
  assigned,
  // Also where the order went back, or was completed, while the permit was out.
  from: beforeTheEnd,
  input: z.strictObject({ permit: kind, note: z.string().max(2000).default("") }),
  run(order, { permit, note }, { actor, atMs }) {
    const held = own(order.work.permits, permit)
    if (held === undefined || held.returnedMs !== null)
      refuse(`${order.number} holds no permit "${permit}"${held === undefined ? "" : ": it was handed back"}`)
    const returned = { ...held, returnedMs: atMs, returnedBy: actor }
    return {
      order: { ...order, work: { ...order.work, permits: { ...order.work.permits, [permit]: returned } } },
      event: "permit",
      note: withNote(`${permit} (${held.number}) handed back`, note),
    }
  },
})
