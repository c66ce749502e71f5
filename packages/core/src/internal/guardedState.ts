import { Effect, Exit } from "effect"
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

const noSettlement = (cause: unknown): Effect.Effect<undefined> =>
  Effect.as(Effect.logError("route-llm: a reservation could not be settled", cause), undefined)

export const guardState = (state: RouterStateService): GuardedState => {
  // A state in this process needs no timer: it ends each wait itself, and settles at once.
  const bounded = (restore: Restore, ms: number): Restore =>
    state.isLocal ? restore : (effect) => restore(within(effect, ms, () => Exit.die(overdue)))

  const settle: GuardedState["settle"] = (reservation, settlement) =>
    Effect.catchAllCause(Effect.suspend(() => state.settle(reservation, settlement)), noSettlement)

  return {
    reserve: (demand, restore) =>
      Effect.catchAllDefect(
        Effect.suspend((): Effect.Effect<Answer, StateUnavailable> =>
          state.reserve(demand, bounded(restore, demand.timeLeftMs))
        ),
        (defect) =>
          defect === overdue
            ? Effect.succeed<Answer>({ _tag: "Overdue" })
            : new StateUnavailable({ cause: defect })
      ),
    settle: state.isLocal
      ? settle
      : (reservation, settlement) => {
        const late = () => Exit.succeed(undefined)
        return within(settle(reservation, settlement), longestSettleMs, late)
      }
  }
}
