import { createServer, type Server } from "node:http"
import type { Registry } from "prom-client"
import { MillwrightError, messageOf } from "./errors.ts"

/** Each is "running", or in words what it does instead. */
export type Health = {
  readonly ok: boolean
  readonly stages: Readonly<Record<string, string>>
  /** The servers that this process depends on. */
  readonly servers: Readonly<Record<string, string>>
}

export type Observer = { readonly port: number; close(): Promise<void> }

/** Serves `/metrics` for Prometheus and `/health` (200 or 503). Throws `PORT_UNUSABLE`. */
export async function observe(
  { host, port }: { readonly host: string; readonly port: number },
  metrics: Registry,
  health: () => Health,
): Promise<Observer> {
  const server: Server = createServer((request, response) => {
    if (request.url === "/metrics") {
      metrics.metrics().then(
        (text) => response.setHeader("content-type", metrics.contentType).end(text),
        (error: unknown) => response.writeHead(500).end(messageOf(error)),
      )
    } else if (request.url === "/health") {
      const now = health()
      response.writeHead(now.ok ? 200 : 503, { "content-type": "application/json" }).end(JSON.stringify(now))
    } else {
      response.writeHead(404).end("there are /metrics and /health\n")
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const todo = "set http.port (MILLWRIGHT_HTTP_PORT), 0 for any"
      reject(
        new MillwrightError(
          "PORT_UNUSABLE",
          `HTTP address ${host}:${port} can't be used (${cause.message}): ${todo}`,
          { cause },
        ),
      )
    })
    server.listen(port, host, resolve)
  })
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
