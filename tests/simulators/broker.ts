import { createServer, type Server, type Socket } from "node:net"
import { Aedes } from "aedes"

export type Received = { readonly topic: string; readonly payload: Record<string, unknown> }

/** A real broker that keeps what it acknowledged, and can go down and come back on the same port. */
export type TestBroker = {
  readonly url: string
  /** In the order of acknowledgement, repeats included. */
  readonly received: Received[]
  /** Goes down at the n-th message from now, which it neither keeps nor acknowledges. Resolves when it is down. */
  downAfter(messages: number): Promise<void>
  up(): Promise<void>
  connections(): number
  close(): Promise<void>
}

export async function startBroker(): Promise<TestBroker> {
  const received: Received[] = []
  const sockets = new Set<Socket>()
  let port = 0
  let server: Server
  let aedes: Aedes
  let budget = Number.POSITIVE_INFINITY
  let wentDown: () => void = () => {}

  const down = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of sockets) socket.destroy()
    await closed
    await new Promise<void>((resolve) => aedes.close(resolve))
  }
  const up = async () => {
    budget = Number.POSITIVE_INFINITY
    aedes = await Aedes.createBroker()
    aedes.authorizePublish = (_client, packet, callback) => {
      if (budget <= 0) {
        wentDown()
        return
      }
      budget--
      received.push({ topic: packet.topic, payload: JSON.parse(packet.payload.toString()) })
      callback(null)
    }
    server = createServer((socket) => {
      sockets.add(socket)
      socket.on("close", () => sockets.delete(socket))
      aedes.handle(socket)
    })
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
    const address = server.address()
    if (address === null || typeof address === "string") throw new Error("no TCP port")
    port = address.port
  }

  await up()
  return {
    url: `mqtt://127.0.0.1:${port}`,
    received,
    async downAfter(messages) {
      budget = messages
      await new Promise<void>((resolve) => {
        wentDown = resolve
      })
      await down()
    },
    up,
    connections: () => sockets.size,
    close: down,
  }
}

/** Without repeats, which QoS 1 allows, each message keeps the place of its first arrival. */
export function withoutRepeats(received: readonly Received[]): Received[] {
  const seen = new Set<string>()
  return received.filter((message) => {
    const text = JSON.stringify(message)
    if (seen.has(text)) return false
    seen.add(text)
    return true
  })
}
