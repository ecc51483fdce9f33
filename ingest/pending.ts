export type PendingLimits = { readonly messages: number; readonly bytes: number }

/** MQTT messages that were taken and are not yet durable: how many there are, and whether that is too many. */
export class Pending {
  messages = 0
  private bytes = 0
  private readonly limits: PendingLimits
  private readonly all: Pending | undefined

  /** `all`: those of other connections too, which count here as well. */
  constructor(limits: PendingLimits, all?: Pending) {
    this.limits = limits
    this.all = all
  }

  get isFull(): boolean {
    const { messages, bytes } = this.limits
    return this.messages > messages || this.bytes > bytes || this.all?.isFull === true
  }

  add(bytes: number): void {
    this.messages += 1
    this.bytes += bytes
    this.all?.add(bytes)
  }

  remove(bytes: number): void {
    this.messages -= 1
    this.bytes -= bytes
    this.all?.remove(bytes)
  }
}
