import { MillwrightError } from "../../errors.ts"
import { Reach, type ReachOptions, type Trouble } from "../../reach.ts"
import { isPassing } from "./settle.ts"
import { isRefusal } from "./trouble.ts"

/** How long to wait after a refusal; longer each time. */
const firstRetryMs = 250
const longestRetryMs = 10_000

/** What Kafka may refuse while it answers everything else. */
export type Refusable = "records" | `topic ${string}` | `group ${string}` | "offsets of groups"

/**
 * Whether Kafka answers, and whether it takes what it is given: it may refuse the records of one topic, or a member of
 * one group, while everything else goes well, so that what others are answered says nothing of that.
 */
export class KafkaReach extends Reach {
  private readonly options: ReachOptions
  private readonly refusals = new Map<Refusable, Trouble>()

  constructor(options: ReachOptions) {
    super(options)
    this.options = options
  }

  override get state(): string {
    const [refusal] = this.refusals
    if (!this.isAnswering || refusal === undefined) return super.state
    return `refuses ${refusal[0]} at ${this.where}: ${refusal[1].why}`
  }

  /** It answers, and takes what is appended. */
  override get isReached(): boolean {
    const concernsRecords = (what: Refusable) => what === "records" || what.startsWith("topic ")
    return this.isAnswering && ![...this.refusals.keys()].some(concernsRecords)
  }

  get isAnswering(): boolean {
    return super.isReached
  }

  /** As `until`, and as long as Kafka answers that it refuses just this. */
  async taken<T>(
    what: Refusable,
    work: () => Promise<T>,
    signal: AbortSignal,
    isTrouble: (error: unknown) => boolean,
  ): Promise<T> {
    const isOutage = (error: unknown) => isTrouble(error) && !isRefusal(error)
    for (let pauseMs = firstRetryMs; ; pauseMs = Math.min(2 * pauseMs, longestRetryMs)) {
      try {
        const result = await this.until(work, signal, isOutage)
        this.accepted(what)
        return result
      } catch (error) {
        if (!isRefusal(error) || !isTrouble(error)) throw error
        // As brokers come and go a partition has no leader for a moment: nobody needs to hear of it.
        const isNews = !isPassing(error) || pauseMs > firstRetryMs
        if (isNews) {
          const failure = this.refused(what, error)
          if (!this.waits) throw failure
        }
        await this.options.clock.sleep(pauseMs, signal)
        if (!signal.aborted) continue
        this.forget(what)
        throw error
      }
    }
  }

  /** Says so once for each new reason; gives the error to throw where nobody wants to wait. */
  refused(what: Refusable, cause: unknown): MillwrightError {
    const { name: server, where } = this
    const trouble = this.options.explain(cause)
    const message = `${server} at ${where} refuses ${what}: ${trouble.why}. ${trouble.todo}`
    if (this.refusals.get(what)?.why !== trouble.why && this.waits) {
      this.options.logger.error({ server, where }, `${message}. Trying again`)
    }
    this.refusals.set(what, trouble)
    return new MillwrightError("SERVER_UNREACHABLE", message, { cause })
  }

  accepted(what: Refusable): void {
    if (!this.refusals.delete(what)) return
    const { name: server, where } = this
    this.options.logger.info({ server, where }, `${server} takes ${what} again`)
  }

  /** Nobody asks for it any more. */
  forget(what: Refusable): void {
    this.refusals.delete(what)
  }
}
