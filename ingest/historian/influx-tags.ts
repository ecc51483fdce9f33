/**
 * Text as a tag of InfluxDB. Line protocol can't carry every text: a newline ends a line, and a backslash before a
 * comma, space or equals sign is taken for its escape. So what is not a visible character or a space is written as
 * `%` and the four hexadecimal digits of each UTF-16 code unit, and so are `%` and the backslash. Names of assets
 * and signals have none of these, and read in InfluxDB as they are.
 */
const unsafe = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|[%\\\uFFFD]/gu
const encoded = /%([0-9a-f]{4})/g

function tagText(text: string): string {
  return text.replace(unsafe, (found) =>
    found
      .split("")
      .map((unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join(""),
  )
}

/** The text behind a tag. */
export function textOfTag(tag: string): string {
  return tag.replace(encoded, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** A tag's value in line protocol. */
export function lineTag(text: string): string {
  return tagText(text).replace(/[ ,=]/g, "\\$&")
}

/** A tag's value in InfluxQL. */
export function queryTag(text: string): string {
  return `'${tagText(text).replaceAll("'", "\\'")}'`
}
