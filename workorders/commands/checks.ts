import { z } from "zod"
import type { Check } from "../../core/job.ts"
import type { Work, WorkOrder } from "../../core/orders.ts"
import { name, priority } from "../../core/vocabulary.ts"
import { followUp, withFollowUp } from "../follow-up.ts"
import { own } from "../readiness.ts"
import { type Context, command, refuse } from "./command.ts"
import { assigned, executors } from "./people.ts"

const note = z.string().max(2000).default("")
const value = z.union([z.string().min(1).max(2000), z.number(), z.boolean()])

type Given = z.infer<typeof value> | undefined
type Answer = Pick<Work["checks"][string], "value" | "passed">

export const check = command({
  summary: "answer a check; a failed answer raises a follow-up order, once for each check",
  roles: executors,
  assigned,
  from: ["in-progress"],
  input: z.strictObject({
    check: z.string().min(1).max(64).describe("its number in the checklist"),
    value: value
      .optional()
      .describe(
        "yes or no, a number, a text, or a photo's name; left out for a signature, which is your own",
      ),
    note,
  }),
  run(order, { check: id, value: given, note: said }, context) {
    const { actor, atMs, idFor } = context
    const asked = order.job.checklist.find((one) => one.id === id)
    if (asked === undefined) {
      const known = order.job.checklist.map((one) => one.id).join(", ")
      refuse(`${order.number} has no check ${id}: ${known === "" ? "it has none" : `answer one of ${known}`}`)
    }
    const answer = answerTo(asked, given, order, context)
    const before = own(order.work.checks, id)
    const raises = answer.passed === false && asked.onFail !== false && (before?.raised ?? null) === null
    const raised = raises ? idFor(`check ${id}`) : (before?.raised ?? null)
    const checks = { ...order.work.checks, [id]: { ...answer, by: actor, atMs, raised } }
    const request =
      raises && followUpOf(order, asked, said || inWords(asked, answer), idFor(`check ${id}`), context)
    return {
      order: {
        ...order,
        work: { ...order.work, checks },
        followUps: request ? [...order.followUps, request.order] : order.followUps,
      },
      event: "check",
      note: [
        `check ${id} (${asked.text}): ${inWords(asked, answer)}`,
        ...(before === undefined ? [] : [`before it was ${shown(before.value)}`]),
        ...(said === "" ? [] : [said]),
        ...(request ? [`raises the follow-up order "${request.title}"`] : []),
      ].join("; "),
      effects: request ? [{ kind: "open", request }] : [],
    }
  },
})

export const raise = command({
  summary: "ask for a follow-up order for what was seen besides",
  roles: [...executors, "engineer", "planner"],
  assigned,
  from: ["acknowledged", "in-progress", "on-hold", "completed", "reopened"],
  input: z.strictObject({
    title: z.string().min(1).max(500).describe("what is to be done"),
    description: z.string().max(10_000).default(""),
    component: name.optional().describe("by default that of the order"),
    priority: priority.default(3).describe("1 is the most urgent (default: 3)"),
    template: name.optional().describe("a template of the plant file, for its tasks and checks"),
  }),
  run(order, { title, description, component = order.component, priority: urgency, template }, context) {
    const { revision, asset, idFor } = context
    const { templates, classes } = revision.plant
    if (template !== undefined && !templates.some(({ id }) => id === template))
      refuse(
        `there is no template "${template}" in the plant: expected one of ${templates.map(({ id }) => id).join(", ") || "none"}`,
      )
    const known = classes.find(({ id }) => id === asset?.class)?.components ?? []
    if (component !== null && component !== order.component && known.length > 0 && !known.includes(component))
      refuse(`${order.asset} has no component "${component}": expected one of ${known.join(", ")}`)
    const wanted = {
      id: idFor("follow-up"),
      title,
      description,
      component,
      priority: urgency,
      template,
      check: null,
    }
    return withFollowUp(order, wanted, context)
  },
})

function followUpOf(
  order: WorkOrder,
  { id, text, onFail }: Check,
  what: string,
  newId: string,
  context: Context,
) {
  if (onFail === false) return undefined
  const { title, priority, template } = onFail
  return followUp(
    order,
    {
      id: newId,
      title: title ?? (template === undefined ? `Check failed: ${text}` : undefined),
      description: `Check ${id} of ${order.number} (${text}) failed: ${what}`,
      component: order.component,
      priority,
      template,
      check: id,
    },
    context,
  )
}

/** Throws `NOT_POSSIBLE` for an answer of another kind than asked for. */
function answerTo({ id, answer }: Check, given: Given, order: WorkOrder, { actor }: Context): Answer {
  if (answer.kind === "signature") {
    if (given !== undefined && given !== actor)
      refuse(
        `check ${id} is signed by whoever answers it, with their own name (${actor}): leave the value out`,
      )
    return { value: actor, passed: null }
  }
  if (given === undefined) refuse(`check ${id} takes ${expected[answer.kind]}: give it as the value`)
  switch (answer.kind) {
    case "pass-fail": {
      const word = String(given).toLowerCase()
      const passed = yes.includes(word)
      if (!passed && !no.includes(word)) refuse(`check ${id} takes ${expected["pass-fail"]}, not "${given}"`)
      return { value: passed, passed }
    }
    case "number": {
      const isBlank = typeof given === "boolean" || String(given).trim() === ""
      const number = isBlank ? Number.NaN : Number(given)
      if (!Number.isFinite(number)) refuse(`check ${id} takes ${expected.number}, not "${given}"`)
      const { min, max } = answer
      const fits = number >= (min ?? -Infinity) && number <= (max ?? Infinity)
      return { value: number, passed: min === undefined && max === undefined ? null : fits }
    }
    case "text":
      return { value: String(given), passed: null }
    case "photo":
      if (!order.attachments.some((one) => one.name === given))
        refuse(
          `${order.number} has no attachment "${given}": attach the photo first, and answer check ${id} with its name`,
        )
      return { value: String(given), passed: null }
  }
}

const yes: readonly string[] = ["yes", "pass", "passed", "ok", "true"]
const no: readonly string[] = ["no", "fail", "failed", "false"]
const expected = {
  "pass-fail": "yes or no",
  number: "a number",
  text: "a text",
  photo: "the name of an attachment of the order",
} as const

function inWords({ answer }: Check, { value, passed }: Answer): string {
  if (answer.kind !== "number") return shown(value)
  const { min, max, unit } = answer
  const limits = passed === null ? "" : passed ? "within" : "outside"
  const range = [
    min === undefined ? "" : `at least ${min}`,
    max === undefined ? "" : `at most ${max}`,
  ].filter((one) => one !== "")
  const figure = `${value}${unit === undefined ? "" : ` ${unit}`}`
  return limits === "" ? figure : `${figure}, ${limits} its limits (${range.join(", ")})`
}

function shown(value: Answer["value"]): string {
  return typeof value === "boolean" ? (value ? "passed" : "failed") : String(value)
}
