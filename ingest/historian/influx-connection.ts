import { HttpError, InfluxDB, type SendOptions, type Transport } from "@influxdata/influxdb-client"
import { z } from "zod"
import { MillwrightError } from "../../core/errors.ts"
import type { Deletion, Row } from "./influx-queries.ts"
import {
  type Destination,
  InfluxTrouble,
  influxTrouble,
  mayNot,
  noBucket,
  notInflux,
} from "./influx-trouble.ts"

export type ConnectionOptions = Destination & { readonly url: string; readonly token: string }

export type StoredBucket = {
  readonly id: string
  /** 0: it keeps everything. */
  readonly retentionSeconds: number
}

/** A piece of an answer: rows of one series, which its tags name where they were asked for. */
export type Piece = { readonly tags: Readonly<Record<string, string>>; readonly rows: readonly Row[] }

/** Silence of the server after which a request is given up: a query may count for long before its first row. */
const writeSilenceMs = 30_000
const querySilenceMs = 300_000
/** The bound on a read's memory. */
const rowsAtOnce = 10_000
const newline = 10

const bucketsAnswer = z.object({
  buckets: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      retentionRules: z.array(z.object({ everySeconds: z.number() })),
    }),
  ),
})
const orgsAnswer = z.object({ orgs: z.array(z.object({ id: z.string() })) })
const queryAnswer = z.object({
  error: z.string().optional(),
  results: z
    .array(
      z.object({
        error: z.string().optional(),
        series: z
          .array(
            z.object({
              tags: z.record(z.string(), z.string()).default({}),
              // Only that it is a list: to look into each of a million rows would double the time of a read.
              values: z.custom<readonly Row[]>(Array.isArray),
            }),
          )
          .default([]),
      }),
    )
    .default([]),
})

/** InfluxQL folded doubles into one that JSON can't say: an infinite sum, as of two samples near the largest double. */
export class NotFiniteError extends Error {
  override readonly name = "NotFiniteError"
}

/** The requests that are made of InfluxDB. They reject with the errors of its client or of the sockets. */
export class InfluxConnection {
  /** host:port */
  readonly where: string
  private readonly destination: Destination
  private readonly writer: Transport
  private readonly reader: Transport
  private readonly writePath: string
  private readonly deletePath: string
  private readonly queryPath: string
  /**
   * One for each request under way. Not one signal for all: what listens to a signal lives as long as it does, and
   * with it the whole body of its request. `AbortSignal.any` is such a listener for ever (Node 20).
   */
  private readonly underWay = new Set<AbortController>()
  private isClosed = false

  constructor({ url, token, org, bucket }: ConnectionOptions) {
    this.where = new URL(url).host
    this.destination = { org, bucket }
    this.writer = new InfluxDB({ url, token, timeout: writeSilenceMs }).transport
    this.reader = new InfluxDB({ url, token, timeout: querySilenceMs }).transport
    const into = parameters({ org, bucket })
    this.writePath = `/api/v2/write?${into}&precision=ms`
    this.deletePath = `/api/v2/delete?${into}`
    // What InfluxQL calls database and retention policy are two parts of a bucket's name in InfluxDB 2.
    const [db = "", rp = ""] = bucket.split(/\/(.*)/s)
    const from = parameters(rp === "" ? { db } : { db, rp })
    this.queryPath = `/query?${from}&epoch=ms&chunked=true&chunk_size=${rowsAtOnce}`
  }

  /**
   * Resolves once every line is durable. The client's own WriteApi buffers, retries and counts lines; one request of
   * known lines needs none of that, and costs a quarter less of our CPU.
   */
  async write(lines: string): Promise<void> {
    const headers = { "content-type": "text/plain; charset=utf-8" }
    let status: number | undefined
    await this.request(this.writer, "POST", this.writePath, lines, headers, (code) => {
      status = code
    })
    // A proxy in between may answer with a page of its own.
    if (status !== 204) {
      throw new InfluxTrouble(notInflux(`${status} to a write`))
    }
  }

  /** The answer to an InfluxQL query, as it comes. Throws `STORE_FAILED` where InfluxDB can't make one. */
  async *query(q: string): AsyncGenerator<Piece, void> {
    const aborting = this.begin()
    const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" }
    const options: SendOptions = { method: "POST", headers, signal: aborting.signal }
    let isWhole = false
    try {
      for await (const line of linesOf(this.reader.iterate(this.queryPath, parameters({ q }), options))) {
        yield* this.piecesOf(line)
      }
      isWhole = true
    } finally {
      // Without it the client would leave what it gave up on under way.
      if (!isWhole) aborting.abort()
      this.underWay.delete(aborting)
    }
  }

