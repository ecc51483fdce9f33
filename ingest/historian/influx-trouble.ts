import { HttpError, RequestTimedOutError } from "@influxdata/influxdb-client"
import { z } from "zod"
import { messageOf } from "../../core/errors.ts"
import { anyTrouble, type Trouble } from "../../core/reach.ts"

/** Where telemetry goes: what the words about a trouble need. */
export type Destination = { readonly org: string; readonly bucket: string }

/** Trouble that InfluxDB has no error for. */
export class InfluxTrouble extends Error {
  readonly trouble: Trouble

  constructor(trouble: Trouble) {
    super(trouble.why)
    this.name = "InfluxTrouble"
    this.trouble = trouble
  }
}

const seeLog = "See its own log"
const trustCa = "Set NODE_EXTRA_CA_CERTS to the file with the certificate of its authority"
const untrusted: Trouble = { why: "its certificate is not trusted", todo: trustCa }

const tlsTroubles: Readonly<Record<string, Trouble>> = {
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  CERT_HAS_EXPIRED: { why: "its certificate has expired", todo: "Renew it" },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    why: "its certificate is for another host",
    todo: "Name the host in influx.url as the certificate does",
  },
  EPROTO: { why: "it does not speak TLS there", todo: "Begin influx.url with http://" },
}

/** What an error of the client means to an operator. */
export function influxTrouble(error: unknown, destination: Destination): Trouble {
  if (error instanceof InfluxTrouble) return error.trouble
  if (error instanceof HttpError) return ofStatus(error, destination)
  if (error instanceof z.ZodError || error instanceof SyntaxError) return notInflux("another kind of answer")
  if (error instanceof RequestTimedOutError) return { why: "it does not answer", todo: seeLog }
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
  return (code === undefined ? undefined : tlsTroubles[code]) ?? anyTrouble(error)
}

function ofStatus(error: HttpError, destination: Destination): Trouble {
  const { statusCode } = error
  const message = messageOf(error)
  if (statusCode === 401) {
    return {
      why: "it refuses the token (401)",
      todo: "Put a valid token of the organisation into the file that influx.tokenFile names",
    }
  }
  if (statusCode === 403) return mayNot(message, destination)
  if (statusCode === 404 && message.startsWith("organization")) return noOrganisation(destination)
  if (statusCode === 404 && message.startsWith("bucket")) return noBucket(destination)
  if (statusCode === 404) return notInflux(message)
  return { why: `it answers ${statusCode}: ${message}`, todo: seeLog }
}

/** Something else listens there, or stands in between. */
export function notInflux(answer: string): Trouble {
  return { why: `it does not answer as InfluxDB 2 does (${answer})`, todo: "Check influx.url" }
}

export function noBucket({ org, bucket }: Destination): Trouble {
  return {
    why: `there is no bucket "${bucket}"`,
    todo: `Make it (influx bucket create --org ${org} --name ${bucket} --retention 0), set influx.bucket, or give a token that may make it`,
  }
}

function noOrganisation({ org }: Destination): Trouble {
  return { why: `there is no organisation "${org}"`, todo: "Make it, or set influx.org" }
}

export function mayNot(why: string, { bucket }: Destination): Trouble {
  return {
    why: `the token has not enough rights (${why})`,
    todo: `Give a token that may read and write the bucket "${bucket}"`,
  }
}

/** Of a request that InfluxDB has read and did not carry out: it is there and lets us in, but something else is wrong. */
export function isRefusal(error: unknown): error is HttpError {
  return error instanceof HttpError && ![401, 403, 404].includes(error.statusCode)
}

/** InfluxDB answers and refuses what is written, as with a full disk (500, 503) or a field of another type (422). */
export function refusesWrites({ statusCode }: HttpError, { bucket }: Destination): Trouble {
  return {
    why: `it refuses what is written (${statusCode})`,
    todo:
      statusCode < 500
        ? `If something else writes to the bucket "${bucket}", give Millwright one of its own`
        : "See its own log, and whether its disk is full",
  }
}

/** How many lines of a request were older than the bucket keeps anything; the others were written. */
export function beyondRetention(error: unknown): number | undefined {
  if (!isRefusal(error) || !error.message.includes("retention policy of duration")) return undefined
  const dropped = /\bdropped=(\d+)/.exec(error.message)?.[1]
  return dropped === undefined ? undefined : Number(dropped)
}
