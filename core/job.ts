/** What is to be done, as a template states it, a request carries it and an order has it. */
import { z } from "zod"
import { name, priority } from "./vocabulary.ts"

const textLength = 2000
const text = z.string().min(1).max(textLength)
/** What is done is kept by these: a record loses the one that JavaScript keeps for itself. */
const key = z
  .string()
  .min(1)
  .max(64)
  .refine((one) => one !== "__proto__", "expected another id")
const hours = z.number().positive().max(10_000)

const task = z.strictObject({
  /** Its number in the list where none is given. */
  id: key.optional(),
  title: text,
  hours: hours.optional(),
  craft: name.optional(),
  /** Ids of the tasks that must be done before it. */
  after: z.array(key).max(50).default([]),
  /** Of an installation: the phase that it belongs to. */
  phase: key.optional(),
  /** Who does it, where that is not whoever the order is assigned to. */
  assignee: name.optional(),
})
export type Task = z.infer<typeof task> & { readonly id: string }

const tasks = z
  .array(z.union([text.transform((title) => task.parse({ title })), task]))
  .max(200)
  .transform((all) => all.map((one, at): Task => ({ ...one, id: one.id ?? String(at + 1) })))

const answer = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("pass-fail") }),
  /** Passes within the limits, both included. */
  z.strictObject({
    kind: z.literal("number"),
    unit: z.string().max(20).optional(),
    min: z.number().optional(),
    max: z.number().optional(),
  }),
  z.strictObject({ kind: z.literal("text") }),
  /** The name of an attachment of the order. */
  z.strictObject({ kind: z.literal("photo") }),
  /** Who answers signs with their own name. */
  z.strictObject({ kind: z.literal("signature") }),
])

const check = z.strictObject({
  id: key.optional(),
  text,
  answer: answer.default({ kind: "pass-fail" }),
  required: z.boolean().default(true),
  /** The order that a failed answer raises; `false`: none. */
  onFail: z
    .union([
      z.literal(false),
      z.strictObject({ title: text.optional(), priority: priority.default(3), template: name.optional() }),
    ])
    .default({ priority: 3 }),
})
export type Check = z.infer<typeof check> & { readonly id: string }

const checklist = z
  .array(z.union([text.transform((one) => check.parse({ text: one })), check]))
  .max(200)
  .transform((all) => all.map((one, at): Check => ({ ...one, id: one.id ?? String(at + 1) })))

const material = z.strictObject({
  part: name,
  quantity: z.number().positive().max(1_000_000),
  /** From which store; by default the first of the site that has enough. */
  store: name.optional(),
})

/** Permission to work, such as lock-out/tag-out: granted before the work starts, handed back when it ends. */
const permit = z.strictObject({
  kind: key,
  text: text.optional(),
})

/** The keys of a job, which a template has beside its own. */
export const jobShape = {
  tasks: tasks.default([]),
  checklist: checklist.default([]),
  estimatedHours: hours.nullable().default(null),
  skills: z.array(key).max(50).default([]),
  /** Held by whoever does the work, or it can't be assigned to them. */
  qualifications: z.array(key).max(50).default([]),
  materials: z.array(material).max(200).default([]),
  tools: z.array(text).max(100).default([]),
  permits: z.array(permit).max(20).default([]),
  /** The standard operating procedure to follow. */
  sop: z
    .strictObject({
      document: text,
      revision: z.union([z.string().min(1).max(64), z.number().transform(String)]),
      url: z.url().optional(),
    })
    .nullable()
    .default(null),
  /** Names of the documents without which the order can't be closed. */
  documents: z.array(key).max(50).default([]),
  /** Of an installation, in their order: a phase begins when the one before is done. */
  phases: z.array(key).max(50).default([]),
  /** The asset must stand still for it. */
  shutdown: z.boolean().default(false),
  safety: z.enum(["normal", "critical"]).default("normal"),
  /** Another person than those who did it confirms it before it is closed. */
  verification: z.boolean().default(false),
  /** The customer signs it off before it is closed. */
  signOff: z.boolean().default(false),
  /** Hired services, in the plant's currency: with labour and parts the estimated cost. */
  services: z.number().nonnegative().max(1e9).default(0),
  /** Who regulates it, and by what: its due date is moved for a stated reason only. */
  obligation: z.strictObject({ authority: text, regulation: text }).nullable().default(null),
}

const shape = z.strictObject(jobShape)

/** The parts of a job fit together: unique ids, references to what is there, no task that waits for itself. */
export function checkJob(
  { tasks, checklist, phases }: Pick<z.infer<typeof shape>, "tasks" | "checklist" | "phases">,
  context: z.RefinementCtx,
): void {
  const say = (path: (string | number)[], message: string) =>
    context.addIssue({ code: "custom", path, message })
  const ids = new Set<string>()
  tasks.forEach(({ id }, at) => {
    if (ids.has(id)) say(["tasks", at, "id"], `"${id}" is there twice`)
    ids.add(id)
  })
  tasks.forEach(({ id, after, phase }, at) => {
    for (const one of after) if (!ids.has(one)) say(["tasks", at, "after"], `there is no task "${one}"`)
    if (phase !== undefined && !phases.includes(phase))
      say(["tasks", at, "phase"], `there is no phase "${phase}": list it in phases`)
    if (waitsForItself(id, tasks)) say(["tasks", at, "after"], `task "${id}" would wait for itself`)
  })
  const checks = new Set<string>()
  checklist.forEach(({ id }, at) => {
    if (checks.has(id)) say(["checklist", at, "id"], `"${id}" is there twice`)
    checks.add(id)
  })
}

export const job = shape.superRefine(checkJob)
export type Job = z.infer<typeof job>

function waitsForItself(id: string, tasks: readonly Task[]): boolean {
  const seen = new Set<string>()
  const next = [...(tasks.find((one) => one.id === id)?.after ?? [])]
  for (let one = next.pop(); one !== undefined; one = next.pop()) {
    if (one === id) return true
    if (seen.has(one)) continue
    seen.add(one)
    next.push(...(tasks.find((task) => task.id === one)?.after ?? []))
  }
  return false
}

/** A job with nothing stated. */
export const noJob: Job = job.parse({})

const jobs = new WeakMap<Job, Job>()

/** The job of a template. */
export function jobOf(template: Job): Job {
  const known = jobs.get(template)
  if (known !== undefined) return known
  const keys = Object.keys(jobShape) as (keyof Job)[]
  const found = job.parse(Object.fromEntries(keys.map((key) => [key, template[key]])))
  jobs.set(template, found)
  return found
}

/** The same job with the words of its tasks and checks filled in. */
export function worded(job: Job, fillIn: (text: string) => string): Job {
  const filled = (text: string) => fillIn(text).slice(0, textLength)
  return {
    ...job,
    tasks: job.tasks.map((one) => ({ ...one, title: filled(one.title) })),
    checklist: job.checklist.map((one) => ({ ...one, text: filled(one.text) })),
  }
}
