/**
 * A record of Kafka's record batch, format v2, to and from bytes:
 * https://kafka.apache.org/documentation/#record. What kafkajs does in one buffer for each header and in arithmetic on
 * 64-bit objects is done in one pass here: on the way of every sample that is half of what Kafka costs us.
 */

/** What kafkajs hands over to be written. */
export type RecordToWrite = {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key?: string | Buffer | null
  readonly value?: string | Buffer | null
  readonly headers?: Readonly<Record<string, string | Buffer>>
}

/** What kafkajs takes for one of its encoders: it looks at `buf` and copies `buffer`. */
export type Written = { readonly buf: Buffer; readonly buffer: Buffer }

/** What kafkajs knows of the batch around a record, 64-bit numbers as texts. */
export type BatchAround = {
  readonly firstOffset: string
  readonly firstTimestamp: string
  readonly maxTimestamp?: string
  readonly timestampType?: number
  readonly magicByte?: number
  readonly isControlBatch?: boolean
}

const logAppendTime = 1
const absent = -1

export function writeRecord({
  offsetDelta = 0,
  timestampDelta = 0,
  key = null,
  value = null,
  headers = {},
}: RecordToWrite): Written {
  const names = Object.keys(headers)
  let size = 1 + sizeOf(timestampDelta) + sizeOf(offsetDelta) + sizeOfBytes(key) + sizeOfBytes(value)
  size += sizeOf(names.length)
  for (const name of names) size += sizeOfBytes(name) + sizeOfBytes(headers[name])
  const buffer = Buffer.allocUnsafe(sizeOf(size) + size)
  let at = writeNumber(buffer, 0, size)
  // No attributes are in use.
  buffer[at++] = 0
  at = writeNumber(buffer, at, timestampDelta)
  at = writeNumber(buffer, at, offsetDelta)
  at = writeBytes(buffer, at, key)
  at = writeBytes(buffer, at, value)
  at = writeNumber(buffer, at, names.length)
  for (const name of names) at = writeBytes(buffer, writeBytes(buffer, at, name), headers[name])
  return { buf: buffer, buffer }
}

/** The record without its headers, which say for others what its topic and value say for us. */
export function readRecord(
  { buffer }: { readonly buffer: Buffer },
  batchContext: BatchAround,
): Readonly<Record<string, unknown>> {
  let at = 1
  function readNumber(): number {
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = buffer.readUInt8(at++)
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }
  function readBytes(): Buffer | null {
    const length = readNumber()
    if (length < 0) return null
    at += length
    return buffer.subarray(at - length, at)
  }
  const { firstOffset, firstTimestamp, maxTimestamp, timestampType, magicByte, isControlBatch } = batchContext
  const timestampDelta = readNumber()
  const offsetDelta = readNumber()
  const isBrokersTime = timestampType === logAppendTime && maxTimestamp !== undefined && maxTimestamp !== ""
  return {
    magicByte,
    attributes: buffer.readInt8(0),
    timestamp: isBrokersTime ? maxTimestamp : String(Number(firstTimestamp) + timestampDelta),
    offset: String(Number(firstOffset) + offsetDelta),
    key: readBytes(),
    value: readBytes(),
    headers: {},
    isControlRecord: isControlBatch ?? false,
    batchContext,
  }
}

/** Zigzag: small numbers are short, whatever their sign. Beyond 32 bits too, so without bit operators. */
function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value
}

function sizeOf(value: number): number {
  let bytes = 1
  for (let rest = zigzag(value); rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

function lengthOf(bytes: string | Buffer): number {
  return typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length
}

function sizeOfBytes(bytes: string | Buffer | null | undefined): number {
  if (bytes === null || bytes === undefined) return sizeOf(absent)
  const length = lengthOf(bytes)
  return sizeOf(length) + length
}

/** Gives where to go on. */
function writeNumber(buffer: Buffer, start: number, value: number): number {
  let at = start
  let rest = zigzag(value)
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) buffer[at++] = (rest % 0x80) + 0x80
  buffer[at++] = rest
  return at
}

function writeBytes(buffer: Buffer, start: number, bytes: string | Buffer | null | undefined): number {
  if (bytes === null || bytes === undefined) return writeNumber(buffer, start, absent)
  const at = writeNumber(buffer, start, lengthOf(bytes))
  return at + (typeof bytes === "string" ? buffer.write(bytes, at) : bytes.copy(buffer, at))
}
