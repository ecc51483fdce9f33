import { Counter, type Registry } from "prom-client"
import { v4 as uuid } from "uuid"
import type { Catalogue } from "../core/catalogue.ts"
import type { Log, NewRecord } from "../core/log/log.ts"
import { type Plant, parsePlant } from "../core/plant.ts"
import type { PlantClock } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import type { DeadLetter, TelemetryRecord } from "../core/vocabulary.ts"
import { createDecoder, type Decoder } from "./decode/decoder.ts"
import type { TimeOf } from "./decode/outcome.ts"
import { tellsTime } from "./plant-time.ts"
import type { DeviceRegistry } from "./registry.ts"
import type { SilentPartitions } from "./silent-partitions.ts"

/** Until a plant file is applied: everything on the default topics is discovered. */
export const emptyPlant: Plant = parsePlant("plant: unnamed\nsites: [{ id: default }]")

export type IntakeLimits = { readonly maxPayloadBytes: number; readonly maxAssets: number }

/** Told whether a message is safe: without an error it is in the log, or in dead letters. */
export type Settle = (error?: Error) => void

type Batch = { records: NewRecord<TelemetryRecord>[]; letters: NewRecord<DeadLetter>[]; settles: Settle[] }

/** The one way in: MQTT messages, whoever carried them, to records in the log. */
export class Intake {
  private readonly log: Log
  private readonly catalogue: Catalogue
  private readonly plantClock: PlantClock
  private readonly timeOf: TimeOf | undefined
  private readonly devices: DeviceRegistry
  private readonly silent: SilentPartitions | undefined
  private readonly limits: IntakeLimits
  private readonly messages: Counter
  private readonly faults: Counter<"reason">
  private batch: Batch | undefined
  private decoder: Decoder | undefined
  private revision = 0
  private inFlight: Promise<unknown> = Promise.resolve()
  /** What batches wait for on their way to the log. */
  private held: Promise<unknown> = Promise.resolve()

  constructor(
    context: {
      readonly log: Log
      readonly catalogue: Catalogue
      readonly plantClock: PlantClock
      readonly metrics: Registry
    },
    parts: { readonly devices: DeviceRegistry; readonly silent: SilentPartitions | undefined },
    limits: IntakeLimits,
  ) {
    this.log = context.log
    this.catalogue = context.catalogue
    this.devices = parts.devices
    this.silent = parts.silent
    this.limits = limits
    this.plantClock = context.plantClock
    this.timeOf = context.plantClock === "event" ? (asset) => this.devices.newestMsOf(asset) : undefined
    const registers = [context.metrics]
    this.messages = new Counter({
      name: "millwright_messages_total",
      help: "MQTT messages taken in",
      registers,
    })
    this.faults = new Counter({
      name: "millwright_dead_letters_total",
      help: "Messages, or parts of them, that could not be taken",
      labelNames: ["reason"],
      registers,
    })
  }

  /** Takes a message; `settle` is called once it is durable. Messages of one turn of the event loop share an append. */
  take(topic: string, payload: Buffer, arrivedMs: number, settle: Settle): void {
    const decoder = this.newestDecoder()
    const { records, faults, clocksAhead } = decoder.decode(topic, payload, arrivedMs, this.timeOf)
    this.messages.inc()
    if (this.batch === undefined) {
      this.batch = { records: [], letters: [], settles: [] }
      queueMicrotask(() => this.send())
    }
    const { batch } = this
    for (const record of records) {
      const isTold = tellsTime(record, this.plantClock)
      this.devices.saw(record, isTold)
      batch.records.push({ key: record.asset, value: record })
      if (this.silent !== undefined && isTold) batch.records.push(...this.silent.after(record))
    }
    for (const { asset, aheadMs } of clocksAhead) this.devices.clockAhead(asset, aheadMs)
    for (const { reason, detail } of faults) {
      this.faults.inc({ reason })
      batch.letters.push({
        key: topic.slice(0, 256),
        value: this.letter(reason, detail, topic, payload, arrivedMs),
      })
    }
    batch.settles.push(settle)
  }

  /** Resolves when everything taken so far is settled. */
  async drain(): Promise<void> {
    await this.inFlight
  }

  /** Lets nothing more into the log until `work` is done: batches wait, and with them their PUBACKs. */
  hold<T>(work: () => Promise<T>): Promise<T> {
    const done = this.held.then(work)
    // Whoever asked hears of a failure; the batches only wait.
    this.held = done.catch(() => {})
    return done
  }

  private send(): void {
    const batch = this.batch
    this.batch = undefined
    if (batch === undefined) return
    this.inFlight = this.held
      .then(() => this.append(batch))
      .then(
        () => settleAll(batch.settles),
        (error: Error) => settleAll(batch.settles, error),
      )
  }

  private async append({ records, letters }: Batch): Promise<void> {
    const stored = this.log.append(topics.telemetry, records)
    if (letters.length > 0) await Promise.all([stored, this.log.append(topics.deadLetters, letters)])
    else await stored
  }

  private newestDecoder(): Decoder {
    const newest = this.catalogue.newest()
    const revision = newest?.number ?? 0
    if (this.decoder === undefined || revision !== this.revision) {
      this.revision = revision
      this.decoder = this.decoderFor(newest?.plant ?? emptyPlant, this.decoder)
    }
    return this.decoder
  }

  /** Assets and signals that were discovered under the decoder before, or before a restart, count on. */
  private decoderFor(plant: Plant, before: Decoder | undefined): Decoder {
    const { maxPayloadBytes, maxAssets } = this.limits
    const discovered = new Map<string, readonly string[]>(before?.discovered())
    for (const asset of this.devices.assets()) if (!discovered.has(asset)) discovered.set(asset, [])
    return createDecoder(plant, { maxPayloadBytes, maxDiscoveredAssets: maxAssets }, discovered)
  }

  private letter(
    reason: DeadLetter["reason"],
    detail: string,
    topic: string,
    payload: Buffer,
    arrivedMs: number,
  ): DeadLetter {
    const kept = payload.subarray(0, this.limits.maxPayloadBytes)
    return {
      id: uuid(),
      reason,
      detail,
      topic,
      payload: kept.toString("base64"),
      truncated: kept.length < payload.length,
      arrivedMs,
    }
  }
}

function settleAll(settles: readonly Settle[], error?: Error): void {
  for (const settle of settles) settle(error)
}
