/** What people of the plant may be. */
export const roles = [
  "requester",
  "customer",
  "technician",
  "contractor",
  "storekeeper",
  "planner",
  "engineer",
  "supervisor",
  "auditor",
  "admin",
] as const
export type Role = (typeof roles)[number]
