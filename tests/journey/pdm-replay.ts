import { pino } from "pino"
import { systemClock } from "../../core/clock.ts"
import { replayFiles } from "../../simulators/index.ts"
import { readReplayMap } from "../../simulators/replay/map.ts"
import type { Pipeline } from "../pipeline.ts"

/** Sends the recordings of the Azure PdM sample that lie in `directory` over MQTT, as fast as acknowledged. */
export async function replayPdm({ url }: Pipeline, directory: string) {
  return replayFiles(
    {
      sources: await readReplayMap("examples/azure-pdm/replay.yaml", directory),
      url,
      topics: { telemetry: "v1/{site}/{asset}/telemetry", events: "v1/{site}/{asset}/events" },
      site: "pdm",
      speed: Number.POSITIVE_INFINITY,
      inFlight: 500,
      offsetMinutes: 0,
      skipBadRows: false,
      clock: systemClock,
      logger: pino({ level: "warn" }),
    },
    () => {},
    new AbortController().signal,
  )
}
