import { Cause, Effect, Exit } from "effect"
import type { Explanation } from "../Explanation.ts"
import { StateUnavailable } from "../RouterError.ts"
import type { Decision, Demand, ProviderState, Reservation, Restore } from "../RouterState.ts"
import type { RouterStateService, Settled, Settlement } from "../RouterState.ts"
import { monotonicMs } from "./clock.ts"
import type { Teller } from "./teller.ts"
import { within } from "./within.ts"

/** What an explanation may take. */
const longestExplainMs = 5_000

/** What settling may hold up an answer, at most. */
const longestSettleMs = 1_000

/** `Overdue`: the state has not answered in the time that was left of the route. */
export type Answer = Decision | { readonly _tag: "Overdue" }

/** The state as the router uses it: whatever happens to it, no answer is lost, and nothing hangs. */
export interface GuardedState {
  readonly reserve: (demand: Demand, restore: Restore) => Effect.Effect<Answer, StateUnavailable>
  readonly settle: (reservation: Reservation, settlement: Settlement) => Effect.Effect<Settled | undefined>
  readonly explain: (demand: Demand) => Effect.Effect<Explanation, StateUnavailable>
  /** Dies where the state does. */
  readonly snapshot: (providers: Demand["providers"]) => Effect.Effect<ReadonlyArray<ProviderState>>
}

/** One for all, told apart by its identity. */
const overdue = new Error("it has not answered in time")

type Tells = Pick<Teller, "stateFailed" | "tell">

/** That the state cannot be looked at is told when it begins and when it ends, however many look meanwhile. */
const watched = ({ stateFailed, tell }: Tells, look: RouterStateService["snapshot"]): GuardedState["snapshot"] => {
  let failedMs: number | undefined
  return (providers) =>
    Effect.clockWith((clock) =>
      Effect.onExit(Effect.suspend(() => look(providers)), (exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) {
            if (failedMs === undefined) return
            const afterMs = monotonicMs(clock) - failedMs
            failedMs = undefined
            tell({ _tag: "StateRecovered", afterMs, timestamp: clock.unsafeCurrentTimeMillis() })
          } else if (failedMs === undefined && !Cause.isInterruptedOnly(exit.cause)) {
            failedMs = monotonicMs(clock)
            stateFailed("snapshot", exit.cause)
          }
        }))
    )
}

export const guardState = (state: RouterStateService, tells: Tells): GuardedState => {
  const { stateFailed } = tells
  // A state in this process needs no timer: it ends each wait itself, and settles at once.
  const bounded = (restore: Restore, ms: number): Restore =>
    state.isLocal ? restore : (effect) => restore(within(effect, ms, () => Exit.die(overdue)))

  const settleOnce: GuardedState["settle"] = (reservation, settlement) => {
    const settled = Effect.suspend(() => state.settle(reservation, settlement))
    return state.isLocal
      ? settled
      : within(Effect.interruptible(settled), longestSettleMs, () => Exit.die(overdue))
  }

  return {
    // Which tells by itself that it is away.
    snapshot: state.away === undefined
      ? watched(tells, state.snapshot)
      : (providers) => Effect.suspend(() => state.snapshot(providers)),
    reserve: (demand, restore) =>
      Effect.catchAllCause(
        Effect.suspend(() => state.reserve(demand, bounded(restore, demand.timeLeftMs))),
        (cause): Effect.Effect<Answer, StateUnavailable> => {
          const fault = Cause.squash(cause)
          if (fault === overdue) return Effect.succeed({ _tag: "Overdue" })
          if (!Cause.isInterruptedOnly(cause)) stateFailed("reserve", cause)
          return new StateUnavailable({ cause: fault })
        }
      ),
    // Once more, since a reservation that nobody settles takes capacity for ever; the answer does not wait for it.
    settle: (reservation, settlement) =>
      Effect.catchAllCause(settleOnce(reservation, settlement), (first) => {
        stateFailed("settle", first)
        return settleOnce(reservation, settlement).pipe(
          Effect.catchAllCause((cause) => Effect.logError("route-llm: a reservation could not be settled", cause)),
          Effect.forkDaemon,
          Effect.as(undefined)
        )
      }),
    explain: (demand) => {
      const explained = Effect.suspend(() => state.explain(demand))
      const inTime = state.isLocal ? explained : within(explained, longestExplainMs, () => Exit.die(overdue))
      return Effect.catchAllCause(inTime, (cause) => {
        stateFailed("explain", cause)
        return new StateUnavailable({ cause: Cause.squash(cause) })
      })
    }
  }
}
