import { Effect, PubSub, Ref, Stream } from "effect"
import { RouterOptions } from "../RouterOptions.ts"
import type { RouterStateService, StateChange } from "../RouterState.ts"
import { monotonicMs } from "./clock.ts"
import { Ledger } from "./kernel/Ledger.ts"

/** Changes kept for a reader that lags; it then loses the oldest. */
const changesKept = 256

/**
 * The kernel's ledger in a `Ref`. Each operation is one `Ref.modify`, hence atomic; the ledger is changed in place
 * inside it and never seen outside, since copying its rings (10 kB a provider) at each step would cost more than
 * everything else. Time is the clock's nanoseconds, which are monotonic where `Date.now()` follows the wall clock.
 */
export const makeMemoryState: Effect.Effect<RouterStateService> = Effect.gen(function*() {
  const settings = yield* RouterOptions
  const changes = yield* PubSub.sliding<StateChange>(changesKept)
  const ledger = yield* Ref.make(new Ledger(settings, (change) => changes.unsafeOffer(change)))

  const step = <A>(f: (ledger: Ledger, nowMs: number) => A): Effect.Effect<A> =>
    Effect.flatMap(
      Effect.clock,
      (clock) => Ref.modify(ledger, (current) => [f(current, monotonicMs(clock)), current] as const)
    )

  return {
    reserve: (demand) => step((current, now) => current.reserve(demand, now)),
    settle: (reservation, settlement) => step((current, now) => current.settle(reservation, settlement, now)),
    snapshot: (providers) => step((current, now) => current.snapshot(providers, now)),
    changes: Stream.fromPubSub(changes)
  }
})
