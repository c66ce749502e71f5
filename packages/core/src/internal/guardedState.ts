import { Cause, Effect, Exit } from "effect"
import { StateUnavailable } from "../RouterError.ts"
import type { Decision, Demand, Reservation, Restore, RouterStateService, Settled, Settlement } from "../RouterState.ts"
import { within } from "./within.ts"

/** What settling may hold up an answer, at most. */
const longestSettleMs = 1_000

/** `Overdue`: the state has not answered in the time that was left of the route. */
export type Answer = Decision | { readonly _tag: "Overdue" }

/** The state as the router uses it: whatever happens to it, no answer is lost, and nothing hangs. */
export interface GuardedState {
  readonly reserve: (demand: Demand, restore: Restore) => Effect.Effect<Answer, StateUnavailable>
  readonly settle: (reservation: Reservation, settlement: Settlement) => Effect.Effect<Settled | undefined>
}

const overdue: unique symbol = Symbol("route-llm/overdue")

export const guardState = (state: RouterStateService): GuardedState => {
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
    reserve: (demand, restore) =>
      Effect.catchAllCause(
        Effect.suspend(() => state.reserve(demand, bounded(restore, demand.timeLeftMs))),
        (cause): Effect.Effect<Answer, StateUnavailable> => {
          const fault = Cause.squash(cause)
          return fault === overdue ? Effect.succeed({ _tag: "Overdue" }) : new StateUnavailable({ cause: fault })
        }
      ),
    // Once more, since a reservation that nobody settles takes capacity for ever; the answer does not wait for it.
    settle: (reservation, settlement) =>
      Effect.catchAllCause(settleOnce(reservation, settlement), () =>
        settleOnce(reservation, settlement).pipe(
          Effect.catchAllCause((cause) => Effect.logError("route-llm: a reservation could not be settled", cause)),
          Effect.forkDaemon,
          Effect.as(undefined)
        ))
  }
}
