import { Effect, Option, ScheduleDecision, ScheduleIntervals } from "effect"
import type { ProviderFailure } from "../Provider.ts"
import type { AllProvidersFailed, EndedBy, RouterError } from "../RouterError.ts"
import type { RouterSettings } from "../RouterOptions.ts"
import { monotonicMs } from "./clock.ts"
import type { RetryBudget } from "./RetryBudget.ts"
import { exhausted, type Route } from "./route.ts"

interface Parts<A, R> {
  readonly attempt: (route: Route) => Effect.Effect<A, ProviderFailure | RouterError, R>
  readonly budget: RetryBudget
  readonly settings: RouterSettings
}

/**
 * In how many ms one of those that failed for the moment has said to be back, at the soonest; `undefined` where no
 * failure of this round was of that kind. Those to wait for have been waited for in line.
 */
const backInMs = ({ failed, roundStart }: Route, { failures }: RouterSettings): number | undefined => {
  const momentary = failed.slice(roundStart).filter(({ class: failure }) => failures[failure].request === "retry")
  return momentary.length === 0 ? undefined : Math.min(...momentary.map(({ retryAfterMs = 0 }) => retryAfterMs))
}

/**
 * A whole route. One round goes from candidate to candidate at once, as long as an attempt fails so that another may do
 * better; it ends with an answer or with `AllProvidersFailed`, and then the schedule of rounds is asked.
 */
export const makeRounds = <A, R>({ attempt, budget, settings }: Parts<A, R>) => {
  const round = (route: Route): Effect.Effect<A, RouterError, R> => {
    if (route.failed.length >= route.maxAttempts) return Effect.fail(exhausted(route, [], "maxAttempts"))
    return Effect.catchTag(
      attempt(route),
      "ProviderFailure",
      (failure) =>
        settings.failures[failure.class].request === "fail" ? Effect.fail(exhausted(route, [])) : round(route)
    )
  }

  /** The next round after the schedule's pause, or the error that says why there is none. */
  const another = (
    route: Route,
    error: AllProvidersFailed,
    state: unknown
  ): Effect.Effect<A, RouterError, R> => {
    const asked = error.endedBy === undefined ? backInMs(route, settings) : undefined
    if (asked === undefined) return Effect.fail(error)
    const ended = (by: EndedBy) => Effect.fail(exhausted(route, error.perProvider, by))
    if (route.failed.length >= route.maxAttempts) return ended("maxAttempts")
    if (budget.isSpent) return ended("retryBudget")
    return Effect.clockWith((clock) => {
      const wallMs = clock.unsafeCurrentTimeMillis()
      const stepped = Effect.suspend(() => settings.rounds.step(wallMs, error, state))
      return Effect.flatMap(Effect.option(Effect.sandbox(stepped)), (step) => {
        // A schedule of the user's own that breaks has no more to say.
        if (Option.isNone(step)) return ended("schedule")
        const [next, , decision] = step.value
        if (ScheduleDecision.isDone(decision)) return ended("schedule")
        const pauseMs = Math.max(asked, ScheduleIntervals.start(decision.intervals) - wallMs)
        if (monotonicMs(clock) + pauseMs >= route.deadlineMs) return ended("timeout")
        const on = Effect.suspend(() => {
          route.roundStart = route.failed.length
          return from(route, next)
        })
        return Effect.zipRight(Effect.sleep(pauseMs), on)
      })
    })
  }

  const from = (route: Route, state: unknown): Effect.Effect<A, RouterError, R> =>
    Effect.catchTag(round(route), "AllProvidersFailed", (error) => another(route, error, state))

  return (route: Route): Effect.Effect<A, RouterError, R> =>
    Effect.tap(from(route, settings.rounds.initial), () => budget.answered())
}
