import { Cause, Effect, Exit, Option } from "effect"
import type { ProviderResponse } from "../ChatResponse.ts"
import type { Provider, ProviderFailure } from "../Provider.ts"
import type { RouterSettings } from "../RouterOptions.ts"
import type { Reservation, Settlement } from "../RouterState.ts"
import type { GuardedState } from "./guardedState.ts"
import { eventOf, type Route } from "./route.ts"
import type { Teller } from "./teller.ts"
import type { CallSpan } from "./tracing.ts"

/** What the end of an attempt needs. */
export interface Ending {
  readonly state: GuardedState
  readonly settings: RouterSettings
  readonly teller: Teller
}

/** A reservation that was granted, and how long the route waited for it. */
export interface Called {
  readonly provider: Provider
  readonly reservation: Reservation
  readonly waitedMs: number
  readonly span: CallSpan | undefined
}

/** How an attempt ended: what is known of the answer, or why there is none. */
export interface Outcome {
  readonly exit: Exit.Exit<Pick<ProviderResponse, "model" | "usage" | "finishReason">, ProviderFailure>
  readonly latencyMs: number
  readonly settlement: Exclude<Settlement, { readonly _tag: "Unused" }>
}

export const failureOf = (exit: Exit.Exit<unknown, ProviderFailure>): ProviderFailure | undefined =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined

/** What the ledger is told of a call that failed; without a failure the caller has given up. */
export const failedSettlement = (
  failure: ProviderFailure | undefined,
  latencyMs: number
): Extract<Settlement, { readonly _tag: "Failure" }> => {
  if (failure === undefined) return { _tag: "Failure", class: "cancelled", latencyMs }
  const { class: failureClass, limits, retryAfterMs, status, usage } = failure
  return { _tag: "Failure", class: failureClass, status, usage, latencyMs, retryAfterMs, limits }
}

const note = (
  settings: RouterSettings,
  route: Route,
  { model, name }: Provider,
  { exit, latencyMs }: Outcome,
  timestamp: number
): void => {
  const failure = failureOf(exit)
  if (failure === undefined) return
  const { class: failureClass, message, status } = failure
  const { bench, request: action } = settings.failures[failureClass]
  // Where the vendor did not say when it is back, it is called again once its bench has ended.
  const retryAfterMs = failure.retryAfterMs ?? (bench || undefined)
  const said = { class: failureClass, status, latencyMs, message, retryAfterMs }
  route.failed.push({ provider: name, model, action, timestamp, ...said })
}

/** Whether the vendor has told what the call took. */
const isReported = ({ exit, settlement }: Outcome): boolean =>
  (Exit.isSuccess(exit) ? exit.value.usage : settlement.usage) !== undefined

/** The end of an attempt: its reservation is settled, whoever listens is told, and the route remembers a failure. */
export const endAttempt = (
  { settings, state, teller }: Ending,
  route: Route,
  { provider, reservation, span, waitedMs }: Called,
  outcome: Outcome
): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    Effect.map(state.settle(reservation, outcome.settlement), (after) => {
      const timestamp = clock.unsafeCurrentTimeMillis()
      const event = eventOf(route, reservation, outcome, { provider, state: after, waitedMs, timestamp })
      route.journey.explain(event, reservation)
      span?.end({ event, exit: outcome.exit })
      teller.attemptEnded(event, { requestModel: provider.model, isReported: isReported(outcome) })
      note(settings, route, provider, outcome, timestamp)
    })
  )
