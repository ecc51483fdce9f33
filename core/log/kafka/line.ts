import net from "node:net"
import tls from "node:tls"
import {
  type Cluster,
  type ISocketFactoryArgs,
  Kafka,
  logLevel,
  PartitionAssigners,
  type RetryOptions,
} from "kafkajs"
import type { Logger } from "pino"
import { mendKafkajs } from "./kafkajs.ts"

mendKafkajs()

/** How Kafka is reached. */
export type KafkaAccess = {
  /** host:port each. */
  readonly brokers: readonly string[]
  readonly clientId: string
  /** TLS; with an authority's certificate where it is not a public one. */
  readonly ssl: boolean | { readonly ca: readonly string[] }
  readonly sasl?: KafkaLogin
}

export type KafkaLogin = {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512"
  readonly username: string
  readonly password: string
}

/** For calls that somebody repeats anyway: gives up after some seconds, so that the trouble can be told. */
export const briefly: RetryOptions = {
  initialRetryTime: 100,
  maxRetryTime: 1000,
  multiplier: 2,
  factor: 0.2,
  retries: 4,
}

/** For members of a group: a member that gave up would lose its place and wait for its own session to end. */
export const forEver: RetryOptions = { ...briefly, retries: Number.MAX_SAFE_INTEGER }

const keepAliveMs = 60_000

/**
 * A client of Kafka with connections of its own that can be cut at any time: whatever kafkajs was waiting for or
 * repeating then fails for good, where its own `disconnect` would wait for a server that is gone.
 */
export class Line {
  readonly kafka: Kafka
  private readonly sockets = new Set<net.Socket>()
  private readonly onSocketTrouble: () => void
  private isCut = false

  constructor(
    access: KafkaAccess,
    logger: Logger,
    {
      retry,
      onSocketTrouble = () => {},
    }: { retry: RetryOptions; onSocketTrouble?: (() => void) | undefined },
  ) {
    const { brokers, clientId, ssl, sasl } = access
    this.onSocketTrouble = onSocketTrouble
    this.kafka = new Kafka({
      // No broker at all is the one answer after which kafkajs does not try again.
      brokers: () => (this.isCut ? [] : [...brokers]),
      clientId,
      retry,
      connectionTimeout: 5000,
      ssl: ssl === false ? false : ssl === true ? true : { ca: [...ssl.ca] },
      ...(sasl === undefined ? {} : { sasl: sasl as never }),
      socketFactory: (args) => this.connect(args),
      logLevel: logLevel.WARN,
      // Reach tells an operator what matters; this is for who looks into a defect.
      logCreator:
        () =>
        ({ namespace, log: { message, error } }) =>
          logger.debug({ kafkajs: namespace, error }, message),
    })
  }

  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy(new Error("the connection was cut on closing"))
  }

  private connect({ host, port, ssl, onConnect }: ISocketFactoryArgs): net.Socket {
    if (this.isCut) throw new Error("this client is closed")
    // kafkajs hands over whatever `ssl` was set to, `true` and `false` too.
    const options: tls.ConnectionOptions = typeof ssl === "object" ? ssl : {}
    const socket = ssl
      ? tls.connect(
          { host, port, ...(net.isIP(host) === 0 ? { servername: host } : {}), ...options },
          onConnect,
        )
      : net.connect({ host, port }, onConnect)
    socket.setKeepAlive(true, keepAliveMs)
    // Without it the end of a large request waits for the acknowledgement of its beginning.
    socket.setNoDelay(true)
    this.sockets.add(socket)
    socket.once("error", () => {
      if (!this.isCut) this.onSocketTrouble()
    })
    socket.once("close", () => this.sockets.delete(socket))
    return socket
  }
}

/**
 * The brokers behind a client. kafkajs hands them to whoever assigns partitions in a group; this asks for them
 * without ever joining one, since a group takes seconds to form and stays behind when its process is killed.
 */
export function clusterOf(line: Line): Cluster {
  let found: Cluster | undefined
  line.kafka.consumer({
    groupId: "never joined",
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        found = config.cluster
        return PartitionAssigners.roundRobin(config)
      },
    ],
  })
  if (found === undefined) throw new Error("kafkajs no longer hands its cluster to the partition assigner")
  return found
}
