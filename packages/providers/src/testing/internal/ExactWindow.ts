/**
 * A rolling window that forgets nothing and rounds nothing: every amount is kept with its time until it is *older*
 * than the window. It knows nothing of how a router accounts, so the two can be held against each other.
 *
 * A deque of (time, running total) in two arrays: `add` and `used` are O(1) amortized, `waitMs` is O(log n); memory is
 * one entry for each amount inside the window. Times must not go backwards.
 */
export class ExactWindow {
  readonly #lengthMs: number
  readonly #times: Array<number> = []
  /** The sum of all amounts up to and including this entry. */
  readonly #totals: Array<number> = []
  #head = 0
  #total = 0
  #expired = 0
  #peak = 0

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs
  }

  /** The most that was ever inside one window. Reached always right after an `add`, so it is exact. */
  get peak(): number {
    return this.#peak
  }

  add(nowMs: number, amount: number): void {
    this.#expire(nowMs)
    this.#total += amount
    this.#times.push(nowMs)
    this.#totals.push(this.#total)
    this.#peak = Math.max(this.#peak, this.#total - this.#expired)
  }

  /** Everything added no longer than the window's length ago. */
  used(nowMs: number): number {
    this.#expire(nowMs)
    return this.#total - this.#expired
  }

  /**
   * How long until `amount` more fits under `limit`: 0 if it does now, `Infinity` if it never will. Otherwise the
   * amount in the way is *exactly* as old as the window then, and any moment later is late enough.
   */
  waitMs(nowMs: number, options: { readonly amount: number; readonly limit: number }): number {
    const excess = this.used(nowMs) + options.amount - options.limit
    if (excess <= 0) return 0
    if (options.amount > options.limit) return Infinity
    return this.#times[this.#firstReaching(this.#expired + excess)]! + this.#lengthMs - nowMs
  }

  /** How long until the window is empty again; 0 if it is. */
  emptyInMs(nowMs: number): number {
    this.#expire(nowMs)
    const last = this.#times.at(-1)
    return last === undefined || this.#head === this.#times.length ? 0 : last + this.#lengthMs - nowMs
  }

  /** The first entry whose running total is at least `total`. There is one: the caller asks for no more than is used. */
  #firstReaching(total: number): number {
    let low = this.#head
    let high = this.#totals.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#totals[middle]! >= total) high = middle
      else low = middle + 1
    }
    return low
  }

  #expire(nowMs: number): void {
    while (this.#head < this.#times.length && nowMs - this.#times[this.#head]! > this.#lengthMs) {
      this.#expired = this.#totals[this.#head]!
      this.#head++
    }
    // Cutting off the dead half now and then costs O(1) an entry; cutting at each call would cost O(n).
    if (this.#head > 1024 && this.#head * 2 > this.#times.length) {
      this.#times.splice(0, this.#head)
      this.#totals.splice(0, this.#head)
      this.#head = 0
    }
  }
}
