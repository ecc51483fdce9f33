import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

/** The requests of Kafka whose answers tests change: https://kafka.apache.org/protocol#protocol_api_keys. */
export const requests = {
  produce: 0,
  metadata: 3,
  findCoordinator: 10,
  joinGroup: 11,
  heartbeat: 12,
} as const

export type KafkaProxy = {
  /** host:port. */
  readonly address: string
  /** Has every answer from now on before the client does, and may change it: what comes after the correlation id. */
  change(how: (request: number, answer: Buffer) => void): void
  close(): Promise<void>
}

/** Where the error code is in the answer to `joinGroup` and `heartbeat`, after the throttle time. */
export const errorAt = 4

/** Of the first partition in the answer to `produce`. */
export function producedErrorAt(answer: Buffer): number {
  const afterName = 6 + answer.readInt16BE(4)
  return afterName + 8
}

/** Between clients and a broker of this machine, to have Kafka answer what it rarely does. */
export async function startKafkaProxy(broker: string): Promise<KafkaProxy> {
  const target = Number(broker.split(":")[1])
  const sockets = new Set<Socket>()
  let change: (request: number, answer: Buffer) => void = () => {}
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1")
    const asked = new Map<number, number>()
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      // It is cut on purpose.
      socket.on("error", () => {})
      socket.on("close", () => {
        client.destroy()
        upstream.destroy()
      })
    }
    eachFrame(client, (frame) => {
      asked.set(frame.readInt32BE(8), frame.readInt16BE(4))
      upstream.write(frame)
    })
    eachFrame(upstream, (frame) => {
      const request = asked.get(frame.readInt32BE(4)) ?? -1
      asked.delete(frame.readInt32BE(4))
      if (request === requests.metadata || request === requests.findCoordinator) readdress(frame)
      change(request, frame.subarray(8))
      client.write(frame)
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const own = server.address()
  if (own === null || typeof own === "string") throw new Error("the proxy has no port")
  const { port } = own

  /** The broker names itself by its own port: clients are to come here. */
  function readdress(frame: Buffer): void {
    const named = Buffer.from("127.0.0.1\0\0\0\0")
    named.writeInt32BE(target, 9)
    for (let at = frame.indexOf(named); at >= 0; at = frame.indexOf(named, at))
      frame.writeInt32BE(port, at + 9)
  }

  return {
    address: `127.0.0.1:${port}`,
    change(how) {
      change = how
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, "close")
    },
  }
}

/** Kafka's requests and answers begin with their length, which is kept. */
function eachFrame(socket: Socket, each: (frame: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0)
  socket.on("data", (bytes) => {
    rest = Buffer.concat([rest, bytes])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0)
      each(Buffer.from(rest.subarray(0, end)))
      rest = rest.subarray(end)
    }
  })
}
