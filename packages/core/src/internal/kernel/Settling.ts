/**
 * What the end of a call does to its provider: windows, learned tokens and limits, latency, breaker, bench, pin.
 */
import type { Usage } from "../../ChatResponse.ts"
import type { FailureClass } from "../../FailureClass.ts"
import type { ProviderSpec } from "../../Provider.ts"
import type { Dimension } from "../../RateLimit.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Reservation, Settlement, StateChange } from "../../RouterState.ts"
import { type Breaker, type BreakerResult, onResult } from "./Breaker.ts"
import { sampleLatency } from "./Latency.ts"
import { type Meter, rowOf } from "./Meter.ts"
import type { Pins } from "./Pins.ts"
import type { Counts, ProviderLedger } from "./ProviderLedger.ts"
import { learnFromRefusal, readable, readLimits } from "./Reading.ts"

/**
 * A timeout says something of the provider only where the call had four times its usual latency, or twice and half a
 * minute; a caller in more of a hurry than that must not open its circuit for everyone.
 */
const patienceMs = (usualMs: number): number => Math.min(usualMs * 4, Math.max(usualMs * 2, 30_000))

/** Failures of the request, not of the provider: what time one names is nobody else's. */
const aboutRequest: ReadonlySet<FailureClass> = new Set<FailureClass>([
  "context_too_long",
  "request_too_large",
  "content_policy",
  "caller_fault",
  "cancelled"
])

/** More tokens than any answer has. */
const mostTokens = 2 ** 31

type Succeeded = Extract<Settlement, { _tag: "Success" }>
type Failed = Extract<Settlement, { _tag: "Failure" }>

/** What a vendor reported, if it is a count at all; the ring's sums are exact for whole numbers only. */
const counted = (tokens: number, reserved: number): number =>
  Number.isFinite(tokens) && tokens >= 0 ? Math.min(Math.ceil(tokens), mostTokens) : reserved

/** Input that counts: the parts read from and written to a cache by the share that the vendor counts of them. */
const countedInput = ({ counting }: ProviderSpec, usage: Usage, reserved: number): number => {
  const free = (usage.cachedInputTokens ?? 0) * (1 - counting.cacheRead)
    + (usage.cacheWriteTokens ?? 0) * (1 - counting.cacheWrite)
  const input = counted(usage.inputTokens, reserved)
  return free > 0 ? Math.max(0, Math.ceil(input - free)) : input
}

export class Settling {
  constructor(
    readonly settings: RouterSettings,
    readonly pins: Pins,
    readonly onChange: (change: StateChange) => void
  ) {}

  settle(provider: ProviderLedger, reservation: Reservation, settlement: Settlement, nowMs: number): void {
    if (settlement._tag === "Unused") return this.#result(provider, reservation, "ignored", nowMs)
    const readings = readable(settlement.limits ?? [])
    const refused = settlement._tag === "Failure" && settlement.class === "rate_limit"
    // Where the vendor says how many requests it has counted, it also says whether it counts those that it refused.
    // Where nobody has said what the limit is, what was taken is all that it can be learned from.
    const isCounted = (dimension: Dimension) =>
      !refused || (provider.meters[rowOf(dimension)]!.isKnown
        && !readings.some((reading) => reading.dimension === dimension && reading.remaining !== undefined))
    this.#account(provider, reservation, settlement, {
      nowMs,
      requests: isCounted("requests") ? 1 : 0,
      dayRequests: isCounted("requestsPerDay") ? 1 : 0
    })
    if (readings.length > 0) this.#learned(provider, readLimits(provider, readings, { reservation, refused }), nowMs)
    else if (refused) this.#learned(provider, learnFromRefusal(provider), nowMs)
    if (settlement.firstTokenMs !== undefined) {
      provider.firstToken = sampleLatency(provider.firstToken, this.settings.latency, settlement.firstTokenMs, nowMs)
    }
    if (settlement._tag === "Success") this.#succeeded(provider, reservation, settlement, nowMs)
    else this.#failed(provider, reservation, settlement, nowMs)
  }

  /** Moves what was reserved from "in flight" into the buckets where it rolls out. */
  #account(
    provider: ProviderLedger,
    reservation: Reservation,
    settlement: Succeeded | Failed,
    { dayRequests, nowMs, requests }: Pick<Counts, "requests" | "dayRequests"> & { readonly nowMs: number }
  ): void {
    const refunded = settlement._tag === "Failure" && this.settings.failures[settlement.class].tokens === "refunded"
    const nothing = { inputTokens: 0, outputTokens: 0 }
    const used: Usage = settlement.usage ?? (refunded ? nothing : reservation)
    const output = counted(used.outputTokens, reservation.outputTokens)
    provider.count({
      requests,
      dayRequests,
      inputAtMs: Math.min(nowMs, reservation.reservedAtMs + this.settings.transit),
      input: countedInput(provider.spec, used, reservation.inputTokens),
      outputAtMs: nowMs,
      output: reservation.outputCharged && !refunded ? Math.max(output, reservation.outputTokens) : output
    })
  }

  #learned(provider: ProviderLedger, meters: ReadonlyArray<Meter>, nowMs: number): void {
    for (const { dimension, limit } of meters) {
      this.onChange({ _tag: "LimitLearned", provider: provider.name, dimension, limit, atMs: nowMs })
    }
  }

  #succeeded(provider: ProviderLedger, reservation: Reservation, { latencyMs, usage }: Succeeded, nowMs: number): void {
    provider.latency = sampleLatency(provider.latency, this.settings.latency, latencyMs, nowMs)
    if (usage !== undefined) {
      const input = counted(usage.inputTokens, reservation.inputTokens)
      provider.learned.learnInput(input, reservation.estimatedInputTokens)
      provider.learned.learnOutput(counted(usage.outputTokens, reservation.outputTokens))
    }
    // It was called although it was set aside, and is well.
    if (reservation.lastResort === true && provider.bench.guessed) provider.benchedUntilMs = nowMs
    if (reservation.sessionId !== undefined) this.pins.answered(reservation.sessionId, provider.spec.name, nowMs)
    this.#result(provider, reservation, "success", nowMs)
  }

  #failed(provider: ProviderLedger, reservation: Reservation, failure: Failed, nowMs: number): void {
    if (failure.class !== "cancelled") provider.lastError = { class: failure.class, atMs: nowMs }
    const consequence = this.settings.failures[failure.class]
    // A stall in the middle of an answer is nobody's haste, nor is a timeout that the vendor itself has told.
    const isLate = failure.class === "timeout" && failure.firstTokenMs === undefined && failure.status === undefined
    const hasty = isLate && failure.latencyMs < patienceMs(this.#usualMs(provider, reservation))
    this.#result(provider, reservation, consequence.breaker && !hasty ? "failure" : "ignored", nowMs)
    if (isLate) this.#slower(provider, reservation, failure.latencyMs, nowMs)
    const { retryAfterMs = 0 } = failure
    // "Retry-After: 0" names no time.
    const asked = retryAfterMs > 0 && Number.isFinite(retryAfterMs) && !aboutRequest.has(failure.class)
    const forMs = asked ? retryAfterMs : consequence.bench
    // What the vendor says replaces what was only guessed, also where it is less.
    const outlasts = nowMs + forMs > provider.benchedUntilMs || (asked && provider.bench.guessed)
    if (forMs <= 0 || !outlasts) return
    provider.benchedUntilMs = nowMs + forMs
    provider.bench = { because: failure.class, guessed: !asked }
    provider.outSinceMs = nowMs
    this.onChange({ _tag: "Benched", provider: provider.spec.name, because: failure.class, forMs, atMs: nowMs })
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
