import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Kafka, logLevel } from "kafkajs"
import { composeService, imageVersion } from "./compose.ts"
import { cached, execute, program, type Say, sayOnTerminal } from "./install.ts"
import { freePort } from "./port.ts"
import { place, type Server, type ServerOptions, start } from "./server.ts"

export type KafkaServer = Server & {
  /** As kafkajs takes them. */
  readonly brokers: readonly string[]
}

/** What Kafka's own release logs with; the artefact of the server leaves that to whoever starts it. */
const logLibrary = { group: "org.apache.logging.log4j", artefact: "log4j-slf4j-impl", version: "2.24.3" }
const oldestJava = 17

/** Warnings and errors, and the version, which it tells nowhere else. */
const logProperties = `appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.version.name = org.apache.kafka.common.utils.AppInfoParser
logger.version.level = info
`

/** Starts one Kafka broker, which is its own controller (KRaft), with the settings of docker-compose.yml. */
export async function startKafka(options: ServerOptions = {}): Promise<KafkaServer> {
  const { say = sayOnTerminal } = options
  const libraries = await installKafka(say)
  const java = await findJava(say)
  const port = options.port ?? (await freePort())
  const controllerPort = await freePort()
  const where = await place("kafka", options)
  const properties = join(where.directory, "server.properties")
  await writeFile(properties, serverProperties(where.directory, port, controllerPort))
  const logSettings = join(where.directory, "log4j2.properties")
  await writeFile(logSettings, logProperties)
  const jvm = [heap(), `-Dlog4j2.configurationFile=${logSettings}`, "-cp", join(libraries, "*")]
  if (!existsSync(join(where.directory, "data", "meta.properties"))) {
    const clusterId = randomBytes(16).toString("base64url")
    // In one word: one id in 64 begins with a dash.
    const format = ["kafka.tools.StorageTool", "format", `--cluster-id=${clusterId}`, "--config", properties]
    await execute(java, [...jvm, ...format])
  }

  const address = `127.0.0.1:${port}`
  const kafka = await start({
    name: "Kafka",
    ...where,
    port,
    command: java,
    args: [...jvm, "kafka.Kafka", properties],
    ask: () => ask(address),
    version: async () => {
      const said = await readFile(join(where.directory, "output.log"), "utf8")
      return (
        said
          .match(/Kafka version: (\S+)/g)
          ?.at(-1)
          ?.split(": ")[1] ?? ""
      )
    },
  })
  return Object.assign(kafka, { brokers: [address] })
}

/** The directory with Kafka's jars, from Maven's repository. */
function installKafka(say: Say): Promise<string> {
  const version = imageVersion("kafka")
  return cached("kafka", version, async (directory) => {
    const maven = await program("mvn", "maven", say)
    say(`installing Kafka ${version} with Maven (43 MB)`)
    const project = await mkdtemp(join(tmpdir(), "millwright-maven-"))
    try {
      const file = join(project, "pom.xml")
      await writeFile(file, mavenProject(version))
      const copy = [
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        `-DoutputDirectory=${directory}`,
      ]
      await execute(maven, ["-q", "-B", "-ntp", "-f", file, ...copy])
    } finally {
      await rm(project, { recursive: true })
    }
  })
}

function mavenProject(version: string): string {
  const dependency = (group: string, artefact: string, of: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artefact}</artifactId><version>${of}</version></dependency>`
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millwright</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependency("org.apache.kafka", "kafka_2.13", version)}
    ${dependency(logLibrary.group, logLibrary.artefact, logLibrary.version)}
  </dependencies>
</project>
`
}

async function findJava(say: Say): Promise<string> {
  const java = await program("java", "default-jre-headless", say)
  const major = Number(/^\S+ (\d+)/.exec(await execute(java, ["--version"]))?.[1])
  if (major >= oldestJava) return java
  throw new Error(
    `Kafka needs Java ${oldestJava} or newer, and ${java} is ${major}. Install default-jre-headless, or put a newer one on the PATH`,
  )
}

/**
 * The settings of docker-compose.yml (KAFKA_LOG_RETENTION_MS there is log.retention.ms here), but for where it runs.
 * The image has the same rule.
 */
function serverProperties(directory: string, port: number, controllerPort: number): string {
  const settings = new Map<string, string>()
  for (const [variable, value] of Object.entries(composeService("kafka").environment)) {
    if (notSettings.has(variable)) continue
    settings.set(variable.replace("KAFKA_", "").toLowerCase().replaceAll("_", "."), value)
  }
  const node = settings.get("node.id")
  settings.set("listeners", `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`)
  settings.set("advertised.listeners", `PLAINTEXT://127.0.0.1:${port}`)
  settings.set("controller.quorum.voters", `${node}@127.0.0.1:${controllerPort}`)
  settings.set("log.dirs", join(directory, "data"))
  return [...settings].map(([name, value]) => `${name}=${value}\n`).join("")
}

/** Read by Kafka's start script, not by Kafka. */
const notSettings: ReadonlySet<string> = new Set(["KAFKA_HEAP_OPTS"])

function heap(): string {
  return composeService("kafka").environment.KAFKA_HEAP_OPTS ?? "-Xmx512m"
}

/** A broker that has come back is not in the cluster's description before it may lead partitions again. */
async function ask(broker: string): Promise<void> {
  const kafka = new Kafka({
    brokers: [broker],
    clientId: "millwright-services",
    connectionTimeout: 1000,
    requestTimeout: 5000,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    if (brokers.length === 0) throw new Error("its broker is not registered yet")
  } finally {
    await admin.disconnect()
  }
}
