/** Who has to agree to an order, and who may do so for them. */
import { MillwrightError } from "../core/errors.ts"
import type { Approval, WorkOrder } from "../core/orders.ts"
import type { Asset, Plant } from "../core/plant.ts"
import type { ApprovalRule } from "../core/plant-work.ts"
import { money } from "./money.ts"

type Level = Approval["levels"][number]
type Named = Level["by"]

type Asked = {
  /** One after the other. Nobody is asked twice: of two levels with the same people the first stands. */
  readonly levels: readonly Level[]
  /** How long the request stands: the shortest time of the rules that ask. */
  readonly standsMs: number | null
}

/** What the plant's rules ask for, for an order that is estimated to cost so much. */
export function levelsFor(
  order: WorkOrder,
  cost: number,
  { plant, asset }: { readonly plant: Plant; readonly asset: Asset | undefined },
): Asked {
  const levels: Level[] = []
  const standing: number[] = []
  for (const rule of plant.approvals) {
    if (!fits(rule, order, asset)) continue
    const due = rule.levels.filter(({ above }) => cost >= above)
    if (due.length > 0 && rule.expires !== undefined) standing.push(rule.expires)
    for (const { by, above } of due) {
      if (levels.some((level) => isSame(level.by, by))) continue
      levels.push({ rule: rule.id, by, why: why(rule, cost, above, plant) })
    }
  }
  return { levels, standsMs: standing.length === 0 ? null : Math.min(...standing) }
}

function fits({ for: wanted }: ApprovalRule, { type, site, job }: WorkOrder, asset: Asset | undefined) {
  return (
    (wanted.type?.includes(type) ?? true) &&
    (wanted.class === undefined || (asset !== undefined && wanted.class.includes(asset.class))) &&
    (wanted.site?.includes(site) ?? true) &&
    (wanted.safety === undefined || job.safety === wanted.safety) &&
    (wanted.shutdown === undefined || job.shutdown)
  )
}

export function isSame(a: Named, b: Named): boolean {
  return typeof a === "string" || typeof b === "string" ? a === b : key(a) === key(b)
}

function key(people: readonly string[]): string {
  return [...new Set(people)].sort().join("|")
}

function why({ for: wanted }: ApprovalRule, cost: number, above: number, plant: Plant): string {
  const reasons = [
    wanted.type === undefined ? [] : `type ${wanted.type.join(" or ")}`,
    wanted.class === undefined ? [] : `class ${wanted.class.join(" or ")}`,
    wanted.site === undefined ? [] : `site ${wanted.site.join(" or ")}`,
    wanted.safety === undefined ? [] : "critical for safety",
    wanted.shutdown === undefined ? [] : "takes a shutdown",
    above === 0 ? [] : `estimated cost ${money(cost, plant)} reaches ${money(above, plant)}`,
  ].flat()
  return reasons.join(", ") || "every order"
}

/** "supervisor", "ella or paul" */
export function wording(by: Named): string {
  return typeof by === "string" ? by : by.join(" or ")
}

/** Somebody who may decide, in their own name or as the delegate of somebody. */
type Decider = { readonly by: string; readonly onBehalfOf: string | null }

/** All who may decide for a level at this time: those it names, and then their delegates. */
export function decidersFor(by: Named, { people }: Pick<Plant, "people">, atMs: number): readonly Decider[] {
  const today = new Date(atMs).toISOString().slice(0, 10)
  const named = people.filter(({ id, roles }) =>
    typeof by === "string" ? roles.some((role) => role === by) : by.includes(id),
  )
  return [
    ...named.map(({ id }) => ({ by: id, onBehalfOf: null })),
    ...named.flatMap(({ id, delegate }) => {
      if (delegate === undefined) return []
      const { to, from = today, until = today } = delegate
      return from <= today && today <= until ? [{ by: to, onBehalfOf: id }] : []
    }),
  ]
}

/**
 * In whose name the actor decides for a level; null: in their own. Nobody decides two levels of an order, nor about
 * what they asked for themselves while somebody else could; a delegate counts as whom they stand for. Throws
 * `NOT_ALLOWED`.
 */
export function inWhoseName(
  actor: string,
  level: Level,
  order: WorkOrder,
  { plant, atMs }: { readonly plant: Plant; readonly atMs: number },
): string | null {
  // A plant without people leaves it to who has the files.
  if (plant.people.length === 0) return null
  const all = decidersFor(level.by, plant, atMs)
  const decided = new Set(order.approval?.decisions.flatMap(({ by, onBehalfOf }) => [by, onBehalfOf]))
  const free = all.filter((one) => !namesOf(one).some((id) => decided.has(id)))
  const own = askersOf(order)
  const fair = free.filter((one) => !namesOf(one).some((id) => own.has(id)))
  const able = fair.length > 0 ? fair : free
  const found = able.find(({ by }) => by === actor)
  if (found !== undefined) return found.onBehalfOf
  const isAmong = (some: readonly Decider[]) => some.some(({ by }) => by === actor)
  const because = isAmong(free)
    ? `${order.number} was asked for by "${actor}" or by whom they stand for, and somebody else decides about it`
    : isAmong(all)
      ? `"${actor}", or whom they stand for, has decided a level of ${order.number} already, and nobody decides two`
      : `${order.number} waits for ${wording(level.by)} (rule ${level.rule}), and "${actor}" is none of them nor their delegate`
  const others = [...new Set(able.map(({ by }) => by))]
  const next =
    others.length === 0
      ? "nobody can at present: add somebody, or a delegate, in the plant file"
      : `${others.join(" or ")} can`
  throw new MillwrightError("NOT_ALLOWED", `${because}; ${next}`)
}

function namesOf({ by, onBehalfOf }: Decider): readonly string[] {
  return onBehalfOf === null ? [by] : [by, onBehalfOf]
}

/** Who wants the work, and who asked for its approval. */
function askersOf({ requester, trigger, approval }: WorkOrder): ReadonlySet<string | null | undefined> {
  return new Set([requester.id, trigger.kind === "person" ? trigger.by : null, approval?.askedBy])
}
