/**
 * Sums over a window that rolls by time: a ring of `buckets + 1` cells a column.
 *
 * An amount added at `t` counts until at least `t + window` and at most one bucket longer, so a span of one window
 * never holds more than the sum says: the ring over-counts by at most one bucket in time, and never under-counts.
 * Reading is O(1); rolling is O(1) amortized over time; memory is `(buckets + 1) × columns × 4` bytes at any rate
 * (600 buckets of three columns: 7.2 kB). Amounts are whole numbers, so the running sums are exact; a cell holds at most
 * 2³² − 1, far beyond what any vendor sells in a bucket.
 */

const fullCell = 2 ** 32 - 1

/** A window as a shared store keeps it: `head` is the number of its newest bucket. */
export interface WindowRecord {
  readonly head: number
  readonly sums: ReadonlyArray<number>
  readonly cells?: ArrayLike<number> | undefined
}

export class RollingWindow {
  readonly bucketMs: number
  /** Cells a column. */
  readonly size: number
  readonly #cells: Uint32Array
  readonly #sums: Float64Array
  /** Number of the newest bucket, counted from time 0. */
  #head = Number.NEGATIVE_INFINITY
  /** Where the newest bucket lies in the ring. */
  #slot = 0
  /** When the next bucket begins: until then `roll` has nothing to do. */
  nextMs = Number.NEGATIVE_INFINITY

  constructor(readonly windowMs: number, buckets: number, readonly columns: number) {
    this.bucketMs = windowMs / buckets
    this.size = buckets + 1
    this.#cells = new Uint32Array(this.size * columns)
    this.#sums = new Float64Array(columns)
  }

  /** When the newest bucket began. */
  get headMs(): number {
    return this.#head * this.bucketMs
  }

  /** Moves the window on to `nowMs`; a time before the newest bucket changes nothing. */
  roll(nowMs: number): void {
    if (nowMs < this.nextMs) return
    const bucket = Math.floor(nowMs / this.bucketMs)
    if (bucket <= this.#head) return
    if (bucket - this.#head >= this.size) this.#clear(bucket)
    else while (this.#head < bucket) this.#advance()
    this.nextMs = (bucket + 1) * this.bucketMs
  }

  /**
   * Adds to the bucket of `atMs`, which may lie in the past; older than the window changes nothing. A negative amount
   * takes off what was added there before.
   */
  add(atMs: number, column: number, amount: number): void {
    const bucket = Math.floor(atMs / this.bucketMs)
    if (bucket > this.#head) this.roll(atMs)
    const age = this.#head - bucket
    if (age >= this.size) return
    const cell = this.#slotBefore(age) * this.columns + column
    const held = this.#cells[cell]!
    const added = amount < -held ? -held : Math.min(amount, fullCell - held)
    this.#cells[cell]! += added
    this.#sums[column]! += added
  }

  /** The sum over the window, as of the last `roll`. */
  sum(column: number): number {
    return this.#sums[column]!
  }

  /** What the bucket of this age holds; 0 is the newest, `size − 1` the oldest. */
  cell(age: number, column: number): number {
    return this.#cells[this.#slotBefore(age) * this.columns + column]!
  }

  /**
   * The age of the bucket with which `amount` of these columns will have rolled out; −1 where the window holds less.
   * O(buckets), for those who are refused.
   */
  ageThatFrees(amount: number, first: number, second: number): number {
    const { columns, size } = this
    const cells = this.#cells
    const end = cells.length
    let freed = 0
    // The oldest bucket lies behind the newest.
    let cell = ((this.#slot + 1) % size) * columns
    for (let age = size - 1; age >= 0; age--) {
      freed += cells[cell + first]!
      if (second >= 0) freed += cells[cell + second]!
      if (freed >= amount) return age
      cell += columns
      if (cell === end) cell = 0
    }
    return -1
  }

  /** When the bucket of this age will have left the window. */
  leavesAtMs(age: number): number {
    return (this.#head - age + this.size) * this.bucketMs
  }

  /**
   * Takes over what a shared store holds. Its cells, where they are handed over, lie at their bucket's number modulo
   * `size`; else those that are known stay, and the sums alone are exact.
   */
  restore({ cells, head, sums }: WindowRecord): void {
    if (!(Math.abs(this.#head - head) < this.size)) this.#clear(head)
    while (this.#head < head) this.#advance()
    while (this.#head > head) this.#retreat()
    this.nextMs = (head + 1) * this.bucketMs
    if (cells !== undefined && Number.isFinite(head)) {
      for (let age = 0; age < this.size; age++) {
        const from = ((head - age) % this.size + this.size) % this.size * this.columns
        const to = this.#slotBefore(age) * this.columns
        for (let column = 0; column < this.columns; column++) this.#cells[to + column] = cells[from + column]!
      }
    }
    for (let column = 0; column < this.columns; column++) {
      this.#sums[column] = sums[column]!
    }
  }

  /**
   * Where the sums were taken over without the cells: what they have beyond what is known is taken to be new, so that it
   * rolls out a little late rather than never; what they lack is missing from the newest.
   */
  reconcile(): void {
    const { columns, size } = this
    for (let column = 0; column < columns; column++) {
      let beyond = this.#sums[column]!
      for (let cell = column; cell < this.#cells.length; cell += columns) beyond -= this.#cells[cell]!
      for (let age = 0; age < size && beyond !== 0; age++) {
        const cell = this.#slotBefore(age) * columns + column
        const added = Math.max(-this.#cells[cell]!, beyond)
        this.#cells[cell]! += added
        beyond -= added
      }
    }
  }

  #advance(): void {
    this.#head++
    this.#slot = this.#slot + 1 === this.size ? 0 : this.#slot + 1
    for (let column = 0; column < this.columns; column++) {
      const cell = this.#slot * this.columns + column
      this.#sums[column]! -= this.#cells[cell]!
      this.#cells[cell] = 0
    }
  }

  /** What was counted in the newest bucket is not there yet. */
  #retreat(): void {
    this.#cells.fill(0, this.#slot * this.columns, (this.#slot + 1) * this.columns)
    this.#head--
    this.#slot = this.#slotBefore(1)
  }

  #clear(bucket: number): void {
    this.#cells.fill(0)
    this.#sums.fill(0)
    this.#head = bucket
  }

  #slotBefore(age: number): number {
    const slot = this.#slot - age
    return slot < 0 ? slot + this.size : slot
  }
}
