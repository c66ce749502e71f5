/**
 * Sums over a window that rolls by time: a ring of `buckets + 1` cells a dimension.
 *
 * An amount added at `t` counts until at least `t + window` and at most one bucket longer, so a span of one window
 * never holds more than the sum says: the ring over-counts by at most one bucket in time, and never under-counts.
 * Reading is O(1); rolling is O(1) amortized over time; memory is `(buckets + 1) × dimensions × 8` bytes at any rate
 * (600 buckets of two dimensions: 9.6 kB). Amounts are whole numbers, so the running sums are exact.
 */

/** How much of the window counts as "recent", for prediction. */
const recentShare = 4

export class RollingWindow {
  readonly bucketMs: number
  readonly #size: number
  readonly #recentBuckets: number
  readonly #cells: Float64Array
  readonly #sums: Float64Array
  readonly #recent: Float64Array
  /** Number of the newest bucket, counted from time 0. */
  #head = Number.NEGATIVE_INFINITY
  /** Where the newest bucket lies in the ring. */
  #slot = 0

  constructor(readonly windowMs: number, buckets: number, readonly dimensions: number) {
    this.bucketMs = windowMs / buckets
    this.#size = buckets + 1
    this.#recentBuckets = Math.max(1, Math.floor(buckets / recentShare))
    this.#cells = new Float64Array(this.#size * dimensions)
    this.#sums = new Float64Array(dimensions)
    this.#recent = new Float64Array(dimensions)
  }

  /** Length of the recent part, in ms. */
  get recentMs(): number {
    return this.#recentBuckets * this.bucketMs
  }

  /** Moves the window on to `nowMs`; a time before the newest bucket changes nothing. */
  roll(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.bucketMs)
    if (bucket <= this.#head) return
    if (bucket - this.#head >= this.#size) {
      this.#clear(bucket)
      return
    }
    while (this.#head < bucket) this.#advance()
  }

  /** Adds to the bucket of `atMs`, which may lie in the past; older than the window changes nothing. */
  add(atMs: number, dimension: number, amount: number): void {
    const bucket = Math.floor(atMs / this.bucketMs)
    if (bucket > this.#head) this.roll(atMs)
    const age = this.#head - bucket
    if (age >= this.#size) return
    const cell = this.#slotBefore(age) * this.dimensions + dimension
    this.#cells[cell]! += amount
    this.#sums[dimension]! += amount
    if (age < this.#recentBuckets) this.#recent[dimension]! += amount
  }

  /** The sum over the window, as of the last `roll`. */
  sum(dimension: number): number {
    return this.#sums[dimension]!
  }

  /** The sum over the window's newest quarter, as of the last `roll`. */
  recent(dimension: number): number {
    return this.#recent[dimension]!
  }

  /**
   * The time at which `amount` will have rolled out of the window; `Infinity` where the window holds less than that.
   * Walks the ring: O(buckets), for refusals only.
   */
  freedAtMs(dimension: number, amount: number): number {
    let freed = 0
    for (let age = this.#size - 1; age >= 0; age--) {
      freed += this.#cells[this.#slotBefore(age) * this.dimensions + dimension]!
      if (freed >= amount) return (this.#head - age + this.#size) * this.bucketMs
    }
    return Number.POSITIVE_INFINITY
  }

  #advance(): void {
    this.#head++
    this.#slot = this.#slot + 1 === this.#size ? 0 : this.#slot + 1
    const leavesRecent = this.#slotBefore(this.#recentBuckets)
    for (let dimension = 0; dimension < this.dimensions; dimension++) {
      const cell = this.#slot * this.dimensions + dimension
      this.#sums[dimension]! -= this.#cells[cell]!
      this.#cells[cell] = 0
      this.#recent[dimension]! -= this.#cells[leavesRecent * this.dimensions + dimension]!
    }
  }

  #clear(bucket: number): void {
    this.#cells.fill(0)
    this.#sums.fill(0)
    this.#recent.fill(0)
    this.#head = bucket
  }

  #slotBefore(age: number): number {
    const slot = this.#slot - age
    return slot < 0 ? slot + this.#size : slot
  }
}
