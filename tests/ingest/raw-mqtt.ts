/** MQTT 3.1.1 as bytes: a library would refuse to send what these tests are about. */
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import type { Message } from "./fuzz.ts"

const connack = 0x20
const puback = 0x40
/** CONNACK and PUBACK, all that a publisher is told, are four bytes each. */
const replyBytes = 4

export type RawClient = {
  readonly socket: Socket
  /** With QoS 1, all at once. True once all are acknowledged; false when the broker closed the connection before. */
  publish(messages: readonly Message[]): Promise<boolean>
  close(): Promise<void>
}

/** Resolves when the broker has accepted the connection. */
export async function connectRaw(port: number, clientId: string): Promise<RawClient> {
  const socket = await openSocket(port)
  let acknowledged = 0
  let accepted = false
  let rest = Buffer.alloc(0)
  let wake = () => {}
  socket.on("data", (data: Buffer) => {
    rest = Buffer.concat([rest, data])
    for (; rest.length >= replyBytes; rest = rest.subarray(replyBytes)) {
      if (rest[0] === puback) acknowledged++
      else accepted ||= rest[0] === connack && rest[3] === 0
    }
    wake()
  })
  socket.once("close", () => wake())

  async function until(holds: () => boolean): Promise<boolean> {
    while (!holds()) {
      if (socket.closed) return false
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    return true
  }

  socket.write(connectPacket(clientId))
  if (!(await until(() => accepted))) throw new Error(`the broker did not accept ${clientId}`)
  return {
    socket,
    publish(messages) {
      const wanted = acknowledged + messages.length
      socket.write(Buffer.concat(messages.map((message, at) => publishPacket(message, at + 1))))
      return until(() => acknowledged >= wanted)
    },
    close: () => closeSocket(socket),
  }
}

/** A connection whose resets are no failure: the broker may cut it off in the middle of what it is sent. */
export async function openSocket(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true })
  await once(socket, "connect")
  socket.on("error", () => {})
  return socket
}

export async function closeSocket(socket: Socket): Promise<void> {
  socket.destroy()
  await closed(socket)
}

export function closed(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve()
  return new Promise((resolve) => {
    socket.once("close", () => resolve())
  })
}

export function connectPacket(clientId: string, version = 4): Buffer {
  const properties = version === 5 ? Buffer.of(0) : Buffer.alloc(0)
  const header = Buffer.concat([text("MQTT"), Buffer.of(version, 0x02, 0, 0)])
  return packet(0x10, Buffer.concat([header, properties, text(clientId)]))
}

export function publishPacket({ topic, payload }: Message, id: number): Buffer {
  return packet(0x32, Buffer.concat([text(topic), Buffer.of(id >> 8, id & 0xff), payload]))
}

/** With its length in front: seven bits a byte, the lowest first. */
export function packet(head: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.of(head), lengthOf(body.length), body])
}

export function lengthOf(bytes: number): Buffer {
  const digits: number[] = []
  for (let left = bytes; ; ) {
    const digit = left % 128
    left = Math.floor(left / 128)
    digits.push(left > 0 ? digit | 0x80 : digit)
    if (left === 0) return Buffer.from(digits)
  }
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes])
}
