import { randomBytes, scrypt, timingSafeEqual } from "node:crypto"
import { readFile } from "node:fs/promises"
import { promisify } from "node:util"
import { MillwrightError, messageOf } from "../core/errors.ts"

const derive = promisify<string, Buffer, number, Buffer>(scrypt)
const keyBytes = 32

/** A line of the password file: `name:scrypt$salt$key`. */
export async function hashPassword(name: string, password: string, salt = randomBytes(16)): Promise<string> {
  const key = await derive(password, salt, keyBytes)
  return `${name}:scrypt$${salt.toString("base64")}$${key.toString("base64")}`
}

/** The users who may connect. Throws `CONFIG_INVALID` for a file that can't be read. */
export async function readUsers(path: string): Promise<ReadonlyMap<string, string>> {
  let text: string
  try {
    text = await readFile(path, "utf8")
  } catch (cause) {
    throw new MillwrightError("CONFIG_INVALID", `mqtt.users: ${messageOf(cause)}`, { cause })
  }
  const users = new Map<string, string>()
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue
    const [name, hash] = line.trim().split(":")
    if (!name || !/^scrypt\$[^$]+\$[^$]+$/.test(hash ?? "")) {
      throw new MillwrightError(
        "CONFIG_INVALID",
        `mqtt.users: line ${at + 1} of ${path} is not name:scrypt$salt$key`,
      )
    }
    users.set(name, hash ?? "")
  }
  return users
}

export async function passwordFits(hash: string, password: string): Promise<boolean> {
  const [, salt = "", key = ""] = hash.split("$")
  const wanted = Buffer.from(key, "base64")
  const given = await derive(password, Buffer.from(salt, "base64"), keyBytes)
  return wanted.length === given.length && timingSafeEqual(wanted, given)
}
