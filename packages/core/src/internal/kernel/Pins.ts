/**
 * Which provider a session prefers. Bounded in number (the least recently used goes first) and in time. A pin is kept
 * over one answer from elsewhere, since one momentary fallback should not cost a warm prompt cache; the second in a
 * row moves it.
 */
import type { RouterSettings } from "../../RouterOptions.ts"

interface Pin {
  readonly provider: string
  readonly elsewhere: number
  readonly expiresAtMs: number
}

export class Pins {
  /** In order of last use: a `Map` iterates in order of insertion. */
  readonly #pins = new Map<string, Pin>()

  constructor(readonly options: RouterSettings["affinity"]) {}

  get(sessionId: string, nowMs: number): string | undefined {
    const pin = this.#pins.get(sessionId)
    if (pin === undefined) return undefined
    if (nowMs < pin.expiresAtMs) return pin.provider
    this.#pins.delete(sessionId)
    return undefined
  }

  /** A session's request was answered by `provider`. */
  answered(sessionId: string, provider: string, nowMs: number): void {
    const pin = this.#pins.get(sessionId)
    const kept = pin !== undefined && nowMs < pin.expiresAtMs && pin.provider !== provider && pin.elsewhere === 0
    this.#pins.delete(sessionId)
    this.#pins.set(sessionId, {
      provider: kept ? pin.provider : provider,
      elsewhere: kept ? 1 : 0,
      expiresAtMs: nowMs + this.options.ttl
    })
    if (this.#pins.size > this.options.maxSessions) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const oldest = this.#pins.keys().next()
    if (!oldest.done) this.#pins.delete(oldest.value)
  }
}
