/**
 * What a vendor admits: its limits, each over an exact rolling window.
 */
import { ExactWindow } from "./ExactWindow.ts"
import type { LimitName, LimitState, RateLimitProblem, RateState } from "./VendorFormat.ts"

export type LimitsByName = { readonly [Name in LimitName]?: number | undefined }

interface AdmissionOptions {
  /** One that is absent does not bind, but is counted all the same. */
  readonly limits: LimitsByName
  readonly windowMs: number
  readonly chargesMaxTokens: boolean
}

/** What a request takes of everything at one moment. */
interface Amounts {
  readonly requests: number
  readonly input: number
  readonly output: number
}

interface Dimension {
  readonly name: LimitName
  readonly limit: number
  readonly window: ExactWindow
  readonly take: (amounts: Amounts) => number
}

const dayMs = 24 * 60 * 60 * 1000

const takes: { readonly [Name in LimitName]: Dimension["take"] } = {
  requests: ({ requests }) => requests,
  tokens: ({ input, output }) => input + output,
  inputTokens: ({ input }) => input,
  outputTokens: ({ output }) => output,
  requestsPerDay: ({ requests }) => requests
}

const names: ReadonlyArray<LimitName> = ["requests", "tokens", "inputTokens", "outputTokens", "requestsPerDay"]

export class Admission {
  readonly #chargesMaxTokens: boolean
  readonly #dimensions: ReadonlyArray<Dimension>
  #admitted = 0

  constructor(options: AdmissionOptions) {
    this.#chargesMaxTokens = options.chargesMaxTokens
    this.#dimensions = names.map((name) => ({
      name,
      limit: options.limits[name] ?? Infinity,
      window: new ExactWindow(name === "requestsPerDay" ? dayMs : options.windowMs),
      take: takes[name]
    }))
  }

  /** The most that was ever inside one window. */
  peak(name: LimitName): number {
    return this.#of(name).window.peak
  }

  /** Counts the request, or says why not, and then counts nothing. */
  admit(
    nowMs: number,
    call: { readonly inputTokens: number; readonly maxTokens: number | undefined }
  ): RateLimitProblem | undefined {
    const output = this.#chargesMaxTokens ? call.maxTokens ?? 0 : 0
    const amounts = { requests: 1, input: call.inputTokens, output }
    const refusal = this.#dimensions
      .flatMap((dimension) => refusalOf(dimension, nowMs, dimension.take(amounts)) ?? [])
      .reduce<RateLimitProblem | undefined>(longer, undefined)
    if (refusal !== undefined) return refusal
    this.#admitted++
    this.#add(nowMs, amounts)
    return undefined
  }

  /** Counts the answer of an admitted request, unless it was charged on arrival. */
  complete(nowMs: number, call: { readonly outputTokens: number; readonly maxTokens: number | undefined }): void {
    if (this.#chargesMaxTokens && call.maxTokens !== undefined) return
    this.#add(nowMs, { requests: 0, input: 0, output: call.outputTokens })
  }

  state(nowMs: number): RateState {
    return {
      admitted: this.#admitted,
      limits: Object.fromEntries(this.#dimensions.map((dimension) => [dimension.name, stateOf(dimension, nowMs)]))
    }
  }

  /** What a scripted rate limit says: the limit in force, exhausted. */
  exhausted(
    nowMs: number,
    fault: { readonly dimension: LimitName; readonly retryAfterMs: number | undefined }
  ): RateLimitProblem {
    const { limit, name, window } = this.#of(fault.dimension)
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

  #of(name: LimitName): Dimension {
    return this.#dimensions[names.indexOf(name)]!
  }

  #add(nowMs: number, amounts: Amounts): void {
    for (const { take, window } of this.#dimensions) {
      const amount = take(amounts)
      if (amount > 0) window.add(nowMs, amount)
    }
  }
}

/** An answer has at least a token, so a request that counts none on arrival needs room for one all the same. */
const refusalOf = (dimension: Dimension, nowMs: number, counted: number): RateLimitProblem | undefined => {
  const { limit, name, window } = dimension
  const amount = Math.max(1, counted)
  const used = window.used(nowMs)
  if (used + amount <= limit) return undefined
  const waitMs = window.waitMs(nowMs, { amount, limit })
  const retryAfterMs = Number.isFinite(waitMs) ? waitMs : undefined
  return { kind: "rate_limit", dimension: name, limit, used, requested: amount, retryAfterMs }
}

const longer = (one: RateLimitProblem | undefined, other: RateLimitProblem): RateLimitProblem =>
  one !== undefined && (one.retryAfterMs ?? Infinity) >= (other.retryAfterMs ?? Infinity) ? one : other

const stateOf = ({ limit, window }: Dimension, nowMs: number): LimitState | undefined =>
  Number.isFinite(limit)
    ? { limit, remaining: Math.max(0, limit - window.used(nowMs)), resetMs: window.emptyInMs(nowMs) }
    : undefined
