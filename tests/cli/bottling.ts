import { rm } from "node:fs/promises"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { serveControl } from "../../cli/control.ts"
import { type Clock, systemClock } from "../../core/clock.ts"
import type { WorkOrder } from "../../core/orders.ts"
import { scratchDirectory, startPipeline } from "../pipeline.ts"
import { until } from "../until.ts"
import { runCommand } from "./setup.ts"

const bottlingPlant = join(import.meta.dirname, "../../examples/orders/plant.yaml")

/** Pauses as short as this are those of batches and looks, which go on while the plant's time stands still. */
const shortMs = 1000

/** Stands still until it is set; then whoever sleeps until that time or before it wakes, once. */
class SetClock implements Clock {
  private nowMs: number
  private readonly sleepers = new Map<() => void, number>()

  constructor(nowMs: number) {
    this.nowMs = nowMs
  }

  now(): number {
    return this.nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(pause)
        this.sleepers.delete(wake)
        signal?.removeEventListener("abort", wake)
        resolve()
      }
      this.sleepers.set(wake, this.nowMs + ms)
      signal?.addEventListener("abort", wake)
      const pause = ms <= shortMs ? setTimeout(wake, ms) : undefined
    })
  }

  set(nowMs: number): void {
    this.nowMs = nowMs
    for (const [wake, untilMs] of this.sleepers) if (untilMs <= nowMs) wake()
  }
}

/** The words of a line as a shell takes them: 'one word' and "one word" are one. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, "$1$2"),
  )
}

/** A server for the bottling plant of the examples, with a clock that the test sets, until the test has ended. */
export async function bottling(start: string, plant: string | null = bottlingPlant) {
  const clock = new SetClock(Date.parse(start))
  const directory = await scratchDirectory()
  const file = plant === null ? {} : { plant }
  const pipeline = await startPipeline({ directory, plantClock: "wall", clock, ...file })
  const control = await serveControl(pipeline.app)
  onTestFinished(async () => {
    await control.close()
    await pipeline.close()
    await rm(directory, { recursive: true })
  })
  const { workorders } = pipeline.app

  async function isAnythingDue(): Promise<boolean> {
    const { orders } = await workorders.list({ limit: 500 })
    const all = await Promise.all(orders.map(({ id }) => workorders.get(id)))
    return all.some(({ order: { state, sla, approval } }) => {
      const times = [sla?.nextMs, state === "awaiting-approval" ? approval?.expiresMs : null]
      return times.some((ms) => ms !== undefined && ms !== null && ms <= clock.now())
    })
  }

  const run = (line: string) => runCommand([...wordsOf(line), "--directory", directory])

  return {
    directory,
    pipeline,
    run,
    /** Sets the clock, and waits for what the clock brings about. */
    async at(time: string) {
      clock.set(Date.parse(time))
      await until(async () => !(await isAnythingDue()))
    },
    /** What stages save from time to time, they save after a little of the plant's time. */
    async settles() {
      while ((await pipeline.app.log.lags()).some(({ uncommitted }) => uncommitted > 0)) {
        await systemClock.sleep(20)
        clock.set(clock.now() + 100)
      }
    },
    /** What a command prints that does not fail. */
    async says(line: string): Promise<string> {
      const { out, error, failure } = await run(line)
      if (failure !== undefined) throw new Error(`${line}\n${String(failure)}\n${error}`)
      return out
    },
    /** Why a command is refused: its code and what it says. */
    async refused(line: string): Promise<string> {
      const { out, failure } = await run(line)
      if (!(failure instanceof Error)) throw new Error(`${line}\nwas not refused: ${out}`)
      return `${(failure as Error & { code?: string }).code}: ${failure.message}`
    },
    async order(number: string): Promise<WorkOrder> {
      return (await workorders.get(number)).order
    },
  }
}
