/** A router over a vendor that fails, and behind it one that answers. */
import {
  countEverything,
  type Provider,
  ProviderRegistry,
  type RouteEvent,
  RouteListener,
  Router,
  RouterLive,
  RouterOptions,
  type RouterOptionsInput,
  RouterState
} from "@route-llm/core"
import { Effect, Layer, Schedule } from "effect"

export const second: Provider = {
  name: "second",
  model: "m",
  limits: {},
  weight: 0,
  counting: countEverything,
  chat: () => Effect.succeed({ content: "fine", finishReason: "stop", model: "m", raw: {} })
}

/** In the order in which they are tried. One round, and a breaker that opens at the first failure, unless told. */
export const routing = (providers: ReadonlyArray<Provider>, options: RouterOptionsInput = {}) => {
  const events: Array<RouteEvent> = []
  const Registered = Layer.mergeAll(
    Layer.empty,
    ...providers.map((provider, index) =>
      ProviderRegistry.provide(Effect.succeed({ ...provider, weight: 10 * (providers.length - index) }))
    )
  )
  const layer = RouterLive.pipe(
    Layer.provide(Registered),
    Layer.provide([ProviderRegistry.layer, RouterState.layerMemory]),
    Layer.provide(Layer.succeed(RouteListener, (event: RouteEvent) => void events.push(event))),
    Layer.provide(RouterOptions.layer({ rounds: Schedule.stop, breaker: { failureThreshold: 1 }, ...options }))
  )
  return { events, layer }
}

export const status = Effect.flatMap(Router, (router) => router.status)
