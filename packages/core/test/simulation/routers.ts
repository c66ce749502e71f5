import { ProviderRegistry, type Router, RouterLive, RouterOptions, RouterState } from "@route-llm/core"
import { layerEstimator, type SimulatedVendor, VirtualClock } from "@route-llm/core/simulation"
import { Effect, Exit, Layer } from "effect"

/** A router of its own over these vendors, that estimates with a tenth of error. */
export const routerOver = (
  vendors: ReadonlyArray<Pick<SimulatedVendor, "provider">>,
  options: Parameters<typeof RouterOptions.layer>[0] = {}
): Layer.Layer<Router | RouterState> => {
  const Providers = Layer.scopedDiscard(Effect.gen(function*() {
    const registry = yield* ProviderRegistry
    for (const { provider } of vendors) yield* registry.register(provider)
  }))
  return RouterLive.pipe(
    Layer.provide(Providers),
    Layer.provideMerge(RouterState.layerMemory),
    Layer.provide([ProviderRegistry.layer, layerEstimator({ sigma: 0.1 })]),
    Layer.provide(RouterOptions.layer(options)),
    Layer.orDie
  )
}

/** What the program answers on virtual time; its failure is the test's. */
export const simulated = <A, E>(program: Effect.Effect<A, E>, seed: number): A => {
  const exit = VirtualClock.run(program, { seed })
  return Exit.isSuccess(exit) ? exit.value : Effect.runSync(exit)
}

export const timersLeft = Effect.map(
  Effect.clock,
  (clock) => clock instanceof VirtualClock ? clock.pending : Number.NaN
)
