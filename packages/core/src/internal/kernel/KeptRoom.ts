import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand } from "../../RouterState.ts"
import { laneRank, refusal, roomBesideInMs } from "./Admission.ts"
import type { Ledger } from "./Ledger.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import type { Waiter } from "./Waiter.ts"

/**
 * What ends the passing over of one that is too large to fit by chance: the provider that would have room for it first
 * keeps it for it, from `keepAfter` on, and before where one more that passed would make it late. Room is kept for one
 * at a time.
 */
export class KeptRoom {
  /** Whom it is kept for. */
  waiter: Waiter | undefined
  /** Who keeps it. */
  provider: ProviderLedger | undefined

  constructor(readonly ledger: Ledger, readonly settings: RouterSettings["waiting"]) {}

  /**
   * Keeps room for it, if it has been passed over for `keepAfter` or was protected, and can be served in time; for nobody
   * else. Answers whether others may take what was kept until now.
   */
  keep(waiter: Waiter | undefined, nowMs: number): boolean {
    const before = this.provider
    const isDue = waiter !== undefined && (waiter === this.waiter || this.#isDue(waiter, nowMs))
    this.release()
    if (isDue) {
      const soonest = this.#soonest(waiter)
      if (soonest !== undefined && nowMs + soonest.ms <= waiter.dueMs) this.#begin(soonest.provider, waiter, nowMs)
    }
    return before !== undefined && before !== this.provider
  }

  /**
   * Whether another may not go before the first in line, since that would make it late: it could be served in time, and
   * not beside the other. From then on room is kept for it.
   */
  protects(first: Waiter, other: Demand, nowMs: number): boolean {
    if (this.waiter !== undefined || !this.#keeps) return false
    const { demand, dueMs } = first
    const { callMs, settings: { transit, window } } = this.ledger.providers[0]!
    // A window from now there will be room, whoever passes.
    if (dueMs - nowMs > window + transit + callMs) return false
    const taken = this.ledger.decide(other)
    if (taken === undefined) return false
    const inMs = (provider: ProviderLedger) => refusal(provider, demand)?.retryAfterMs ?? 0
    const inTime = this.ledger.providers.filter((provider) => nowMs + inMs(provider) <= dueMs)
    if (inTime.length !== 1 || inTime[0] !== taken || nowMs + roomBesideInMs(taken, demand, other) <= dueMs) {
      return false
    }
    this.#begin(taken, first, nowMs)
    return true
  }

  /** As time passes it closes to higher lanes too. What is kept before its time is decided anew in each step. */
  age(nowMs: number): void {
    if (this.waiter === undefined) return
    if (!this.#isDue(this.waiter, nowMs)) this.release()
    else if (this.provider?.keptFor !== undefined) this.provider.keptFor.rank = this.#rank(this.waiter, nowMs)
  }

  release(): void {
    if (this.provider !== undefined) this.provider.keptFor = undefined
    this.waiter = undefined
    this.provider = undefined
  }

  #begin(provider: ProviderLedger, waiter: Waiter, nowMs: number): void {
    this.waiter = waiter
    this.provider = provider
    provider.keptFor = { demand: waiter.demand, rank: this.#rank(waiter, nowMs) }
  }

  get #keeps(): boolean {
    return this.settings.order === "fifo" && this.settings.keepAfter < Number.POSITIVE_INFINITY
  }

  #isDue({ arrivedMs }: Waiter, nowMs: number): boolean {
    return this.#keeps && nowMs - arrivedMs >= this.settings.keepAfter
  }

  /** The provider that has room for it first, and in how many ms. */
  #soonest({ demand }: Waiter): { readonly provider: ProviderLedger; readonly ms: number } | undefined {
    let soonest: { readonly provider: ProviderLedger; readonly ms: number } | undefined
    for (const provider of this.ledger.providers) {
      const ms = refusal(provider, demand)?.retryAfterMs ?? 0
      if (ms < (soonest?.ms ?? Number.POSITIVE_INFINITY)) soonest = { provider, ms }
    }
    return soonest
  }

  /** The highest lane that the room is closed to: the waiter's own, and one higher each `ageing` that it waits on. */
  #rank({ arrivedMs, demand }: Waiter, nowMs: number): number {
    const { ageing, keepAfter } = this.settings
    const overMs = Math.max(0, nowMs - arrivedMs - keepAfter)
    return laneRank[demand.lane] - (ageing > 0 ? Math.floor(overMs / ageing) : laneRank.low)
  }
}
