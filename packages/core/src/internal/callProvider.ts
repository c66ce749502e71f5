import { Cause, Effect, Exit, FiberRef, Option } from "effect"
import { consequences } from "../FailureClass.ts"
import { ProviderFailure } from "../Provider.ts"
import type { Restore } from "../RouterState.ts"
import { monotonicMs } from "./clock.ts"
import { within } from "./within.ts"

/** What a call may take, and what makes it interruptible. */
export interface Budget {
  readonly timeoutMs: number
  readonly restore: Restore
}

/** How one call to one provider ended. An interruption among its causes is the caller's. */
export interface Ended<A> {
  readonly exit: Exit.Exit<A, ProviderFailure>
  readonly startedMs: number
  readonly latencyMs: number
}

const timedOut = (ms: number) => () =>
  Exit.fail(new ProviderFailure({ class: "timeout", message: `no answer within ${Math.round(ms)} ms` }))

/** A defect is the adapter's fault, not the caller's: it costs this attempt only. */
const fromDefect = (defect: unknown): ProviderFailure =>
  new ProviderFailure({
    class: "transient",
    message: `the adapter failed: ${defect instanceof Error ? defect.name : typeof defect}`,
    cause: defect
  })

/** Whatever a provider fails with; anyone's own provider may name a class that there is not, or a time that is none. */
export const asFailure = (thrown: unknown): ProviderFailure => {
  if (!(thrown instanceof ProviderFailure)) return fromDefect(thrown)
  const { message, retryAfterMs = 1 } = thrown
  const isClass = Object.hasOwn(consequences, thrown.class)
  const isTime = retryAfterMs > 0 && Number.isFinite(retryAfterMs)
  if (isClass && isTime) return thrown
  // An error's own message is no property that a spread takes along.
  return new ProviderFailure({
    ...thrown,
    message,
    class: isClass ? thrown.class : "transient",
    retryAfterMs: isTime ? thrown.retryAfterMs : undefined
  })
}

/**
 * A failure whose class says what happened: a typed failure, else the caller's interruption (`undefined`), else a fault
 * of the adapter, which may be that it interrupts itself.
 */
const classified = (cause: Cause.Cause<ProviderFailure>, isCancelled: boolean): ProviderFailure | undefined =>
  Option.getOrElse(
    Option.map(Cause.failureOption(cause), asFailure),
    () => isCancelled && Cause.isInterrupted(cause) ? undefined : fromDefect(Cause.squash(cause))
  )

/**
 * Makes the call, for at most `timeoutMs`, and always succeeds with how that ended. `restore` makes just the call
 * interruptible, so that nothing comes between its end and the settling of its reservation.
 */
export const callProvider = <A, R>(
  call: () => Effect.Effect<A, ProviderFailure, R>,
  { restore, timeoutMs }: Budget
): Effect.Effect<Ended<A>, never, R> =>
  Effect.flatMap(Effect.clock, (clock) =>
    Effect.suspend(() => {
      const startedMs = monotonicMs(clock)
      return Effect.suspend(call).pipe(
        // The deadline holds also where the caller's own region cannot be interrupted.
        Effect.interruptible,
        (answered) => within(answered, timeoutMs, timedOut(timeoutMs)),
        restore,
        Effect.exit,
        Effect.zipWith(FiberRef.get(FiberRef.interruptedCause), (exit, interrupted) => {
          const failure = Exit.isFailure(exit) ? classified(exit.cause, !Cause.isEmpty(interrupted)) : undefined
          const ended = failure === undefined ? exit : Exit.fail(failure)
          return { exit: ended, startedMs, latencyMs: monotonicMs(clock) - startedMs }
        })
      )
    }))
