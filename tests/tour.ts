/** One block of `sh`, and the block of `text` under it, if there is one. */
export type Step = {
  /** Set before it by `<!-- clock 2026-03-02T08:00Z -->`. */
  readonly clock: string | undefined
  readonly commands: string
  readonly output: string | undefined
}

const block = /(?:<!-- clock (\S+) -->\s*?\n(?:(?!```).)*?)?```sh\n(.*?)```(?:\n```text\n(.*?)```)?/gs

export function stepsIn(document: string): readonly Step[] {
  return [...document.matchAll(block)].map(([, clock, commands = "", output]) => ({
    clock,
    commands,
    output,
  }))
}

/** The document with these in the place of its blocks of `text` under commands. */
export function withOutputs(document: string, outputs: readonly string[]): string {
  const left = [...outputs]
  return document.replaceAll(block, (found, _clock, _commands, output) =>
    output === undefined
      ? found
      : found.replace(/\n```text\n.*?```$/s, () => `\n\`\`\`text\n${left.shift()}\`\`\``),
  )
}

/** A block's commands, one a line; a line that ends in a backslash goes on in the next. */
export function commandsIn({ commands }: Step): readonly string[] {
  return commands
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line !== "")
}
