/** Deals with all that has come since the last time together, one dealing at a time. */
export class Gatherer<T> {
  private readonly deal: (gathered: readonly T[]) => Promise<void>
  private gathered: T[] = []
  /** Deals with what is gathered now. */
  private next: Promise<void> | undefined
  private last: Promise<void> = Promise.resolve()
  private dealings = 0

  constructor(deal: (gathered: readonly T[]) => Promise<void>) {
    this.deal = deal
  }

  /** Something is gathered or being dealt with. */
  get isBusy(): boolean {
    return this.dealings > 0
  }

  /** Settles as the dealing does that this was part of. */
  add(one: T): Promise<void> {
    this.gathered.push(one)
    if (this.next === undefined) {
      this.dealings++
      this.next = this.last.then(() => this.turn()).finally(() => this.dealings--)
      this.last = this.next.catch(() => {})
    }
    return this.next
  }

  private async turn(): Promise<void> {
    // What came with the same answer comes along.
    await new Promise((resolve) => setImmediate(resolve))
    const gathered = this.gathered
    this.gathered = []
    this.next = undefined
    await this.deal(gathered)
  }
}
