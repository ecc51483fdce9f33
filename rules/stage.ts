import { every } from "../core/clock.ts"
import { type Claim, Positions } from "../core/db/positions.ts"
import { Replaced } from "../core/db/replaced.ts"
import { MillwrightError } from "../core/errors.ts"
import type { LogRecord, NewRecord, Position, Subscription } from "../core/log/log.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { type DetectionRecord, isDetection, type TelemetryRecord, type Tick } from "../core/vocabulary.ts"
import { createEngine, type Engine } from "./engine.ts"
import { noCounts } from "./lane.ts"
import { ruleMetrics } from "./metrics.ts"
import { rulebooks } from "./rulebook.ts"
import { loadPartition, migrateRules, savePartition } from "./store.ts"
import { toldToScheduler } from "./told.ts"

export type RulesSettings = {
  /** A partition's state is saved at most this often, ms; after a crash so much is evaluated again. */
  readonly checkpointMs?: number
  /** Clock `wall`: how far timers stay behind the time of day, ms: as long as a sample may take into the log. */
  readonly tickLagMs?: number
}

type Partition = {
  readonly claim: Claim
  readonly engine: Engine
  /** The next record to evaluate. */
  position: Position
  /** The newest step of the plant's clock that was passed on (clock `event`). */
  stepMs: number | undefined
  changed: boolean
  savedMs: number
}

/** The plant's clock is passed on each hour of its time. */
const stepLengthMs = 3_600_000
const tickEveryMs = 1000
const tellEveryMs = 60_000
/** Partitions take turns with their checkpoints, this many rounds to all of them, so that none stalls the others. */
const rounds = 10

/**
 * The stage `telemetry` -> `detections` and, for the sites' operators, `alarms`. Each owned partition has an engine;
 * its assets' states and its position are saved together, after the detections derived so far are in the log: a crash
 * repeats some, with the same ids and content, and skips none.
 */
