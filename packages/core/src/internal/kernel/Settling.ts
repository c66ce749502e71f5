/**
 * What the end of a call does to its provider: windows, learned tokens and limits, latency, breaker, bench, pin.
 */
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Reservation, Settlement } from "../../RouterState.ts"
import type { StateChange } from "../../StateChange.ts"
import { type Breaker, type BreakerResult, onResult } from "./Breaker.ts"
import { sampleLatency } from "./Latency.ts"
import type { Meter } from "./Meter.ts"
import { type Outcome, outcomeOf } from "./Outcome.ts"
import type { Pins } from "./Pins.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { learnFromRefusal, readLimits } from "./Reading.ts"

/**
 * A timeout says something of the provider only where the call had this many times its usual latency; a caller in more
 * of a hurry than that must not open its circuit for everyone.
 */
export const patience = 4

export class Settling {
  constructor(
    readonly settings: RouterSettings,
    readonly pins: Pins,
    readonly onChange: (change: StateChange) => void
  ) {}

  settle(provider: ProviderLedger, reservation: Reservation, settlement: Settlement, nowMs: number): void {
    if (settlement._tag === "Unused") return this.#result(provider, reservation, "ignored", nowMs)
    this.#apply(provider, reservation, outcomeOf(provider.spec, reservation, settlement, this.settings), nowMs)
  }

  #apply(provider: ProviderLedger, reservation: Reservation, outcome: Outcome, nowMs: number): void {
    const { latency } = this.settings
    const { firstTokenMs, latencyMs, learns, readings, refused } = outcome
    // What was reserved moves from "in flight" into the buckets where it rolls out.
    provider.count({
      requests: outcome.requests,
      dayRequests: outcome.dayRequests,
      inputAtMs: Math.min(nowMs, reservation.reservedAtMs + this.settings.transit),
      input: outcome.input,
      outputAtMs: nowMs,
      output: outcome.output
    })
    if (readings.length > 0) this.#learned(provider, readLimits(provider, readings, { reservation, refused }), nowMs)
    else if (refused) this.#learned(provider, learnFromRefusal(provider), nowMs)
    if (firstTokenMs !== undefined) {
      provider.firstToken = sampleLatency(provider.firstToken, latency, firstTokenMs, nowMs)
    }
    if (latencyMs !== undefined) provider.latency = sampleLatency(provider.latency, latency, latencyMs, nowMs)
    if (learns !== undefined) {
      provider.learned.learnInput(learns.inputTokens, reservation.estimatedInputTokens)
      provider.learned.learnOutput(learns.outputTokens)
    }
    if (outcome.endsBench && provider.bench.guessed) provider.benchedUntilMs = nowMs
    if (outcome.answered !== undefined) this.pins.answered(outcome.answered, provider.spec.name, nowMs)
    this.#judge(provider, reservation, outcome, nowMs)
    this.#setAside(provider, outcome, nowMs)
  }

  #learned(provider: ProviderLedger, meters: ReadonlyArray<Meter>, nowMs: number): void {
    for (const { dimension, limit } of meters) {
      this.onChange({ _tag: "LimitLearned", provider: provider.name, dimension, limit, atMs: nowMs })
    }
  }

  #judge(provider: ProviderLedger, reservation: Reservation, { lateMs, result }: Outcome, nowMs: number): void {
    const hasty = lateMs !== undefined && lateMs < this.#usualMs(provider, reservation) * patience
    this.#result(provider, reservation, hasty ? "ignored" : result, nowMs)
    if (lateMs !== undefined) this.#slower(provider, reservation, lateMs, nowMs)
  }

  #setAside(provider: ProviderLedger, { bench }: Outcome, nowMs: number): void {
    if (bench === undefined || nowMs + bench.forMs <= provider.benchedUntilMs) return
    const { because, forMs, guessed } = bench
    provider.benchedUntilMs = nowMs + forMs
    provider.bench = { because, guessed }
    provider.outSinceMs = nowMs
    this.onChange({ _tag: "Benched", provider: provider.spec.name, because, forMs, atMs: nowMs })
  }

  /**
   * A call that was cut off would have taken at least as long: ranking moves away from a provider that hangs, also where
   * its callers are too hasty for the breaker. Up to the score's ceiling, beyond which ranking sees no difference: the
   * average also says what counts as hasty.
   */
  #slower(provider: ProviderLedger, reservation: Reservation, latencyMs: number, nowMs: number): void {
    const sampleMs = Math.min(latencyMs, this.settings.latency.ceiling)
    if (sampleMs <= this.#usualMs(provider, reservation)) return
    const average = reservation.streams === true ? "firstToken" : "latency"
    provider[average] = sampleLatency(provider[average], this.settings.latency, sampleMs, nowMs)
  }

  /** How long its answer, or the beginning of it, was likely to take. */
  #usualMs(provider: ProviderLedger, { streams }: Reservation): number {
    return streams === true ? provider.firstTokenMs : provider.callMs
  }

  #result(provider: ProviderLedger, reservation: Reservation, result: BreakerResult, nowMs: number): void {
    this.move(provider, onResult(provider.breaker, this.settings.breaker, reservation.epoch, result, nowMs), nowMs)
  }

  /** Moves the breaker, and tells so where its state is another one. */
  move(provider: ProviderLedger, breaker: Breaker, nowMs: number): void {
    const from = provider.breaker._tag
    provider.breaker = breaker
    if (from === breaker._tag) return
    if (breaker._tag === "open") provider.outSinceMs = nowMs
    this.onChange({ _tag: "CircuitMoved", provider: provider.spec.name, from, to: breaker._tag, atMs: nowMs })
  }
}
