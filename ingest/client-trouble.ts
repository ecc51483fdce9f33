import { ErrorWithReasonCode } from "mqtt"
import { anyTrouble, socketTrouble, type Trouble } from "../core/reach.ts"

/** Trouble with the plant's broker that has no code of its own. */
export class BrokerTrouble extends Error {
  readonly trouble: Trouble

  constructor(trouble: Trouble) {
    super(trouble.why)
    this.name = "BrokerTrouble"
    this.trouble = trouble
  }
}

/** The broker sends a message again only on another connection: one that could not be stored ends this one. */
export function notStored(error: Error): BrokerTrouble {
  return new BrokerTrouble({
    why: `what it sends can't be stored: ${error.message}`,
    todo: "See what is said of the log",
  })
}

export const closedUnanswered: Trouble = {
  why: "it closed the connection before it answered",
  todo: "Check the port, and whether it expects TLS (mqtts://)",
}

/** mosquitto 2.0 gives no reason when another client takes the session over. */
export const closedLater: Trouble = {
  why: "it closed the connection",
  todo: "See its own log. If it does so again and again, another client has the same id: set mqtt.clientId",
}

/** CONNACK: by 3.1.1 (1) and 5 (132) "unsupported protocol version". */
export function isVersionRefused(error: unknown): boolean {
  return error instanceof ErrorWithReasonCode && (error.code === 1 || error.code === 132)
}

/** What an error of mqtt.js or of the socket below it means to an operator. */
export function brokerTrouble(error: unknown): Trouble {
  if (error instanceof BrokerTrouble) return error.trouble
  if (error instanceof ErrorWithReasonCode) {
    const todo = reasonTodos[error.code] ?? "See its own log"
    return { why: `it says "${error.message}"`, todo }
  }
  return socketTrouble(error) ?? tlsTrouble(error) ?? anyTrouble(error)
}

const credentials = "Check the user in mqtt.url and the password in mqtt.passwordFile"
const clientId = "Set another mqtt.clientId"

/** By the reason codes of MQTT 3.1.1 (3.2.2.3) and 5 (2.4). */
const reasonTodos: Readonly<Record<number, string>> = {
  2: clientId,
  4: credentials,
  5: credentials,
  133: clientId,
  134: credentials,
  135: credentials,
  142: "Another client has connected with the same id: give each process its own mqtt.clientId",
}

const certificateTodo = "Set mqtt.ca to the certificate of the authority that signed the broker's"

const tlsTodos: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: certificateTodo,
  SELF_SIGNED_CERT_IN_CHAIN: certificateTodo,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: certificateTodo,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: certificateTodo,
  UNABLE_TO_GET_ISSUER_CERT: certificateTodo,
  CERT_HAS_EXPIRED: "Renew the broker's certificate",
  CERT_NOT_YET_VALID: "Check this machine's time",
  ERR_TLS_CERT_ALTNAME_INVALID: "Use in mqtt.url a name that is in the broker's certificate",
  ERR_SSL_WRONG_VERSION_NUMBER: "It does not speak TLS on this port: use its TLS port, or mqtt://",
}

function tlsTrouble(error: unknown): Trouble | undefined {
  if (!(error instanceof Error)) return undefined
  const { code = "" } = error as NodeJS.ErrnoException
  const todo = tlsTodos[code]
  return todo === undefined ? undefined : { why: `TLS failed: ${error.message} (${code})`, todo }
}
