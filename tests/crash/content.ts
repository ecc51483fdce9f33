import { pino } from "pino"
import { openApp } from "../../app.ts"
import { systemClock } from "../../core/clock.ts"
import type { Settings } from "../../core/config.ts"
import type { WorkOrder } from "../../core/orders.ts"
import { topics } from "../../core/topics.ts"
import type { AssetEvent, Reading } from "../../core/vocabulary.ts"

/**
 * All that a plant's directory holds, in a form that two runs of one load must share. Left out, because they tell
 * of the run and not of the plant: times of arrival, numbers of orders (given in the order in which partitions
 * happened to be read), ids of dead letters. What the log delivers at least once is kept once.
 */
export type Content = {
  readonly samples: ReadonlyMap<string, number>
  readonly events: ReadonlyMap<string, string>
  /** Of the log: every sample and event in it, as the store names them. */
  readonly logged: ReadonlySet<string>
  /** For each asset its detections, in the order in which they were first told. */
  readonly detections: ReadonlyMap<string, readonly string[]>
  readonly orders: ReadonlyMap<string, string>
  readonly orderEvents: ReadonlyMap<string, string>
  readonly deadLetters: ReadonlySet<string>
  /** Records that came again, and of these how many were not what had come first: there must be none. */
  readonly repeats: { records: number; different: string[] }
}

/** Opens the stores of servers that have ended, or the servers' stores. */
export async function readContent(settings: Settings): Promise<Content> {
  const app = await openApp({ settings, clock: systemClock, logger: pino({ level: "silent" }) })
  const repeats: Content["repeats"] = { records: 0, different: [] }

  /** Keeps the first; what comes again must be the same. */
  function keepOnce(into: Map<string, string>, key: string, value: unknown): boolean {
    const text = told(value)
    const before = into.get(key)
    if (before === undefined) {
      into.set(key, text)
      return true
    }
    repeats.records++
    if (before !== text) repeats.different.push(`${key}\n  first ${before}\n  then  ${text}`)
    return false
  }

  async function telemetry() {
    const always = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }
    const samples = new Map<string, number>()
    const events = new Map<string, string>()
    const series = await app.store.series()
    for (const one of series) {
      for await (const { asset, signal, atMs, value } of app.store.range(one, always)) {
        samples.set(`${asset} ${signal} ${atMs}`, value)
      }
    }
    for (const asset of new Set(series.map((one) => one.asset))) {
      for (const { arrivedMs: _, ...event } of await app.store.events(asset, always)) {
        events.set(`${asset} ${event.code} ${event.atMs}`, JSON.stringify(event))
      }
    }
    return { samples, events }
  }

  async function logged() {
    const names = new Set<string>()
    for await (const { value } of app.log.read(topics.telemetry)) {
      if (value.kind === "tick" || value.kind === "action") continue
      for (const name of namesIn(value)) names.add(name)
    }
    return names
  }

  async function detections() {
    const once = new Map<string, string>()
    const byAsset = new Map<string, string[]>()
    for await (const { value } of app.log.read(topics.detections)) {
      if (value.kind === "tick") continue
      const what = topics.detections.identify?.(value) ?? ""
      if (!keepOnce(once, what, value)) continue
      byAsset.set(value.asset, [...(byAsset.get(value.asset) ?? []), told(value)])
    }
    return byAsset
  }

  async function orders() {
    const found = new Map<string, string>()
    for (let after: string | undefined; ; ) {
      const page = await app.workorders.list({ limit: 500, after })
      for (const { id } of page.orders) {
        const { order, ...rest } = await app.workorders.get(id)
        found.set(id, told({ ...rest, order: withoutNumber(order) }))
      }
      after = page.next
      if (after === undefined) return found
    }
  }

  async function orderEvents() {
    const once = new Map<string, string>()
    for await (const { value } of app.log.read(topics.workOrderEvents)) {
      keepOnce(once, `${value.order.id} ${value.sequence}`, { ...value, order: withoutNumber(value.order) })
    }
    return once
  }

  async function deadLetters() {
    const once = new Set<string>()
    for await (const { value } of app.log.read(topics.deadLetters)) {
      const { id: _id, arrivedMs: _arrivedMs, ...letter } = value
      once.add(JSON.stringify(letter))
    }
    return once
  }

  try {
    return {
      ...(await telemetry()),
      logged: await logged(),
      detections: await detections(),
      orders: await orders(),
      orderEvents: await orderEvents(),
      deadLetters: await deadLetters(),
      repeats,
    }
  } finally {
    await app.close()
  }
}

/** As text, without what tells when a message arrived: that is another time in each run. */
function told(value: unknown): string {
  return JSON.stringify(value, (key, one: unknown) => (key === "knownMs" ? 0 : one))
}

/** The samples of a reading, or an event, as a load names them. */
export function namesIn(record: Reading | AssetEvent): string[] {
  return record.kind === "event"
    ? [`${record.asset} ${record.code} ${record.atMs}`]
    : Object.keys(record.values).map((signal) => `${record.asset} ${signal} ${record.atMs}`)
}

function withoutNumber({ number: _, ...order }: WorkOrder): Omit<WorkOrder, "number"> {
  return order
}
