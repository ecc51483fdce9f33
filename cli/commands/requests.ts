import { randomUUID } from "node:crypto"
import { readFile, stat, writeFile } from "node:fs/promises"
import { basename, extname } from "node:path"
import { type Command, InvalidArgumentError, Option } from "commander"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import { attach, attachmentBytes } from "../../workorders/commands/attach.ts"
import { publicRequest } from "../../workorders/public-form.ts"
import { newOrder } from "../../workorders/requests-by-people.ts"
import type { InputOf, ResultOf } from "../operations.ts"
import { addOptions, inputOf } from "../options-of.ts"
import { print, printable, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumber } from "../shared.ts"

/** The subcommands of `orders` that take more than an order and what to do with it. */
export function addOrderRequests(orders: Command, surroundings: Surroundings): void {
  const asked = newOrder.omit({ fields: true, id: true })
  addOptions(
    orders
      .command("new")
      .description("ask for work, in your own words or from a request template of the plant file"),
    asked,
  )
    .option("--field <key=value>", "what the template asks for; repeat it for each", field)
    .option("--id <uuid>", "an id of your own for this request: sent again, no second order is made")
    .addHelpText(
      "after",
      "\nExamples:\n  millwright orders new --asset P-101 --component seal --title 'Seal leaks' --as rita" +
        "\n  millwright orders new --asset P-101 --template pump-repair --field noise=yes --as rita",
    )
    .action(async (_options, command: Command) => {
      const { id = randomUUID(), field: fields } = command.opts<{
        id?: string
        field?: Record<string, string>
      }>()
      // Not parsed here: the server does, and says what does not fit.
      const input = { ...inputOf(command, asked), fields, id } as InputOf<"orders.new">
      const opened = await asker(command, surroundings)("orders.new", input)
      answer(command, opened, showOpened)
    })

  orders
    .command("attach <order>")
    .description(attach.summary)
    .requiredOption("--file <path>", "the file, at most 10 MB")
    .option("--name <text>", "what it is called in the order (default: the file's name)")
    .option("--media-type <type>", "such as image/jpeg (default: by the name's ending)")
    .option("--seen <version>", "refuse if the order has changed since this version", wholeNumber)
    .option("--id <uuid>", "an id of your own for this command: sent again, it is not done again")
    .addHelpText("after", `\nFor: ${attach.roles.join(", ")}`)
    .action(async (order: string, options: AttachOptions, command: Command) => {
      const { file, name = basename(file), mediaType = mediaTypeOf(name), seen, id } = options
      const content = (await read(file, attachmentBytes)).toString("base64")
      const input = { name, mediaType, content }
      const done = await asker(command, surroundings)("orders.do", {
        order,
        command: "attach",
        input,
        version: seen,
        id,
      })
      answer(command, done, ({ order: { number, version }, note, repeated }) =>
        print(`${number} (version ${version}): ${note}${repeated ? " (done before)" : ""}`),
      )
    })

  orders
    .command("attachment <order> <name>")
    .description("write what is attached to a file, if it still is what was attached")
    .requiredOption("--out <path>", "the file to write")
    .action(async (order: string, name: string, { out }: { out: string }, command: Command) => {
      const { content, ...found } = await asker(command, surroundings)("orders.attachment", { order, name })
      await write(out, Buffer.from(content, "base64"))
      answer(command, found, ({ bytes, sha256 }) =>
        print(`${name}: ${bytes} bytes as attached, SHA-256 ${sha256}, written to ${out}`),
      )
    })
}

type AttachOptions = {
  readonly file: string
  readonly name?: string
  readonly mediaType?: string
  readonly seen?: number
  readonly id?: string
}

/** What people without an account send, and how all who asked hear of their requests. */
export function addRequests(program: Command, surroundings: Surroundings): void {
  const requests = program.command("requests").description("ask for work without an account, and how it goes")

  requests
    .command("send")
    .description("ask for work where the QR code of an asset leads, without an account")
    .requiredOption("--code <code>", "what the QR code says")
    .requiredOption("--issue <text>", "what is wrong or wanted")
    .requiredOption("--name <text>", "your name")
    .addOption(
      new Option("--urgency <urgency>", "how urgent it looks")
        .choices(publicRequest.shape.urgency.unwrap().options)
        .default("normal"),
    )
    .option("--contact <text>", "an address or number, for questions")
    .option("--photo <file>", "a picture in JPEG or PNG, at most 2 MB")
    .option("--id <uuid>", "an id of your own for this request: sent again, no second order is made")
    .action(async (options: SendOptions, command: Command) => {
      const { photo, id = randomUUID(), ...said } = options
      const picture =
        photo === undefined ? {} : { photo: (await read(photo, attachmentBytes)).toString("base64") }
      const sent = await asker(command, surroundings)("requests.public", { ...said, ...picture, id })
      answer(command, sent, ({ token, asset, repeated }) => {
        print(`${repeated ? "received before" : "received"}, for ${asset}`)
        print(`how it goes: millwright requests progress ${token}`)
      })
    })

  requests
    .command("progress <token>")
    .description("how a request goes: by its token or, with an account, by the number of your order")
    .action(async (request: string, _options, command: Command) => {
      answer(command, await asker(command, surroundings)("requests.progress", { request }), showProgress)
    })
}

