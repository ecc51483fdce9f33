/**
 * Where the steps of automations are carried out: by the authority of the plant file, so under no role. It is handed to
 * the automations alone: whoever asks from outside comes to the desk of people, which knows no automation.
 */
import { type Kysely, sql } from "kysely"
import { MillwrightError } from "../core/errors.ts"
import { automationCommands, type Deed } from "./automation-commands.ts"
import type { Outcome } from "./automation-runs.ts"
import { carryOut, carryOutIn, type DeskOptions, type Governed } from "./desk.ts"
import { intakeQueue } from "./intake.ts"
import type { WorkOrderTables } from "./tables.ts"
import type { Done } from "./writing.ts"

type Automaton = {
  /** Of `automationActor`. */
  readonly actor: string
  /** When what set it off happened. */
  readonly atMs: number
}

export type AutomationDesk = {
  /** With the id of before it is not done again. As of when it was set off, or of the order's newest entry. */
  act(order: string, deed: Deed, id: string, by: Automaton): Promise<Outcome>
  /** What would become of these steps, one after the other. Nothing of it stays. */
  rehearse(order: string, deeds: readonly Deed[], by: Automaton): Promise<readonly Outcome[]>
}

export function createAutomationDesk(options: DeskOptions): AutomationDesk {
  const { database } = options
  return {
    async act(order, deed, id, { actor, atMs }) {
      const newestMs = await newestEntryMs(database.tables(), order)
      const asker = { actor, atMs: Math.max(atMs, newestMs) }
      return outcomeOf(carryOut(options, { order, ...deed, id }, asker, governed(deed)))
    },

    async rehearse(order, deeds, by) {
      const played = database.transaction<WorkOrderTables, never>(async (trx) => {
        const outcomes: Outcome[] = []
        for (const deed of deeds)
          outcomes.push(await outcomeOf(carryOutIn(trx, options, { order, ...deed }, by, governed(deed))))
        throw new Rehearsed(outcomes)
      }, intakeQueue)
      try {
        return await played
      } catch (thrown) {
        if (thrown instanceof Rehearsed) return thrown.outcomes
        throw thrown
      }
    },
  }
}

/** Thrown so that the transaction leaves nothing. */
class Rehearsed extends Error {
  readonly outcomes: readonly Outcome[]

  constructor(outcomes: readonly Outcome[]) {
    super("a rehearsal has ended")
    this.outcomes = outcomes
  }
}

function governed({ command }: Deed): Governed {
  return { command: automationCommands[command], mayDo: () => {} }
}

/** What can't be done stays so, and is told; a store that fails is not for an automation to explain. */
async function outcomeOf(done: Promise<Done>): Promise<Outcome> {
  try {
    return { outcome: "done", note: (await done).note }
  } catch (error) {
    if (!(error instanceof MillwrightError) || !refusals.includes(error.code)) throw error
    return { outcome: "not-possible", note: error.message }
  }
}

const refusals: readonly string[] = ["NOT_POSSIBLE", "NOT_ALLOWED", "NOT_FOUND", "USAGE"]

/** An order's history does not go back in time for an automation that is late. */
async function newestEntryMs(db: Kysely<WorkOrderTables>, order: string): Promise<number> {
  const { atMs } = await db
    .selectFrom("order_history")
    .select(sql<number>`coalesce(max(at_ms), 0)`.as("atMs"))
    .where("order_id", "=", order)
    .executeTakeFirstOrThrow()
  return Number(atMs)
}
