import { expect, test } from "vitest"
import { printable, shortened } from "../../cli/output.ts"

test("control characters, also those of eight bits, and those that turn text around are shown as escapes", () => {
  expect(printable("a\u001B[2Jb\nc\u007Fd\u009B2Je\u202Ef\u2066g\u200Fh")).toBe(
    "a\\u001b[2Jb\\u000ac\\u007fd\\u009b2Je\\u202ef\\u2066g\\u200fh",
  )
})

test("other scripts, signs and joiners stay as they are", () => {
  const text = "Größe 5 µm, Лента, ポンプ, صمام, 👷‍♀️"
  expect(printable(text)).toBe(text)
})

test("a text that is cut says so", () => {
  expect(shortened("acme/P-101", 10)).toBe("acme/P-101")
  expect(shortened("acme/P-101/sensors", 10)).toBe("acme/P-10…")
})
