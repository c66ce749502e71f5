/**
 * The router: reserve → call → settle, and on failure the next candidate.
 *
 * ```ts
 * import { ProviderRegistry, Router, RouterLive, RouterState } from "@route-llm/core"
 * import { Effect, Layer } from "effect"
 *
 * const Echo = ProviderRegistry.provide(Effect.succeed({
 *   name: "echo",
 *   model: "echo-1",
 *   requestLimit: 60,
 *   tokenLimit: 10_000,
 *   weight: 1,
 *   chargesMaxTokens: false,
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
import { Cause, Context, Duration, Effect, Exit, Layer, Option, Predicate, PubSub, Random, Stream } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import { consequences } from "./FailureClass.ts"
import { callProvider, type Outcome } from "./internal/attempt.ts"
import { monotonicMs } from "./internal/clock.ts"
import { checkRequest, exhausted, type Route, usageOf } from "./internal/route.ts"
import type { Provider, ProviderFailure } from "./Provider.ts"
import { ProviderRegistry } from "./ProviderRegistry.ts"
import { DeadlineExceeded, NoProvidersConfigured, UnknownProvider } from "./RouterError.ts"
import type { RouterError } from "./RouterError.ts"
import { type RouteEvent, RouteListener, type RouterEvent } from "./RouterEvent.ts"
import { RouterOptions } from "./RouterOptions.ts"
import { type ProviderState, type Reservation, RouterState } from "./RouterState.ts"
import { type RouterStatus, toStatus } from "./Status.ts"
import { TokenEstimator } from "./TokenEstimator.ts"

/**
 * @since 0.1.0
 */
export interface RouterService {
  /**
   * Sends the request to the provider that is best now; on failure to the next, each provider once, until the
   * request's `timeout`. Interruption aborts the call under way and frees what it reserved.
   */
  readonly chat: (request: ChatRequest) => Effect.Effect<ChatResponse, RouterError>
  /** Every provider as it stands now. */
  readonly status: Effect.Effect<RouterStatus>
  /** From now on, until the router's layer closes; a reader that lags by more than 256 events loses the oldest and never slows a request. */
  readonly events: Stream.Stream<RouterEvent>
}

/** With less time than this left a call cannot succeed, but would be paid for. */
const shortestCallMs = 1

/** Events kept for a reader that lags. */
const eventsKept = 256

const eventOf = (
  route: Route,
  reservation: Reservation,
  { exit, latencyMs, settlement }: Outcome,
  after: { readonly provider: Provider; readonly state: ProviderState | undefined; readonly timestamp: number }
): RouteEvent => ({
  _tag: "RouteEvent",
  outcome: settlement._tag === "Success" ? "success" : settlement.class,
  provider: reservation.provider,
  model: Exit.isSuccess(exit) ? exit.value.model : after.provider.model,
  ...(Exit.isSuccess(exit)
    ? usageOf(exit.value, reservation)
    : { inputTokens: settlement.usage?.inputTokens ?? 0, outputTokens: settlement.usage?.outputTokens ?? 0 }),
  latencyMs,
  headroomPct: (after.state?.headroom ?? 0) * 100,
  circuitOpen: after.state?.circuit === "open",
  timestamp: after.timestamp,
  attemptNumber: route.failed.length + 1,
  sessionId: route.request.sessionId,
  priority: route.request.priority ?? "normal"
})

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

  /** Settles and tells; a defect in either is logged and never costs the answer. */
  const settle = (route: Route, provider: Provider, reservation: Reservation, outcome: Outcome) =>
    Effect.clockWith((clock) =>
      Effect.map(state.settle(reservation, outcome.settlement), (after) => {
        const timestamp = clock.unsafeCurrentTimeMillis()
        publish(eventOf(route, reservation, outcome, { provider, state: after, timestamp }))
      })
    ).pipe(
      Effect.catchAllCause((cause) => Effect.logError("route-llm: a reservation could not be settled", cause))
    )

  const answer = (route: Route, reservation: Reservation, outcome: Outcome) =>
    Exit.match(outcome.exit, {
      onFailure: (cause) => Effect.failCause(cause),
      onSuccess: (response): Effect.Effect<ChatResponse> =>
        Effect.succeed({
          content: response.content,
          provider: reservation.provider,
          model: response.model,
          ...tokensOf(usageOf(response, reservation)),
          latencyMs: outcome.latencyMs,
          attempts: route.failed.length + 1,
          finishReason: response.finishReason,
          raw: response.raw
        })
    })

  const noteFailure = (route: Route, provider: Provider, { exit, latencyMs }: Outcome): void => {
    if (Exit.isSuccess(exit)) return
    const failure = Option.getOrUndefined(Cause.failureOption(exit.cause))
    if (failure === undefined) return
    const { class: failureClass, message, retryAfterMs, status } = failure
    const { model, name } = provider
    route.failed.push({ provider: name, model, class: failureClass, status, latencyMs, message, retryAfterMs })
  }

  const call = (route: Route, provider: Provider, reservation: Reservation, nowMs: number, restore: Restore) =>
    callProvider(provider, route.request, route.deadlineMs - nowMs, restore).pipe(
      Effect.tap((outcome) => settle(route, provider, reservation, outcome)),
      Effect.tap((outcome) => Effect.sync(() => noteFailure(route, provider, outcome))),
      Effect.flatMap((outcome) => answer(route, reservation, outcome))
    )

  const attempt = (route: Route): Effect.Effect<ChatResponse, ProviderFailure | RouterError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const nowMs = monotonicMs(yield* Effect.clock)
        if (nowMs > route.deadlineMs - shortestCallMs) {
          return yield* new DeadlineExceeded({ timeoutMs: route.timeoutMs, attempts: route.failed })
        }
        const providers = yield* registry.providers
        const decision = yield* state.reserve({
          providers,
          lane: route.request.priority ?? "normal",
          inputTokens: route.inputTokens,
          maxTokens: route.request.maxTokens,
          sessionId: route.request.sessionId,
          forceProvider: route.request.forceProvider,
          tried: route.failed.map(({ provider }) => provider),
          draw: yield* Random.next
        })
        if (decision._tag === "Refused") return yield* exhausted(route, decision.refusals)
        const provider = providers.find(({ name }) => name === decision.reservation.provider)!
        return yield* call(route, provider, decision.reservation, nowMs, restore)
      })
    )

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
      const inputTokens = yield* estimator.estimate(request)
      const deadlineMs = monotonicMs(yield* Effect.clock) + timeoutMs
      const route: Route = { request, inputTokens, deadlineMs, timeoutMs, failed: [] }
      return yield* attempt(route).pipe(
        // Bounded: each provider is tried once, and the ledger refuses those that were.
        Effect.retry({ while: goesOn }),
        Effect.catchTag("ProviderFailure", (): Effect.Effect<never, RouterError> => exhausted(route, []))
      )
    })

  return Router.of({
    chat,
    status: Effect.map(Effect.flatMap(registry.providers, state.snapshot), toStatus),
    events: Stream.merge(Stream.fromPubSub(events), state.changes, { haltStrategy: "left" })
  })
})

type Restore = <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>

const goesOn = (error: ProviderFailure | RouterError): boolean =>
  error._tag === "ProviderFailure" && consequences[error.class].request === "next"

const tokensOf = ({ inputTokens, outputTokens }: { readonly inputTokens: number; readonly outputTokens: number }) => ({
  inputTokens,
  outputTokens
})

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
