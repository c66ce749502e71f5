/**
 * Instances of a router in this process, each on a Redis layer of its own, over providers that answer at once. What such
 * a request takes is what the state takes.
 */
import {
  type ChatResponse,
  countEverything,
  type Limits,
  type Provider,
  ProviderRegistry,
  Router,
  type RouterError,
  type RouterEvent,
  RouterLive,
  RouterOptions,
  type RouterOptionsInput,
  type RouterService,
  type RouterState
} from "@route-llm/core"
import { Context, Effect, type Either, Layer, type Scope, Stream } from "effect"

/** More than any test asks for. */
const noLimit: Limits = { requests: 1e9, tokens: 1e12 }

/** `called`: done at the beginning of each call. */
export const answering = (
  name: string,
  { called = Effect.void, limits = noLimit }: { readonly limits?: Limits; readonly called?: Effect.Effect<unknown> } =
    {}
): Provider => ({
  name,
  model: "m",
  limits,
  weight: 1,
  counting: countEverything,
  chat: () =>
    Effect.as(called, {
      content: "fine",
      finishReason: "stop",
      model: "m",
      usage: { inputTokens: 10, outputTokens: 5 },
      raw: {}
    })
})

/** One request, and how long it took. */
export interface Timed {
  /** By `performance.now()`. */
  readonly startedMs: number
  readonly ms: number
  readonly ended: Either.Either<ChatResponse, RouterError>
}

export interface Instance {
  readonly router: RouterService
  readonly chat: Effect.Effect<Timed>
  /** Waits for the first event, of all there were, that is such a one. */
  readonly seen: (isIt: (event: RouterEvent) => boolean) => Effect.Effect<void>
  readonly events: ReadonlyArray<RouterEvent>
}

interface Listener {
  readonly isIt: (event: RouterEvent) => boolean
  readonly heard: () => void
}

/** An instance that has sent its first request; it leaves when the scope closes. */
export const startInstance = <E>(
  state: Layer.Layer<RouterState, E>,
  providers: ReadonlyArray<Provider>,
  { timeout = "10 seconds", ...options }: RouterOptionsInput = {}
): Effect.Effect<Instance, never, Scope.Scope> =>
  Effect.gen(function*() {
    const Live = RouterLive.pipe(
      Layer.provide(
        Layer.mergeAll(Layer.empty, ...providers.map((each) => ProviderRegistry.provide(Effect.succeed(each))))
      ),
      Layer.provide([ProviderRegistry.layer, state]),
      Layer.provide(RouterOptions.layer({ timeout, ...options })),
      Layer.orDie
    )
    const router = Context.get(yield* Layer.build(Live), Router)
    const events: Array<RouterEvent> = []
    const listeners = new Set<Listener>()
    const chat = Effect.suspend(() => {
      const startedMs = performance.now()
      return Effect.map(
        Effect.either(router.chat({ messages: [{ role: "user", content: "Hello" }] })),
        (ended): Timed => ({ startedMs, ms: performance.now() - startedMs, ended })
      )
    })
    yield* Effect.forkScoped(Stream.runForEach(router.events, (event) =>
      Effect.sync(() => {
        events.push(event)
        for (const listener of listeners) if (listener.isIt(event)) listener.heard()
      })))
    // Nobody can tell when a stream has begun to listen but by what it hears.
    while (events.length === 0) yield* Effect.zipRight(chat, Effect.yieldNow())
    return {
      router,
      chat,
      events,
      seen: (isIt) =>
        Effect.async((resume) => {
          if (events.some(isIt)) return resume(Effect.void)
          const listener: Listener = { isIt, heard: () => resume(Effect.void) }
          listeners.add(listener)
          return Effect.sync(() => listeners.delete(listener))
        })
    }
  })
