export type Program = { readonly name: string; readonly pid: number; readonly isOurs: boolean }

/** What a load is sent to. */
export type Target = {
  /** host:port of the MQTT broker. */
  readonly address: string
  readonly programs: readonly Program[]
  apply(source: string): Promise<void>
  /** Resolves when so many messages came in since the start. */
  taken(messages: number): Promise<void>
  /** Resolves when every stage has dealt with all that there is. */
  settled(): Promise<void>
  close(): Promise<void>
}
