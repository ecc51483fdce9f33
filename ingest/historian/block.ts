/**
 * How samples lie on the disk. A fresh block is its four columns one after the other (25 bytes a sample,
 * little-endian). A packed block is the same with times as differences of differences and arrivals as delays,
 * the bytes of the doubles sorted by significance, deflated: what repeats stands together then, about 9 bytes a sample.
 */
import { promisify } from "node:util"
import { constants, deflateRaw, inflateRawSync } from "node:zlib"
import { type Columns, emptyColumns } from "./columns.ts"

const deflate = promisify(deflateRaw)

export const bytesPerSample = 25

/** Writes the columns at `offset` of `target`, and returns the bytes that they took there. */
export function freshBlock(columns: Columns, target: ArrayBuffer, offset: number): Uint8Array {
  const block = new Uint8Array(target, offset, columns.times.length * bytesPerSample)
  let at = 0
  for (const column of [columns.times, columns.values, columns.arrivals, columns.qualities]) {
    block.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at)
    at += column.byteLength
  }
  return block
}

export function readFresh(block: Uint8Array): Columns {
  const length = block.byteLength / bytesPerSample
  // A view of doubles has to begin at a multiple of eight.
  const { buffer, byteOffset } = block.byteOffset % 8 === 0 ? block : block.slice()
  return {
    times: new Float64Array(buffer, byteOffset, length),
    values: new Float64Array(buffer, byteOffset + 8 * length, length),
    arrivals: new Float64Array(buffer, byteOffset + 16 * length, length),
    qualities: new Uint8Array(buffer, byteOffset + 24 * length, length),
  }
}

/** The last byte of a packed block before it is deflated. */
const asDifferences = 1
const asTheyAre = 0

export async function packedBlock(columns: Columns): Promise<Uint8Array> {
  const { length } = columns.times
  const differences = differencesOf(columns)
  const { times, values, arrivals, qualities } = differences ?? columns
  const plain = new Uint8Array(length * bytesPerSample + 1)
  shuffle(times, plain.subarray(0))
  shuffle(values, plain.subarray(8 * length))
  shuffle(arrivals, plain.subarray(16 * length))
  plain.set(qualities, 24 * length)
  plain[plain.length - 1] = differences === undefined ? asTheyAre : asDifferences
  // A copy of its own, because what deflate returns is a view of a larger buffer, which would travel whole.
  return new Uint8Array(await deflate(plain, { level: constants.Z_BEST_SPEED }))
}

export function readPacked(block: Uint8Array): Columns {
  const plain = inflateRawSync(block)
  const length = Math.floor(plain.length / bytesPerSample)
  const columns = emptyColumns(length)
  unshuffle(plain.subarray(0), columns.times)
  unshuffle(plain.subarray(8 * length), columns.values)
  unshuffle(plain.subarray(16 * length), columns.arrivals)
  columns.qualities.set(plain.subarray(24 * length, 25 * length))
  if (plain.at(-1) === asDifferences) addUp(columns)
  return columns
}

/** Undefined where a difference of two times is too large for a double to hold exactly. */
function differencesOf({ times, values, arrivals, qualities }: Columns): Columns | undefined {
  const seconds = new Float64Array(times.length)
  const delays = new Float64Array(times.length)
  let time = 0
  let step = 0
  for (let at = 0; at < times.length; at++) {
    const nextTime = Number(times[at])
    const nextStep = nextTime - time
    const second = nextStep - step
    const arrival = Number(arrivals[at])
    const delay = arrival - nextTime
    if (step + second !== nextStep || time + nextStep !== nextTime || nextTime + delay !== arrival)
      return undefined
    seconds[at] = second
    delays[at] = delay
    time = nextTime
    step = nextStep
  }
  return { times: seconds, values, arrivals: delays, qualities }
}

function addUp({ times, arrivals }: Columns): void {
  let time = 0
  let step = 0
  for (let at = 0; at < times.length; at++) {
    step += Number(times[at])
    time += step
    times[at] = time
    arrivals[at] = Number(arrivals[at]) + time
  }
}

function shuffle(column: Float64Array, target: Uint8Array): void {
  const { length } = column
  const bytes = new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
  for (let byte = 0, to = 0; byte < 8; byte++) {
    for (let at = byte; at < 8 * length; at += 8) target[to++] = Number(bytes[at])
  }
}

function unshuffle(source: Uint8Array, column: Float64Array): void {
  const { length } = column
  const bytes = new Uint8Array(column.buffer, column.byteOffset, column.byteLength)
  for (let byte = 0, from = 0; byte < 8; byte++) {
    for (let at = byte; at < 8 * length; at += 8) bytes[at] = Number(source[from++])
  }
}
