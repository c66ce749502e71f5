import { Effect, type Scope, STM, TRef } from "effect"
import { monotonicMs } from "./clock.ts"

const never = Number.POSITIVE_INFINITY

/** The one fiber that wakes the line when its time has come. */
export const makeDispatcher = Effect.fn(function*(wakeAtMs: () => number) {
  const moment = yield* STM.commit(TRef.make(never))
  const running = yield* STM.commit(TRef.make(false))

  /** The moment has come nearer, or nobody waits any more. */
  const changed = (before: number) =>
    STM.commit(STM.flatMap(TRef.get(moment), (at) => STM.check(() => at < before || at === never)))

  /** The moment to sleep until; `never` ends the fiber, unless somebody else has asked for another meanwhile. */
  const next = STM.commit(STM.tap(TRef.get(moment), (at) => TRef.set(running, at < never)))

  const loop = (dispatch: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.gen(function*() {
      for (let at = yield* next; at < never; at = yield* next) {
        const forMs = Math.ceil(at - monotonicMs(yield* Effect.clock))
        if (forMs > 0) yield* Effect.raceFirst(Effect.sleep(forMs), changed(at))
        else yield* Effect.yieldNow()
        yield* dispatch
      }
    })

  /** Should the loop ever break, the next step that finds somebody in line starts another. */
  const awake = (dispatch: Effect.Effect<void>) =>
    Effect.onError(loop(dispatch), () => STM.commit(TRef.set(running, false)))

  /** Runs on the clock of whoever waits first. */
  const wake = (dispatch: Effect.Effect<void>, scope: Scope.Scope): Effect.Effect<void> =>
    Effect.flatMap(
      STM.commit(STM.gen(function*() {
        const at = wakeAtMs()
        yield* TRef.set(moment, at)
        return at < never && !(yield* TRef.getAndSet(running, true))
      })),
      (starts) => starts ? Effect.asVoid(Effect.forkIn(Effect.interruptible(awake(dispatch)), scope)) : Effect.void
    )

  return { wake }
})
