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
import { Cause, Clock, Context, Duration, Effect, identity, Layer, Random, type Scope, Stream } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import type { Explanation } from "./Explanation.ts"
import { demandOf, makeAttempt } from "./internal/attempt.ts"
import { chatCall } from "./internal/chatCall.ts"
import { guardState } from "./internal/guardedState.ts"
import { Journey } from "./internal/Journey.ts"
import { makeRoute, unknownProvider } from "./internal/makeRoute.ts"
import { RetryBudget } from "./internal/RetryBudget.ts"
import { makeRounds } from "./internal/rounds.ts"
import { toReport, toStatus } from "./internal/statusReport.ts"
import { openAnswer } from "./internal/stream/openAnswer.ts"
import { openedStream } from "./internal/stream/openedStream.ts"
import { textOf, toStream } from "./internal/stream/toStream.ts"
import { makeTeller } from "./internal/teller.ts"
import { RouteSpan } from "./internal/tracing.ts"
import type { Provider } from "./Provider.ts"
import { ProviderRegistry } from "./ProviderRegistry.ts"
import { StateUnavailable } from "./RouterError.ts"
import type {
  InvalidRequest,
  NoProvidersConfigured,
  RouterError,
  StreamInterrupted,
  UnknownProvider
} from "./RouterError.ts"
import type { RouterEvent } from "./RouterEvent.ts"
import { RouterOptions } from "./RouterOptions.ts"
import { type ForcedCircuit, RouterState } from "./RouterState.ts"
import type { RouterStatus, StatusReport } from "./Status.ts"
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
  /**
   * Where the request would go now, and why: each candidate with its score and refusal. Nothing is sent, taken or
   * counted, and those who wait in line are not looked at. `inputTokens` stands for the estimate.
   */
  readonly explain: (
    request: ChatRequest,
    options?: { readonly inputTokens?: number | undefined }
  ) => Effect.Effect<Explanation, InvalidRequest | UnknownProvider | NoProvidersConfigured | StateUnavailable>
  /** Every provider as it stands now. */
  readonly status: Effect.Effect<RouterStatus>
  /**
   * The same in the order of the list, with those who wait and sums since the router was made. Each report also sets the
   * gauges of `RouterMetrics`.
   */
  readonly report: Effect.Effect<StatusReport>
  /**
   * From now on, until the router's layer closes; a reader that lags by more than 256 events
   * loses the oldest, and never slows a request.
   */
  readonly events: Stream.Stream<RouterEvent>
}

const make = Effect.gen(function*() {
  const registry = yield* ProviderRegistry
  const state = yield* RouterState
  const settings = yield* RouterOptions
  const estimator = yield* TokenEstimator
  const startedAt = yield* Clock.currentTimeMillis
  const teller = yield* makeTeller(state)

  const budget = new RetryBudget(settings.retryBudget)
  const guarded = guardState(state, teller)
  const services = { registry, state: guarded, settings, budget, teller }
  const answered = makeRounds({ attempt: makeAttempt(services, chatCall(services)), budget, settings })
  const opened = makeRounds({ attempt: makeAttempt(services, openAnswer(services)), budget, settings })
  const routeOf = makeRoute({ registry, settings, estimator })

  /** From here on it is told how the request ends: by `answered` where it has an answer, else here. */
  const begun = <A, R>(
    name: "Router.chat" | "Router.stream",
    f: (journey: Journey) => Effect.Effect<A, RouterError, R>,
    answered: (journey: Journey, answer: A) => void
  ): Effect.Effect<A, RouterError, R> =>
    Effect.uninterruptibleMask((restore) => {
      const run = (clock: Clock.Clock, span: RouteSpan | undefined) => {
        teller.began()
        const journey = new Journey(clock, teller.tell, span)
        const routed = restore(f(journey))
        return Effect.matchCauseEffect(span === undefined ? routed : span.around(routed), {
          onFailure: (cause) => {
            journey.failed(cause)
            return Effect.failCause(cause)
          },
          onSuccess: (answer) => {
            answered(journey, answer)
            return Effect.succeed(answer)
          }
        })
      }
      return settings.tracing
        ? Effect.flatMap(RouteSpan.make(name), (span) => run(span.clock, span))
        : Effect.clockWith((clock) => run(clock, undefined))
    })

  const chat: RouterService["chat"] = (request) =>
    begun(
      "Router.chat",
      (journey) => Effect.flatMap(routeOf(request, { journey, streams: false }), answered),
      (journey, { provider }) => journey.answered(provider)
    )

  const openStream: RouterService["openStream"] = (request, options = {}) =>
    begun(
      "Router.stream",
      (journey) =>
        Effect.flatMap(
          routeOf(request, { journey, streams: true }),
          (route) => openedStream(opened, services, route, options)
        ),
      // Its reader's end is the end.
      () => {}
    )

  const explain: RouterService["explain"] = (request, { inputTokens } = {}) =>
    Effect.gen(function*() {
      const route = yield* routeOf(request, {
        journey: new Journey(yield* Effect.clock, () => {}, undefined),
        streams: false
      })
      const sized = inputTokens === undefined ? route : { ...route, inputTokens }
      const asked = demandOf(sized, yield* registry.providers)
      return yield* guarded.explain({
        ...asked,
        draw: yield* Random.next,
        timeLeftMs: route.timeoutMs,
        waitMs: route.maxWaitMs
      })
    })

  const force = (provider: string, circuit: ForcedCircuit) =>
    Effect.gen(function*() {
      const providers = yield* registry.providers
      const moved = yield* Effect.catchAllDefect(
        state.force(providers, provider, circuit),
        (cause) => new StateUnavailable({ cause })
      )
      if (!moved) return yield* unknownProvider(provider, providers)
    })

  // Requests in line choose among the newest list too, also while nobody else asks.
  const follow = (providers: ReadonlyArray<Provider>) =>
    Effect.catchAllDefect(state.snapshot(providers), (defect) => {
      teller.stateFailed("snapshot", Cause.die(defect))
      return Effect.logError("route-llm: the state could not follow the list of providers", defect)
    })
  yield* registry.changes.pipe(Stream.runForEach(follow), Effect.forkScoped)

  const snapshot = Effect.flatMap(registry.providers, guarded.snapshot)

  const report = Effect.gen(function*() {
    const states = yield* snapshot
    const waiting = yield* state.waiting
    const timestamp = yield* Clock.currentTimeMillis
    const report = toReport(states, { timestamp, startedAt, waiting, tally: teller.tally() })
    teller.reported(report)
    return report
  })

  return Router.of({
    chat,
    openStream,
    stream: (request) => toStream(openStream(request), textOf),
    streamParts: (request, options) => toStream(openStream(request, options), identity),
    forceOpen: (provider, options = {}) =>
      force(provider, { _tag: "Open", forMs: Duration.toMillis(options.for ?? Duration.infinity) }),
    forceClose: (provider) => force(provider, { _tag: "Closed" }),
    explain,
    status: Effect.map(snapshot, toStatus),
    report,
    events: teller.events
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
