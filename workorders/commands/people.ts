/** Who works on an order, and what they may do beyond it. */
import type { Person } from "../../core/plant.ts"
import type { Role } from "../../core/roles.ts"
import { type Context, refuse } from "./command.ts"

/** Those who do the work, and who may step in for them. */
export const executors: readonly Role[] = ["technician", "contractor", "supervisor", "admin"]
/** Of them, those who only work on what is theirs. */
export const assigned: readonly Role[] = ["technician", "contractor"]

/** In a plant without people whoever has the files may do everything. */
export function has({ person }: Pick<Context, "person">, roles: readonly Role[]): boolean {
  return person === undefined || person.roles.some((one) => roles.includes(one))
}

/** Undefined in a plant without people. Throws `NOT_POSSIBLE` for somebody who is not there. */
export function personOf(id: string, { revision }: Pick<Context, "revision">): Person | undefined {
  const { people } = revision.plant
  const found = people.find((one) => one.id === id)
  if (people.length > 0 && found === undefined) refuse(`there is no "${id}" in the plant`)
  return found
}
