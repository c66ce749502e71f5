/** Everything one simulated vendor remembers. Plain and synchronous: each method is one step. */
import type { ChatRequest } from "../../ChatRequest.ts"
import type { ProviderResponse } from "../../ChatResponse.ts"
import type { FailureClass } from "../../FailureClass.ts"
import { ProviderFailure } from "../../Provider.ts"
import type { LimitReading } from "../../RateLimit.ts"
import { sizeOf } from "../SimulatedRequest.ts"
import { type Condition, latencyMs, type VendorModel } from "../VendorModel.ts"
import { type Draws, makeDraws } from "./draws.ts"
import { VendorLimits } from "./VendorLimits.ts"

/** One call on its way. `working` while it has been admitted and its answer has not ended. */
export interface Call {
  readonly size: { readonly inputTokens: number; readonly outputTokens: number }
  readonly maxTokens: number | undefined
  readonly thereMs: number
  readonly backMs: number
  readonly draws: Draws
  working: { readonly sinceMs: number; readonly forMs: number } | undefined
  /** Its caller has had its answer, or has left. */
  closed: boolean
}

export type Readings = ReadonlyArray<LimitReading> | undefined

/** A class without a status is no response, so it tells nothing. */
const statuses: { readonly [Class in FailureClass]?: number } = {
  rate_limit: 429,
  quota: 429,
  overloaded: 503,
  transient: 500,
  credential: 401,
  model_gone: 404,
  context_too_long: 400,
  request_too_large: 413,
  content_policy: 400,
  caller_fault: 400
}

/** V8's own; where there is none, setting it does nothing. */
const errors: ErrorConstructor & { stackTraceLimit?: number } = Error

/** A stack costs 50 µs and would name nothing but the simulation: a storm of 429s is a hundred thousand of them. */
const withoutStack = <A>(make: () => A): A => {
  const limit = errors.stackTraceLimit
  errors.stackTraceLimit = 0
  const made = make()
  if (limit !== undefined) errors.stackTraceLimit = limit
  return made
}

export class VendorState {
  readonly #limits: VendorLimits
  readonly #draw: () => Draws
  readonly #tally = { received: 0, served: 0, rateLimited: 0, failed: 0, aborted: 0, inputTokens: 0, outputTokens: 0 }

  constructor(readonly model: VendorModel, seed: number) {
    this.#limits = new VendorLimits(model)
    this.#draw = makeDraws(seed)
  }

  get counts() {
    const { aborted, failed, rateLimited, received, served } = this.#tally
    return {
      ...this.#tally,
      inFlight: received - served - rateLimited - failed - aborted,
      limits: this.#limits.peaks
    }
  }

  receive(request: ChatRequest): Call {
    this.#tally.received++
    const { max, min } = this.model.transit
    const draws = this.#draw()
    return {
      size: sizeOf(request),
      maxTokens: request.maxTokens,
      thereMs: min + (max - min) * draws.there,
      backMs: min + (max - min) * draws.back,
      draws,
      working: undefined,
      closed: false
    }
  }

  condition(nowMs: number, { draws }: Call): Condition | undefined {
    return this.model.conditions.find(({ from, share, until }) =>
      from <= nowMs && nowMs < until && draws.condition < share
    )
  }

  /** Admits the call, and says how long the answer takes; or says why not. */
  admit(nowMs: number, call: Call, slower: number): number | ProviderFailure {
    const { draws, maxTokens, size } = call
    const excess = this.#limits.arrive(nowMs, { inputTokens: size.inputTokens, maxTokens })
    if (excess === undefined) {
      const answer = { outputTokens: size.outputTokens, normal: draws.firstToken, uniform: draws.tail }
      const forMs = latencyMs(this.model.latency, answer) * slower
      call.working = { sinceMs: nowMs, forMs }
      return forMs
    }
    if (excess.waitMs === Number.POSITIVE_INFINITY) return this.failure("request_too_large", { nowMs })
    const retryAfterMs = excess.waitMs === undefined ? undefined : Math.ceil(excess.waitMs)
    return this.failure("rate_limit", { nowMs, retryAfterMs })
  }

  failure(
    failureClass: FailureClass,
    told: { readonly nowMs: number; readonly retryAfterMs?: number | undefined }
  ): ProviderFailure {
    const status = statuses[failureClass]
    return withoutStack(() =>
      new ProviderFailure({
        class: failureClass,
        message: `simulated ${failureClass}`,
        status,
        retryAfterMs: told.retryAfterMs,
        limits: status === undefined ? undefined : this.readings(told.nowMs)
      })
    )
  }

  /** The answer ends, complete or after a share of it. */
  end(nowMs: number, call: Call, share = 1): void {
    if (call.working === undefined) return
    call.working = undefined
    this.#limits.end(nowMs, { outputTokens: Math.ceil(call.size.outputTokens * share), maxTokens: call.maxTokens })
  }

  readings(nowMs: number): Readings {
    return this.model.readings === "none" ? undefined : this.#limits.readings(nowMs)
  }

  /** The answer has come back. */
  serve(call: Call, response: ProviderResponse): ProviderResponse {
    call.closed = true
    this.#tally.served++
    this.#tally.inputTokens += call.size.inputTokens
    this.#tally.outputTokens += call.size.outputTokens
    return response
  }

  /** The failure has come back. */
  fail(call: Call, failure: ProviderFailure): ProviderFailure {
    call.closed = true
    if (failure.class === "rate_limit") this.#tally.rateLimited++
    else this.#tally.failed++
    return failure
  }

  /** The caller leaves, which ends the answer where it is. */
  abort(nowMs: number, call: Call): void {
    if (call.closed) return
    call.closed = true
    this.#tally.aborted++
    if (call.working === undefined) return
    this.end(nowMs, call, Math.min(1, (nowMs - call.working.sinceMs) / call.working.forMs))
  }
}
