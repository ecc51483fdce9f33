import type { WorkOrder } from "../core/orders.ts"
import type { Person } from "../core/plant.ts"

/** Has to do with the orders that they asked for, and with no others. */
export function isRequesterOnly({ roles }: Pick<Person, "roles">): boolean {
  return roles.every((role) => role === "requester" || role === "customer")
}

/** They asked for it themselves, or it is for the customer whose person they are. */
export function isOwn(
  { requester, customer }: Pick<WorkOrder, "requester" | "customer">,
  person: Person,
): boolean {
  return requester.id === person.id || (customer !== null && customer === person.customer)
}
