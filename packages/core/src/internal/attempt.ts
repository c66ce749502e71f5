import { type Clock, Effect, Random } from "effect"
import type { Provider, ProviderFailure } from "../Provider.ts"
import type { ProviderRegistryService } from "../ProviderRegistry.ts"
import { DeadlineExceeded, RouterClosed } from "../RouterError.ts"
import type { RouterError } from "../RouterError.ts"
import type { RouterSettings } from "../RouterOptions.ts"
import type { Reservation, Restore } from "../RouterState.ts"
import type { Budget } from "./callProvider.ts"
import { monotonicMs } from "./clock.ts"
import type { Called } from "./ending.ts"
import type { GuardedState } from "./guardedState.ts"
import type { RetryBudget } from "./RetryBudget.ts"
import { exhausted, fellBackOf, type Route, turnedAway } from "./route.ts"
import type { Teller } from "./teller.ts"
import { CallSpan } from "./tracing.ts"

interface Services {
  readonly registry: ProviderRegistryService
  readonly state: GuardedState
  readonly settings: RouterSettings
  readonly budget: RetryBudget
  readonly teller: Teller
}

/** The call of a provider whose capacity is reserved. It settles the reservation, whatever happens. */
export type Call<A, R> = (route: Route, called: Called, budget: Budget) => Effect.Effect<A, ProviderFailure, R>

/** With less time than this left a call cannot succeed, but would be paid for. */
const shortestCallMs = 1

/** A provider that has refused a route this often for its rate is no candidate of it any more. */
const mostRefusals = 3

/** Those that this route does not call, or not call again in this round. */
const triedBy = ({ failed, roundStart }: Route, providers: ReadonlyArray<Provider>): ReadonlyArray<string> => {
  if (failed.length === 0) return []
  let window = Number.NEGATIVE_INFINITY
  const tried = failed.flatMap(({ action, provider }, index) => {
    if (action === "retry") return index < roundStart ? [] : [provider]
    if (action === "wait") {
      const refusals = failed.filter((other) => other.provider === provider && other.action === "wait")
      return refusals.length < mostRefusals ? [] : [provider]
    }
    const { contextWindow = window } = providers.find(({ name }) => name === provider) ?? {}
    if (action === "larger" && contextWindow > window) window = contextWindow
    return [provider]
  })
  return [...tried, ...providers.flatMap(({ contextWindow = Infinity, name }) => contextWindow <= window ? [name] : [])]
}

/** What the route's next attempt asks for, but for its draw and its times. */
export const demandOf = (route: Route, providers: ReadonlyArray<Provider>) => {
  const { inputTokens, request } = route
  return {
    providers,
    lane: request.priority ?? "normal" as const,
    inputTokens,
    maxTokens: request.maxTokens,
    sessionId: request.sessionId,
    forceProvider: request.forceProvider,
    lastResort: request.lastResort,
    streams: route.streams,
    explain: request.explain,
    tried: triedBy(route, providers)
  }
}

/** Half of what is left while somebody else could answer in the other half, unless told otherwise. */
const attemptMs = ({ attemptTimeoutMs }: Route, { hasAlternative }: Reservation, leftMs: number): number => {
  if (attemptTimeoutMs !== undefined) return Math.min(attemptTimeoutMs, leftMs)
  return hasAlternative ? leftMs / 2 : leftMs
}

/** The state restores its line and nothing else, so what it restores is what was waited there, tries between included. */
const timed = (clock: Clock.Clock, restore: Restore) => {
  let fromMs: number | undefined
  let waitedMs = 0
  const waits: Restore = (effect) =>
    Effect.suspend(() => {
      const sinceMs = fromMs ??= monotonicMs(clock)
      return Effect.map(restore(effect), (answer) => {
        waitedMs = monotonicMs(clock) - sinceMs
        return answer
      })
    })
  return { waits, waitedMs: () => waitedMs }
}

const deadlineExceeded = ({ failed, timeoutMs }: Route) => new DeadlineExceeded({ timeoutMs, attempts: failed })

/**
 * One attempt: reserve, waiting in line for at most so long, then call, which settles. Only waiting and the call are interruptible, so a reservation that was
 * granted is settled whatever happens. Fails with `ProviderFailure` where another candidate may do better, and with the route's own
 * error where there is none or no time.
 */
export const makeAttempt = <A, R>(services: Services, call: Call<A, R>) => {
  const attempt = (route: Route, maxWaitMs: number): Effect.Effect<A, ProviderFailure | RouterError, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const clock = yield* Effect.clock
        const startedMs = monotonicMs(clock)
        const timeLeftMs = route.deadlineMs - startedMs
        if (timeLeftMs < shortestCallMs) return yield* deadlineExceeded(route)
        // Read anew for each attempt: providers come and go.
        const draw = yield* Random.next
        const asked = demandOf(route, yield* services.registry.providers)
        const line = timed(clock, restore)
        const decision = yield* services.state.reserve({ ...asked, draw, timeLeftMs, waitMs: maxWaitMs }, line.waits)
        const nowMs = clock.unsafeCurrentTimeMillis()
        if (decision._tag === "Refused") return yield* exhausted(route, decision.refusals, nowMs)
        if (decision._tag === "QueueFull") return yield* turnedAway(route, decision.waiting, nowMs)
        if (decision._tag === "Closed") return yield* new RouterClosed()
        if (decision._tag === "Overdue") return yield* deadlineExceeded(route)
        const { reservation } = decision
        // The line may have chosen from a newer list, and a provider may have left since.
        const known = yield* services.registry.providers
        const provider = known.find(({ name }) => name === reservation.provider)
        const leftMs = route.deadlineMs - monotonicMs(clock)
        if (provider === undefined || leftMs < shortestCallMs) {
          yield* services.state.settle(reservation, { _tag: "Unused" })
          return yield* provider === undefined ? restore(attempt(route, maxWaitMs)) : deadlineExceeded(route)
        }
        if (route.roundStart > 0 && !services.budget.spend()) {
          yield* services.state.settle(reservation, { _tag: "Unused" })
          return yield* exhausted(route, [], nowMs, "retryBudget")
        }
        const waitedMs = line.waitedMs()
        route.journey.called(waitedMs)
        const fellBack = fellBackOf(route, provider.name, clock.unsafeCurrentTimeMillis())
        if (fellBack !== undefined) services.teller.tell(fellBack)
        const timeoutMs = attemptMs(route, reservation, leftMs)
        const span = services.settings.tracing ? yield* CallSpan.make({ ...route, provider }) : undefined
        const calling = call(route, { provider, reservation, waitedMs, span }, { timeoutMs, restore })
        return yield* span === undefined ? calling : span.around(calling)
      })
    )
  return attempt
}
