/**
 * What is to be told to Redis and nobody waits for: settlements, in batches, each until it has been answered. A batch is
 * sent at once; what comes while this process is busy goes with the next.
 */
import type { RouterSettings } from "@route-llm/core"
import type { Item, Numbered } from "./Batch.ts"
import { figure, lessCounted, withoutLease } from "./figures.ts"
import { bucketsOfOne, Folded } from "./Folded.ts"

/** In one script call: Redis does nothing else meanwhile. */
const batchSize = 128

/** Kept while Redis is away, each as it ended; of the oldest beyond it only what they count is. */
const mostKept = 20_000

/** From one number to the next: whatever an item is folded into has one of its own between. */
const step = 1 + bucketsOfOne

/** Of the items; see `item.ts`. */
const kinds = { adopt: 2 }

/** Nothing in Redis waits for its end. */
const isFoldable = ({ row }: Item): boolean => Number.isNaN(figure(row, "born")) && foldable.has(figure(row, "kind"))
const foldable = new Set([0, 1, 5, 6])

export class Batches {
  #items: Array<Numbered> = []
  readonly #folded: Folded
  #numbers = 0
  #taken = -1
  /** What Redis has taken, as long as it counts. */
  readonly #told: Folded

  constructor(readonly nowMs: () => number, settings: Pick<RouterSettings, "window" | "buckets" | "transit">) {
    this.#folded = new Folded(settings)
    this.#told = new Folded(settings)
  }

  get length(): number {
    return this.#items.length + this.#folded.size
  }

  /** The newest number there is. */
  get newest(): number {
    return this.#numbers
  }

  /** The oldest number of what was not sent yet. */
  get oldest(): number {
    return this.#folded.size > 0 ? 0 : this.#items[0]?.number ?? Number.POSITIVE_INFINITY
  }

  add(item: Item): void {
    this.#items.push(this.numbered(item))
    if (this.#items.length > mostKept) this.#fold()
  }

  /** What is told gets a number, in the order in which it is told. */
  numbered(item: Item): Numbered {
    this.#numbers += step
    return { ...item, number: this.#numbers, atMs: this.nowMs() }
  }

  /** Takes the next ones out. */
  next(): ReadonlyArray<Numbered> {
    if (this.#folded.size > 0) this.#unfold()
    return this.#items.splice(0, batchSize)
  }

  /** Whose ends are among them, of leases of this state. */
  leases(born: number): ReadonlyArray<string> {
    return this.#items.flatMap(({ lease, row }) => figure(row, "born") === born ? lease : [])
  }

  /** Of these leases nothing is held any more; `isCounted`: each is counted as it was reserved. */
  release(leases: ReadonlySet<string>, isCounted: boolean): void {
    this.#items = this.#items.map((item) =>
      leases.has(item.lease)
        ? { ...item, row: withoutLease(isCounted ? lessCounted(item.row) : item.row) }
        : item
    )
  }

  /** The leases that they are about. */
  get about(): ReadonlySet<string> {
    return new Set(this.#items.map(({ lease }) => lease))
  }

  /** Leases of which it is still to be told that they are held. */
  get adopting(): ReadonlySet<string> {
    return new Set(this.#items.flatMap(({ lease, row }) => figure(row, "kind") === kinds.adopt ? lease : []))
  }

  /** They were not answered: again, in the order of their numbers. */
  again(items: ReadonlyArray<Numbered>): void {
    this.#items = [...items, ...this.#items].sort((a, b) => a.number - b.number)
  }

  /** Redis has taken these; none: it has heard of this instance. */
  took(items: ReadonlyArray<Numbered>): void {
    const atMs = this.nowMs()
    this.#taken = Math.max(this.#taken, 0, ...items.map(({ number }) => number))
    for (const item of items) this.#told.add({ ...item, atMs })
  }

  /**
   * Redis knows nothing any more of what it had taken beyond this number; NaN: of anything. What counts of it is told
   * again, by buckets: of the one in which that number was some counts twice.
   */
  tellAgain(taken: number): void {
    this.#taken = Number.isNaN(taken) ? 0 : taken
    for (const { item } of this.#told.takeBeyond(this.#taken, this.nowMs())) this.add(item)
  }

  /** The highest number that Redis has taken; -1: it may have never heard of this instance. */
  get taken(): number {
    return this.#taken
  }

  /** Redis has lost what they were about. */
  clear(): void {
    this.#items = []
    this.#folded.clear()
    this.#told.clear()
    this.#taken = -1
  }

  /** Half of them, so that it is done seldom. */
  #fold(): void {
    let over = this.#items.length - mostKept / 2
    const kept: Array<Numbered> = []
    for (const item of this.#items) {
      if (over-- > 0 && isFoldable(item)) this.#folded.add(item)
      else kept.push(item)
    }
    // Only where more calls were under way when Redis went than are kept: what Redis holds for them ends as a stray.
    this.#items = kept.slice(-mostKept)
  }

  /** In the order of the numbers, in which Redis takes them. */
  #unfold(): void {
    const folded = this.#folded.takeBeyond(Number.NEGATIVE_INFINITY, this.nowMs())
    const last = new Map<number, number>()
    this.again(folded.map(({ atMs, item, number }) => {
      const own = (last.get(number) ?? number) + 1
      last.set(number, own)
      return { ...item, number: own, atMs }
    }))
  }
}
