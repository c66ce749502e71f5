import type { RouterSettings } from "../RouterOptions.ts"

/**
 * Bounds the calls of further rounds by what succeeds: each answer saves up a part of a call, each further call spends
 * one. Where little succeeds retries are what makes it worse, and they end by themselves (gRPC's retry throttling,
 * proposal A6; Finagle's retry budgets).
 */
export class RetryBudget {
  #left: number

  constructor(readonly settings: RouterSettings["retryBudget"]) {
    this.#left = settings.burst
  }

  answered(): void {
    this.#left = Math.min(this.settings.burst, this.#left + this.settings.ratio)
  }

  /** There is no call left in it. */
  get isSpent(): boolean {
    return this.#left < 1
  }

  /** Whether there is one more call in it, which is then spent. */
  spend(): boolean {
    if (this.isSpent) return false
    this.#left--
    return true
  }
}
