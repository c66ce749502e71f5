/** The newest `capacity` items; adding is O(1) amortized. */
export class Recent<A> {
  readonly #capacity: number
  #items: Array<A> = []

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  add(item: A): void {
    this.#items.push(item)
    // Twice the capacity before a cut: each item is then moved once at most.
    if (this.#items.length >= this.#capacity * 2) this.#items = this.items()
  }

  /** Oldest first. */
  items(): Array<A> {
    return this.#capacity === 0 ? [] : this.#items.slice(-this.#capacity)
  }
}
