/** A process with one member of a group, for a test to kill: says what it owns and what it was handed. */
import { pino } from "pino"
import { systemClock } from "../../core/clock.ts"
import { openKafkaLog } from "../../core/log/kafka/log.ts"
import { valueTopic } from "./log-topic.ts"

const [broker = "", prefix = "", topic = "", group = ""] = process.argv.slice(2)
const log = await openKafkaLog({
  brokers: [broker],
  prefix,
  replication: 1,
  partitions: 8,
  clock: systemClock,
  logger: pino({ level: "silent" }),
})
await log.subscribe(valueTopic(topic), group, {
  load: async () => 0,
  process: async (records) => {
    process.stdout.write(`seen ${records.length}\n`)
  },
  revoked: async () => {},
})
process.stdout.write("joined\n")
