/** Records as CloudEvents 1.0 in binary mode of the Kafka binding: attributes in headers, the value is the data. */
import { randomUUID } from "node:crypto"
import type { IHeaders } from "kafkajs"
import type { Topic } from "../../topics.ts"

const json = Buffer.from("application/json")
const version = Buffer.from("1.0")

/**
 * Makes the headers of records. Attributes: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md,
 * their names in Kafka: …/bindings/kafka-protocol-binding.md#32-binary-content-mode.
 */
export class EventHeaders {
  private readonly source: Buffer
  private readonly run = randomUUID()
  private count = 0
  private readonly types = new Map<string, Buffer>()
  private timeMs = Number.NaN
  private time = json

  /** `clientId` names the process that makes the events. */
  constructor(clientId: string) {
    this.source = Buffer.from(`/millwright/${encodeURIComponent(clientId)}`)
  }

  /**
   * What does not change from record to record is encoded once: this is done for each of them. Where records come by
   * the thousand each header costs, so they have the required attributes alone.
   */
  of<T>(topic: Topic<T>, value: T, nowMs: number): IHeaders {
    const required = {
      ce_specversion: version,
      ce_id: topic.identify === undefined ? `${this.run}/${this.count++}` : topic.identify(value),
      ce_source: this.source,
      ce_type: this.typeOf(topic.name),
    }
    return topic.patient ? required : { ...required, ce_time: this.timeOf(nowMs), "content-type": json }
  }

  private typeOf(name: string): Buffer {
    let type = this.types.get(name)
    if (type === undefined) {
      type = Buffer.from(`org.millwright.${name}`)
      this.types.set(name, type)
    }
    return type
  }

  private timeOf(nowMs: number): Buffer {
    if (nowMs !== this.timeMs) {
      this.timeMs = nowMs
      this.time = Buffer.from(new Date(nowMs).toISOString())
    }
    return this.time
  }
}
