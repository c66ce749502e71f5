/**
 * What the end of a call does to its provider: windows, learned tokens and limits, latency, breaker, bench, pin.
 */
import type { Dimension } from "../../RateLimit.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Reservation, Settlement } from "../../RouterState.ts"
import type { StateChange } from "../../StateChange.ts"
import { type Breaker, type BreakerResult, onResult } from "./Breaker.ts"
import { sampleLatency } from "./Latency.ts"
import { type Meter, rowOf } from "./Meter.ts"
import { type Outcome, outcomeOf } from "./Outcome.ts"
import type { Pins } from "./Pins.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { learnFromRefusal, readLimits, spentUntil } from "./Reading.ts"

/**
 * A timeout says something of the provider only where the call had four times its usual latency, or twice and half a
 * minute; a caller in more of a hurry than that must not open its circuit for everyone.
 */
export const patience = { most: 4, least: 2, longMs: 30_000 }

const patienceMs = (usualMs: number): number =>
  Math.min(usualMs * patience.most, Math.max(usualMs * patience.least, patience.longMs))

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
    const { failed, firstTokenMs, latencyMs, learns, readings, refused } = outcome
    // Of a limit that nobody has told, what was taken is all that it can be learned from.
    const isCounted = (dimension: Dimension) => !refused || provider.meters[rowOf(dimension)]!.isKnown
    // What was reserved moves from "in flight" into the buckets where it rolls out.
    provider.count({
      requests: isCounted("requests") ? outcome.requests : 0,
      dayRequests: isCounted("requestsPerDay") ? outcome.dayRequests : 0,
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
    if (failed !== undefined) provider.lastError = { class: failed, atMs: nowMs }
    this.#judge(provider, reservation, outcome, nowMs)
    this.#setAside(provider, outcome, nowMs)
    this.#setAsideSpent(provider, reservation, outcome, nowMs)
  }

  #learned(provider: ProviderLedger, meters: ReadonlyArray<Meter>, nowMs: number): void {
    for (const { dimension, limit } of meters) {
      this.onChange({ _tag: "LimitLearned", provider: provider.name, dimension, limit, atMs: nowMs })
    }
  }

  #judge(provider: ProviderLedger, reservation: Reservation, { lateMs, result }: Outcome, nowMs: number): void {
    const hasty = lateMs !== undefined && lateMs < patienceMs(this.#usualMs(provider, reservation))
    this.#result(provider, reservation, hasty ? "ignored" : result, nowMs)
    if (lateMs !== undefined) this.#slower(provider, reservation, lateMs, nowMs)
  }

  #setAside(provider: ProviderLedger, { bench }: Outcome, nowMs: number): void {
    if (bench === undefined) return
    const untilMs = nowMs + bench.forMs
    // What the vendor says replaces what was only guessed, also where it is less.
    const outlasts = untilMs > provider.benchedUntilMs || (!bench.guessed && provider.bench.guessed)
    if (outlasts) this.#bench(provider, { because: bench.because, guessed: bench.guessed, untilMs }, nowMs)
  }

  /** Nothing remains of a limit that nobody has told. */
  #setAsideSpent(provider: ProviderLedger, reservation: Reservation, { readings }: Outcome, nowMs: number): void {
    const spent = spentUntil(provider, readings, reservation)
    if (spent === undefined || spent.untilMs <= Math.max(nowMs, provider.benchedUntilMs)) return
    this.#bench(provider, { because: "rate_limit", ...spent }, nowMs)
  }

  #bench(
    provider: ProviderLedger,
    { because, guessed, untilMs }: ProviderLedger["bench"] & { readonly untilMs: number },
    nowMs: number
  ): void {
    provider.benchedUntilMs = untilMs
    provider.bench = { because, guessed }
    provider.outSinceMs = nowMs
    const forMs = untilMs - nowMs
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
