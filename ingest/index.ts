import { every } from "../core/clock.ts"
import type { Reach } from "../core/reach.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { Announcer } from "./announcer.ts"
import { Broker, type BrokerSettings } from "./broker.ts"
import { BrokerClient, type ClientSettings } from "./client.ts"
import { DeadLetters } from "./dead-letters.ts"
import { Intake, type IntakeLimits } from "./intake.ts"
import type { MqttSide } from "./mqtt-side.ts"
import { tellsTime } from "./plant-time.ts"
import { type Device, DeviceRegistry } from "./registry.ts"
import { SilentPartitions } from "./silent-partitions.ts"

const registrySaveMs = 5000
/** More than comes between two saves of the registry. */
const unsavedRecords = 200_000

/** MQTT in, and detections and orders out to operator panels. */
export interface Ingest extends Stage {
  readonly deadLetters: DeadLetters
  /** The port of the embedded broker; 0 where the plant has its own. */
  readonly port: number
  devices(): readonly Device[]
  /** The newest event time that any asset has sent: "now" for the clock `event`. */
  newestMs(): number | undefined
  /** Brings `newestMs` up to the log: a crash may have kept the last seconds from the registry. */
  catchUp(): Promise<void>
  /** Lets nothing more into the log until `work` is done; publishers wait for their PUBACK. */
  hold<T>(work: () => Promise<T>): Promise<T>
}

/** With `url` Millwright is a client of the plant's broker, and is the broker without. */
export type IngestSettings = BrokerSettings & IntakeLimits & Partial<Loose<ClientSettings>>

type Loose<T> = { readonly [Key in keyof T]: T[Key] | undefined }

/** `meets` is told of the plant's broker when the stage starts. */
export function createIngest(
  context: StageContext & { readonly settings: IngestSettings; readonly meets?: (server: Reach) => void },
): Ingest {
  const { log, database, catalogue, clock, plantClock, settings } = context
  const logger = context.logger.child({ stage: "ingest" })
  const devices = new DeviceRegistry(database, catalogue)
  const silent = plantClock === "event" ? new SilentPartitions(log.partitions) : undefined
  const intake = new Intake(context, { devices, silent }, settings)
  const broker = createMqttSide({ ...context, logger, intake })
  const deadLetters = new DeadLetters(log, database, intake)
  const announcer = new Announcer(context, broker)
  const stop = new AbortController()
  let saving: Promise<void> = Promise.resolve()

  async function catchUp(): Promise<void> {
    const ends = await log.ends(topics.telemetry)
    const from = ends.map((end) => Math.max(0, end - unsavedRecords))
    for await (const { value } of log.read(topics.telemetry, { from })) {
      if (value.kind !== "tick" && value.kind !== "action" && tellsTime(value, plantClock))
        devices.reached(value.atMs)
    }
  }

  return {
    deadLetters,
    get port() {
      return broker.port ?? 0
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
      if (broker.reach !== undefined) context.meets?.(broker.reach)
      await broker.start()
      await announcer.start()
      saving = every(clock, registrySaveMs, stop.signal, () => devices.save())
      saving.catch(() => {})
    },
    async close() {
      stop.abort()
      const failures: unknown[] = []
      // One that fails keeps none of the others: the broker would go on taking messages.
      for (const end of [() => saving, () => announcer.close(), () => broker.close(), () => devices.save()]) {
        await end().catch((error: unknown) => failures.push(error))
      }
      if (failures.length > 0) throw failures[0]
    },
    get done() {
      return Promise.all([announcer.done, broker.done, saving]).then(() => {})
    },
  }
}

function createMqttSide(
  context: StageContext & { readonly settings: IngestSettings; readonly intake: Intake },
): MqttSide {
  const { url, group = "millwright", ...settings } = context.settings
  return url === undefined
    ? new Broker(context, settings)
    : new BrokerClient(context, { ...settings, url, group })
}
