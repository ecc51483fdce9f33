import { z } from "zod"
import { duration } from "../../core/duration.ts"
import { nearest } from "../../core/nearest.ts"
import { type AssetClass, matches, type Plant, type RuleSpec } from "../../core/plant.ts"
import { type Severity, severity } from "../../core/vocabulary.ts"
import { compile, type Facts, type Input, type Program, placeOf } from "../cel.ts"
import { classesOf } from "../scope.ts"
import type { Subject } from "../watch.ts"

const mostWindows = 8
const mostSignals = 32
type Wanted = "bool" | "number"

/** An expression that can be run; the names of its signals are looked up later, when the plant is known. */
function expressionOf(wanted: Wanted) {
  return z.string().superRefine((source, context) => {
    const made = compile(source, wanted)
    if ("run" in made) return
    context.addIssue({ code: "custom", message: `${placeOf(source, made.at)}: ${made.message}` })
  })
}

const condition = {
  clearWhen: expressionOf("bool").optional(),
  limit: z.union([z.number(), expressionOf("number")]).optional(),
}
const delays = { onDelay: duration.optional(), offDelay: duration.optional() }
const level = z.strictObject({ severity, when: expressionOf("bool"), ...condition, ...delays })
export type Level = {
  /** The rule's own where there is but one. */
  readonly severity: Severity | undefined
  readonly when: string
  readonly clearWhen: string | undefined
  readonly limit: number | string | undefined
  readonly onDelay: number
  readonly offDelay: number
}

const share = { error: ({ input }: { input: unknown }) => `expected 0 to 0.9, got ${input}` }

/** One condition (`when`) with the rule's severity, or `levels` with a severity each. */
export const params = z
  .strictObject({
    when: expressionOf("bool").optional(),
    levels: z.array(level).min(1).max(8).optional(),
    ...condition,
    ...delays,
    value: expressionOf("number").optional(),
    unit: z.string().max(32).optional(),
    message: z.string().min(1).max(300).optional(),
    maxAge: duration.refine((ms) => ms > 0, "expected more than nothing").default(3_600_000),
    // No window holds a sample as old as the window is long.
    minFill: z.number().min(0, share).max(0.9, share).default(0.5),
  })
  .transform((written, context) => {
    const { when, levels: several, clearWhen, limit, onDelay = 0, offDelay = 0, ...rest } = written
    const say = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message })
    if ((when === undefined) === (several === undefined)) say("when", "expected either when or levels")
    if (several !== undefined && (clearWhen !== undefined || limit !== undefined))
      say("levels", "expected clearWhen and limit in each level, not beside levels")
    const levels = (several ?? [{ severity: undefined, when: when ?? "false", clearWhen, limit }]).map(
      (one): Level => ({
        severity: one.severity,
        when: one.when,
        clearWhen: one.clearWhen,
        limit: one.limit,
        onDelay: ("onDelay" in one ? one.onDelay : undefined) ?? onDelay,
        offDelay: ("offDelay" in one ? one.offDelay : undefined) ?? offDelay,
      }),
    )
    const { value, message } = rest
    for (const [, name = ""] of message?.matchAll(/\{([^{}]*)\}/g) ?? []) {
      if (name !== "value" && name !== "limit") say("message", `expected {value} or {limit}, got {${name}}`)
      else if (name === "value" && value === undefined) say("message", "{value} needs the parameter value")
      else if (name === "limit" && levels.some((one) => one.limit === undefined))
        say("message", "{limit} needs the parameter limit")
    }
    const { inputs, windows } = partsOf({ levels, value })
    if (windows.length > mostWindows)
      say("when", `expected at most ${mostWindows} windows of signals in all, got ${windows.length}`)
    const signals = new Set(inputs.map(({ signal }) => signal))
    if (signals.size === 0 && (when !== undefined || several !== undefined))
      say("when", "expected at least one signal")
    if (signals.size > mostSignals)
      say("when", `expected at most ${mostSignals} signals, got ${signals.size}`)
    const nothing: Facts = { attributes: {} }
    return { ...rest, levels, asset: nothing }
  })
export type Params = z.infer<typeof params>

/** A program, and where each of its inputs is among the rule's. */
export type Bound = {
  readonly program: Program
  readonly slots: readonly number[]
  readonly values: number[]
}

export type Compiled = {
  readonly inputs: readonly Input[]
  readonly signals: readonly string[]
  readonly windows: readonly { readonly signal: string; readonly lengthMs: number }[]
  /** For each input its window, -1 for none. */
  readonly windowOf: readonly number[]
  /** Scratch: the inputs' values for the watch that is looked at, NaN where unknown. */
  readonly values: number[]
  readonly levels: readonly {
    readonly when: Bound
    readonly clearWhen: Bound | undefined
    readonly limit: number | Bound | undefined
  }[]
  readonly value: Bound | undefined
}

type Written = Pick<Params, "levels"> & { readonly value?: string | undefined }

/** All expressions of a rule, with what each must give. */
function sourcesOf({ levels, value }: Written): { path: string; source: string; wanted: Wanted }[] {
  const of = (path: string, source: string | number | undefined, wanted: Wanted) =>
    typeof source === "string" ? [{ path, source, wanted }] : []
  return [
    ...levels.flatMap((level, at) => {
      const prefix = level.severity === undefined ? "" : `levels[${at}].`
      return [
        ...of(`${prefix}when`, level.when, "bool"),
        ...of(`${prefix}clearWhen`, level.clearWhen, "bool"),
        ...of(`${prefix}limit`, level.limit, "number"),
      ]
    }),
    ...of("value", value, "number"),
  ]
}

