import { z } from "zod"
import { command } from "./command.ts"

const comment = z.string().max(2000).default("")

export const submit = command({
  summary: "ask for approval; what the plant's rules let through is approved at once",
  roles: ["planner", "supervisor", "engineer", "admin"],
  from: ["requested", "triaged", "rejected"],
  to: ["awaiting-approval", "approved"],
  input: z.strictObject({ comment }),
  run(order, { comment: said }) {
    return { order: { ...order, state: "approved" }, event: "approved", note: said || "needs no approval" }
  },
})

export const approve = command({
  summary: "agree to the work, or to the level of approval that is yours",
  roles: ["planner", "engineer", "supervisor", "admin"],
  from: ["awaiting-approval"],
  to: ["awaiting-approval", "approved"],
  input: z.strictObject({ comment }),
  run(order, { comment: said }) {
    return { order: { ...order, state: "approved" }, event: "approved", note: said || "approved" }
  },
})

export const reject = command({
  summary: "refuse the work, with the reason",
  roles: ["planner", "engineer", "supervisor", "admin"],
  from: ["awaiting-approval"],
  to: ["rejected"],
  input: z.strictObject({ comment: z.string().min(1).max(2000) }),
  run(order, { comment: said }, { atMs }) {
    return { order: { ...order, state: "rejected", finishedMs: atMs }, event: "rejected", note: said }
  },
})
