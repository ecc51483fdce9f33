import { Audit } from "../../core/audit.ts"
import type { Catalogue, Revision } from "../../core/catalogue.ts"
import type { Database } from "../../core/db/database.ts"
import { formatDuration } from "../../core/duration.ts"
import { MillwrightError } from "../../core/errors.ts"
import type { Log } from "../../core/log/log.ts"
import { matches } from "../../core/plant.ts"
import { authorise } from "../../core/plant-register.ts"
import type { Role } from "../../core/roles.ts"
import { topics } from "../../core/topics.ts"
import type { Action } from "../../core/vocabulary.ts"
import { instant } from "../../core/wording.ts"
import type { AlarmQueries } from "./queries.ts"
import type { AlarmTables } from "./tables.ts"

/** Who does it, why and when: `atMs` by the plant's clock, `arrivedMs` by the time of day. */
type Act = {
  readonly actor: string
  readonly reason: string
  readonly atMs: number
  readonly arrivedMs: number
}

/** Whether anything was asked of the rules: a repeat finds it done. */
type Acknowledged = {
  readonly incident: string
  readonly asset: string
  /** Open episodes that this acknowledges. */
  readonly episodes: readonly string[]
}

type Shelf = { readonly rule: string; readonly asset: string }

/**
 * What an operator may do about alarms. A command goes to the rules as a record among the telemetry, so that a replay
 * of the log gives the same; its effect is seen when the rules come to it. Each throws `NOT_ALLOWED` for who has none
 * of the roles, `USAGE` for what can't be done, `NOT_FOUND` for what isn't there.
 */
export interface AlarmDesk {
  acknowledge(id: string, act: Act): Promise<Acknowledged>
  /** Tells nobody of this rule on this asset until `untilMs` of the plant's clock. Again: until then instead. */
  shelve(target: Shelf & { readonly forMs: number }, act: Act): Promise<Shelf & { readonly untilMs: number }>
  /** What isn't shelved stays so. */
  unshelve(target: Shelf, act: Act): Promise<Shelf & { readonly wasShelved: boolean }>
}

const longestShelfMs = 30 * 86_400_000
const longestReason = 500

/** Who sees an alarm may say so. */
const acknowledgers: readonly Role[] = ["technician", "planner", "engineer", "supervisor", "admin"]
/** Who silences one answers for what it would have told. */
const shelvers: readonly Role[] = ["engineer", "supervisor", "admin"]

