import { Cause, Effect, Exit, Option, Random } from "effect"
import type { ChatResponse } from "../ChatResponse.ts"
import { consequences } from "../FailureClass.ts"
import type { Provider, ProviderFailure } from "../Provider.ts"
import type { ProviderRegistryService } from "../ProviderRegistry.ts"
import { DeadlineExceeded } from "../RouterError.ts"
import type { RouterError } from "../RouterError.ts"
import type { RouteEvent } from "../RouterEvent.ts"
import type { Reservation, Restore, RouterStateService } from "../RouterState.ts"
import { callProvider, type Outcome } from "./callProvider.ts"
import { monotonicMs } from "./clock.ts"
import { answerOf, eventOf, exhausted, type Route, turnedAway } from "./route.ts"

interface Services {
  readonly registry: ProviderRegistryService
  readonly state: RouterStateService
  readonly publish: (event: RouteEvent) => void
}

/** With less time than this left a call cannot succeed, but would be paid for. */
const shortestCallMs = 1

/** A provider that has refused a route this often for its rate is no candidate of it any more. */
const mostRefusals = 3

/** A reservation that was granted, and how long the route waited for it. */
interface Called {
  readonly provider: Provider
  readonly reservation: Reservation
  readonly waitedMs: number
}

/** Settles and tells; a defect in either is logged and never costs the answer. */
const settle = (
  { publish, state }: Services,
  route: Route,
  called: Called,
  outcome: Outcome
): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    Effect.map(state.settle(called.reservation, outcome.settlement), (after) => {
      const timestamp = clock.unsafeCurrentTimeMillis()
      const { provider, waitedMs } = called
      publish(eventOf(route, called.reservation, outcome, { provider, state: after, waitedMs, timestamp }))
    })
  ).pipe(
    Effect.catchAllCause((cause) => Effect.logError("route-llm: a reservation could not be settled", cause))
  )

const noteFailure = (route: Route, { model, name }: Provider, { exit, latencyMs }: Outcome): void => {
  const failure = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
  if (failure === undefined) return
  const { class: failureClass, message, retryAfterMs, status } = failure
  route.failed.push({ provider: name, model, class: failureClass, status, latencyMs, message, retryAfterMs })
}

/** Those that failed, and those that refused for their rate too often. */
const triedBy = ({ failed }: Route): ReadonlyArray<string> =>
  failed.flatMap(({ class: failure, provider }) => {
    const refusals = failed.filter((other) => other.provider === provider).length
    return consequences[failure].request === "wait" && refusals < mostRefusals ? [] : [provider]
  })

const demandOf = (route: Route) => {
  const { inputTokens, request } = route
  return {
    lane: request.priority ?? "normal" as const,
    inputTokens,
    maxTokens: request.maxTokens,
    sessionId: request.sessionId,
    forceProvider: request.forceProvider,
    tried: triedBy(route)
  }
}

const call = (
  services: Services,
  route: Route,
  called: Called,
  budget: { readonly timeoutMs: number; readonly restore: Restore }
): Effect.Effect<ChatResponse, ProviderFailure> =>
  Effect.flatMap(callProvider(called.provider, route.request, budget), (outcome) => {
    const answer = Effect.map(
      outcome.exit,
      (response) => answerOf(route, called.reservation, response, outcome.latencyMs)
    )
    const note = Effect.sync(() => noteFailure(route, called.provider, outcome))
    return settle(services, route, called, outcome).pipe(Effect.zipRight(note), Effect.zipRight(answer))
  })

const deadlineExceeded = ({ failed, timeoutMs }: Route) => new DeadlineExceeded({ timeoutMs, attempts: failed })

/**
 * One attempt: reserve, call, settle. Only waiting and the call are interruptible, so a reservation that was granted is
 * settled whatever happens. Fails with `ProviderFailure` where another candidate may do better, and with the route's own
 * error where there is none or no time.
 */
export const makeAttempt = (services: Services) => {
  const attempt = (route: Route): Effect.Effect<ChatResponse, ProviderFailure | RouterError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const clock = yield* Effect.clock
        const startedMs = monotonicMs(clock)
        const timeLeftMs = route.deadlineMs - startedMs
        if (timeLeftMs < shortestCallMs) return yield* deadlineExceeded(route)
        // Read anew for each attempt: providers come and go.
        const providers = yield* services.registry.providers
        const draw = yield* Random.next
        const demand = { ...demandOf(route), providers, draw, timeLeftMs, waitMs: route.maxWaitMs }
        const decision = yield* services.state.reserve(demand, restore)
        if (decision._tag === "Refused") return yield* exhausted(route, decision.refusals)
        if (decision._tag === "QueueFull") return yield* turnedAway(route, decision.waiting)
        const { reservation } = decision
        const waitedMs = monotonicMs(clock) - startedMs
        // The line may have chosen from a newer list, and a provider may have left since.
        const known = yield* services.registry.providers
        const provider = known.find(({ name }) => name === reservation.provider)
        const timeoutMs = timeLeftMs - waitedMs
        if (provider === undefined || timeoutMs < shortestCallMs) {
          yield* services.state.settle(reservation, { _tag: "Unused" })
          return yield* provider === undefined ? restore(attempt(route)) : deadlineExceeded(route)
        }
        return yield* call(services, route, { provider, reservation, waitedMs }, { timeoutMs, restore })
      })
    )
  return attempt
}
