/**
 * What a vendor admits: its limits on requests and tokens, each over an exact rolling window.
 */
import { ExactWindow } from "./ExactWindow.ts"
import type { LimitState, RateLimitProblem, RateState } from "./VendorFormat.ts"

interface AdmissionOptions {
  /** `Infinity`: none. */
  readonly requestLimit: number
  readonly tokenLimit: number
  readonly windowMs: number
  readonly chargesMaxTokens: boolean
}

interface Dimension {
  readonly name: RateLimitProblem["dimension"]
  readonly limit: number
  readonly window: ExactWindow
}

export class Admission {
  readonly #chargesMaxTokens: boolean
  readonly #requests: Dimension
  readonly #tokens: Dimension
  #admitted = 0

  constructor(options: AdmissionOptions) {
    this.#chargesMaxTokens = options.chargesMaxTokens
    this.#requests = { name: "requests", limit: options.requestLimit, window: new ExactWindow(options.windowMs) }
    this.#tokens = { name: "tokens", limit: options.tokenLimit, window: new ExactWindow(options.windowMs) }
  }

  get peakRequests(): number {
    return this.#requests.window.peak
  }

  get peakTokens(): number {
    return this.#tokens.window.peak
  }

  /** Counts the request, or says why not, and then counts nothing. */
  admit(
    nowMs: number,
    call: { readonly inputTokens: number; readonly maxTokens: number | undefined }
  ): RateLimitProblem | undefined {
    const tokens = call.inputTokens + (this.#chargesMaxTokens ? call.maxTokens ?? 0 : 0)
    const refusal = longer(refusalOf(this.#requests, nowMs, 1), refusalOf(this.#tokens, nowMs, tokens))
    if (refusal !== undefined) return refusal
    this.#admitted++
    this.#requests.window.add(nowMs, 1)
    this.#tokens.window.add(nowMs, tokens)
    return undefined
  }

  /** Counts the answer of an admitted request, unless it was charged on arrival. */
  complete(nowMs: number, call: { readonly outputTokens: number; readonly maxTokens: number | undefined }): void {
    if (this.#chargesMaxTokens && call.maxTokens !== undefined) return
    this.#tokens.window.add(nowMs, call.outputTokens)
  }

  state(nowMs: number): RateState {
    return {
      admitted: this.#admitted,
      requests: stateOf(this.#requests, nowMs),
      tokens: stateOf(this.#tokens, nowMs)
    }
  }

  /** What a scripted rate limit says: the limit in force, exhausted. */
  exhausted(
    nowMs: number,
    fault: { readonly dimension: "requests" | "tokens"; readonly retryAfterMs: number | undefined }
  ): RateLimitProblem {
    const { limit, name, window } = fault.dimension === "requests" ? this.#requests : this.#tokens
    const shown = Number.isFinite(limit) ? limit : Math.max(1, window.used(nowMs))
    return {
      kind: "rate_limit",
      dimension: name,
      limit: shown,
      used: shown,
      requested: 1,
      retryAfterMs: fault.retryAfterMs
    }
  }
}

const refusalOf = (dimension: Dimension, nowMs: number, amount: number): RateLimitProblem | undefined => {
  const { limit, name, window } = dimension
  const used = window.used(nowMs)
  if (used + amount <= limit) return undefined
  const waitMs = window.waitMs(nowMs, { amount, limit })
  const retryAfterMs = Number.isFinite(waitMs) ? waitMs : undefined
  return { kind: "rate_limit", dimension: name, limit, used, requested: amount, retryAfterMs }
}

const longer = (
  one: RateLimitProblem | undefined,
  other: RateLimitProblem | undefined
): RateLimitProblem | undefined => {
  if (one === undefined || other === undefined) return one ?? other
  return (one.retryAfterMs ?? Infinity) >= (other.retryAfterMs ?? Infinity) ? one : other
}

const stateOf = ({ limit, window }: Dimension, nowMs: number): LimitState | undefined =>
  Number.isFinite(limit)
    ? { limit, remaining: Math.max(0, limit - window.used(nowMs)), resetMs: window.emptyInMs(nowMs) }
    : undefined
