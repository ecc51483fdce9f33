import { every } from "../core/clock.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { Announcer } from "./announcer.ts"
import { Broker, type BrokerSettings } from "./broker.ts"
import { DeadLetters } from "./dead-letters.ts"
import { Intake, type IntakeLimits } from "./intake.ts"
import { tellsTime } from "./plant-time.ts"
import { type Device, DeviceRegistry } from "./registry.ts"
import { SilentPartitions } from "./silent-partitions.ts"

const registrySaveMs = 5000
/** More than comes between two saves of the registry. */
const unsavedRecords = 200_000

/** MQTT in, and detections and orders out to operator panels. */
export interface Ingest extends Stage {
  readonly deadLetters: DeadLetters
  /** The port of the embedded broker. */
  readonly port: number
  devices(): readonly Device[]
  /** The newest event time that any asset has sent: "now" for the clock `event`. */
  newestMs(): number | undefined
  /** Brings `newestMs` up to the log: a crash may have kept the last seconds from the registry. */
  catchUp(): Promise<void>
  /** Lets nothing more into the log until `work` is done; publishers wait for their PUBACK. */
  hold<T>(work: () => Promise<T>): Promise<T>
}

export function createIngest(
  context: StageContext & { readonly settings: BrokerSettings & IntakeLimits },
): Ingest {
  const { log, database, catalogue, clock, plantClock, settings } = context
  const logger = context.logger.child({ stage: "ingest" })
  const devices = new DeviceRegistry(database, catalogue)
  const silent = plantClock === "event" ? new SilentPartitions(log.partitions) : undefined
  const intake = new Intake(context, { devices, silent }, settings)
  const broker = new Broker({ intake, clock, logger, metrics: context.metrics }, settings)
  const deadLetters = new DeadLetters(log, database, intake)
  const announcer = new Announcer(context, broker)
  const stop = new AbortController()
  let saving: Promise<void> = Promise.resolve()

  async function catchUp(): Promise<void> {
    const ends = await log.ends(topics.telemetry)
    const from = Math.max(0, Math.min(...ends) - unsavedRecords)
    for await (const { value } of log.read(topics.telemetry, { from })) {
      if (value.kind !== "tick" && tellsTime(value, plantClock)) devices.reached(value.atMs)
    }
  }

  return {
    deadLetters,
    get port() {
      return broker.port
    },
    devices: () => devices.list(),
    newestMs: () => devices.newestMs(),
    catchUp,
    hold: (work) => intake.hold(work),
    async prepare() {
      await devices.start()
      await deadLetters.start()
      await announcer.prepare()
    },
    async start() {
      if (plantClock === "event") await catchUp()
      await broker.start()
      await announcer.start()
      saving = every(clock, registrySaveMs, stop.signal, () => devices.save())
      saving.catch(() => {})
    },
    async close() {
      stop.abort()
      await saving
      await announcer.close()
      await broker.close()
      await devices.save()
    },
    get done() {
      return Promise.all([announcer.done, saving]).then(() => {})
    },
  }
}
