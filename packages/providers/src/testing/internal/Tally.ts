/**
 * The running counts of a vendor, and those who wait for them: a waiter is looked at on each change, so nobody polls.
 */
import { Effect } from "effect"

/** How an exchange ended, and the count it is added to. */
export type Outcome = "served" | "rateLimited" | "failed" | "aborted"

interface TallyCounts extends Readonly<Record<Outcome, number>> {
  readonly received: number
  readonly inFlight: number
  readonly inputTokens: number
  readonly outputTokens: number
}

interface Waiter<Counts> {
  readonly isMet: (counts: Counts) => boolean
  readonly resume: (counts: Counts) => void
}

/** `Counts` is what is shown: the tally with what `show` adds to it. */
export class Tally<Counts> {
  readonly #show: (counts: TallyCounts) => Counts
  readonly #counts = {
    received: 0,
    served: 0,
    rateLimited: 0,
    failed: 0,
    aborted: 0,
    inFlight: 0,
    inputTokens: 0,
    outputTokens: 0
  }
  readonly #waiters = new Set<Waiter<Counts>>()

  constructor(show: (counts: TallyCounts) => Counts) {
    this.#show = show
  }

  /** A copy. */
  counts(): Counts {
    return this.#show(this.#counts)
  }

  received(): void {
    this.#counts.received++
    this.#counts.inFlight++
    this.#notify()
  }

  admitted(inputTokens: number): void {
    this.#counts.inputTokens += inputTokens
    this.#notify()
  }

  ended(outcome: Outcome, outputTokens: number): void {
    this.#counts.inFlight--
    this.#counts[outcome]++
    this.#counts.outputTokens += outputTokens
    this.#notify()
  }

  /** Resumes with the first counts that meet the condition, the present ones included. */
  awaitCounts(isMet: (counts: Counts) => boolean): Effect.Effect<Counts> {
    return Effect.async((resume) => {
      const counts = this.counts()
      if (isMet(counts)) return resume(Effect.succeed(counts))
      const waiter: Waiter<Counts> = { isMet, resume: (met) => resume(Effect.succeed(met)) }
      this.#waiters.add(waiter)
      return Effect.sync(() => this.#waiters.delete(waiter))
    })
  }

  #notify(): void {
    if (this.#waiters.size === 0) return
    const counts = this.counts()
    for (const waiter of this.#waiters) {
      if (!waiter.isMet(counts)) continue
      this.#waiters.delete(waiter)
      waiter.resume(counts)
    }
  }
}
