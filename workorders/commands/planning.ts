import { z } from "zod"
import { timeMs } from "../../core/vocabulary.ts"
import { command, refuse } from "./command.ts"

const note = z.string().max(2000).default("")
const people = z.array(z.string().min(1).max(128)).min(1).max(100)

export const plan = command({
  summary: "say when the work is to be done",
  roles: ["planner", "supervisor", "admin"],
  from: ["approved", "planned", "assigned"],
  to: ["planned", "assigned"],
  input: z.strictObject({ startMs: timeMs, finishMs: timeMs, note }),
  run(order, { startMs, finishMs, note: said }) {
    if (finishMs <= startMs) refuse("the work can't end before it starts: give a later end")
    const when = `${iso(startMs)} to ${iso(finishMs)}`
    const late = finishMs > order.dueMs ? `, after it is due (${iso(order.dueMs)})` : ""
    return {
      order: {
        ...order,
        state: order.state === "approved" ? "planned" : order.state,
        planned: { startMs, finishMs },
      },
      event: "planned",
      note: `${when}${late}${said === "" ? "" : `: ${said}`}`,
    }
  },
})

export const assign = command({
  summary: "say who does it; replaces who was to do it before",
  roles: ["planner", "supervisor", "admin"],
  from: ["approved", "planned", "assigned", "dispatched", "acknowledged", "reopened"],
  to: ["assigned"],
  input: z.strictObject({ to: people, note }),
  run(order, { to, note: said }, { revision, atMs }) {
    const assignees = [...new Set(to)]
    const { people: known } = revision.plant
    for (const id of assignees) {
      const person = known.find((one) => one.id === id)
      if (known.length > 0 && person === undefined) refuse(`there is no "${id}" in the plant`)
      for (const needed of order.job.qualifications) {
        if (known.length > 0 && !holds(person?.skills ?? [], needed, atMs))
          refuse(`${id} does not hold the qualification "${needed}" that ${order.number} takes`)
      }
    }
    return {
      order: { ...order, state: "assigned", assignees },
      event: "assigned",
      note: `to ${assignees.join(", ")}${said === "" ? "" : `: ${said}`}`,
    }
  },
})

export const dispatch = command({
  summary: "send it to those who do it",
  roles: ["planner", "supervisor", "admin"],
  from: ["assigned"],
  to: ["dispatched"],
  input: z.strictObject({ note }),
  run(order, { note: said }) {
    return {
      order: { ...order, state: "dispatched" },
      event: "dispatched",
      note: `to ${order.assignees.join(", ")}${said === "" ? "" : `: ${said}`}`,
    }
  },
})

type Skills = readonly (string | { readonly skill: string; readonly until: string })[]

/** A skill with a date counts up to and with that day (UTC). */
export function holds(skills: Skills, needed: string, atMs: number): boolean {
  const today = iso(atMs).slice(0, 10)
  return skills.some((one) =>
    typeof one === "string" ? one === needed : one.skill === needed && one.until >= today,
  )
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
