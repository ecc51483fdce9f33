import { v5 as uuidv5 } from "uuid"

/** Drawn once at random. Changing it would give every order of every plant a new id. */
const namespace = "6f0d2c5e-4a53-4b8e-9b0c-7e1f3a9d2c84"

/** "-" can't be the name of a component, nor "|" part of any name: different orders never share a text. */
const placeOf = (asset: string, component: string | null) => `${asset}|${component ?? "-"}`

type Caused = { readonly asset: string; readonly component: string | null }

/** The one order of an episode. No revision takes part: editing the rule makes no second order. */
export function orderOfEpisode(by: Caused & { readonly rule: string; readonly episode: string }): string {
  return uuidv5(`rule|${by.rule}|${placeOf(by.asset, by.component)}|${by.episode}`, namespace)
}

/** The one order of an occurrence of a plan; `name` is its due time, its meter's reading, or what caused it. */
export function orderOfOccurrence(by: Caused & { readonly plan: string; readonly name: string }): string {
  return uuidv5(`plan|${by.plan}|${placeOf(by.asset, by.component)}|${by.name}`, namespace)
}

/** Requests with one key concern one need; the store merges them while an order for it is open. */
export function mergeKey({ asset, component }: Caused, need: string): string {
  return `${placeOf(asset, component)}|${need}`
}