  async delete(what: Deletion): Promise<void> {
    await this.request(this.reader, "POST", this.deletePath, what)
  }

  /** Undefined where there is none. Rejects with `InfluxTrouble` where the token may not read it. */
  async bucket(): Promise<StoredBucket | undefined> {
    const { org, bucket: name } = this.destination
    try {
      const path = `/api/v2/buckets?${parameters({ org, name })}`
      const { buckets } = bucketsAnswer.parse(await this.request(this.writer, "GET", path))
      const [found] = buckets
      if (found === undefined) throw new InfluxTrouble(mayNot("it may not read", this.destination))
      const [rule] = found.retentionRules
      return { id: found.id, retentionSeconds: rule?.everySeconds ?? 0 }
    } catch (error) {
      if (
        error instanceof HttpError &&
        influxTrouble(error, this.destination).why === noBucket(this.destination).why
      ) {
        return undefined
      }
      throw error
    }
  }

  /** Makes the bucket, to keep everything. Rejects with `InfluxTrouble` where the token may not. */
  async makeBucket(): Promise<void> {
    const { org, bucket: name } = this.destination
    const path = `/api/v2/orgs?${parameters({ org })}`
    const [found] = orgsAnswer.parse(await this.request(this.writer, "GET", path)).orgs
    // A token for one bucket alone sees no organisation.
    if (found === undefined) throw new InfluxTrouble(noBucket(this.destination))
    try {
      const description = "Millwright's telemetry"
      const bucket = { orgID: found.id, name, description, retentionRules: [] }
      await this.request(this.writer, "POST", "/api/v2/buckets", bucket)
    } catch (error) {
      if (!(error instanceof HttpError)) throw error
      if ([401, 403].includes(error.statusCode)) throw new InfluxTrouble(noBucket(this.destination))
      // Another process made it at the same time.
      if ((await this.bucket()) === undefined) throw error
    }
  }

  /** Ends what is under way. */
  close(): void {
    this.isClosed = true
    for (const aborting of this.underWay) aborting.abort()
  }

  private begin(): AbortController {
    const aborting = new AbortController()
    if (this.isClosed) aborting.abort()
    this.underWay.add(aborting)
    return aborting
  }

  private async request(
    transport: Transport,
    method: "GET" | "POST",
    path: string,
    body: unknown = "",
    headers: Readonly<Record<string, string>> = {},
    onStatus: (status: number | undefined) => void = () => {},
  ): Promise<unknown> {
    const aborting = this.begin()
    try {
      const options: SendOptions = { method, headers: { ...headers }, signal: aborting.signal }
      return await transport.request(path, body, options, (_, status) => onStatus(status))
    } catch (error) {
      // As above: else each request to a server that hangs would keep its connection.
      aborting.abort()
      throw error
    } finally {
      this.underWay.delete(aborting)
    }
  }

  private *piecesOf(line: string): Generator<Piece, void> {
    const { error, results } = this.parsed(line)
    const failure = error ?? results.find((result) => result.error !== undefined)?.error
    if (failure?.startsWith("database not found")) throw new InfluxTrouble(noBucket(this.destination))
    if (failure !== undefined) throw this.unanswered(failure)
    for (const { series } of results) for (const { tags, values } of series) yield { tags, rows: values }
  }

  private parsed(line: string): z.infer<typeof queryAnswer> {
    if (line.startsWith("{")) return queryAnswer.parse(JSON.parse(line))
    // Go's encoder gives up in the middle of an answer, and this is all that it says.
    if (/unsupported value: (NaN|[+-]Inf)/.test(line)) throw new NotFiniteError(line)
    throw this.unanswered(line)
  }

  private unanswered(why: string): MillwrightError {
    return new MillwrightError("STORE_FAILED", `InfluxDB at ${this.where} can't answer a query: ${why}`)
  }
}

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  let begun: Uint8Array[] = []
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      const line = Buffer.concat([...begun, chunk.subarray(from, end)]).toString()
      begun = []
      from = end + 1
      if (line !== "") yield line
    }
    if (from < chunk.length) begun.push(chunk.subarray(from))
  }
  const rest = Buffer.concat(begun).toString()
  if (rest !== "") yield rest
}

function parameters(values: Readonly<Record<string, string>>): string {
  return new URLSearchParams(values).toString()
}
