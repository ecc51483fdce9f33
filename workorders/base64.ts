import { z } from "zod"

/** Content as base64, of at most so many bytes. */
export function base64(mostBytes: number) {
  const most = Math.ceil(mostBytes / 3) * 4
  return z
    .string()
    .min(1)
    .max(most, { error: `expected at most ${mostBytes / 1_000_000} MB`, abort: true })
    .refine((text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text), "expected base64")
    .refine((text) => bytesOf(text) <= mostBytes, `expected at most ${mostBytes / 1_000_000} MB`)
}

/** How many bytes the content has. */
export function bytesOf(text: string): number {
  return (text.length / 4) * 3 - (text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0)
}
