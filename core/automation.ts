/** Automations of the plant file: when something happens to an order and a condition holds, then something is done. */
import { z } from "zod"
import { orderEventKinds } from "./orders.ts"
import { name, priority } from "./vocabulary.ts"

/** What only automations do can't set one off. */
const eventKind = z.enum(orderEventKinds).exclude(["notified"])

const list = <T extends z.ZodType>(item: T, what: string) =>
  z.union([item.transform((one) => [one]), z.array(item).min(1).max(100)], {
    error: `expected ${what}, or a list of them`,
  })

/** What a text may name of the order, and of what happened to it. */
const placeholders = [
  "number",
  "title",
  "type",
  "state",
  "priority",
  "due",
  "site",
  "asset",
  "component",
  "actor",
  "note",
] as const
export type Placeholder = (typeof placeholders)[number]

const placeholder = /\{([^{}]*)\}/g

const message = z
  .string()
  .min(1)
  .max(1000)
  .superRefine((text, context) => {
    for (const [found, inside = ""] of text.matchAll(placeholder))
      if (!placeholders.some((one) => one === inside))
        context.addIssue({
          code: "custom",
          message: `there is no ${found} to fill in: expected one of ${placeholders.map((one) => `{${one}}`).join(", ")}`,
        })
  })

/** Fills in {number}, {asset} and so on. */
export function fillInOrder(text: string, words: Readonly<Record<Placeholder, string>>): string {
  return text.replace(placeholder, (_found, inside: Placeholder) => words[inside])
}

const followUp = z
  .strictObject({
    template: name.optional(),
    /** {asset} and {component} are filled in. Left out: the template's. */
    title: z.string().min(1).max(500).optional(),
    description: z.string().max(10_000).default(""),
    priority: priority.default(3),
  })
  .refine(
    ({ template, title }) => template !== undefined || title !== undefined,
    "expected a template, a title, or both",
  )

const actions = {
  /** Who does the work. */
  assign: list(name, "a person's id").optional(),
  priority: priority.optional(),
  /** The plant's approval rules say whose it takes. */
  approval: z.literal("ask").optional(),
  /** `to`: a role, or a person. */
  notify: z.strictObject({ to: name, text: message }).optional(),
  followUp: followUp.optional(),
}

const action = z
  .strictObject(actions)
  .refine((one) => Object.values(one).filter((value) => value !== undefined).length === 1, {
    error: `expected one of ${Object.keys(actions).join(", ")}, each as a step of its own`,
  })
export type AutomationAction = z.infer<typeof action>

export const automation = z.strictObject({
  id: name,
  description: z.string().max(2000).optional(),
  /** What happens to an order. */
  when: list(eventKind, `an event of an order (${eventKind.options.join(", ")})`),
  /** An expression in CEL: docs/automations.md lists what it can ask for. Left out: always. */
  if: z.string().min(1).optional(),
  /** In this order. What is not possible keeps none of the others. */
  // biome-ignore lint/suspicious/noThenProperty: people write "if" and "then", and a list is no promise.
  then: z.array(action).min(1).max(20),
})
export type Automation = z.infer<typeof automation>

/** No name of a person has a slash: nobody can be called so. */
const mark = "automation/"

/** Who acts, in an order's history, where an automation does. */
export function automationActor(id: string): string {
  return `${mark}${id}`
}

export function isAutomationActor(actor: string): boolean {
  return actor.startsWith(mark)
}
