/** The commands of a work order, in the order in which most orders meet them. */
import type { OrderState } from "../core/orders.ts"
import { approve, reject, submit, withdraw } from "./commands/approval.ts"
import { attach, link } from "./commands/attach.ts"
import { acceptBid, bid } from "./commands/bids.ts"
import { check, raise } from "./commands/checks.ts"
import { cancel, close, complete, reopen, verify } from "./commands/closing.ts"
import { edit, postpone } from "./commands/edit.ts"
import { acknowledge, decline, hold, resume, start } from "./commands/execution.ts"
import { finding, signOff, verdict, warranty } from "./commands/finding.ts"
import { addLabour, attempt, startLabour, stopLabour } from "./commands/labour.ts"
import { note, reading, startDowntime, stopDowntime } from "./commands/notes.ts"
import { release, reserve, returnPart, usePart } from "./commands/parts.ts"
import { grantPermit, returnPermit } from "./commands/permits.ts"
import { assign, dispatch, plan } from "./commands/planning.ts"
import { assignTask, editTask, task } from "./commands/tasks.ts"
import { duplicate, triage } from "./commands/triage.ts"

export const commands = {
  triage,
  duplicate,
  edit,
  postpone,
  attach,
  link,
  bid,
  "accept-bid": acceptBid,
  submit,
  approve,
  reject,
  withdraw,
  plan,
  reserve,
  release,
  "edit-task": editTask,
  "assign-task": assignTask,
  "grant-permit": grantPermit,
  assign,
  dispatch,
  acknowledge,
  decline,
  "start-downtime": startDowntime,
  start,
  "start-labour": startLabour,
  "stop-labour": stopLabour,
  "add-labour": addLabour,
  task,
  check,
  "use-part": usePart,
  "return-part": returnPart,
  reading,
  note,
  attempt,
  "follow-up": raise,
  hold,
  resume,
  "stop-downtime": stopDowntime,
  "return-permit": returnPermit,
  complete,
  finding,
  verdict,
  warranty,
  verify,
  reopen,
  "sign-off": signOff,
  close,
  cancel,
} as const

export type CommandName = keyof typeof commands

/** What can be done to an order in this state. */
export function possibleIn(state: OrderState): readonly CommandName[] {
  return (Object.keys(commands) as CommandName[]).filter((name) => commands[name].from.includes(state))
}
