/** The commands of a work order, in the order in which most orders meet them. */
import type { OrderState } from "../core/orders.ts"
import { approve, reject, submit } from "./commands/approval.ts"
import { cancel, close, complete, reopen, verify } from "./commands/closing.ts"
import { acknowledge, decline, hold, resume, start } from "./commands/execution.ts"
import { assign, dispatch, plan } from "./commands/planning.ts"
import { duplicate, triage } from "./commands/triage.ts"

export const commands = {
  triage,
  duplicate,
  submit,
  approve,
  reject,
  plan,
  assign,
  dispatch,
  acknowledge,
  decline,
  start,
  hold,
  resume,
  complete,
  verify,
  reopen,
  close,
  cancel,
} as const

export type CommandName = keyof typeof commands

/** What can be done to an order in this state. */
export function possibleIn(state: OrderState): readonly CommandName[] {
  return (Object.keys(commands) as CommandName[]).filter((name) => commands[name].from.includes(state))
}
