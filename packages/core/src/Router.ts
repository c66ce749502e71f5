/**
 * The router: reserve (or wait in line) → call → settle, and on failure the next candidate.
 *
 * ```ts
 * import { countEverything, ProviderRegistry, Router, RouterLive, RouterState } from "@route-llm/core"
 * import { Effect, Layer } from "effect"
 *
 * const Echo = ProviderRegistry.provide(Effect.succeed({
 *   name: "echo",
 *   model: "echo-1",
 *   limits: { requests: 60, tokens: 10_000 },
 *   weight: 1,
 *   counting: countEverything,
 *   chat: ({ messages }) =>
 *     Effect.succeed({ content: String(messages[0]?.content), finishReason: "stop", model: "echo-1", raw: {} })
 * }))
 *
 * const Live = RouterLive.pipe(
 *   Layer.provide(Echo),
 *   Layer.provide([ProviderRegistry.layer, RouterState.layerMemory])
 * )
 *
 * const program = Effect.gen(function*() {
 *   const router = yield* Router
 *   const { content, provider } = yield* router.chat({ messages: [{ role: "user", content: "Hello" }] })
 *   return `${provider}: ${content}`
 * })
 *
 * console.log(await Effect.runPromise(Effect.provide(program, Live)))
 * ```
 *
 * @since 0.1.0
 */
import { Context, Duration, Effect, Layer, Predicate, PubSub, Stream } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import { consequences } from "./FailureClass.ts"
import { makeAttempt } from "./internal/attempt.ts"
import { monotonicMs } from "./internal/clock.ts"
import { checkRequest, exhausted, type Route } from "./internal/route.ts"
import type { Provider, ProviderFailure } from "./Provider.ts"
import { ProviderRegistry } from "./ProviderRegistry.ts"
import { NoProvidersConfigured, UnknownProvider } from "./RouterError.ts"
import type { RouterError } from "./RouterError.ts"
import { type RouteEvent, RouteListener, type RouterEvent } from "./RouterEvent.ts"
import { RouterOptions } from "./RouterOptions.ts"
import { RouterState } from "./RouterState.ts"
import { type RouterStatus, toStatus } from "./Status.ts"
import { TokenEstimator } from "./TokenEstimator.ts"

/**
 * @since 0.1.0
 */
export interface RouterService {
  /**
   * Sends the request to the provider that is best now; while every candidate is full it waits for the exact moment
   * that one is not, unless `onSaturated` says to fail. On failure it goes to the next, each provider once, until the
   * request's `timeout`; a provider that refused for its rate is a candidate again once its bench has ended.
   * Interruption leaves the line, or aborts the call under way and frees what it reserved.
   */
  readonly chat: (request: ChatRequest) => Effect.Effect<ChatResponse, RouterError>
  /** Every provider as it stands now. */
  readonly status: Effect.Effect<RouterStatus>
  /**
   * From now on, until the router's layer closes; a reader that lags by more than 256 events
   * loses the oldest, and never slows a request.
   */
  readonly events: Stream.Stream<RouterEvent>
}

/** Events kept for a reader that lags. */
const eventsKept = 256

const heuristic = Context.get(Context.empty(), TokenEstimator)

const make = Effect.gen(function*() {
  const registry = yield* ProviderRegistry
  const state = yield* RouterState
  const settings = yield* RouterOptions
  const estimator = yield* TokenEstimator
  const listener = yield* RouteListener
  const events = yield* Effect.acquireRelease(PubSub.sliding<RouteEvent>(eventsKept), PubSub.shutdown)

  const publish = (event: RouteEvent): void => {
    events.unsafeOffer(event)
    // The listener is the user's code, and may be async: its fault must not cost the user an answer that has arrived.
    try {
      const returned: unknown = listener(event)
      if (Predicate.isPromiseLike(returned)) returned.then(undefined, () => {})
    } catch {
      return
    }
  }

  /** An estimator may be anyone's own: what it answers is used only if it is a count. */
  const estimate = (request: ChatRequest) =>
    Effect.flatMap(
      estimator.estimate(request),
      (tokens) => Number.isFinite(tokens) && tokens >= 0 ? Effect.succeed(tokens) : heuristic.estimate(request)
    )

  const attempt = makeAttempt({ registry, state, publish })

  const chat = (request: ChatRequest): Effect.Effect<ChatResponse, RouterError> =>
    Effect.gen(function*() {
      yield* checkRequest(request)
      const providers = yield* registry.providers
      if (providers.length === 0) return yield* new NoProvidersConfigured()
      const forced = request.forceProvider
      if (forced !== undefined && !providers.some(({ name }) => name === forced)) {
        return yield* new UnknownProvider({ provider: forced, registered: providers.map(({ name }) => name) })
      }
      const timeoutMs = request.timeout === undefined ? settings.timeout : Duration.toMillis(request.timeout)
      const inputTokens = yield* estimate(request)
      const deadlineMs = monotonicMs(yield* Effect.clock) + timeoutMs
      const waits = (request.onSaturated ?? settings.waiting.onSaturated) === "wait"
      const maxWaitMs = waits ? settings.waiting.maxWait : 0
      const route: Route = { request, inputTokens, deadlineMs, timeoutMs, maxWaitMs, failed: [] }
      return yield* attempt(route).pipe(
        // Bounded: the ledger refuses providers that were tried, and the deadline bounds what may be tried again.
        Effect.retry({ while: goesOn }),
        Effect.catchTag("ProviderFailure", (): Effect.Effect<never, RouterError> => exhausted(route, []))
      )
    })

  // Requests in line choose among the newest list too, also while nobody else asks.
  const follow = (providers: ReadonlyArray<Provider>) =>
    Effect.catchAllDefect(
      state.snapshot(providers),
      (defect) => Effect.logError("route-llm: the state could not follow the list of providers", defect)
    )
  yield* registry.changes.pipe(Stream.runForEach(follow), Effect.forkScoped)

  return Router.of({
    chat,
    status: Effect.map(Effect.flatMap(registry.providers, state.snapshot), toStatus),
    events: Stream.merge(Stream.fromPubSub(events), state.changes, { haltStrategy: "left" })
  })
})

const goesOn = (error: ProviderFailure | RouterError): boolean =>
  error._tag === "ProviderFailure" && consequences[error.class].request !== "fail"

/**
 * @since 0.1.0
 */
export class Router extends Context.Tag("@route-llm/core/Router")<Router, RouterService>() {}

/**
 * The router over the providers of `ProviderRegistry` and the ledger of `RouterState`. Reads `RouterOptions`,
 * `TokenEstimator` and `RouteListener` where they are provided.
 *
 * @since 0.1.0
 */
export const RouterLive: Layer.Layer<Router, never, ProviderRegistry | RouterState> = Layer.scoped(Router, make)
