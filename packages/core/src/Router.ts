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
import { Context, Duration, Effect, Exit, identity, Layer, Predicate, PubSub, type Scope, Stream } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import { makeAttempt } from "./internal/attempt.ts"
import { chatCall } from "./internal/chatCall.ts"
import { monotonicMs } from "./internal/clock.ts"
import { guardState } from "./internal/guardedState.ts"
import { RetryBudget } from "./internal/RetryBudget.ts"
import { makeRounds } from "./internal/rounds.ts"
import { checkRequest, type Route } from "./internal/route.ts"
import { openAnswer } from "./internal/stream/openAnswer.ts"
import { openedStream } from "./internal/stream/openedStream.ts"
import { textOf, toStream } from "./internal/stream/toStream.ts"
import { within } from "./internal/within.ts"
import type { Provider } from "./Provider.ts"
import { ProviderRegistry } from "./ProviderRegistry.ts"
import { NoProvidersConfigured, StateUnavailable, UnknownProvider } from "./RouterError.ts"
import type { RouterError, StreamInterrupted } from "./RouterError.ts"
import { type RouteEvent, RouteListener, type RouterEvent } from "./RouterEvent.ts"
import { RouterOptions } from "./RouterOptions.ts"
import { type ForcedCircuit, RouterState } from "./RouterState.ts"
import { type RouterStatus, toStatus } from "./Status.ts"
import type { AnswerStream, StreamOptions, StreamPart } from "./StreamPart.ts"
import { TokenEstimator } from "./TokenEstimator.ts"

/**
 * @since 0.1.0
 */
export interface RouterService {
  /**
   * Sends the request to the provider that is best now; while every candidate is full it waits for the exact moment
   * that one is not, unless `onSaturated` says to fail. On failure it goes to the next, each provider once, then round
   * by round as `RouterOptions.rounds` says, until the request's `timeout`. What each kind of failure does is the table
   * `consequences`. Interruption leaves the line, or aborts the call under way and frees what it reserved.
   */
  readonly chat: (request: ChatRequest) => Effect.Effect<ChatResponse, RouterError>
  /**
   * The text of the answer, as it comes. Until its first piece everything is as for `chat`: whatever fails goes on
   * elsewhere in silence, within the request's `timeout`. From then on nothing is sent again, since the reader has seen
   * it: an answer that breaks, stalls (`RouterOptions.stream`) or ends without its end fails with `StreamInterrupted`.
   * Leaving it early aborts the call on the wire. However it ends, it is settled with what is known of its use.
   */
  readonly stream: (request: ChatRequest) => Stream.Stream<string, RouterError | StreamInterrupted>
  /** The same in parts: text, reasoning, tool calls, usage, who answers, and the finish, which is always the last. */
  readonly streamParts: (
    request: ChatRequest,
    options?: StreamOptions
  ) => Stream.Stream<StreamPart, RouterError | StreamInterrupted>
  /** The same, opened: succeeds with the first content, and is given up when the scope closes. */
  readonly openStream: (
    request: ChatRequest,
    options?: StreamOptions
  ) => Effect.Effect<AnswerStream, RouterError, Scope.Scope>
  /** Takes a provider out of service by opening its circuit, for so long; default until `forceClose`. */
  readonly forceOpen: (
    provider: string,
    options?: { readonly for?: Duration.DurationInput | undefined }
  ) => Effect.Effect<void, UnknownProvider | StateUnavailable>
  /** Puts a provider back into service: closes its circuit at once, without a ramp, and ends its bench. */
  readonly forceClose: (provider: string) => Effect.Effect<void, UnknownProvider | StateUnavailable>
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

/** What an estimator of the user's own may take. */
const longestEstimateMs = 1_000

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

