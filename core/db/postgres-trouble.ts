/** What can go wrong with PostgreSQL, sorted by what helps: wait for the server, run again, or tell the caller. */
import { messageOf } from "../errors.ts"
import { anyTrouble, socketTrouble, type Trouble } from "../reach.ts"

/** There is no connection, or no longer. What was asked may or may not have been done. */
export class Lost extends Error {
  constructor(cause: unknown) {
    super(messageOf(cause), { cause })
    this.name = "Lost"
  }
}

/** Another transaction was in the way; nothing was done, and the same again may succeed. */
export class Clash extends Error {
  constructor(cause: unknown) {
    super(messageOf(cause), { cause })
    this.name = "Clash"
  }
}

/** SQLSTATE, where the server itself sent the error. */
export function stateOf(error: unknown): string | undefined {
  const { code } = error as { readonly code?: unknown }
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** Serialization failure, deadlock. */
const clashes = new Set(["40001", "40P01"])
/**
 * Shut down by the administrator, crashed, not up yet, too many connections, left idle inside a transaction; and a
 * write to a standby, which the next connection may find to be the primary server.
 */
const losses = new Set(["57P01", "57P02", "57P03", "57P05", "53300", "25P03", "25006"])

export function isClash(error: unknown): boolean {
  return clashes.has(stateOf(error) ?? "")
}

export function isLoss(error: unknown): boolean {
  const state = stateOf(error) ?? ""
  return losses.has(state) || state.startsWith("08")
}

/** pg has waited for an answer as long as it was told to. */
export function isSilence(error: unknown): boolean {
  return messageOf(error) === "Query read timeout"
}

export type Target = { readonly user: string; readonly database: string }

const passwordTodo = "Set the right one: a file named by postgres.passwordFile, or in postgres.url"
const tlsTodo =
  "Check postgres.ca and the server's certificate; without TLS leave postgres.ca and sslmode out"

/** What an error of the connection means to an operator. Never has a password in it. */
export function explainPostgres({ user, database }: Target): (error: unknown) => Trouble {
  const known: Readonly<Record<string, (said: string) => Trouble>> = {
    "28P01": () => ({ why: `the password of the user "${user}" is wrong (28P01)`, todo: passwordTodo }),
    "28000": (said) => ({
      why: `it does not let the user "${user}" in: ${said} (28000)`,
      todo: "Create the role, or allow it in the server's pg_hba.conf",
    }),
    "3D000": () => ({
      why: `there is no database "${database}" (3D000)`,
      todo: `Create it: createdb --owner ${user} ${database}`,
    }),
    "53300": (said) => ({
      why: `it has no connection left: ${said} (53300)`,
      todo: "Lower postgres.connections, or raise the server's max_connections",
    }),
    "57P03": (said) => ({
      why: `${said} (57P03)`,
      todo: "It should be up in a moment; else see its own log",
    }),
    "25006": () => ({
      why: "it takes no writes: a standby, or default_transaction_read_only (25006)",
      todo: "Let postgres.url name the primary server",
    }),
  }
  return (error) => {
    const cause = error instanceof Lost ? error.cause : error
    const said = messageOf(cause)
    const state = stateOf(cause)
    if (state !== undefined) {
      return known[state]?.(said) ?? { why: `${said} (${state})`, todo: "See its own log" }
    }
    if (/password must be/.test(said)) {
      return { why: `it asks for a password of the user "${user}", and none is set`, todo: passwordTodo }
    }
    if (/SSL|TLS|certificate|wrong version number/i.test(`${said} ${codeOf(cause)}`)) {
      return { why: `TLS does not come about: ${said}`, todo: tlsTodo }
    }
    if (/^timeout/.test(said) || isSilence(cause)) {
      return { why: "it does not answer", todo: "Check the address and the firewall" }
    }
    if (/^Connection terminated|not queryable/.test(said)) {
      return { why: "it closed the connection", todo: "See its own log" }
    }
    return socketTrouble(cause) ?? anyTrouble(cause)
  }
}

function codeOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown }
  return typeof code === "string" ? code : ""
}
