import { pino } from "pino"
import { expect, test } from "vitest"
import { MillwrightError } from "../../core/errors.ts"
import { createPublisher } from "../../simulators/publisher.ts"
import { ManualClock } from "../manual-clock.ts"

test.each([
  ["mqtt://127.0.0.1:1", "127.0.0.1:1 ("],
  ["mqtt://user:se/cr@et@127.0.0.1:1", "127.0.0.1:1 ("],
  ["user:secret@nowhere", "nowhere ("],
])("%s: what is said of a broker that does not answer names it without the password", async (url, named) => {
  const logger = pino({ level: "silent" })
  const publisher = createPublisher({ url, inFlight: 1, clock: new ManualClock(), logger })
  const failure: unknown = await publisher.start().catch((error: unknown) => error)
  if (!(failure instanceof MillwrightError)) throw new Error("it was reached")
  expect(failure.code).toBe("SERVER_UNREACHABLE")
  expect(failure.message).toContain(`no MQTT broker answers at ${named}`)
  expect(failure.message).not.toMatch(/se.*cr/)
})
