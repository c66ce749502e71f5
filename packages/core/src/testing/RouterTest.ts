/**
 * The real router over scripted providers, on whatever clock the test has: under `it.effect` that is `TestClock`, so
 * minutes pass at once and every run is the same.
 *
 * ```ts no-run
 * import { Router } from "@route-llm/core"
 * import { failure, RouterTest } from "@route-llm/core/testing"
 * import { expect, it } from "@effect/vitest"
 * import { Effect } from "effect"
 *
 * it.effect("falls back when the first is overloaded", () =>
 *   Effect.gen(function*() {
 *     const router = yield* Router
 *     const { provider } = yield* router.chat({ messages: [{ role: "user", content: "Hello" }] })
 *     expect(provider).toBe("b")
 *   }).pipe(Effect.provide(RouterTest.layer({ a: { weight: 9, script: [failure("overloaded")] }, b: {} }))))
 * ```
 *
 * @since 0.1.0
 */
import { Clock, Context, Duration, Effect, Layer, Ref } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { ProviderResponse } from "../ChatResponse.ts"
import type { FailureClass } from "../FailureClass.ts"
import { type Provider, ProviderFailure } from "../Provider.ts"
import { ProviderRegistry } from "../ProviderRegistry.ts"
import { countEverything, type Counting, type Limits } from "../RateLimit.ts"
import { type Router, RouterLive } from "../Router.ts"
import type { DuplicateProvider, InvalidConfig } from "../RouterError.ts"
import { RouterOptions, type RouterOptionsInput } from "../RouterOptions.ts"
import { RouterState } from "../RouterState.ts"

/**
 * How one scripted call ends: with an answer, a failure, or never (`hang`, until it is interrupted).
 *
 * @since 0.1.0
 */
export type ScriptedOutcome =
  | {
    readonly _tag: "Answer"
    readonly content?: string
    readonly inputTokens?: number
    readonly outputTokens?: number
  }
  | { readonly _tag: "Failure"; readonly failure: ProviderFailure }
  | { readonly _tag: "Hang" }

/** An answer; 10 input and 10 output tokens unless told. @since 0.1.0 */
export const answer = (
  answer: { readonly content?: string; readonly inputTokens?: number; readonly outputTokens?: number } = {}
): ScriptedOutcome => ({ _tag: "Answer", ...answer })

/** A failure of this class. @since 0.1.0 */
export const failure = (
  failureClass: FailureClass,
  options: { readonly retryAfter?: Duration.DurationInput; readonly status?: number } = {}
): ScriptedOutcome => ({
  _tag: "Failure",
  failure: new ProviderFailure({
    class: failureClass,
    message: `scripted ${failureClass}`,
    status: options.status,
    retryAfterMs: options.retryAfter === undefined ? undefined : Duration.toMillis(options.retryAfter)
  })
})

/** A call that never ends by itself. @since 0.1.0 */
export const hang: ScriptedOutcome = { _tag: "Hang" }

/**
 * - `rpm`, `tpm`, `limits`: limits; none unless told;
 * - `counting`: what counts; everything unless told;
 * - `latency`: of each call; none unless told;
 * - `script`: one outcome a call, in order; after its end every call is answered.
 *
 * @since 0.1.0
 */
export interface ScriptedProvider {
  readonly rpm?: number
  readonly tpm?: number
  readonly weight?: number
  readonly limits?: Limits
  readonly counting?: Partial<Counting>
  readonly latency?: Duration.DurationInput
  readonly script?: ReadonlyArray<ScriptedOutcome>
}

/** A call that a scripted provider saw. @since 0.1.0 */
export interface SeenCall {
  readonly provider: string
  readonly atMs: number
  readonly request: ChatRequest
}

const respond = (name: string, outcome: ScriptedOutcome): Effect.Effect<ProviderResponse, ProviderFailure> => {
  switch (outcome._tag) {
    case "Failure":
      return Effect.fail(outcome.failure)
    case "Hang":
      return Effect.never
    case "Answer":
      return Effect.succeed({
        content: outcome.content ?? `answer of ${name}`,
        finishReason: "stop",
        model: `${name}-model`,
        usage: { inputTokens: outcome.inputTokens ?? 10, outputTokens: outcome.outputTokens ?? 10 },
        raw: { scripted: true }
      })
  }
}

const scripted = (
  name: string,
  options: ScriptedProvider,
  calls: Ref.Ref<ReadonlyArray<SeenCall>>
): Effect.Effect<Provider> =>
  Effect.map(Ref.make(0), (played): Provider => ({
    name,
    model: `${name}-model`,
    limits: { requests: options.rpm, tokens: options.tpm, ...options.limits },
    weight: options.weight ?? 1,
    counting: { ...countEverything, ...options.counting },
    chat: (request) =>
      Effect.gen(function*() {
        const atMs = yield* Clock.currentTimeMillis
        yield* Ref.update(calls, (seen) => [...seen, { provider: name, atMs, request }])
        const turn = yield* Ref.getAndUpdate(played, (count) => count + 1)
        if (options.latency !== undefined) yield* Effect.sleep(options.latency)
        return yield* respond(name, options.script?.[turn] ?? answer())
      })
  }))

/**
 * What the scripted providers saw, in order.
 *
 * @since 0.1.0
 */
export class RouterTest extends Context.Tag("@route-llm/core/testing/RouterTest")<RouterTest, {
  readonly calls: Effect.Effect<ReadonlyArray<SeenCall>>
}>() {
  /** A router of its own over these providers, by name; over this state, in memory unless told. */
  static readonly layer = (
    providers: Readonly<Record<string, ScriptedProvider>>,
    options: RouterOptionsInput = {},
    State: Layer.Layer<RouterState> = RouterState.layerMemory
  ): Layer.Layer<
    Router | RouterTest | RouterState | ProviderRegistry,
    DuplicateProvider | InvalidConfig
  > => {
    const Scripted = Layer.scoped(
      RouterTest,
      Effect.gen(function*() {
        const registry = yield* ProviderRegistry
        const calls = yield* Ref.make<ReadonlyArray<SeenCall>>([])
        for (const [name, script] of Object.entries(providers)) {
          yield* registry.register(yield* scripted(name, script, calls))
        }
        return { calls: Ref.get(calls) }
      })
    )
    return RouterLive.pipe(
      Layer.provideMerge(Scripted),
      Layer.provideMerge(Layer.mergeAll(ProviderRegistry.layer, State)),
      Layer.provide(RouterOptions.layer(options))
    )
  }
}
