import { Cause, Effect, Exit, FiberRef, Option } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { ProviderResponse } from "../ChatResponse.ts"
import { consequences } from "../FailureClass.ts"
import { type Provider, ProviderFailure } from "../Provider.ts"
import type { Restore, Settlement } from "../RouterState.ts"
import { monotonicMs } from "./clock.ts"
import { within } from "./within.ts"

/** How one call to one provider ended. */
export interface Outcome {
  readonly exit: Exit.Exit<ProviderResponse, ProviderFailure>
  readonly latencyMs: number
  readonly settlement: Exclude<Settlement, { readonly _tag: "Unused" }>
}

const timedOut = (ms: number) => () =>
  Exit.fail(new ProviderFailure({ class: "timeout", message: `no answer within ${Math.round(ms)} ms` }))

/** A provider may be anyone's own code: what it answers is checked before it is taken for an answer. */
const isAnswer = (response: ProviderResponse): boolean =>
  typeof response === "object" && response !== null && typeof response.content === "string"

const notAnAnswer = () => new ProviderFailure({ class: "transient", message: "the adapter answered without content" })

/** A defect is the adapter's fault, not the caller's: it costs this attempt only. */
const fromDefect = (defect: unknown): ProviderFailure =>
  new ProviderFailure({
    class: "transient",
    message: `the adapter failed: ${defect instanceof Error ? defect.name : typeof defect}`,
    cause: defect
  })

/** Anyone's own provider may name a class that there is not. */
const known = (failure: ProviderFailure): ProviderFailure =>
  Object.hasOwn(consequences, failure.class)
    ? failure
    // An error's own message is no property that a spread takes along.
    : new ProviderFailure({ ...failure, message: failure.message, class: "transient" })

/**
 * A failure whose class says what happened: a typed failure, else the caller's interruption (`undefined`), else a fault
 * of the adapter, which may be that it interrupts itself.
 */
const classified = (cause: Cause.Cause<ProviderFailure>, isCancelled: boolean): ProviderFailure | undefined =>
  Option.getOrElse(
    Option.map(Cause.failureOption(cause), known),
    () => isCancelled && Cause.isInterrupted(cause) ? undefined : fromDefect(Cause.squash(cause))
  )

const settlementOf = (
  exit: Exit.Exit<ProviderResponse, ProviderFailure>,
  latencyMs: number
): Outcome["settlement"] =>
  Exit.match(exit, {
    onSuccess: ({ limits, usage }): Outcome["settlement"] => ({
      _tag: "Success",
      usage: usage ?? undefined,
      latencyMs,
      limits
    }),
    onFailure: (cause): Outcome["settlement"] => {
      const failure = Option.getOrUndefined(Cause.failureOption(cause))
      if (failure === undefined) return { _tag: "Failure", class: "cancelled", latencyMs }
      const { class: failureClass, limits, retryAfterMs, usage } = failure
      return { _tag: "Failure", class: failureClass, usage, latencyMs, retryAfterMs, limits }
    }
  })

/**
 * Calls the provider once, for at most `timeoutMs`, and always succeeds with how that ended. `restore` makes just the
 * call interruptible, so that nothing comes between its end and the settling of its reservation.
 */
export const callProvider = (
  provider: Provider,
  request: ChatRequest,
  { restore, timeoutMs }: { readonly timeoutMs: number; readonly restore: Restore }
): Effect.Effect<Outcome> =>
  Effect.flatMap(Effect.clock, (clock) =>
    Effect.suspend(() => {
      const startedMs = monotonicMs(clock)
      return Effect.suspend(() => provider.chat(request)).pipe(
        // The deadline holds also where the caller's own region cannot be interrupted.
        Effect.interruptible,
        Effect.filterOrFail(isAnswer, notAnAnswer),
        (answered) => within(answered, timeoutMs, timedOut(timeoutMs)),
        restore,
        Effect.exit,
        Effect.zipWith(FiberRef.get(FiberRef.interruptedCause), (exit, interrupted): Outcome => {
          const failure = Exit.isFailure(exit) ? classified(exit.cause, !Cause.isEmpty(interrupted)) : undefined
          const ended = failure === undefined ? exit : Exit.fail(failure)
          const latencyMs = monotonicMs(clock) - startedMs
          return { exit: ended, latencyMs, settlement: settlementOf(ended, latencyMs) }
        })
      )
    }))
