/**
 * Redis' time, as far as it is known here: this process's own, and by how much Redis' is ahead at least. What a reply
 * says was read before the reply came, so each reply gives a lower bound, and the highest is the nearest. So whoever
 * waits for a moment looks a little late, never early.
 */

/** A clock that goes wrong by more than this per ms is broken. */
const drift = 1e-4

/** Where a reply lies this far behind, Redis' clock is another one now. */
const jumpMs = 1_000

export class ServerClock {
  #aheadMs: number | undefined
  #seenAtMs = 0
  #lastMs = Number.NEGATIVE_INFINITY

  /** @param guessMs by how much Redis' time is taken to be ahead until it has said: as this machine's wall clock is. */
  constructor(readonly guessMs: number) {}

  observe(serverMs: number, localMs: number): void {
    const aheadMs = serverMs - localMs
    const before = this.#aheadMs
    const kept = before === undefined || before - aheadMs > jumpMs
      ? aheadMs
      : Math.max(aheadMs, before - (localMs - this.#seenAtMs) * drift)
    this.#aheadMs = kept
    this.#seenAtMs = localMs
  }

  /** What a moment of this process is there. */
  at(localMs: number): number {
    const nowMs = localMs + (this.#aheadMs ?? this.guessMs)
    // What was said before may have been nearer.
    this.#lastMs = this.#lastMs - nowMs > jumpMs ? nowMs : Math.max(this.#lastMs, nowMs)
    return this.#lastMs
  }
}
