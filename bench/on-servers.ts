import { resolve } from "node:path"
import { systemClock } from "../core/clock.ts"
import { addressesOf } from "../services/deployment.ts"
import { startInflux } from "../services/influx.ts"
import { startKafka } from "../services/kafka.ts"
import { startMosquitto } from "../services/mosquitto.ts"
import { startPostgres } from "../services/postgres.ts"
import { applyPlant, dealtWith, lookOn, preparePlant } from "../tests/services/plant.ts"
import type { Target } from "./target.ts"

/** The processes of docker-compose.yml, and the four servers beside them on the same machine. */
export async function onServers(profiles: boolean): Promise<Target> {
  const [kafka, influx, postgres, mosquitto] = await Promise.all([
    startKafka(),
    startInflux(),
    startPostgres(),
    startMosquitto(),
  ])
  const servers = [mosquitto, kafka, influx, postgres]
  const plant = await preparePlant(
    addressesOf({ kafka, influx, postgres, mosquitto }),
    { MILLWRIGHT_LOG_LEVEL: "warn" },
    profiles ? ["--cpu-prof", `--cpu-prof-dir=${resolve("profile")}`] : [],
  )
  for (const one of plant.processes.values()) one.start()
  await Promise.race([plant.failed, plant.areWell([...plant.processes.keys()])])
  const app = await lookOn(plant.settings)
  return {
    address: mosquitto.address,
    programs: [
      ...[...plant.processes.values()].map(({ name, pid }) => ({ name, pid, isOurs: true })),
      ...servers.map(({ name, pid }) => ({ name, pid, isOurs: false })),
    ],
    async apply(source) {
      await applyPlant(plant.settings, source)
    },
    async taken(messages) {
      while ((await plant.metric("ingest", "millwright_messages_total")) < messages) {
        await Promise.race([plant.failed, systemClock.sleep(50)])
      }
    },
    settled: () => Promise.race([plant.failed, dealtWith(app.log)]),
    async close() {
      await app.close()
      await plant.stop()
      await plant.dispose()
      await Promise.all(servers.map((server) => server.dispose()))
    },
  }
}
