/**
 * Who is in line, in groups of one kind, and in which order: by lane, then by arrival (`lifo`: the newest first), a lane
 * going ahead of the next by `ageing`. Everything here costs O(groups), or O(log n) in one group; a newcomer's group is
 * found by its key.
 */
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand } from "../../RouterState.ts"
import { laneRank } from "./Admission.ts"
import { FirstFit } from "./FirstFit.ts"
import { type Group, keysOf, type Waiter } from "./Waiter.ts"

export class Waiters {
  readonly #groups = new Map<string, Group>()
  readonly #count = { high: 0, normal: 0, low: 0 }
  #arrivals = 0

  constructor(readonly settings: RouterSettings["waiting"]) {}

  get length(): number {
    return this.#count.high + this.#count.normal + this.#count.low
  }

  get count(): Readonly<Record<Demand["lane"], number>> {
    return { ...this.#count }
  }

  get groups(): Iterable<Group> {
    return this.#groups.values()
  }

  add(demand: Demand, at: Pick<Waiter, "arrivedMs" | "dueMs" | "resume">): Waiter {
    const group = this.#groupOf(demand)
    const waiter: Waiter = {
      demand,
      group,
      arrivedMs: at.arrivedMs,
      dueMs: at.dueMs,
      resume: at.resume,
      order: this.#arrivals++,
      size: demand.inputTokens,
      slot: -1,
      decision: undefined
    }
    group.waiters.add(waiter)
    this.#count[demand.lane]++
    return waiter
  }

  remove(waiter: Waiter): void {
    const { demand, group } = waiter
    group.waiters.remove(waiter)
    this.#count[demand.lane]--
    if (group.waiters.length === 0) this.#groups.delete(group.key)
  }

  /** The first in order of a group, among those of at most this size. Those that are hidden are not found. */
  firstOf({ waiters }: Group, size = Number.MAX_VALUE): Waiter | undefined {
    return this.settings.order === "fifo" ? waiters.first(size) : waiters.last(size)
  }

  /** The first in line. */
  first(): Waiter | undefined {
    let first: Waiter | undefined
    for (const group of this.#groups.values()) {
      const head = this.firstOf(group)
      if (head !== undefined && (first === undefined || this.isBefore(head, first))) first = head
    }
    return first
  }

  /** The last in order of the lowest lane there is. */
  last(): Waiter | undefined {
    let last: Waiter | undefined
    for (const { waiters } of this.#groups.values()) {
      const end = this.settings.order === "fifo" ? waiters.last(Number.MAX_VALUE) : waiters.first(Number.MAX_VALUE)
      if (end !== undefined && (last === undefined || this.#isBehind(end, last))) last = end
    }
    return last
  }

  isBefore(one: Waiter, other: Waiter): boolean {
    const lanes = laneRank[one.demand.lane] - laneRank[other.demand.lane]
    if (this.settings.order === "lifo") return lanes === 0 ? one.order > other.order : lanes < 0
    const headStartMs = lanes === 0 ? 0 : lanes * this.settings.ageing
    const arrivedMs = lanes === 0 ? one.order - other.order : one.arrivedMs - other.arrivedMs
    return arrivedMs + headStartMs < 0
  }

  /**
   * The smallest of each group, but for groups of which another of the family has one that is smaller in every way: the
   * others fit no sooner than these.
   */
  smallest(): ReadonlyArray<Waiter> {
    const least = new Map<string, number>()
    const found: Array<Waiter> = []
    const byAnswer = [...this.#groups.values()].sort((a, b) => (a.kind.maxTokens ?? 0) - (b.kind.maxTokens ?? 0))
    for (const { family, waiters } of byAnswer) {
      const size = waiters.minSize
      const waiter = waiters.first(size)
      if (waiter === undefined || size >= (least.get(family) ?? Number.POSITIVE_INFINITY)) continue
      least.set(family, size)
      found.push(waiter)
    }
    return found
  }

  /** When the first of them is due; `Infinity` where nobody waits. */
  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY
    for (const { waiters } of this.#groups.values()) dueMs = Math.min(dueMs, waiters.minDueMs)
    return dueMs
  }

  #isBehind(one: Waiter, other: Waiter): boolean {
    const lanes = laneRank[one.demand.lane] - laneRank[other.demand.lane]
    return lanes === 0 ? this.isBefore(other, one) : lanes > 0
  }

  #groupOf({ forceProvider, lane, lastResort, maxTokens, tried }: Demand): Group {
    const kind = { forceProvider, lane, lastResort, maxTokens, tried }
    const { family, key } = keysOf(kind)
    const known = this.#groups.get(key)
    if (known === undefined) {
      const group = { key, family, kind, waiters: new FirstFit<Waiter>() }
      this.#groups.set(key, group)
      return group
    }
    if (maxTokens !== undefined && maxTokens > known.kind.maxTokens!) known.kind = kind
    return known
  }
}