export function alarmDesk(
  {
    log,
    database,
    catalogue,
  }: { readonly log: Log; readonly database: Database; readonly catalogue: Catalogue },
  queries: AlarmQueries,
): AlarmDesk {
  const audit = new Audit(database)

  function revisionFor(act: Act, roles: readonly Role[]): Revision {
    const revision = catalogue.newest()
    if (revision === undefined) {
      throw new MillwrightError("NOT_FOUND", "no plant file was applied yet: millwright apply FILE")
    }
    authorise(revision.plant, act.actor, roles)
    const { length } = act.reason.trim()
    if (length === 0 || length > longestReason) {
      throw new MillwrightError(
        "USAGE",
        `expected a reason of 1 to ${longestReason} characters for those who come after, got ${length}`,
      )
    }
    return revision
  }

  function send(
    action: Omit<Action, "kind" | keyof Act>,
    { actor, reason, atMs, arrivedMs }: Act,
  ): Promise<void> {
    const value: Action = { kind: "action", ...action, actor, reason, atMs, arrivedMs }
    return log.append(topics.telemetry, [{ key: action.asset, value }])
  }

  function target(revision: Revision, rule: string, asset: string) {
    const known = revision.assets.get(asset)
    if (known === undefined)
      throw new MillwrightError("NOT_FOUND", `there is no asset "${asset}" in the plant`)
    const spec = revision.plant.rules.find(({ id }) => id === rule)
    if (spec === undefined) {
      const others = revision.plant.rules.filter((one) => matches(one.for, known)).map(({ id }) => id)
      throw new MillwrightError(
        "NOT_FOUND",
        `there is no rule "${rule}" for ${asset}: expected one of ${others.join(", ") || "none"}`,
      )
    }
    if (!matches(spec.for, known)) {
      throw new MillwrightError("USAGE", `rule "${rule}" is not for asset "${asset}": nothing to shelve`)
    }
    return known.site
  }

  return {
    async acknowledge(id, act) {
      revisionFor(act, acknowledgers)
      const { episode, incident, alarms } = await queries.get(id)
      const meant = alarms.filter((one) => episode === undefined || one.episode === episode)
      const open = meant.filter(({ state }) => state === "open")
      const [first] = open
      if (first === undefined) {
        throw new MillwrightError("USAGE", `alarm ${id} has ended: there is nothing to acknowledge`)
      }
      const { asset, site } = first
      const waiting = open.filter(({ acknowledgedMs }) => acknowledgedMs === null)
      if (waiting.length === 0) return { incident, asset, episodes: [] }
      await database.transaction((trx) =>
        audit.record(trx, {
          atMs: act.arrivedMs,
          actor: act.actor,
          action: "alarms.acknowledge",
          subject: `${asset} ${first.rule}`,
          detail: `${act.reason} (${episode === undefined ? "incident" : "episode"} ${episode ?? incident})`,
        }),
      )
      await send({ action: "acknowledge", site, asset, episode: episode ?? incident }, act)
      return { incident, asset, episodes: waiting.map((one) => one.episode) }
    },

    async shelve({ rule, asset, forMs }, act) {
      const site = target(revisionFor(act, shelvers), rule, asset)
      if (!(forMs > 0 && forMs <= longestShelfMs)) {
        throw new MillwrightError(
          "USAGE",
          `an alarm is shelved for at most ${formatDuration(longestShelfMs)}, got ${formatDuration(forMs)}: what must be silent for longer needs another limit, or no rule`,
        )
      }
      const untilMs = Math.ceil(act.atMs + forMs)
      const row = { asset, rule, site, until_ms: untilMs, actor: act.actor, reason: act.reason }
      // The trace comes first: nothing is ever silent without one.
      await database.transaction<AlarmTables, void>(async (trx) => {
        await trx
          .insertInto("alarm_shelf")
          .values(row)
          .onConflict((conflict) => conflict.columns(["asset", "rule"]).doUpdateSet(row))
          .execute()
        await audit.record(trx, {
          atMs: act.arrivedMs,
          actor: act.actor,
          action: "alarms.shelve",
          subject: `${asset} ${rule}`,
          detail: `${act.reason} (for ${formatDuration(forMs)}, until ${instant(untilMs)})`,
        })
      })
      await send({ action: "shelve", site, asset, rule, untilMs }, act)
      return { rule, asset, untilMs }
    },

    async unshelve({ rule, asset }, act) {
      const revision = revisionFor(act, shelvers)
      const shelf = await shelfOf(database, rule, asset)
      const site = shelf?.site ?? target(revision, rule, asset)
      // In this order, since what is still silent must be listed so.
      await send({ action: "unshelve", site, asset, rule }, act)
      await database.transaction<AlarmTables, void>(async (trx) => {
        await trx.deleteFrom("alarm_shelf").where("asset", "=", asset).where("rule", "=", rule).execute()
        await audit.record(trx, {
          atMs: act.arrivedMs,
          actor: act.actor,
          action: "alarms.unshelve",
          subject: `${asset} ${rule}`,
          detail: act.reason,
        })
      })
      return { rule, asset, wasShelved: shelf !== undefined && shelf.untilMs > act.atMs }
    },
  }
}

/** Also of a rule or an asset that has left the plant file since. */
async function shelfOf(database: Database, rule: string, asset: string) {
  return database
    .tables<AlarmTables>()
    .selectFrom("alarm_shelf")
    .select(["site", "until_ms as untilMs"])
    .where("asset", "=", asset)
    .where("rule", "=", rule)
    .executeTakeFirst()
}
