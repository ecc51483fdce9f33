import { appendFile } from "node:fs/promises"
import { createInterface } from "node:readline/promises"
import { text } from "node:stream/consumers"
import type { Command } from "commander"
import { MillwrightError } from "../../core/errors.ts"
import { name } from "../../core/vocabulary.ts"
import { hashPassword } from "../../ingest/users.ts"
import { print } from "../output.ts"

export function addMqttUser(program: Command): void {
  program
    .command("mqtt-user <file> <user>")
    .description(
      "add a user to the password file of the MQTT broker (mqtt.users); the password is read from standard input",
    )
    .addHelpText(
      "after",
      "\nExample:\n  millwright mqtt-user /etc/millwright/mqtt-users gateway-7 < password.txt",
    )
    .action(async (file: string, user: string) => {
      if (!name.safeParse(user).success || user.includes(":")) {
        throw new MillwrightError("USAGE", `user "${user}": expected letters, digits, spaces or . _ @ -`)
      }
      const password = await readPassword()
      if (password.length < 8)
        throw new MillwrightError("USAGE", "the password is too short: at least 8 characters")
      await appendFile(file, `${await hashPassword(user, password)}\n`, { mode: 0o600 })
      print(`${user} added to ${file}; the server reads it at its next start`)
    })
}

async function readPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).trimEnd()
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const password = await terminal.question("Password (it is shown): ")
  terminal.close()
  return password
}
