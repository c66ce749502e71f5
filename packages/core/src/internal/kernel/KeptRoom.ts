import type { RouterSettings } from "../../RouterOptions.ts"
import { laneRank, refusal } from "./Admission.ts"
import type { Ledger } from "./Ledger.ts"
import type { Waiter } from "./Waiter.ts"

/**
 * What ends the passing over of one that is too large to fit by chance: the provider that would have room for it first
 * keeps it for it. Room is kept for one at a time.
 */
export class KeptRoom {
  /** Whom it is kept for. */
  waiter: Waiter | undefined

  constructor(readonly ledger: Ledger, readonly settings: RouterSettings["waiting"]) {}

  /** Keeps room for it, if it has been passed over for `keepAfter` and can be served in time; for nobody else. */
  keep(waiter: Waiter | undefined, nowMs: number): void {
    this.release()
    if (waiter === undefined || nowMs - waiter.arrivedMs < this.settings.keepAfter) return
    if (this.ledger.providers.length === 0) return
    const soonest = this.ledger.providers
      .map((provider) => ({ provider, ms: refusal(provider, waiter.demand)?.retryAfterMs ?? 0 }))
      .reduce((a, b) => b.ms < a.ms ? b : a)
    if (soonest.ms === Number.POSITIVE_INFINITY || nowMs + soonest.ms > waiter.dueMs) return
    this.waiter = waiter
    soonest.provider.keptFor = { demand: waiter.demand, rank: this.#rank(waiter, nowMs) }
  }

  /** As time passes it closes to higher lanes too. */
  age(nowMs: number): void {
    if (this.waiter === undefined) return
    for (const { keptFor } of this.ledger.providers) {
      if (keptFor !== undefined) keptFor.rank = this.#rank(this.waiter, nowMs)
    }
  }

  release(): void {
    if (this.waiter === undefined) return
    this.waiter = undefined
    for (const provider of this.ledger.providers) provider.keptFor = undefined
  }

  /** The highest lane that the room is closed to: the waiter's own, and one higher each `ageing` that it waits on. */
  #rank({ arrivedMs, demand }: Waiter, nowMs: number): number {
    const { ageing, keepAfter } = this.settings
    const overMs = nowMs - arrivedMs - keepAfter
    return laneRank[demand.lane] - (ageing > 0 ? Math.floor(overMs / ageing) : laneRank.low)
  }
}
