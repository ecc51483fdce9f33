/** Another system that reads our topics with a client of its own: prints each record with its headers as JSON. */
import { Kafka, logLevel } from "kafkajs"

const [broker = "", groupId = "", ...topics] = process.argv.slice(2)
const consumer = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING }).consumer({ groupId })
await consumer.connect()
await consumer.subscribe({ topics, fromBeginning: true })
await consumer.run({
  eachMessage: async ({ topic, message: { headers = {}, value, key } }) => {
    const texts = Object.entries(headers).map(([name, text]) => [name, String(text)])
    console.log(
      JSON.stringify({ topic, headers: Object.fromEntries(texts), value: String(value), key: String(key) }),
    )
  },
})
