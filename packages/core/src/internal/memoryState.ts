import { Deferred, Effect, Ref, type Scope } from "effect"
import { RouterOptions } from "../RouterOptions.ts"
import type { Decision, RouterStateService } from "../RouterState.ts"
import type { StateChange } from "../StateChange.ts"
import { monotonicMs } from "./clock.ts"
import { makeDispatcher } from "./dispatcher.ts"
import { makeHub } from "./hub.ts"
import { Ledger } from "./kernel/Ledger.ts"
import { Line } from "./kernel/Line.ts"
import type { Waiter } from "./kernel/Waiter.ts"

/** Changes kept for a reader that lags; it then loses the oldest. */
const changesKept = 256

const never = Number.POSITIVE_INFINITY

/**
 * The kernel's ledger with its waiting line, in a `Ref`. Each operation is one `Ref.modify`, hence atomic; the ledger is
 * changed in place inside it and never seen outside, since copying its rings (9 kB a provider) at each step would cost
 * more than everything else. Time is the clock's nanoseconds, which are monotonic where `Date.now()` follows the wall
 * clock.
 *
 * Who waits holds one `Deferred`, completed inside the very step that frees room for it. What only time frees is the
 * dispatcher's: one fiber, there as long as somebody waits, that sleeps until the moment in `wakeAt`. STM ties it to
 * the line: a step that brings the moment forward wakes it, and it ends in the same transaction that finds nobody left.
 * So there is no polling, and no timer without a waiter.
 */
export const makeMemoryState: Effect.Effect<RouterStateService, never, Scope.Scope> = Effect.gen(function*() {
  const settings = yield* RouterOptions
  const scope = yield* Effect.scope
  const changes = yield* makeHub<StateChange>(changesKept)
  const ledger = new Ledger(settings, changes.offer)
  const state = yield* Ref.make(new Line(ledger, settings.waiting))
  // Kept beside the line's state and set in the same step: whoever tells the dispatcher last tells it the newest.
  let wakeAtMs = never
  const dispatcher = yield* makeDispatcher(() => wakeAtMs)

  /** Not to be interrupted between the line and the dispatcher: whoever is next in line would not be woken. */
  const step = <A>(f: (line: Line, nowMs: number) => A): Effect.Effect<A> =>
    Effect.uninterruptible(Effect.flatMap(Effect.clock, (clock) =>
      Effect.flatMap(
        Ref.modify(state, (line) => {
          const nowMs = monotonicMs(clock)
          const waited = line.length > 0
          const answer = f(line, nowMs)
          wakeAtMs = nowMs + line.wakeInMs
          return [{ answer, waits: waited || line.length > 0 }, line]
        }),
        ({ answer, waits }) => waits ? Effect.as(dispatcher.wake(dispatch, scope), answer) : Effect.succeed(answer)
      )))

  const dispatch = Effect.suspend(() => step((line, now) => line.dispatch(now)))

  const leave = (waiter: Waiter) =>
    step((line, now) => {
      const granted = line.leave(waiter, now)
      if (granted === undefined) return
      line.ledger.settle(granted, { _tag: "Unused" }, now)
      line.dispatch(now)
    })

  yield* Effect.addFinalizer(() => step((line, now) => line.close(now)))

  return {
    isLocal: true,
    reserve: (demand, restore) =>
      Effect.flatMap(Deferred.make<Decision>(), (served) => {
        const resume = (decision: Decision) => Deferred.unsafeDone(served, Effect.succeed(decision))
        return Effect.flatMap(step((line, now) => line.ask(demand, now, resume)), (asked) =>
          "_tag" in asked
            ? Effect.succeed(asked)
            : Effect.onInterrupt(restore(Deferred.await(served)), () => leave(asked)))
      }),
    settle: (reservation, settlement) =>
      step((line, now) => {
        const after = line.ledger.settle(reservation, settlement, now)
        line.dispatch(now)
        return after
      }),
    snapshot: (providers) =>
      step((line, now) => {
        const snapshot = line.ledger.snapshot(providers, now)
        line.dispatch(now)
        return snapshot
      }),
    explain: (demand) => step((line, now) => line.ledger.explain(demand, now)),
    force: (providers, name, circuit) =>
      step((line, now) => {
        const moved = line.ledger.force(providers, name, circuit, now)
        line.dispatch(now)
        return moved
      }),
    waiting: Effect.map(Ref.get(state), (line) => line.waiting),
    changes: changes.values
  }
})
