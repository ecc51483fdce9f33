import type { Session } from "./postgres-session.ts"

/** So many connections at most, lent to one at a time in the order of asking, made when first needed. */
export class Sessions {
  private readonly open: () => Promise<Session>
  private free: number
  private readonly waiting: (() => void)[] = []
  private readonly idle: Session[] = []
  private readonly all = new Set<Session>()

  constructor(open: () => Promise<Session>, atMost: number) {
    this.open = open
    this.free = atMost
  }

  /** Rejects as `open` does. */
  async lend<R>(work: (session: Session) => Promise<R>): Promise<R> {
    if (this.free > 0) this.free--
    else await new Promise<void>((resolve) => this.waiting.push(resolve))
    try {
      const session = await this.take()
      try {
        return await work(session)
      } finally {
        this.giveBack(session)
      }
    } finally {
      const next = this.waiting.shift()
      if (next === undefined) this.free++
      else next()
    }
  }

  /** Says good-bye on those that nobody uses. */
  async end(): Promise<void> {
    await Promise.all(this.idle.splice(0).map((session) => session.end()))
  }

  /** Cuts all. */
  destroy(): void {
    for (const session of this.all) session.destroy()
    this.all.clear()
    this.idle.length = 0
  }

  private async take(): Promise<Session> {
    for (let session = this.idle.pop(); session !== undefined; session = this.idle.pop()) {
      if (session.isUsable) return session
      this.all.delete(session)
    }
    const session = await this.open()
    this.all.add(session)
    return session
  }

  private giveBack(session: Session): void {
    if (session.isUsable) {
      this.idle.push(session)
      return
    }
    session.destroy()
    this.all.delete(session)
  }
}
