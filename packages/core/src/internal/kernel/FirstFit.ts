/**
 * A queue in order of arrival that finds, in O(log n), the first (or last) item of at most a given size, and the item
 * that is due first. A tournament tree, as first-fit bin packing uses it (D. S. Johnson, "Near-optimal bin packing
 * algorithms", 1973): a complete binary tree over the slots, in which each node holds the smallest size and the
 * earliest due time below it. Adding, removing and finding are O(log n); growing and closing gaps amortize to O(1).
 */

export interface Item {
  readonly size: number
  readonly dueMs: number
  /** Where it lies; kept by the queue, −1 once removed. */
  slot: number
  /** It keeps its place and is not found meanwhile. */
  hidden?: boolean | undefined
}

const smallest = 16

const nothing = Number.POSITIVE_INFINITY

export class FirstFit<A extends Item> {
  #items: Array<A | undefined> = []
  #capacity = smallest
  /** Node 1 is the root, node n has the children 2n and 2n + 1, the leaves are the last `capacity` nodes. */
  #sizes = new Float64Array(2 * smallest).fill(nothing)
  #dues = new Float64Array(2 * smallest).fill(nothing)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** The smallest size there is; `Infinity` where there is none. */
  get minSize(): number {
    return this.#sizes[1]!
  }

  /** The earliest due time there is; `Infinity` where there is none. */
  get minDueMs(): number {
    return this.#dues[1]!
  }

  /** At the end of the queue. */
  add(item: A): void {
    if (this.#items.length === this.#capacity) this.#close()
    item.slot = this.#items.length
    this.#items.push(item)
    this.#length++
    this.#place(item)
  }

  remove(item: A): void {
    if (this.#items[item.slot] !== item) return
    this.#items[item.slot] = undefined
    this.#length--
    this.#set(item.slot, nothing, nothing)
    item.slot = -1
  }

  /** Nobody finds it until it is shown again. It keeps its place. */
  hide(item: A, hidden: boolean): void {
    if (this.#items[item.slot] !== item) return
    item.hidden = hidden
    this.#place(item)
  }

  /** The first item in order of arrival that is at most this large. */
  first(size: number): A | undefined {
    return this.#find(this.#sizes, size, 0)
  }

  /** The same from the end of the queue. */
  last(size: number): A | undefined {
    return this.#find(this.#sizes, size, 1)
  }

  /** An item that is due by now. */
  due(nowMs: number): A | undefined {
    return this.#find(this.#dues, nowMs, 0)
  }

  /** All items, in order of arrival. */
  all(): ReadonlyArray<A> {
    return this.#items.filter((item) => item !== undefined)
  }

  #find(values: Float64Array, atMost: number, side: 0 | 1): A | undefined {
    if (!(values[1]! <= atMost) || values[1] === nothing) return undefined
    let node = 1
    while (node < this.#capacity) {
      const preferred = 2 * node + side
      node = values[preferred]! <= atMost && values[preferred] !== nothing ? preferred : preferred ^ 1
    }
    return this.#items[node - this.#capacity]
  }

  #place({ dueMs, hidden, size, slot }: A): void {
    this.#set(slot, hidden === true ? nothing : size, hidden === true ? nothing : dueMs)
  }

  #set(slot: number, size: number, dueMs: number): void {
    let node = slot + this.#capacity
    this.#sizes[node] = size
    this.#dues[node] = dueMs
    for (node >>= 1; node >= 1; node >>= 1) {
      this.#sizes[node] = Math.min(this.#sizes[2 * node]!, this.#sizes[2 * node + 1]!)
      this.#dues[node] = Math.min(this.#dues[2 * node]!, this.#dues[2 * node + 1]!)
    }
  }

  /** Closes the gaps that removals left, and doubles the room where there are few. */
  #close(): void {
    const kept = this.all()
    if (kept.length * 2 > this.#capacity) this.#capacity *= 2
    else if (kept.length * 8 < this.#capacity && this.#capacity > smallest) this.#capacity /= 2
    this.#items = [...kept]
    this.#sizes = new Float64Array(2 * this.#capacity).fill(nothing)
    this.#dues = new Float64Array(2 * this.#capacity).fill(nothing)
    kept.forEach((item, slot) => {
      item.slot = slot
      if (item.hidden === true) return
      this.#sizes[this.#capacity + slot] = item.size
      this.#dues[this.#capacity + slot] = item.dueMs
    })
    for (let node = this.#capacity - 1; node >= 1; node--) {
      this.#sizes[node] = Math.min(this.#sizes[2 * node]!, this.#sizes[2 * node + 1]!)
      this.#dues[node] = Math.min(this.#dues[2 * node]!, this.#dues[2 * node + 1]!)
    }
  }
}
