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
import { Context, Effect, Layer, Ref } from "effect"
import { ProviderRegistry } from "../ProviderRegistry.ts"
import { type Router, RouterLive } from "../Router.ts"
import type { DuplicateProvider, InvalidConfig } from "../RouterError.ts"
import { RouterOptions, type RouterOptionsInput } from "../RouterOptions.ts"
import { RouterState } from "../RouterState.ts"
import { scripted, type ScriptedProvider, type SeenCall } from "./ScriptedProvider.ts"

/**
 * What the scripted providers saw, in order.
 *
 * @since 0.1.0
 */
export class RouterTest extends Context.Tag("@route-llm/core/testing/RouterTest")<RouterTest, {
  readonly calls: Effect.Effect<ReadonlyArray<SeenCall>>
  /** Calls that were neither answered to the end nor given up yet. */
  readonly underWay: Effect.Effect<number>
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
        const underWay = yield* Ref.make(0)
        for (const [name, script] of Object.entries(providers)) {
          yield* registry.register(yield* scripted(name, script, { calls, underWay }))
        }
        return { calls: Ref.get(calls), underWay: Ref.get(underWay) }
      })
    )
    return RouterLive.pipe(
      Layer.provideMerge(Scripted),
      Layer.provideMerge(Layer.mergeAll(ProviderRegistry.layer, State)),
      Layer.provide(RouterOptions.layer(options))
    )
  }
}
