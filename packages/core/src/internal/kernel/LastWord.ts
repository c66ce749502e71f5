/**
 * The vendor's newest word on how much of a limit is used, carried on: what was reserved since comes on top, and the use
 * itself ends evenly by the reset that the vendor named, as a token bucket is refilled.
 */
export class LastWord {
  /** All that was ever reserved; the difference of two moments is what was reserved between them. */
  taken = 0
  #used = 0
  /** At which moment of `taken` the vendor counted, and when. */
  #taken = 0
  #atMs = Number.NEGATIVE_INFINITY
  /** How quickly the use ends, per ms. */
  #refill = 0
  /** What was given back of that which was reserved since, and the lowest `taken` among those who gave. */
  #givenBack = 0
  #givenFrom = Number.POSITIVE_INFINITY

  constructor(readonly windowMs: number) {}

  /** The vendor has counted so much when this was `taken`; a word older than the newest one changes nothing. */
  read(
    word: { readonly used: number; readonly taken: number; readonly resetMs: number | undefined },
    atMs: number
  ): void {
    if (atMs < this.#atMs) return
    this.#used = word.used
    this.#refill = word.used / Math.max(1, Math.min(word.resetMs ?? Number.POSITIVE_INFINITY, this.windowMs))
    this.#taken = word.taken
    this.#atMs = atMs
    // What they gave back before it is in this word. The rest is forgotten with it, on the safe side.
    if (word.taken >= this.#givenFrom) {
      this.#givenBack = 0
      this.#givenFrom = Number.POSITIVE_INFINITY
    }
  }

  /**
   * A call that was reserved at this `taken` has ended, and took so much less, or more, than was reserved for it. Where
   * the newest word came later than the reservation, it has said what there was, and nothing is given back.
   */
  settled(taken: number, less: number): void {
    if (less < 0) this.taken -= less
    else if (less > 0 && taken > this.#taken) {
      this.#givenBack += less
      this.#givenFrom = Math.min(this.#givenFrom, taken)
    }
  }

  /** What is used at `nowMs` by this word; 0 where it is older than a window, and says nothing any more. */
  at(nowMs: number): number {
    const ageMs = nowMs - this.#atMs
    if (ageMs >= this.windowMs) return 0
    return Math.max(0, this.#used - ageMs * this.#refill) + this.taken - this.#givenBack - this.#taken
  }
}
