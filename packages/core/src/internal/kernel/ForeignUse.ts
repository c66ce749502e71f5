/**
 * What others use of one limit with the same key, as far as the vendor's own count tells: its `limit − remaining` less
 * what the ledger knows of. A reading is a lower bound: the ledger over-counts by design, and calls that are on their way
 * may be counted there or not. So the estimate is the highest of the bounds seen lately, carried on by a model:
 *
 * - what was there drains evenly until the reset the vendor named (a token bucket does; for a rolling window it is the
 *   expectation); where the vendor said that nothing remains, it is held until that reset;
 * - others go on as they did: their mean rate, learned over a quarter of the window, comes on top;
 * - arrivals scatter: three standard deviations of a Poisson stream of such requests are kept free, and one request
 *   more, since a slot that both want goes to whoever is first.
 */

/** Standard deviations of the others' arrivals that are kept free. */
const deviations = 3

/** The rate is learned over this share of the window. */
const memoryShare = 4

export class ForeignUse {
  /** Its whole state, as a shared store keeps it too; `rate` is per ms. */
  readonly state = { amount: 0, atMs: Number.NEGATIVE_INFINITY, drainMs: 1, held: false, rate: 0 }

  constructor(readonly windowMs: number) {}

  /** Takes a reading of that moment: the vendor has counted `amount` more than the ledger. */
  observe(
    reading: { readonly amount: number; readonly isOver: boolean; readonly resetMs: number | undefined },
    atMs: number
  ): void {
    // A slow call's word is older than a quick one's that came before it.
    if (atMs < this.state.atMs) return
    const amount = Math.max(0, reading.amount)
    const forgotten = Math.exp(-Math.min(atMs - this.state.atMs, this.windowMs) * memoryShare / this.windowMs)
    const left = this.#expected(atMs)
    this.state.rate = amount / this.windowMs + (this.state.rate - amount / this.windowMs) * forgotten
    if (this.state.rate * this.windowMs < 1e-3) this.state.rate = 0
    this.state.amount = Math.max(amount, left < 1e-3 ? 0 : left)
    this.state.atMs = atMs
    this.state.held = reading.isOver
    this.state.drainMs = Math.max(1, Math.min(reading.resetMs ?? this.windowMs, this.windowMs))
  }

  /** Nobody else uses the key: the usual case. */
  get isNone(): boolean {
    return this.state.amount === 0 && this.state.rate === 0
  }

  /** What others are taken to use at `nowMs`; `unit` is what one request takes. */
  at(nowMs: number, unit: number): number {
    if (this.isNone || nowMs - this.state.atMs >= this.windowMs) return 0
    return this.#expected(nowMs) + this.since(nowMs, unit) - this.state.rate * (nowMs - this.state.atMs)
  }

  /** What they may have used since the last reading. */
  since(nowMs: number, unit: number): number {
    const arrived = this.state.rate * (nowMs - this.state.atMs)
    return arrived + deviations * Math.sqrt(arrived * unit) + unit
  }

  #expected(nowMs: number): number {
    const ageMs = nowMs - this.state.atMs
    if (ageMs >= this.windowMs) return 0
    const left = this.state.held ? (ageMs < this.state.drainMs ? 1 : 0) : Math.max(0, 1 - ageMs / this.state.drainMs)
    return this.state.amount * left + this.state.rate * ageMs
  }
}