export function createJudging(context: StageContext & RulesSettings): Stage {
  const { log, database, catalogue, clock, plantClock, logger } = context
  const { checkpointMs = 10_000, tickLagMs = 2000 } = context
  const positions = new Positions(database, "rules", topics.telemetry.name)
  const partitions = new Map<number, Partition>()
  const replaced = new Replaced("rules", topics.telemetry.name, clock)
  const counts = noCounts()
  const rulebook = rulebooks(({ number }, problems) =>
    logger.error({ revision: number, problems }, "rules that can't be used are left out"),
  )
  const metrics = ruleMetrics(context.metrics, openEpisodes)
  let toldTooLate = { count: 0, nextMs: 0 }
  const stop = new AbortController()
  let subscription: Subscription | undefined
  /** Settles once every detection found so far is durable. */
  let appended: Promise<void> = Promise.resolve()
  let checkpoints: Promise<void> = Promise.resolve()
  let settle: { resolve(): void; reject(reason: unknown): void } | undefined
  const done = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })

  function openEpisodes(): number {
    let open = 0
    for (const { engine } of partitions.values()) open += engine.openEpisodes()
    return open
  }

  async function load(number: number): Promise<Position> {
    const claim = await positions.claim(number)
    const { states, stepMs } = await loadPartition(database, number)
    await catalogue.readUpTo(Math.max(0, ...states.map(({ revision }) => revision)))
    const engine = createEngine({ plantClock, revisions: catalogue, rulebook, counts })
    for (const state of states) engine.restore(state)
    const { position } = claim
    partitions.set(number, { claim, engine, position, stepMs, changed: false, savedMs: clock.now() })
    replaced.remove([number])
    return position
  }

  async function process(records: readonly LogRecord<TelemetryRecord>[]): Promise<void> {
    const found: NewRecord<DetectionRecord>[] = []
    for (const record of records) {
      const partition = partitions.get(record.partition)
      if (partition === undefined || record.position < partition.position) continue
      const detections = partition.engine.apply(record.value)
      const besides = toldToScheduler(record.value, catalogue, plantClock, partition.engine.isFirstOfStretch)
      const told = besides.length === 0 ? detections : [...detections, ...besides]
      partition.position = record.position + 1
      partition.changed = true
      const stepMs = plantClock === "event" ? stepOf(record.value.atMs) : undefined
      if (stepMs !== undefined && stepMs > (partition.stepMs ?? Number.NEGATIVE_INFINITY)) {
        partition.stepMs = stepMs
        // The tick says that all up to its time was told; what the same record brought about later comes after it.
        const later = told.findIndex(({ atMs }) => atMs > stepMs)
        const split = later === -1 ? told.length : later
        found.push(...told.slice(0, split).map(keyed))
        found.push({ key: "tick", value: { kind: "tick", atMs: stepMs }, partition: record.partition })
        found.push(...told.slice(split).map(keyed))
      } else if (told.length > 0) {
        found.push(...told.map(keyed))
      }
      if (detections.length > 0) metrics.found(detections)
    }
    metrics.counted(counts)
    tellTooLate()
    await append(found)
  }

  /** Once a minute at most: one slow gateway brings thousands. */
  function tellTooLate(): void {
    if (counts.tooLate === toldTooLate.count || clock.now() < toldTooLate.nextMs) return
    logger.warn(
      { samples: counts.tooLate - toldTooLate.count },
      "samples came later than what is kept to judge them with: they are stored, and no rule saw them. Give rules that need them a lateness",
    )
    toldTooLate = { count: counts.tooLate, nextMs: clock.now() + tellEveryMs }
  }

  function append(found: readonly NewRecord<DetectionRecord>[]): Promise<void> {
    if (found.length === 0) return Promise.resolve()
    const steps = found.flatMap(({ value }) => {
      if (!isDetection(value)) return []
      const { evidence: _, ...step } = value
      return [{ key: step.site, value: step }]
    })
    const appends = [appended, log.append(topics.detections, found)]
    if (steps.length > 0) appends.push(log.append(topics.alarms, steps))
    appended = Promise.all(appends).then(() => {})
    return appended
  }

  /** Clock `wall`: timers also run where nothing comes, as soon as all that came before was evaluated. */
  async function tick(): Promise<void> {
    const nowMs = clock.now()
    const ends = await log.ends(topics.telemetry)
    const found: NewRecord<DetectionRecord>[] = []
    for (const [number, partition] of partitions) {
      if (subscription === undefined || subscription.position(number) < (ends[number] ?? 0)) continue
      const detections = partition.engine.advance(nowMs - tickLagMs)
      if (detections.length === 0) continue
      partition.changed = true
      metrics.found(detections)
      found.push(...detections.map(keyed))
    }
    await append(found)
  }

  async function checkpointDue(): Promise<void> {
    replaced.check()
    const dueMs = clock.now() - checkpointMs
    const due = [...partitions]
      .filter(([, { changed, savedMs }]) => changed && savedMs <= dueMs)
      .sort(([, a], [, b]) => a.savedMs - b.savedMs)
      .slice(0, Math.ceil(partitions.size / rounds))
    for (const [number] of due) await checkpoint(number)
  }

  /** One at a time, so that an older state never overwrites a newer one. */
  function checkpoint(number: number): Promise<void> {
    const saved = checkpoints.then(() => save(number))
    // Whoever asked hears of a failure; the next in line only waits.
    checkpoints = saved.catch(() => {})
    return saved
  }

  async function save(number: number): Promise<void> {
    const partition = partitions.get(number)
    if (partition === undefined || !partition.changed) return
    const startedMs = clock.now()
    // States, position and what was appended belong together: they are taken before the first wait.
    const states = partition.engine
      .changes()
      .map((state) => ({ asset: state.asset, state: JSON.stringify(state) }))
    const { claim, position, stepMs } = partition
    const durable = appended
    partition.changed = false
    partition.savedMs = startedMs
    await durable
    try {
      await database.transaction(async (trx) => {
        await positions.save(trx, claim, position)
        await savePartition(trx, number, states, stepMs)
      })
    } catch (error) {
      if (!(error instanceof MillwrightError && error.code === "OWNER_REPLACED")) throw error
      logger.warn({ partition: number }, "another process has taken over this partition of the rules")
      if (partitions.get(number) === partition) {
        partitions.delete(number)
        replaced.add(number)
      }
      return
    }
    subscription?.commit(number, position)
    metrics.saved((clock.now() - startedMs) / 1000)
  }

  async function revoked(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      await checkpoint(number)
      partitions.delete(number)
    }
    replaced.remove(numbers)
  }

  return {
    done,

    async prepare() {
      await positions.migrate()
      await migrateRules(database)
    },

    async start() {
      subscription = await log.subscribe(topics.telemetry, "rules", { load, process, revoked })
      const { signal } = stop
      const work = [
        subscription.done,
        every(clock, Math.ceil(checkpointMs / rounds), signal, checkpointDue),
        ...(plantClock === "wall" ? [every(clock, tickEveryMs, signal, tick)] : []),
      ]
      Promise.all(work).then(
        () => settle?.resolve(),
        (error) => {
          stop.abort()
          settle?.reject(error)
        },
      )
    },

    async close() {
      stop.abort()
      if (subscription === undefined) settle?.resolve()
      await subscription?.close()
      await done
    },
  }
}

function stepOf(atMs: number): number {
  return Math.floor(atMs / stepLengthMs) * stepLengthMs
}

function keyed(value: Exclude<DetectionRecord, Tick>): NewRecord<DetectionRecord> {
  return { key: value.asset, value }
}
