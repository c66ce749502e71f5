/**
 * Redis' time, as far as it is known here: this process's own, and by how much Redis' is ahead. What a reply says was
 * read between the moment the command was sent and the one at which the reply was: each reply gives bounds, however long
 * it was on its way or this process was held up. The lower one counts, so whoever waits for a moment looks a little
 * late, never early.
 */

/** A clock that goes wrong by more than this per ms is broken. */
const drift = 1e-4

export class ServerClock {
  #lowMs = Number.NEGATIVE_INFINITY
  #highMs = Number.POSITIVE_INFINITY
  #seenAtMs = 0
  #lastMs = Number.NEGATIVE_INFINITY

  /** @param guessMs by how much Redis' time is taken to be ahead until it has said: as this machine's wall clock is. */
  constructor(readonly guessMs: number) {}

  observe(serverMs: number, sentMs: number, readMs: number): void {
    const drifted = Math.max(0, readMs - this.#seenAtMs) * drift
    const lowMs = serverMs - readMs
    const highMs = serverMs - sentMs
    const low = Math.max(lowMs, this.#lowMs - drifted)
    const high = Math.min(highMs, this.#highMs + drifted)
    // Nothing agrees with both: Redis' clock is another one now.
    const jumped = low > high
    if (jumped && highMs < this.#lowMs - drifted) this.#lastMs = Number.NEGATIVE_INFINITY
    this.#lowMs = jumped ? lowMs : low
    this.#highMs = jumped ? highMs : high
    this.#seenAtMs = readMs
  }

  /** What a moment of this process is there. */
  at(localMs: number): number {
    const ahead = Number.isFinite(this.#lowMs) ? this.#lowMs : this.guessMs
    // What was said before may have been nearer.
    this.#lastMs = Math.max(this.#lastMs, localMs + ahead)
    return this.#lastMs
  }
}
