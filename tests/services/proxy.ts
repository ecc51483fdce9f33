import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"

/**
 * What becomes of bytes from a client: passed on, lost with the connection, passed on but unanswered, kept back, or
 * swallowed: the connection stays as it is.
 */
type Fate = "pass" | "lose" | "lose-answer" | "hold" | "swallow"

export type CuttingProxy = {
  readonly port: number
  /** Asked of all that clients send from now on. */
  decide(fate: (sent: Buffer) => Fate): void
  /** Sends on what was held. */
  release(): void
  close(): Promise<void>
}

/** Between clients and a server of this machine, to cut a connection at a moment that no timer would meet. */
export async function startProxy(target: number): Promise<CuttingProxy> {
  let fateOf: (sent: Buffer) => Fate = () => "pass"
  let held: (() => void)[] = []
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    // It is cut on purpose.
    socket.on("error", () => {})
    return socket
  }
  const server = createServer((accepted) => {
    const client = keep(accepted)
    const upstream = keep(connect(target, "127.0.0.1"))
    let isCut = false
    client.on("data", (sent) => {
      const fate = fateOf(sent)
      if (fate === "swallow") return
      if (fate === "hold") {
        isCut = true
        held.push(() => upstream.write(sent))
        client.destroy()
        return
      }
      if (fate === "lose") {
        client.destroy()
        upstream.destroy()
        return
      }
      if (fate === "lose-answer") {
        isCut = true
        upstream.once("data", () => client.destroy())
      }
      upstream.write(sent)
    })
    upstream.on("data", (answer) => {
      if (!isCut) client.write(answer)
    })
    // Where bytes are held the server does not learn that its client has gone.
    client.on("close", () => {
      if (!isCut) upstream.destroy()
    })
    upstream.on("close", () => client.destroy())
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the proxy has no port")
  return {
    port: address.port,
    decide(fate) {
      fateOf = fate
    },
    release() {
      for (const send of held) send()
      held = []
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, "close")
    },
  }
}