type SendOptions = {
  readonly code: string
  readonly issue: string
  readonly name: string
  readonly urgency: "low" | "normal" | "high"
  readonly contact?: string
  readonly photo?: string
  readonly id?: string
}

/** Codes for the QR codes on assets. */
export function addCodes(program: Command, surroundings: Surroundings): void {
  const codes = program
    .command("codes")
    .description("secret codes on assets, with which anybody there may ask for work")

  codes
    .command("make <asset>")
    .description("make a code for the QR code on an asset; it is shown this once")
    .action(async (asset: string, _options, command: Command) => {
      answer(command, await asker(command, surroundings)("codes.make", { asset }), ({ code, id }) => {
        print(code)
        print(`\ncode ${id} for ${asset}: put it into the QR code now, for only its hash is kept`)
      })
    })

  codes
    .command("list")
    .description("which assets have a code, newest first")
    .action(async (_options, command: Command) => {
      answer(command, await asker(command, surroundings)("codes.list", {}), (all) => {
        if (all.length === 0) return print("no codes yet")
        print(
          table(all, [
            { title: "ID", of: ({ id }) => id },
            { title: "ASSET", of: ({ asset }) => asset },
            { title: "BY", of: ({ by }) => by },
            { title: "MADE", of: ({ madeMs }) => when(madeMs) },
            { title: "REVOKED", of: ({ revokedMs }) => when(revokedMs) },
          ]),
        )
      })
    })

  codes
    .command("revoke <id>")
    .description("take a code out of use: its id or the start of it, as codes list shows it")
    .action(async (id: string, _options, command: Command) => {
      const revoked = await asker(command, surroundings)("codes.revoke", { id })
      answer(command, revoked, ({ id: known, asset, before }) =>
        print(`code ${known} for ${asset} ${before ? "was revoked before" : "is not taken any more"}`),
      )
    })
}

function showOpened({ order, repeated, similar }: ResultOf<"orders.new">): void {
  print(`${order.number} is ${order.state}: ${order.title}${repeated ? " (asked for before)" : ""}`)
  print(`priority ${order.priority} (${order.priorityReason}), due ${when(order.dueMs)}`)
  if (similar.length === 0) return
  print("\nPerhaps the same:")
  for (const { number, state, component, title } of similar)
    print(`  ${number}  ${state}  ${component ?? "-"}  ${printable(title)}`)
}

function showProgress({ number, asset, requestedMs, says, doneMs }: ResultOf<"requests.progress">): void {
  print(
    `${number} for ${asset}, asked for ${when(requestedMs)}: ${says}${doneMs === null ? "" : ` ${when(doneMs)}`}`,
  )
}

function field(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=")
  if (at < 1) throw new InvalidArgumentError("expected key=value")
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

/** By the ending of a file's name; what is not known is kept as bytes. */
const mediaTypes: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".json": "application/json",
  ".mp4": "video/mp4",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".txt": "text/plain",
  ".webp": "image/webp",
  ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  ".zip": "application/zip",
}

function mediaTypeOf(name: string): string {
  return mediaTypes[extname(name).toLowerCase()] ?? "application/octet-stream"
}

async function read(path: string, mostBytes: number): Promise<Buffer> {
  const unreadable = (cause: unknown) =>
    new MillwrightError("USAGE", `the file ${path} can't be read: ${messageOf(cause)}`, { cause })
  const { size } = await stat(path).catch((cause: unknown) => {
    throw unreadable(cause)
  })
  if (size > mostBytes)
    throw new MillwrightError(
      "USAGE",
      `the file ${path} has ${size} bytes: at most ${mostBytes / 1_000_000} MB are taken; put it into a drive and link to it`,
    )
  return readFile(path).catch((cause: unknown) => {
    throw unreadable(cause)
  })
}

async function write(path: string, content: Buffer): Promise<void> {
  try {
    await writeFile(path, content)
  } catch (cause) {
    throw new MillwrightError("USAGE", `the file ${path} can't be written: ${messageOf(cause)}`, { cause })
  }
}
