import { messageOf } from "../../errors.ts"
import { socketTrouble, type Trouble } from "../../reach.ts"

/** What an error of kafkajs tells of itself, through the errors that it is wrapped in. */
type KafkaFailure = {
  readonly name: string
  /** Kafka's own name of it, where Kafka answered: "TOPIC_AUTHORIZATION_FAILED". */
  readonly type?: string
  readonly broker?: string
  readonly code?: unknown
}

function* layersOf(error: unknown): Iterable<Layer> {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    yield at as Layer
    if (at instanceof AggregateError || at.name === "KafkaJSAggregateError") {
      for (const inner of (at as AggregateError).errors) yield* layersOf(inner)
    }
    if (at.cause === at) return
  }
}

/** Kafka's names for what went wrong, outermost first. */
function kafkaTypes(error: unknown): readonly string[] {
  return [...layersOf(error)].flatMap(({ type }) => (type === undefined ? [] : [type]))
}

export function isOf(error: unknown, ...types: readonly string[]): boolean {
  return kafkaTypes(error).some((type) => types.includes(type))
}

/** Kafka answered, and does not do this one thing: what else it is asked may go well. */
export function isRefusal(error: unknown): boolean {
  return kafkaTypes(error).length > 0 && !isOf(error, ...loginErrors)
}

/** The connection broke, which tells nothing yet of whether the server still is there. */
export function isBroken(error: unknown): boolean {
  return [...layersOf(error)].some(
    ({ name, code }) => name === "KafkaJSConnectionClosedError" || code === "ECONNRESET" || code === "EPIPE",
  )
}

/** Nothing came back: the server is gone, or the way to it. */
export function isUnanswered(error: unknown): boolean {
  return [...layersOf(error)].some(({ name }) => connectionErrors.has(name))
}

const connectionErrors: ReadonlySet<string> = new Set([
  "KafkaJSConnectionError",
  "KafkaJSConnectionClosedError",
  "KafkaJSRequestTimeoutError",
])

const loginErrors = [
  "ILLEGAL_SASL_STATE",
  "UNSUPPORTED_SASL_MECHANISM",
  "SASL_AUTHENTICATION_FAILED",
] as const

const rights = "Give kafka.user the rights that docs/services.md lists"
const startBrokers = "Start the brokers that are down"
const ca = "Set kafka.ca to the certificate of its authority"

const broken: Trouble = {
  why: "it closed the connection",
  todo: "See its own log, and check whether kafka.tls and kafka.user are what it asks for at this port",
}

const byName: Readonly<Record<string, Trouble>> = {
  KafkaJSSASLAuthenticationError: {
    why: "it refuses the user or the password",
    todo: "Check kafka.user, kafka.passwordFile and kafka.mechanism",
  },
  KafkaJSRequestTimeoutError: { why: "it does not answer", todo: "See its own log" },
  KafkaJSConnectionClosedError: broken,
  KafkaJSNoBrokerAvailableError: { why: "no broker of it can be reached", todo: "See its own log" },
  KafkaJSGroupCoordinatorNotFound: {
    why: "no broker coordinates its groups yet",
    todo: "It may still be starting; else see its own log",
  },
}

const byType: Readonly<Record<string, Trouble>> = {
  TOPIC_AUTHORIZATION_FAILED: { why: "the user may not use its topics", todo: rights },
  GROUP_AUTHORIZATION_FAILED: { why: "the user may not join its groups", todo: rights },
  CLUSTER_AUTHORIZATION_FAILED: { why: "the user may not make topics or produce", todo: rights },
  UNSUPPORTED_SASL_MECHANISM: {
    why: "it does not know this kind of login",
    todo: "Set kafka.mechanism to one that it offers",
  },
  ILLEGAL_SASL_STATE: {
    why: "it takes no user and password at this port",
    todo: "Name the port that does, or unset kafka.user",
  },
  INVALID_REPLICATION_FACTOR: {
    why: "it has fewer brokers than kafka.replication asks for",
    todo: "Start the others, or set kafka.replication lower",
  },
  NOT_ENOUGH_REPLICAS: {
    why: "too few copies of a partition are alive to take records",
    todo: startBrokers,
  },
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: { why: "too few copies of a partition were written", todo: startBrokers },
  LEADER_NOT_AVAILABLE: { why: "no broker leads one of its partitions", todo: startBrokers },
}

const byCode: Readonly<Record<string, Trouble>> = {
  ECONNRESET: broken,
  EPIPE: broken,
  SELF_SIGNED_CERT_IN_CHAIN: { why: "its certificate is not trusted", todo: ca },
  DEPTH_ZERO_SELF_SIGNED_CERT: { why: "its certificate is not trusted", todo: ca },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: { why: "its certificate is not trusted", todo: ca },
  CERT_HAS_EXPIRED: { why: "its certificate has expired", todo: "Renew it" },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    why: "its certificate is for another host",
    todo: "Name the host as the certificate does",
  },
  EPROTO: { why: "it does not speak TLS there", todo: "Set kafka.tls to false, or name its TLS port" },
}

/** What an error means to an operator; `known` are the brokers that the configuration names. */
export function kafkaTrouble(error: unknown, known: readonly string[]): Trouble {
  const layers = [...layersOf(error)]
  const trouble = firstOf(layers, ofKafka) ?? firstOf(layers, socketTrouble) ?? firstOf(layers, ofName)
  if (trouble === undefined) {
    return { why: messageOf(error) || "it failed without a reason", todo: "See its own log" }
  }
  const broker = layers.find((layer) => layer.broker !== undefined)?.broker
  if (broker === undefined || known.includes(broker)) return trouble
  return {
    why: `${trouble.why} at ${broker}, the address by which it calls itself`,
    todo: `${trouble.todo}; Kafka's advertised.listeners says this address`,
  }
}

type Layer = Error & KafkaFailure

function firstOf(layers: readonly Layer[], troubleOf: (layer: Layer) => Trouble | undefined) {
  return layers.map(troubleOf).find((trouble) => trouble !== undefined)
}

function ofKafka({ type, code }: Layer): Trouble | undefined {
  return (
    (type === undefined ? undefined : byType[type]) ?? (typeof code === "string" ? byCode[code] : undefined)
  )
}

function ofName({ name, message }: Layer): Trouble | undefined {
  if (message === "Connection timeout") {
    return { why: "it does not answer", todo: "Check the address and the firewall" }
  }
  return byName[name]
}
