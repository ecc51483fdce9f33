/** Options of the command line from the schema of what they make up: one source for the CLI and whatever comes later. */
import { type Command, InvalidArgumentError, Option } from "commander"
import { z } from "zod"
import { wholeNumber } from "./shared.ts"

type Shape = {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly description?: string
  readonly items?: Shape
  readonly default?: unknown
}

const objectShape = z.object({
  properties: z.record(z.string(), z.custom<Shape>()).default({}),
  required: z.array(z.string()).default([]),
})

/** Adds an option for each key of an object's schema; `startMs` is a time given as `--start 2026-03-01T06:00Z`. */
export function addOptions(command: Command, input: z.ZodType): Command {
  const { properties, required } = objectShape.parse(
    z.toJSONSchema(input, { io: "input", unrepresentable: "any" }),
  )
  for (const [key, shape] of Object.entries(properties)) {
    const isNeeded = required.includes(key)
    const option = optionOf(key, { ...shape, description: helpOf(key, shape, isNeeded) })
    option.makeOptionMandatory(isNeeded)
    command.addOption(option)
  }
  return command
}

/** What the options of `addOptions` were given, under the keys of the schema. */
export function inputOf(command: Command, input: z.ZodType): Record<string, unknown> {
  const { properties } = objectShape.parse(z.toJSONSchema(input, { io: "input", unrepresentable: "any" }))
  const given: Record<string, unknown> = command.opts()
  return Object.fromEntries(
    Object.keys(properties).flatMap((key) => {
      const value = given[attribute(key)]
      return value === undefined ? [] : [[key, value]]
    }),
  )
}

function optionOf(key: string, shape: Shape): Option {
  const flag = `--${nameOf(key)}`
  const help = shape.description ?? ""
  if (isTime(key)) return new Option(`${flag} <time>`, help).argParser(timeOf)
  if (shape.enum !== undefined) return new Option(`${flag} <${nameOf(key)}>`, help).choices(shape.enum)
  switch (shape.type) {
    case "string":
      return new Option(`${flag} <text>`, help)
    case "integer":
      return new Option(`${flag} <n>`, help).argParser(wholeNumber)
    case "number":
      return new Option(`${flag} <n>`, help).argParser(number)
    case "boolean":
      return new Option(flag, help)
    case "array":
      return shape.items?.type === "string"
        ? new Option(`${flag} <text...>`, help)
        : new Option(`${flag} <json>`, help).argParser(json)
    default:
      return new Option(`${flag} <value>`, help).argParser(jsonOrText)
  }
}

/** What is said of it, an example of a time, and that it can't be left out. */
function helpOf(key: string, { description = "" }: Shape, isNeeded: boolean): string {
  const example = isTime(key) ? "such as 2026-03-01T06:00Z" : ""
  const said = [description, example].filter((one) => one !== "").join(", ")
  return isNeeded ? [said, "(needed)"].filter((one) => one !== "").join(" ") : said
}

const isTime = (key: string) => key.endsWith("Ms")

/** `finishMs` is --finish, `followUp` is --follow-up. */
function nameOf(key: string): string {
  return key.replace(/Ms$/, "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** How commander calls the option's value. */
function attribute(key: string): string {
  return nameOf(key).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

export function timeOf(text: string): number {
  const ms = Date.parse(/^\d{4}-\d{2}-\d{2}T[\d:.]+$/.test(text) ? `${text}Z` : text)
  if (!Number.isNaN(ms)) return ms
  throw new InvalidArgumentError("expected a time such as 2026-03-01T06:00Z or 2026-03-01T07:00+01:00")
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() !== "" && Number.isFinite(value)) return value
  throw new InvalidArgumentError("expected a number")
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new InvalidArgumentError("expected JSON")
  }
}

/** A number, true, false or JSON as what it says, and all else as text. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
