import { z } from "zod"
import { type OrderEvent, type OrderRequest, orderEvent, orderRequest } from "./orders.ts"
import {
  type AlarmStep,
  type Announcement,
  alarmStep,
  announcement,
  type DeadLetter,
  type DetectionRecord,
  deadLetter,
  detectionRecord,
  name,
  partOf,
  type TelemetryRecord,
  telemetryRecord,
  timeMs,
} from "./vocabulary.ts"

const day = 86_400_000
const mebibyte = 1_048_576

export type Topic<T> = {
  readonly name: string
  readonly schema: z.ZodType<T>
  /** Old records go when they are past this age or the topic is past this size, but never before every group has passed them. */
  readonly retention: { readonly ms: number; readonly bytes: number }
  /** Keeps at least the newest record of each key, whatever its age. */
  readonly compacted: boolean
  /** Its records may wait some milliseconds to share a commit; those of the other topics are few and go at once. */
  readonly patient: boolean
  /** What makes a record the same when it is told again; without it no two records are the same. */
  identify?(value: T): string
}

/** A revision of the plant file, in effect from `effectiveMs` of the plant's clock on. */
export const plantRevision = z.object({
  revision: z.number().int().positive(),
  plant: name,
  source: z.string(),
  /** For each rule and plan the plant's revision in which it last changed. */
  changedIn: z.record(z.string(), z.number().int().positive()),
  /** By automation when it was added, by the wall. */
  automationsSinceMs: z.record(z.string(), timeMs).optional(),
  effectiveMs: timeMs,
  author: z.string(),
  reason: z.string(),
  atMs: timeMs,
})
export type PlantRevision = z.infer<typeof plantRevision>

type Keeping<T> = {
  readonly days: number
  readonly megabytes: number
  readonly compacted?: boolean
  readonly patient?: boolean
  readonly identify?: (value: T) => string
}

function topic<T>(
  name: string,
  schema: z.ZodType<T>,
  { days, megabytes, compacted = false, patient = false, ...rest }: Keeping<T>,
): Topic<T> {
  return {
    name,
    schema,
    retention: { ms: days * day, bytes: megabytes * mebibyte },
    compacted,
    patient,
    ...rest,
  }
}

function identifyRequest(request: OrderRequest): string {
  if (request.kind === "settle") return `settle/${request.asset}/${request.component}/${request.atMs}`
  if (request.kind === "credit")
    return `credit/${request.asset}/${request.plan}/${request.by ?? "-"}/${request.atMs}`
  if (request.kind === "open") return `open/${request.order}`
  return `amend/${request.order}/${request.finding.episode}/${request.finding.sequence}`
}

function identifyDetection(value: DetectionRecord): string {
  switch (value.kind) {
    case "tick":
      return `tick/${value.atMs}`
    case "maintained":
      return `maintained/${value.asset}/${value.component}/${value.atMs}`
    case "meter":
      return `meter/${value.asset}/${value.signal}/${value.atMs}`
    case "event":
      return `event/${value.asset}/${value.code}/${partOf(value)}/${value.atMs}`
    case "work":
      return `work/${value.order}/${value.sequence}`
    case "credit":
      return `credit/${value.id}`
    default:
      return `${value.episode}/${value.sequence}`
  }
}

function identifyAnnouncement(told: Announcement): string {
  if ("step" in told) return `${told.kind}/${told.step.episode}/${told.step.sequence}`
  return `${told.kind}/${told.site}/${told.kind === "digest" ? told.fromMs : told.atMs}`
}

/**
 * The topics of the log; the key is the asset's id (the site's where there is no asset, and of `alarms` and
 * `announcements`), the plant's for the catalogue.
 */
export const topics = {
  telemetry: topic<TelemetryRecord>("telemetry", telemetryRecord, {
    days: 7,
    megabytes: 4096,
    patient: true,
  }),
  detections: topic<DetectionRecord>("detections", detectionRecord, {
    days: 90,
    megabytes: 1024,
    identify: identifyDetection,
  }),
  alarms: topic<AlarmStep>("alarms", alarmStep, {
    days: 90,
    megabytes: 1024,
    identify: ({ episode, sequence }) => `${episode}/${sequence}`,
  }),
  announcements: topic<Announcement>("announcements", announcement, {
    days: 90,
    megabytes: 256,
    identify: identifyAnnouncement,
  }),
  workOrderRequests: topic<OrderRequest>("work-order-requests", orderRequest, {
    days: 90,
    megabytes: 1024,
    identify: identifyRequest,
  }),
  workOrderEvents: topic<OrderEvent>("work-order-events", orderEvent, {
    days: 365,
    megabytes: 4096,
    identify: ({ order, sequence }) => `${order.id}/${sequence}`,
  }),
  deadLetters: topic<DeadLetter>("dead-letters", deadLetter, {
    days: 30,
    megabytes: 1024,
    identify: ({ id }) => id,
  }),
  catalogue: topic<PlantRevision>("catalogue", plantRevision, {
    days: 3650,
    megabytes: 256,
    compacted: true,
    identify: ({ plant, revision }) => `${plant}/${revision}`,
  }),
} as const
