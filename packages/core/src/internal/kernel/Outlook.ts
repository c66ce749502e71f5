/**
 * When the line has to look again although nobody settles a call: when time lets somebody in, or somebody is due.
 */
import type { Demand } from "../../RouterState.ts"
import { opensInMs } from "./Admission.ts"
import type { KeptRoom } from "./KeptRoom.ts"
import { largestLast } from "./LastResort.ts"
import type { Ledger } from "./Ledger.ts"
import type { Waiter } from "./Waiter.ts"
import type { Waiters } from "./Waiters.ts"

const never = Number.POSITIVE_INFINITY

export class Outlook {
  /** The moment, in the ledger's time. */
  atMs = never

  constructor(readonly ledger: Ledger, readonly waiters: Waiters, readonly kept: KeptRoom) {}

  /** Finds the moment, and answers the first in order that fits now, of the smallest and the first in line. */
  look(nowMs: number): Waiter | undefined {
    const asked = new Set(this.waiters.smallest())
    for (const waiter of [this.waiters.first(), this.kept.waiter]) if (waiter !== undefined) asked.add(waiter)
    let atMs = this.waiters.dueMs
    let fits: Waiter | undefined
    for (const waiter of asked) {
      const inMs = this.#opensInMs(waiter.demand)
      if (inMs > 0) atMs = Math.min(atMs, nowMs + inMs)
      else if (fits === undefined || this.waiters.isBefore(waiter, fits)) fits = waiter
    }
    for (const { demand } of this.lasts()) atMs = Math.min(atMs, this.ledger.lastResortAtMs(demand))
    this.atMs = Math.max(nowMs + 1, atMs)
    return fits
  }

  /**
   * Brings the moment forward for a newcomer, where nothing else has changed: all its kind that are no larger fit no
   * later. `false` where it fits now.
   */
  include(waiter: Waiter, nowMs: number): boolean {
    const isAsked = waiter.group.waiters.minSize === waiter.size || this.waiters.settings.order === "lifo"
    const inMs = isAsked ? this.#opensInMs(waiter.demand) : never
    const atMs = Math.min(waiter.dueMs, nowMs + inMs, this.ledger.lastResortAtMs(waiter.demand))
    this.atMs = Math.max(nowMs + 1, Math.min(this.atMs, atMs))
    return inMs > 0
  }

  /** The first of each group that a last resort would take, in order. */
  lasts(): ReadonlyArray<Waiter> {
    const found: Array<Waiter> = []
    for (const group of this.waiters.groups) {
      const size = largestLast(this.ledger.providers, group.kind)
      const waiter = size < 0 ? undefined : this.waiters.firstOf(group, size)
      if (waiter !== undefined) found.push(waiter)
    }
    return found.sort((one, other) => this.waiters.isBefore(one, other) ? -1 : 1)
  }

  #opensInMs(demand: Demand): number {
    let soonest = never
    for (const provider of this.ledger.providers) soonest = Math.min(soonest, opensInMs(provider, demand))
    return soonest
  }
}
