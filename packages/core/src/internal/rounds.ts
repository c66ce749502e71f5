import { Clock, Effect, Exit, Option, ScheduleDecision, ScheduleIntervals } from "effect"
import type { ProviderFailure } from "../Provider.ts"
import type { AllProvidersFailed, EndedBy, RouterError } from "../RouterError.ts"
import type { RouterSettings } from "../RouterOptions.ts"
import { monotonicMs } from "./clock.ts"
import type { RetryBudget } from "./RetryBudget.ts"
import { exhausted, type Route } from "./route.ts"
import { within } from "./within.ts"

interface Parts<A, R> {
  /** Waits in line for at most so long. */
  readonly attempt: (route: Route, maxWaitMs: number) => Effect.Effect<A, ProviderFailure | RouterError, R>
  readonly budget: RetryBudget
  readonly settings: RouterSettings
}

/** Those that have failed for the moment in this round, and are candidates of the next. */
const momentary = ({ failed, roundStart }: Route) => failed.slice(roundStart).filter(({ action }) => action === "retry")

/** In how many ms one of them has said to be back, at the soonest; `undefined` where there is none. */
const backInMs = (route: Route, nowMs: number): number | undefined => {
  const back = momentary(route).map(({ retryAfterMs = 0, timestamp }) => timestamp + retryAfterMs - nowMs)
  return back.length === 0 ? undefined : Math.max(0, Math.min(...back))
}

/** Every provider would say the same, or nothing more is allowed. */
const isFinal = ({ failed }: Route, { endedBy }: AllProvidersFailed): boolean =>
  endedBy !== undefined || failed.at(-1)?.action === "fail"

/** Somebody was not called yet, and may be in time. */
const hasWaitable = ({ maxWaitMs }: Route, { perProvider }: AllProvidersFailed): boolean =>
  maxWaitMs > 0 && perProvider.some(({ retryAfterMs }) => Number.isFinite(retryAfterMs))

/**
 * A whole route. One round goes from candidate to candidate at once, as long as an attempt fails so that another may do
 * better; it ends with an answer or with `AllProvidersFailed`, and then the schedule of rounds is asked.
 */
export const makeRounds = <A, R>({ attempt, budget, settings }: Parts<A, R>) => {
  /**
   * Once one has failed for the moment, it may be well again before another has room: from then on nobody is waited for
   * in line beyond `untilMs`.
   */
  const round = (route: Route, untilMs: number): Effect.Effect<A, RouterError, R> =>
    Effect.clockWith((clock) => {
      const ended = (by?: EndedBy) => Effect.fail(exhausted(route, [], clock.unsafeCurrentTimeMillis(), by))
      if (route.failed.length >= route.maxAttempts) return ended("maxAttempts")
      const waits = momentary(route).length === 0
      const maxWaitMs = waits ? route.maxWaitMs : Math.min(route.maxWaitMs, Math.max(0, untilMs - monotonicMs(clock)))
      return Effect.catchTag(
        attempt(route, maxWaitMs),
        "ProviderFailure",
        (failure) => settings.failures[failure.class].request === "fail" ? ended() : round(route, untilMs)
      )
    })

  /** There is no other round: whoever has no room yet is worth all the wait that there is. */
  const lastWait = (route: Route, error: AllProvidersFailed, by: EndedBy): Effect.Effect<A, RouterError, R> => {
    const ended = ({ perProvider }: AllProvidersFailed) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) => Effect.fail(exhausted(route, perProvider, nowMs, by)))
    if (by === "maxAttempts" || !hasWaitable(route, error)) return ended(error)
    return Effect.catchTag(
      round(route, Number.POSITIVE_INFINITY),
      "AllProvidersFailed",
      (last) => isFinal(route, last) ? Effect.fail(last) : ended(last)
    )
  }

  /** A pause, in which whoever had no room may take the request, then the next round. */
  const pause = (
    route: Route,
    error: AllProvidersFailed,
    { pauseMs, state }: { readonly pauseMs: number; readonly state: unknown }
  ): Effect.Effect<A, RouterError, R> =>
    Effect.clockWith((clock) => {
      const untilMs = monotonicMs(clock) + pauseMs
      const next = Effect.suspend(() => {
        route.roundStart = route.failed.length
        return from(route, state)
      })
      const rest = Effect.suspend(() => Effect.sleep(Math.max(0, untilMs - monotonicMs(clock))))
      if (!hasWaitable(route, error)) return Effect.zipRight(rest, next)
      return Effect.catchTag(
        round(route, untilMs),
        "AllProvidersFailed",
        (again) => isFinal(route, again) ? Effect.fail(again) : Effect.zipRight(rest, next)
      )
    })

  /** The next round after the schedule's pause, or the error that says why there is none. */
  const another = (route: Route, error: AllProvidersFailed, state: unknown): Effect.Effect<A, RouterError, R> =>
    Effect.clockWith((clock) => {
      const wallMs = clock.unsafeCurrentTimeMillis()
      const asked = isFinal(route, error) ? undefined : backInMs(route, wallMs)
      if (asked === undefined) return Effect.fail(error)
      if (route.failed.length >= route.maxAttempts) return lastWait(route, error, "maxAttempts")
      if (budget.isSpent) return lastWait(route, error, "retryBudget")
      // A schedule of the user's own may break, or never answer: then it has no more to say.
      const stepped = within(
        Effect.suspend(() => settings.rounds.step(wallMs, error, state)),
        route.deadlineMs - monotonicMs(clock),
        () => Exit.die("the schedule has not answered in time")
      )
      return Effect.flatMap(Effect.option(Effect.sandbox(stepped)), (step) => {
        if (Option.isNone(step)) return lastWait(route, error, "schedule")
        const [next, , decision] = step.value
        if (ScheduleDecision.isDone(decision)) return lastWait(route, error, "schedule")
        const pauseMs = Math.max(asked, ScheduleIntervals.start(decision.intervals) - wallMs)
        if (monotonicMs(clock) + pauseMs >= route.deadlineMs) return lastWait(route, error, "timeout")
        return pause(route, error, { pauseMs, state: next })
      })
    })

  const from = (route: Route, state: unknown): Effect.Effect<A, RouterError, R> =>
    Effect.catchTag(
      round(route, Number.NEGATIVE_INFINITY),
      "AllProvidersFailed",
      (error) => another(route, error, state)
    )

  return (route: Route): Effect.Effect<A, RouterError, R> =>
    Effect.tap(from(route, settings.rounds.initial), () => budget.answered())
}
