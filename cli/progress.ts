import { type Clock, every } from "../core/clock.ts"
import { print } from "./output.ts"

const width = 30

/** Shows how long work goes on: on a terminal one line that changes each second, elsewhere a line every ten. */
export function progressLine(
  clock: Clock,
  signal: AbortSignal,
  describe: () => string,
): { close(): Promise<void> } {
  const stop = new AbortController()
  const isTerminal = process.stderr.isTTY
  const show = () => {
    process.stderr.write(isTerminal ? `\r\u001B[2K${describe()}` : `${describe()}\n`)
  }
  const showing = every(clock, isTerminal ? 1000 : 10_000, AbortSignal.any([signal, stop.signal]), show)
  return {
    async close() {
      stop.abort()
      await showing
      if (isTerminal) process.stderr.write("\r\u001B[2K")
      print(describe())
    },
  }
}

/** [==========          ]  33 % */
export function bar(share: number): string {
  const filled = Math.round(Math.min(1, share) * width)
  return `[${"=".repeat(filled)}${" ".repeat(width - filled)}] ${String(Math.floor(share * 100)).padStart(3)} %`
}
