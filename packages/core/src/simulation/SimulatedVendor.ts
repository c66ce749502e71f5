/**
 * A vendor in this process, on Effect's clock: a `Provider` that enforces its limits exactly, takes its time, has bad
 * hours, and says what it has seen. Under `VirtualClock` or `TestClock` it takes no real time.
 *
 * ```ts
 * import { SimulatedVendor, toRequest, VirtualClock } from "@route-llm/core/simulation"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const { counts, provider } = yield* SimulatedVendor.make({ name: "small", limits: { requests: 2 } })
 *   const chat = provider.chat(toRequest({ inputTokens: 400, outputTokens: 90 }))
 *   yield* chat
 *   yield* chat
 *   const { class: failure, retryAfterMs } = yield* Effect.flip(chat)
 *   return { failure, retryAfterMs, ...yield* counts }
 * })
 *
 * console.log(VirtualClock.run(program, { seed: 1 }))
 * ```
 *
 * **What counts.** A request that is admitted counts, with its input, when it has arrived; its output when the answer
 * ends, or as `maxTokens` on arrival where the vendor charges that. Of an answer whose caller leaves, what has been
 * written until then counts. Refused requests count nothing. Output may go beyond a limit, since it is not known before.
 *
 * @since 0.1.0
 */
import { type Clock, Effect, Random, Schema } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { ProviderResponse } from "../ChatResponse.ts"
import { monotonicMs } from "../internal/clock.ts"
import { toInvalidConfig } from "../internal/schemaIssues.ts"
import { type Provider, ProviderFailure } from "../Provider.ts"
import type { InvalidConfig } from "../RouterError.ts"
import type { LimitPeak } from "./internal/VendorLimits.ts"
import { type Call, type Readings, VendorState } from "./internal/VendorState.ts"
import { VendorModel, type VendorModelInput } from "./VendorModel.ts"

export type { LimitPeak }

/**
 * `received` = `served` + `rateLimited` + `failed` + `aborted` + `inFlight`, at any moment.
 *
 * @since 0.1.0
 */
export interface VendorCounts {
  readonly received: number
  /** Answers that came back to the caller. */
  readonly served: number
  /** 429s, those of a storm included. */
  readonly rateLimited: number
  /** Any other failure. */
  readonly failed: number
  /** The caller left before the answer. */
  readonly aborted: number
  readonly inFlight: number
  /** Of those served. */
  readonly inputTokens: number
  readonly outputTokens: number
  /** Each limit, sub-windows included, and the most that was ever counted against it. */
  readonly limits: ReadonlyArray<LimitPeak>
}

const modelOf = ({ model, name }: VendorModel): string => model ?? `${name}-model`

const answerOf = ({ model }: VendorState, { maxTokens, size }: Call, limits: Readings): ProviderResponse => ({
  content: `answer of ${model.name}`,
  finishReason: size.outputTokens === maxTokens ? "length" : "stop",
  model: modelOf(model),
  usage: size,
  limits,
  raw: { simulated: true }
})

/** What the vendor does with a call that has arrived; the way back comes after it. */
const work = (state: VendorState, call: Call, clock: Clock.Clock): Effect.Effect<ProviderResponse, ProviderFailure> =>
  Effect.suspend(() => {
    const nowMs = monotonicMs(clock)
    const condition = state.condition(nowMs, call)
    const truncated = condition?.does === "fail" && condition.class === "truncated"
    if (condition?.does === "fail" && !truncated) {
      return state.failure(condition.class, { nowMs, retryAfterMs: condition.retryAfter })
    }
    const admitted = state.admit(nowMs, call, condition?.does === "slow" ? condition.factor : 1)
    if (admitted instanceof ProviderFailure) return admitted
    if (condition?.does === "hang") return Effect.never
    const onArrival = state.model.readings === "arrival" ? state.readings(nowMs) : undefined
    return Effect.flatMap(Effect.sleep(truncated ? admitted / 2 : admitted), () => {
      const endedMs = monotonicMs(clock)
      state.end(endedMs, call, truncated ? 1 / 2 : 1)
      return truncated
        ? state.failure("truncated", { nowMs: endedMs })
        : Effect.succeed(answerOf(state, call, onArrival ?? state.readings(endedMs)))
    })
  })

/** Few steps on purpose: a simulation makes tens of thousands of these calls. */
const chat = (state: VendorState) => (request: ChatRequest): Effect.Effect<ProviderResponse, ProviderFailure> =>
  Effect.clockWith((clock) => {
    const call = state.receive(request)
    const back = Effect.sleep(call.backMs)
    return Effect.sleep(call.thereMs).pipe(
      Effect.zipRight(work(state, call, clock)),
      Effect.matchEffect({
        onSuccess: (response) => Effect.map(back, () => state.serve(call, response)),
        onFailure: (failure) => Effect.flatMap(back, () => state.fail(call, failure))
      }),
      Effect.onInterrupt(() => Effect.sync(() => state.abort(monotonicMs(clock), call)))
    )
  })

const decode = Schema.decodeUnknownEither(VendorModel, { errors: "all", onExcessProperty: "error" })

/**
 * @since 0.1.0
 */
export interface SimulatedVendor {
  readonly model: VendorModel
  readonly provider: Provider
  readonly counts: Effect.Effect<VendorCounts>
}

/**
 * @since 0.1.0
 */
export const SimulatedVendor = {
  /** A vendor of this model; its latencies are drawn from a seed that is drawn from Effect's `Random`, once. */
  make: (input: VendorModelInput): Effect.Effect<SimulatedVendor, InvalidConfig> =>
    Effect.gen(function*() {
      const model = yield* Effect.mapError(
        decode(input),
        (error) => toInvalidConfig(`simulated vendor "${input.name}"`, error)
      )
      const state = new VendorState(model, yield* Random.nextInt)
      return {
        model,
        provider: {
          name: model.name,
          model: modelOf(model),
          limits: model.declared ?? model.limits,
          weight: model.weight,
          counting: model.counting,
          chat: chat(state)
        },
        counts: Effect.sync(() => state.counts)
      }
    })
}
