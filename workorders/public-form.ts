/** What somebody without an account says, standing before a machine: the model of the form behind its QR code. */
import { z } from "zod"
import { base64 } from "./base64.ts"

const photoBytes = 2_000_000

/** How the base64 of a picture begins, by the first bytes of its format. */
const pictures = { jpeg: "/9j/", png: "iVBORw0KGgo" } as const

export function pictureKind(content: string): keyof typeof pictures | undefined {
  return content.startsWith(pictures.jpeg) ? "jpeg" : content.startsWith(pictures.png) ? "png" : undefined
}

export const publicRequest = z.strictObject({
  /** As the QR code on the asset says: it tells the place. */
  code: z.string().min(1).max(200),
  issue: z.string().trim().min(3).max(2000),
  urgency: z.enum(["low", "normal", "high"]).default("normal"),
  name: z.string().trim().min(1).max(200),
  /** An address or a number, for questions. */
  contact: z.string().trim().min(1).max(200).optional(),
  /** JPEG or PNG, as base64. */
  photo: base64(photoBytes)
    .refine((content) => pictureKind(content) !== undefined, "expected a picture in JPEG or PNG")
    .optional(),
  /** Made by the form at random: sent again, the request is not made again. */
  id: z.uuid(),
})
export type PublicRequest = z.output<typeof publicRequest>
