import type { Logger } from "pino"
import type { Clock } from "./clock.ts"
import { MillwrightError, messageOf } from "./errors.ts"

const firstRetryMs = 250
const longestRetryMs = 10_000

/** What is wrong with a server: `why` as it put it, `todo` as an operator needs it. */
export type Trouble = { readonly why: string; readonly todo: string }

export type ReachOptions = {
  /** "Kafka", "InfluxDB", "PostgreSQL", "MQTT broker". */
  readonly name: string
  /** Where it was looked for, without passwords: "127.0.0.1:9092". */
  readonly where: string
  readonly clock: Clock
  readonly logger: Logger
  /** A command tells its user at once; a server waits until the other one answers. Default true. */
  readonly waits?: boolean
  /** What an error of the client library means to an operator. */
  readonly explain: (error: unknown) => Trouble
}

/**
 * Whether a server that this process depends on answers. Says so once when it stops answering, once for each new
 * reason, and once when it answers again, however many calls fail meanwhile.
 */
export class Reach {
  readonly name: string
  readonly where: string
  readonly waits: boolean
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly explain: (error: unknown) => Trouble
  private hasAnswered = false
  private trouble: (Trouble & { readonly sinceMs: number }) | undefined
  /** Counts answers: what was asked before the newest of them and failed later is news of the past. */
  private answers = 0

  constructor({ name, where, clock, logger, waits = true, explain }: ReachOptions) {
    this.name = name
    this.where = where
    this.waits = waits
    this.clock = clock
    this.logger = logger
    this.explain = explain
  }

  /** "running", "connecting", or what is wrong with it. */
  get state(): string {
    if (this.trouble !== undefined) return `not usable at ${this.where}: ${this.trouble.why}`
    return this.hasAnswered ? "running" : "connecting"
  }

  get isReached(): boolean {
    return this.hasAnswered && this.trouble === undefined
  }

  succeeded(): void {
    if (this.trouble !== undefined) {
      const seconds = Math.round((this.clock.now() - this.trouble.sinceMs) / 1000)
      this.logger.info({ server: this.name, where: this.where, seconds }, `${this.name} answers again`)
      this.trouble = undefined
    }
    this.hasAnswered = true
    this.answers += 1
  }

  /** Notes a failed call; gives the error to throw where nobody wants to wait. */
  failed(cause: unknown): MillwrightError {
    const { why, todo } = this.explain(cause)
    const failure = this.failure(cause)
    if (this.trouble?.why !== why) {
      const { name: server, where } = this
      if (this.waits) this.logger.error({ server, where }, `${failure.message}. Trying again`)
      this.trouble = { why, todo, sinceMs: this.trouble?.sinceMs ?? this.clock.now() }
    }
    return failure
  }

  private failure(cause: unknown): MillwrightError {
    const { why, todo } = this.explain(cause)
    const message = `${this.name} at ${this.where} can't be used: ${why}. ${todo}`
    return new MillwrightError("SERVER_UNREACHABLE", message, { cause })
  }

  /**
   * Repeats `work` with growing pauses for as long as it fails in a way that `isTrouble` says is the server's; other
   * errors are thrown as they are. Throws `SERVER_UNREACHABLE` when `signal` aborts, or at once where nobody waits.
   */
  async until<T>(
    work: () => Promise<T>,
    signal: AbortSignal,
    isTrouble: (error: unknown) => boolean = () => true,
  ): Promise<T> {
    for (let pauseMs = firstRetryMs; ; pauseMs = Math.min(2 * pauseMs, longestRetryMs)) {
      const answers = this.answers
      try {
        const result = await work()
        this.succeeded()
        return result
      } catch (error) {
        if (!isTrouble(error)) throw error
        const failure = answers === this.answers ? this.failed(error) : this.failure(error)
        if (!this.waits || signal.aborted) throw failure
        await this.clock.sleep(pauseMs, signal)
        if (signal.aborted) throw failure
      }
    }
  }
}

/** The trouble behind an error of a socket, where it is one: the same words for every server. */
export function socketTrouble(error: unknown): Trouble | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException
    const known = code === undefined ? undefined : socketTroubles[code]
    if (known !== undefined) return known
    if (at instanceof AggregateError) {
      const inner = at.errors.map(socketTrouble).find((one) => one !== undefined)
      if (inner !== undefined) return inner
    }
  }
  return undefined
}

const socketTroubles: Readonly<Record<string, Trouble>> = {
  ECONNREFUSED: {
    why: "nothing listens there (ECONNREFUSED)",
    todo: "Start it, or set the right address",
  },
  ENOTFOUND: { why: "there is no such host (ENOTFOUND)", todo: "Check the host's name" },
  EAI_AGAIN: { why: "the host's name can't be looked up (EAI_AGAIN)", todo: "Check the host's name and DNS" },
  ETIMEDOUT: { why: "it does not answer (ETIMEDOUT)", todo: "Check the address and the firewall" },
  EHOSTUNREACH: {
    why: "there is no way to the host (EHOSTUNREACH)",
    todo: "Check the address and the network",
  },
  ECONNRESET: { why: "it closed the connection (ECONNRESET)", todo: "See its own log" },
  EPIPE: { why: "it closed the connection (EPIPE)", todo: "See its own log" },
}

/** What to say of an error that nobody knows better. */
export function anyTrouble(error: unknown): Trouble {
  return (
    socketTrouble(error) ?? { why: messageOf(error) || "it failed without a reason", todo: "See its own log" }
  )
}
