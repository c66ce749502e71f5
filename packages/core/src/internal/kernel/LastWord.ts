/**
 * The vendor's newest word on how much of a limit is used, carried on: what was reserved since comes on top, and the use
 * itself ends evenly by the reset that the vendor named, as a token bucket is refilled.
 */
export class LastWord {
  /** Its whole state, as a shared store keeps it too. */
  readonly state = {
    /** All that was ever reserved; the difference of two moments is what was reserved between them. */
    taken: 0,
    /** What the vendor has counted, at which moment of `taken`, and when. */
    used: 0,
    usedTaken: 0,
    atMs: Number.NEGATIVE_INFINITY,
    /** How quickly the use ends, per ms. */
    refill: 0,
    /** What was given back of that which was reserved since, and the lowest `taken` among those who gave. */
    givenBack: 0,
    givenFrom: Number.POSITIVE_INFINITY
  }

  constructor(readonly windowMs: number) {}

  /** The vendor has counted so much when this was `taken`; a word older than the newest one changes nothing. */
  read(
    word: { readonly used: number; readonly taken: number; readonly resetMs: number | undefined },
    atMs: number
  ): void {
    const { state } = this
    if (atMs < state.atMs) return
    state.used = word.used
    state.refill = word.used / Math.max(1, Math.min(word.resetMs ?? Number.POSITIVE_INFINITY, this.windowMs))
    state.usedTaken = word.taken
    state.atMs = atMs
    // What they gave back before it is in this word. The rest is forgotten with it, on the safe side.
    if (word.taken >= state.givenFrom) {
      state.givenBack = 0
      state.givenFrom = Number.POSITIVE_INFINITY
    }
  }

  /**
   * A call that was reserved at this `taken` has ended, and took so much less, or more, than was reserved for it. Where
   * the newest word came later than the reservation, it has said what there was, and nothing is given back.
   */
  settled(taken: number, less: number): void {
    const { state } = this
    if (less < 0) state.taken -= less
    else if (less > 0 && taken > state.usedTaken) {
      state.givenBack += less
      state.givenFrom = Math.min(state.givenFrom, taken)
    }
  }

  /** What is used at `nowMs` by this word; 0 where it is older than a window, and says nothing any more. */
  at(nowMs: number): number {
    const { atMs, givenBack, refill, taken, used, usedTaken } = this.state
    const ageMs = nowMs - atMs
    if (ageMs >= this.windowMs) return 0
    return Math.max(0, used - ageMs * refill) + taken - givenBack - usedTaken
  }
}
