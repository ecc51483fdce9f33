import type { Clock } from "../core/clock.ts"

/** A clock that stands still until `advance` moves it; whoever sleeps wakes in order of time. */
export class ManualClock implements Clock {
  private nowMs: number
  private sleepers: { readonly untilMs: number; readonly wake: () => void }[] = []

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.nowMs = startMs
  }

  now(): number {
    return this.nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper)
        signal?.removeEventListener("abort", wake)
        resolve()
      }
      const sleeper = { untilMs: this.nowMs + ms, wake }
      this.sleepers.push(sleeper)
      signal?.addEventListener("abort", wake)
    })
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms
    for (;;) {
      const due = this.sleepers
        .filter((sleeper) => sleeper.untilMs <= untilMs)
        .sort((a, b) => a.untilMs - b.untilMs)[0]
      if (due === undefined) break
      this.nowMs = Math.max(this.nowMs, due.untilMs)
      due.wake()
      // Lets what was woken run up to its next wait before time goes on.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    this.nowMs = untilMs
  }
}
