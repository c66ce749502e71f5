/** Something to be done at a time. */
export interface Timer {
  readonly at: number
  readonly task: () => void
  /** Of two for the same time the one that was added first comes first. */
  readonly order: number
  /** Its place in the heap; -1 once it has left. */
  slot: number
}

const before = (one: Timer, other: Timer): boolean => one.at === other.at ? one.order < other.order : one.at < other.at

/** Timers in order of time: a binary heap whose entries know their place, so that one is cancelled in O(log n). */
export class TimerHeap {
  readonly #timers: Array<Timer> = []
  #added = 0

  get size(): number {
    return this.#timers.length
  }

  /** The time of the first; `Infinity` where there is none. */
  get firstAt(): number {
    return this.#timers[0]?.at ?? Number.POSITIVE_INFINITY
  }

  add(at: number, task: () => void): Timer {
    const timer = { at, task, order: this.#added++, slot: this.#timers.length }
    this.#timers.push(timer)
    this.#rise(timer)
    return timer
  }

  /** Answers whether it was still there. */
  remove(timer: Timer): boolean {
    if (timer.slot < 0) return false
    const last = this.#timers.pop()!
    if (last !== timer) {
      this.#put(last, timer.slot)
      this.#rise(last)
      this.#sink(last)
    }
    timer.slot = -1
    return true
  }

  takeFirst(): Timer | undefined {
    const first = this.#timers[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  #put(timer: Timer, slot: number): void {
    this.#timers[slot] = timer
    timer.slot = slot
  }

  #rise(timer: Timer): void {
    while (timer.slot > 0) {
      const slot = timer.slot
      const parent = this.#timers[(slot - 1) >>> 1]!
      if (before(parent, timer)) return
      this.#put(timer, parent.slot)
      this.#put(parent, slot)
    }
  }

  #sink(timer: Timer): void {
    for (;;) {
      const slot = timer.slot
      const left = this.#timers[2 * slot + 1]
      const right = this.#timers[2 * slot + 2]
      const child = left !== undefined && right !== undefined && before(right, left) ? right : left
      if (child === undefined || before(timer, child)) return
      this.#put(timer, child.slot)
      this.#put(child, slot)
    }
  }
}
