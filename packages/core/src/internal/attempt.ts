import { Cause, Effect, Exit, Option, Random } from "effect"
import type { ChatResponse } from "../ChatResponse.ts"
import type { Provider, ProviderFailure } from "../Provider.ts"
import type { ProviderRegistryService } from "../ProviderRegistry.ts"
import { DeadlineExceeded } from "../RouterError.ts"
import type { RouterError } from "../RouterError.ts"
import type { RouteEvent } from "../RouterEvent.ts"
import type { Reservation, RouterStateService } from "../RouterState.ts"
import { callProvider, type Outcome, type Restore } from "./callProvider.ts"
import { monotonicMs } from "./clock.ts"
import { answerOf, eventOf, exhausted, type Route } from "./route.ts"

interface Services {
  readonly registry: ProviderRegistryService
  readonly state: RouterStateService
  readonly publish: (event: RouteEvent) => void
}

/** With less time than this left a call cannot succeed, but would be paid for. */
const shortestCallMs = 1

/** Settles and tells; a defect in either is logged and never costs the answer. */
const settle = (
  { publish, state }: Services,
  route: Route,
  called: { readonly provider: Provider; readonly reservation: Reservation },
  outcome: Outcome
): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    Effect.map(state.settle(called.reservation, outcome.settlement), (after) => {
      const timestamp = clock.unsafeCurrentTimeMillis()
      publish(eventOf(route, called.reservation, outcome, { provider: called.provider, state: after, timestamp }))
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

const demandOf = ({ failed, inputTokens, request }: Route) => ({
  lane: request.priority ?? "normal" as const,
  inputTokens,
  maxTokens: request.maxTokens,
  sessionId: request.sessionId,
  forceProvider: request.forceProvider,
  tried: failed.map(({ provider }) => provider)
})

const call = (
  services: Services,
  route: Route,
  called: { readonly provider: Provider; readonly reservation: Reservation },
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

/**
 * One attempt: reserve, call, settle. Only the call is interruptible, so a reservation that was granted is settled
 * whatever happens. Fails with `ProviderFailure` where another candidate may do better, and with the route's own error
 * where there is none or no time.
 */
export const makeAttempt =
  (services: Services) => (route: Route): Effect.Effect<ChatResponse, ProviderFailure | RouterError> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const timeoutMs = route.deadlineMs - monotonicMs(yield* Effect.clock)
        if (timeoutMs < shortestCallMs) {
          return yield* new DeadlineExceeded({ timeoutMs: route.timeoutMs, attempts: route.failed })
        }
        // Read anew for each attempt: providers come and go.
        const providers = yield* services.registry.providers
        const draw = yield* Random.next
        const decision = yield* services.state.reserve({ ...demandOf(route), providers, draw })
        if (decision._tag === "Refused") return yield* exhausted(route, decision.refusals)
        const { reservation } = decision
        const provider = providers.find(({ name }) => name === reservation.provider)!
        return yield* call(services, route, { provider, reservation }, { timeoutMs, restore })
      })
    )
