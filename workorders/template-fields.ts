import { MillwrightError } from "../core/errors.ts"
import { nearest } from "../core/nearest.ts"
import type { TemplateField } from "../core/plant-work.ts"

type Value = string | number | boolean
type Values = Readonly<Record<string, Value>>

/** The answers to what a template asks for, each in its field's kind. Throws `USAGE` with a line for each that does not fit. */
export function answersTo(template: string, fields: readonly TemplateField[], given: Values): Values {
  const problems: string[] = []
  const answers: [string, Value][] = []
  for (const field of fields) {
    const value = Object.hasOwn(given, field.id) ? given[field.id] : undefined
    if (value === undefined || value === "") {
      if (field.required) problems.push(`${called(field)}: is missing; expected ${expected(field)}`)
      continue
    }
    const answer = read(field, value)
    if (answer === undefined) problems.push(`${called(field)}: expected ${expected(field)}, got "${value}"`)
    else answers.push([field.id, answer])
  }
  const ids = fields.map(({ id }) => id)
  for (const id of Object.keys(given)) {
    if (ids.includes(id)) continue
    const meant = nearest(id, ids)
    const instead = meant === undefined ? `it has ${ids.join(", ") || "none"}` : `did you mean "${meant}"?`
    problems.push(`"${id}": the template has no such field; ${instead}`)
  }
  if (problems.length === 0) return Object.fromEntries(answers)
  throw new MillwrightError("USAGE", `fields of the template ${template}:\n  ${problems.join("\n  ")}`)
}

function called({ id, label }: TemplateField): string {
  return label === undefined ? `"${id}"` : `"${id}" (${label})`
}

function expected({ kind, of = [] }: TemplateField): string {
  switch (kind) {
    case "text":
      return "a text"
    case "number":
      return "a number"
    case "yes-no":
      return "yes or no"
    case "choice":
      return `one of ${of.join(", ")}`
  }
}

/** A command line has texts only, so that a number or a yes may come as one. */
function read({ kind, of = [] }: TemplateField, value: Value): Value | undefined {
  switch (kind) {
    case "text":
      return String(value)
    case "number": {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value
      return typeof number === "number" && Number.isFinite(number) ? number : undefined
    }
    case "yes-no":
      if (typeof value === "boolean") return value
      return value === "yes" || value === "true"
        ? true
        : value === "no" || value === "false"
          ? false
          : undefined
    case "choice":
      return of.includes(String(value)) ? String(value) : undefined
  }
}
