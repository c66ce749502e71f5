/**
 * One provider's part of the ledger: its window, what is in flight, latency, breaker, bench, and what was learned of
 * its tokens. Calls in flight are counted apart from the window, so that they never roll out of it while they run.
 */
import type { FailureClass } from "../../FailureClass.ts"
import type { ProviderSpec } from "../../Provider.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand, ProviderState } from "../../RouterState.ts"
import { type Breaker, initialBreaker } from "./Breaker.ts"
import { currentLatency, initialLatency, type Latency } from "./Latency.ts"
import { dryInMs, runsDry } from "./Prediction.ts"
import { RollingWindow } from "./RollingWindow.ts"
import type { Candidate } from "./Score.ts"

export const REQUESTS = 0
export const TOKENS = 1

/** Weight of the newest answer in the learned tokens; a single odd request moves them little. */
const learningRate = 0.1

/**
 * Mean absolute deviations above the mean that are reserved for an answer. Between the moment a vendor counts a long
 * answer and the moment it is settled here, the reservation is all that stands for it; it costs room in flight only.
 */
const deviations = 2

/** A learned ratio outside these bounds says more about a mistake than about a tokenizer. */
const ratioBounds = { min: 0.25, max: 4 }

export class ProviderLedger implements Candidate {
  readonly window: RollingWindow
  inFlightRequests = 0
  inFlightTokens = 0
  latency: Latency
  breaker: Breaker = initialBreaker
  /** When the provider was taken out of the list; absent while it is in it. */
  leftAtMs: number | undefined
  benchedUntilMs = Number.NEGATIVE_INFINITY
  benchedBecause: FailureClass = "rate_limit"
  /** Actual input tokens over estimated ones, moving average. */
  #inputRatio = 1
  /** Output tokens of an answer, moving average, and how far answers lie from it, likewise. */
  #outputMean: number
  #outputDeviation = 0
  /** The window's older part over its recent one. */
  readonly #olderShare: number
  #nowMs = 0

  constructor(public spec: ProviderSpec, readonly settings: RouterSettings, nowMs: number) {
    this.window = new RollingWindow(settings.window, settings.buckets, 2)
    this.#olderShare = settings.window / this.window.recentMs - 1
    this.latency = initialLatency(settings.latency, nowMs)
    this.#outputMean = settings.outputPriorTokens
  }

  /** Brings everything that depends on time to `nowMs`. */
  roll(nowMs: number): void {
    this.#nowMs = nowMs
    this.window.roll(nowMs)
  }

  get requestsUsed(): number {
    return this.window.sum(REQUESTS) + this.inFlightRequests
  }
  get requestLimit(): number {
    return this.spec.requestLimit
  }
  get tokensUsed(): number {
    return this.window.sum(TOKENS) + this.inFlightTokens
  }
  get tokenLimit(): number {
    return this.spec.tokenLimit
  }
  get latencyMs(): number {
    return currentLatency(this.latency, this.settings.latency, this.#nowMs)
  }
  get weight(): number {
    return this.spec.weight
  }

  /** Whether the provider left so long ago that nothing of it counts any more. */
  isForgotten(nowMs: number): boolean {
    return this.leftAtMs !== undefined && this.inFlightRequests === 0 && nowMs - this.leftAtMs > this.settings.window
  }

  /** Input tokens this provider is expected to count. */
  inputCost(demand: Demand): number {
    return Math.ceil(demand.inputTokens * this.#inputRatio)
  }

  /**
   * Output tokens to reserve beside `inputTokens`: `maxTokens` where the vendor charges that on arrival; else what its
   * answers take, which is a guess and so never what makes a request too large for a limit.
   */
  outputCost(demand: Demand, inputTokens: number, tokenLimit: number): number {
    if (demand.maxTokens !== undefined && this.spec.chargesMaxTokens) return demand.maxTokens
    const usual = Math.ceil(this.#outputMean + deviations * this.#outputDeviation)
    const expected = Math.min(usual, demand.maxTokens ?? Number.POSITIVE_INFINITY)
    return Math.max(0, Math.min(expected, Math.floor(tokenLimit) - inputTokens))
  }

  learnInput(actualTokens: number, estimatedTokens: number): void {
    if (estimatedTokens <= 0) return
    const ratio = Math.min(ratioBounds.max, Math.max(ratioBounds.min, actualTokens / estimatedTokens))
    this.#inputRatio += learningRate * (ratio - this.#inputRatio)
  }

  learnOutput(tokens: number): void {
    this.#outputDeviation += learningRate * (Math.abs(tokens - this.#outputMean) - this.#outputDeviation)
    this.#outputMean += learningRate * (tokens - this.#outputMean)
  }

  /** Whether requests or tokens run out within the look-ahead, at the present rate. */
  get atRisk(): boolean {
    const requests = this.window.recent(REQUESTS) + this.inFlightRequests
    const tokens = this.window.recent(TOKENS) + this.inFlightTokens
    const dry = runsDry(requests, 1, this.spec.requestLimit, this.#olderShare)
      || runsDry(tokens, this.#tokensPerRequest, this.spec.tokenLimit, this.#olderShare)
    return dry && this.dryInMs() !== undefined
  }

  /** Milliseconds until requests or tokens run out at the present rate, within the look-ahead. */
  dryInMs(): number | undefined {
    const requests = this.#dryInMs(REQUESTS, this.requestsUsed, this.inFlightRequests, this.spec.requestLimit)
    const tokens = this.#dryInMs(TOKENS, this.tokensUsed, this.inFlightTokens, this.spec.tokenLimit)
    if (requests === undefined) return tokens
    return tokens === undefined ? requests : Math.min(requests, tokens)
  }

  get #tokensPerRequest(): number {
    return this.tokensUsed / Math.max(1, this.requestsUsed)
  }

  #dryInMs(dimension: number, total: number, inFlight: number, limit: number): number | undefined {
    return dryInMs({
      total,
      recent: this.window.recent(dimension) + inFlight,
      perRequest: dimension === REQUESTS ? 1 : this.#tokensPerRequest,
      limit
    }, {
      windowMs: this.settings.window,
      recentMs: this.window.recentMs,
      lookAheadMs: this.settings.lookAhead
    })
  }

  /** As seen from outside, as of the last `roll`. */
  state(): ProviderState {
    const headroom = Math.min(
      1 - this.requestsUsed / this.requestLimit,
      1 - this.tokensUsed / this.tokenLimit
    )
    return {
      name: this.spec.name,
      model: this.spec.model,
      requestsUsed: this.requestsUsed,
      requestLimit: this.requestLimit,
      tokensUsed: this.tokensUsed,
      tokenLimit: this.tokenLimit,
      headroom: Math.max(0, headroom),
      inFlight: this.inFlightRequests,
      latencyMs: this.latencyMs,
      circuit: this.breaker._tag,
      circuitRetryAfterMs: this.breaker._tag === "open" ? Math.max(0, this.breaker.untilMs - this.#nowMs) : undefined,
      benched: this.benchedUntilMs > this.#nowMs
        ? { forMs: this.benchedUntilMs - this.#nowMs, because: this.benchedBecause }
        : undefined,
      dryInMs: this.dryInMs()
    }
  }
}
