import { randomInt } from "node:crypto"
import { once } from "node:events"
import { createServer } from "node:net"

const lowest = 12_000
/** Linux takes the ports of outgoing connections from 32768 up. */
const highest = 32_000

/**
 * A free TCP port of 127.0.0.1, below those that outgoing connections are given. A server that was killed must find
 * its port free when it starts again, and a client that tries such a port meanwhile could even connect to itself.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowest, highest)
    if (await isFree(port)) return port
  }
}

export async function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  probe.listen({ port, host: "127.0.0.1", exclusive: true })
  try {
    await once(probe, "listening")
  } catch {
    return false
  }
  probe.close()
  await once(probe, "close")
  return true
}
