/**
 * What a vendor has counted against one limit. Two ways that vendors do it, both exact; they know nothing of how a
 * router accounts, so that the two can be held against each other. Times must not go back.
 */
export interface Meter {
  readonly limit: number
  /** The most that was ever counted at one time. Reached always right after an `add`, so it is exact. */
  readonly peak: number
  /** What counts now. */
  readonly used: (nowMs: number) => number
  /** Counts it, also beyond the limit: an answer that is under way is not taken back. */
  readonly add: (nowMs: number, amount: number) => void
  /** How long until `amount` more fits: 0 if it does now, `Infinity` if it never will. */
  readonly waitMs: (nowMs: number, amount: number) => number
  /** How long until nothing counts any more; 0 if that is so now. */
  readonly emptyInMs: (nowMs: number) => number
}

/** Dead entries are cut off once there are this many, and more than living ones: O(1) an entry. */
const mostDead = 1024

/**
 * A rolling window that forgets and rounds nothing: an amount counts until it is as old as the window. A list of times
 * and running totals; `add` and `used` are O(1) amortized, `waitMs` is O(log n).
 */
export class RollingMeter implements Meter {
  readonly #times: Array<number> = []
  /** The sum of everything up to and including this entry. */
  readonly #totals: Array<number> = []
  #head = 0
  #total = 0
  #expired = 0
  #peak = 0

  constructor(readonly limit: number, readonly windowMs: number) {}

  get peak(): number {
    return this.#peak
  }

  used(nowMs: number): number {
    while (this.#head < this.#times.length && this.#times[this.#head]! + this.windowMs <= nowMs) {
      this.#expired = this.#totals[this.#head]!
      this.#head++
    }
    if (this.#head > mostDead && this.#head * 2 > this.#times.length) {
      this.#times.splice(0, this.#head)
      this.#totals.splice(0, this.#head)
      this.#head = 0
    }
    return this.#total - this.#expired
  }

  add(nowMs: number, amount: number): void {
    const used = this.used(nowMs) + amount
    this.#total += amount
    this.#times.push(nowMs)
    this.#totals.push(this.#total)
    this.#peak = Math.max(this.#peak, used)
  }

  waitMs(nowMs: number, amount: number): number {
    const excess = this.used(nowMs) + amount - this.limit
    if (excess <= 0) return 0
    if (amount > this.limit) return Number.POSITIVE_INFINITY
    return this.#times[this.#firstReaching(this.#expired + excess)]! + this.windowMs - nowMs
  }

  emptyInMs(nowMs: number): number {
    this.used(nowMs)
    return this.#head === this.#times.length ? 0 : this.#times.at(-1)! + this.windowMs - nowMs
  }

  /** The first entry up to which so much was counted. There is one: nobody asks for more than is used. */
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
}

/** A token bucket: holds the limit, and refills evenly, the whole of it in one window. `used` is what is missing. */
export class BucketMeter implements Meter {
  readonly #perMs: number
  #missing = 0
  #atMs = 0
  #peak = 0

  constructor(readonly limit: number, windowMs: number) {
    this.#perMs = limit / windowMs
  }

  get peak(): number {
    return this.#peak
  }

  used(nowMs: number): number {
    this.#missing = Math.max(0, this.#missing - (nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    return this.#missing
  }

  add(nowMs: number, amount: number): void {
    this.#missing = this.used(nowMs) + amount
    this.#peak = Math.max(this.#peak, this.#missing)
  }

  waitMs(nowMs: number, amount: number): number {
    const excess = this.used(nowMs) + amount - this.limit
    if (excess <= 0) return 0
    return amount > this.limit ? Number.POSITIVE_INFINITY : excess / this.#perMs
  }

  emptyInMs(nowMs: number): number {
    return this.used(nowMs) / this.#perMs
  }
}
