/** Every code that Millwright throws, and whether the same call may succeed later. docs/errors.md explains each. */
export const errorCodes = {
  CONFIG_INVALID: { canRetry: false },
  PLANT_INVALID: { canRetry: false },
  PLANT_CHANGED: { canRetry: false },
  USAGE: { canRetry: false },
  CASES_FAILED: { canRetry: false },
  NOT_VERIFIED: { canRetry: false },
  NOT_FOUND: { canRetry: false },
  NOT_ALLOWED: { canRetry: false },
  NOT_POSSIBLE: { canRetry: false },
  ORDER_CHANGED: { canRetry: false },
  TOO_MANY_REQUESTS: { canRetry: true },
  DIRECTORY_IN_USE: { canRetry: false },
  DIRECTORY_UNUSABLE: { canRetry: false },
  PORT_UNUSABLE: { canRetry: false },
  PAYLOAD_INVALID: { canRetry: false },
  STORE_FAILED: { canRetry: true },
  LOG_CLOSED: { canRetry: false },
  LOG_PARTITIONS_CHANGED: { canRetry: false },
  LOG_LOST: { canRetry: false },
  RECORD_TOO_LARGE: { canRetry: false },
  OWNER_REPLACED: { canRetry: false },
  NESTED_QUERY: { canRetry: false },
  SERVER_UNREACHABLE: { canRetry: true },
} as const satisfies Record<string, { readonly canRetry: boolean }>

export type ErrorCode = keyof typeof errorCodes

/** An error that says what went wrong, where, and what to do; `code` is stable, the message is for people. */
export class MillwrightError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = "MillwrightError"
    this.code = code
  }

  get canRetry(): boolean {
    return errorCodes[this.code].canRetry
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
