import type { Command } from "commander"
import { z } from "zod"
import { duration } from "../../core/duration.ts"
import { plant } from "../../core/plant.ts"
import { ruleKinds } from "../../rules/kinds.ts"
import { printJson } from "../output.ts"

export function addSchema(program: Command): void {
  program
    .command("schema")
    .description("print the JSON Schema of the plant file, with which editors complete and check it")
    .addHelpText("after", "\nExample:\n  millwright schema > plant.schema.json")
    .action(() => printJson(plantSchema()))
}

/** What stands in a plant file, for editors. References between its parts are checked by `millwright apply` alone. */
export function plantSchema() {
  const rule = plant.shape.rules.unwrap().element
  return z.toJSONSchema(plant, {
    io: "input",
    override({ zodSchema, jsonSchema }) {
      describeDuration(zodSchema, jsonSchema)
      if (zodSchema !== rule) return
      Object.assign(jsonSchema.properties?.kind ?? {}, { enum: Object.keys(ruleKinds) })
      // Which parameters a rule takes depends on its kind, which a schema can only say as a condition.
      jsonSchema.allOf = Object.entries(ruleKinds).map(([kind, { params }]) => ({
        if: { properties: { kind: { const: kind } } },
        // biome-ignore lint/suspicious/noThenProperty: the word is JSON Schema's; nobody awaits this
        then: { properties: { params: paramsSchema(params) } },
      }))
    },
  })
}

function paramsSchema(params: z.ZodType) {
  const { $schema, ...schema } = z.toJSONSchema(params, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => describeDuration(zodSchema, jsonSchema),
  })
  return schema
}

function describeDuration(zodSchema: unknown, jsonSchema: { description?: string }): void {
  if (zodSchema === duration) jsonSchema.description = "A duration: 90s, 15m, 12h, 30d"
}