function programOf(source: string, wanted: Wanted): Program | undefined {
  const made = compile(source, wanted)
  return "run" in made ? made : undefined
}

/** Everything that the expressions read, each once. */
function partsOf(written: Written): Pick<Compiled, "inputs" | "windows"> {
  const inputs = new Map<string, Input>()
  const windows = new Map<string, Compiled["windows"][number]>()
  for (const { source, wanted } of sourcesOf(written)) {
    for (const input of programOf(source, wanted)?.inputs ?? []) {
      inputs.set(keyOf(input), input)
      if (input.window === null) continue
      const { lengthMs } = input.window
      windows.set(JSON.stringify([input.signal, lengthMs]), { signal: input.signal, lengthMs })
    }
  }
  return { inputs: [...inputs.values()], windows: [...windows.values()] }
}

function keyOf({ signal, window }: Input): string {
  return JSON.stringify([signal, window])
}

/** Programs can't be saved or hashed, so they are kept beside the parameters that they are made from. */
const compiledRules = new WeakMap<Params, Compiled>()

export function compiled(params: Params): Compiled {
  const there = compiledRules.get(params)
  if (there !== undefined) return there
  const { inputs, windows } = partsOf(params)
  const slots = new Map(inputs.map((input, at) => [keyOf(input), at]))
  const bind = (source: string, wanted: Wanted): Bound => {
    const program = programOf(source, wanted)
    if (program === undefined) throw new TypeError(`expected parameters that were checked, got ${source}`)
    return { program, slots: program.inputs.map((input) => slots.get(keyOf(input)) ?? 0), values: [] }
  }
  const made: Compiled = {
    inputs,
    signals: [...new Set(inputs.map(({ signal }) => signal))],
    windows,
    windowOf: inputs.map(({ signal, window }) =>
      windows.findIndex((one) => one.signal === signal && one.lengthMs === window?.lengthMs),
    ),
    values: [],
    levels: params.levels.map(({ when, clearWhen, limit }) => ({
      when: bind(when, "bool"),
      clearWhen: clearWhen === undefined ? undefined : bind(clearWhen, "bool"),
      limit: typeof limit === "string" ? bind(limit, "number") : limit,
    })),
    value: params.value === undefined ? undefined : bind(params.value, "number"),
  }
  compiledRules.set(params, made)
  return made
}

export function run(bound: Bound, values: readonly number[], facts: Facts): boolean | number | undefined {
  for (let at = 0; at < bound.slots.length; at++)
    bound.values[at] = values[bound.slots[at] ?? -1] ?? Number.NaN
  return bound.program.run(bound.values, facts)
}

/** What the expressions ask of this asset. */
export function factsOf(params: Params, { asset }: Subject): Facts {
  const programs = sourcesOf(params).flatMap(({ source, wanted }) => programOf(source, wanted) ?? [])
  const asked = programs.flatMap(({ attributes }) => attributes.map(({ name }) => name))
  const stated = Object.entries(asset.attributes).filter(([name]) => asked.includes(name))
  return {
    ...Object.fromEntries(programs.flatMap(({ fields }) => fields).map((field) => [field, asset[field]])),
    attributes: Object.fromEntries(stated),
  }
}

/** Signals that no class of the rule's assets has, and attributes that none of its assets has. */
export function namesIn(params: Params, prefix: string, spec: RuleSpec, plant: Plant): string[] {
  const assets = plant.assets.filter((asset) => matches(spec.for, asset))
  const classes = classesOf(spec, plant)
  const signals = classes.flatMap((one) => Object.keys(one.signals))
  const attributes = assets.flatMap((asset) => Object.keys(asset.attributes))
  return sourcesOf(params).flatMap(({ path, source, wanted }) => {
    const program = programOf(source, wanted)
    if (program === undefined) return []
    const say = (at: number, text: string) => `${prefix}.${path}: ${placeOf(source, at)}: ${text}`
    const unknownSignals = program.inputs.filter(({ signal }) => !signals.includes(signal))
    const unknownAttributes = program.attributes.filter(
      ({ name, optional }) => assets.length > 0 && !optional && !attributes.includes(name),
    )
    return [
      ...unknownSignals.map(({ at, signal }) =>
        say(at, `unknown name ${signal}${meant(signal, signals)}; ${declaredBy(classes)}`),
      ),
      ...unknownAttributes.map(({ at, name }) =>
        say(
          at,
          `no asset that the rule is for has the attribute "${name}"${meant(name, attributes)}; has(asset.attributes.NAME) asks for one that only some have`,
        ),
      ),
    ]
  })
}

function meant(word: string, names: readonly string[]): string {
  const name = nearest(word, names)
  return name === undefined ? "" : ` (${name}?)`
}

function declaredBy(classes: readonly AssetClass[]): string {
  return classes
    .map(({ id, signals }) => `signals of class ${id}: ${Object.keys(signals).join(", ") || "none"}`)
    .join("; ")
}