  /** An estimator may be anyone's own: what it answers is used only if it is a count, and comes in time. */
  const estimate = (request: ChatRequest, timeoutMs: number): Effect.Effect<number> => {
    if (estimator === heuristic) return heuristic.estimate(request)
    const estimated = Effect.suspend(() => estimator.estimate(request))
    const inTime = within(estimated, Math.min(longestEstimateMs, timeoutMs / 2), () => Exit.succeed(Number.NaN))
    return Effect.flatMap(
      Effect.exit(inTime),
      (exit) =>
        Exit.isSuccess(exit) && Number.isFinite(exit.value) && exit.value >= 0
          ? Effect.succeed(exit.value)
          : heuristic.estimate(request)
    )
  }

  const budget = new RetryBudget(settings.retryBudget)
  const services = { registry, state: guardState(state), settings, budget, publish }
  const answered = makeRounds({ attempt: makeAttempt(services, chatCall(services)), budget, settings })
  const opened = makeRounds({ attempt: makeAttempt(services, openAnswer(services)), budget, settings })

  const unknown = (provider: string, providers: ReadonlyArray<Provider>) =>
    new UnknownProvider({ provider, registered: providers.map(({ name }) => name) })

  const routeOf = (request: ChatRequest, { streams }: Pick<Route, "streams">): Effect.Effect<Route, RouterError> =>
    Effect.gen(function*() {
      yield* checkRequest(request)
      const providers = yield* registry.providers
      if (providers.length === 0) return yield* new NoProvidersConfigured()
      const forced = request.forceProvider
      if (forced !== undefined && !providers.some(({ name }) => name === forced)) {
        return yield* unknown(forced, providers)
      }
      const timeoutMs = request.timeout === undefined ? settings.timeout : Duration.toMillis(request.timeout)
      const deadlineMs = monotonicMs(yield* Effect.clock) + timeoutMs
      const waits = (request.onSaturated ?? settings.waiting.onSaturated) === "wait"
      return {
        request,
        inputTokens: yield* estimate(request, timeoutMs),
        deadlineMs,
        timeoutMs,
        maxWaitMs: waits ? settings.waiting.maxWait : 0,
        maxAttempts: request.maxAttempts ?? settings.maxAttempts,
        attemptTimeoutMs: request.attemptTimeout === undefined
          ? settings.attemptTimeout
          : Duration.toMillis(request.attemptTimeout),
        streams,
        failed: [],
        roundStart: 0
      }
    })

  const openStream: RouterService["openStream"] = (request, options = {}) =>
    Effect.flatMap(routeOf(request, { streams: true }), (route) => openedStream(opened, services, route, options))

  const force = (provider: string, circuit: ForcedCircuit) =>
    Effect.gen(function*() {
      const providers = yield* registry.providers
      const moved = yield* Effect.catchAllDefect(
        state.force(providers, provider, circuit),
        (cause) => new StateUnavailable({ cause })
      )
      if (!moved) return yield* unknown(provider, providers)
    })

  // Requests in line choose among the newest list too, also while nobody else asks.
  const follow = (providers: ReadonlyArray<Provider>) =>
    Effect.catchAllDefect(
      state.snapshot(providers),
      (defect) => Effect.logError("route-llm: the state could not follow the list of providers", defect)
    )
  yield* registry.changes.pipe(Stream.runForEach(follow), Effect.forkScoped)

  return Router.of({
    chat: (request) => Effect.flatMap(routeOf(request, { streams: false }), answered),
    openStream,
    stream: (request) => toStream(openStream(request), textOf),
    streamParts: (request, options) => toStream(openStream(request, options), identity),
    forceOpen: (provider, options = {}) =>
      force(provider, { _tag: "Open", forMs: Duration.toMillis(options.for ?? Duration.infinity) }),
    forceClose: (provider) => force(provider, { _tag: "Closed" }),
    status: Effect.map(Effect.flatMap(registry.providers, state.snapshot), toStatus),
    events: Stream.merge(Stream.fromPubSub(events), state.changes, { haltStrategy: "left" })
  })
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
