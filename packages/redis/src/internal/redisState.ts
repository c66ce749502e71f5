import { RouterOptions, type RouterSettings, type RouterStateService, type StateChange } from "@route-llm/core"
import { makeHub } from "@route-llm/core/kernel"
import { Effect, Runtime, type Scope } from "effect"
import { Fleet } from "./Fleet.ts"
import { Instance } from "./Instance.ts"
import type { Keys } from "./keys.ts"
import { makeLineRunner } from "./LineRunner.ts"
import { Listener } from "./Listener.ts"
import { makeService } from "./makeService.ts"
import type { Settings } from "./options.ts"
import { pause } from "./pause.ts"
import { layoutOf, makeScripts, type TimeSource } from "./scripts.ts"
import type { Store, StoreFailure } from "./Store.ts"

/** Changes kept for a reader that lags; it then loses the oldest. */
export const changesKept = 256

export interface StateParts {
  readonly id: string
  readonly store: Store
  readonly keys: Keys
  readonly options: Settings
  readonly time: TimeSource
  /** Calls back with whatever is published; answers once it has begun, or has failed to. */
  readonly subscribe: (heard: (message: string) => void) => Effect.Effect<void, never, Scope.Scope>
}

/** How long the layer waits for Redis before it begins without. */
const firstMs = 1_000
const firstEveryMs = 50

export const makeRedisState = (parts: StateParts): Effect.Effect<RouterStateService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* RouterOptions
    const scope = yield* Effect.scope
    const changes = yield* makeHub<StateChange>(changesKept)
    const instance = yield* makeInstance(parts, settings, changes.offer)
    const clock = { now: () => instance.nowMs, local: () => instance.localMs }
    const shared = yield* makeLineRunner(instance.mirror.line, clock, scope)
    const alone = yield* makeLineRunner(instance.own.line, clock, scope)
    const run = Runtime.runFork(yield* Effect.runtime())

    const fleet = new Fleet(instance, () => {
      // Whose turn it is goes by the order in which they came, also elsewhere.
      const from = instance.phase === "shared" ? alone : shared
      for (const seat of from.seats) seat.move()
    })
    instance.onFailure = (failure) => fleet.leave(failure)
    const listener = new Listener({ id: parts.id, instance, fleet, onChange: changes.offer })
    const dispatch = Effect.asVoid(shared.step((nowMs) => shared.line.dispatch(nowMs)))
    instance.onPicture = () => {
      if (shared.line.length > 0) run(dispatch)
    }

    const beat = Effect.async<StoreFailure | undefined>((resume) =>
      fleet.beat((failure) => resume(Effect.succeed(failure)))
    )
    const failure = yield* hello(beat)
    if (failure !== undefined) fleet.leave(failure)
    else instance.flush()
    // Once no heartbeat says any more that this instance is there.
    yield* Effect.addFinalizer(() => Effect.async<void>((resume) => fleet.close(() => resume(Effect.void))))
    yield* parts.subscribe(listener.hear)
    yield* keepInTouch(fleet, instance).pipe(Effect.forkScoped)
    yield* Effect.addFinalizer(() =>
      Effect.gen(function*() {
        yield* shared.step((nowMs) => shared.line.close(nowMs))
        yield* alone.step((nowMs) => alone.line.close(nowMs))
        instance.close()
      })
    )
    return makeService({ instance, fleet, listener, shared, alone, changes: changes.values })
  })

export const makeInstance = (parts: StateParts, settings: RouterSettings, onChange: (change: StateChange) => void) =>
  Effect.map(Effect.clock, (clock) => {
    const { id, keys, options, store, time } = parts
    const layout = layoutOf(options.buckets)
    const scripts = makeScripts(settings, layout, time)
    // The picture here has the buckets that the shared one has.
    const own = { ...settings, buckets: options.buckets }
    const ownTime = time === "caller"
    return new Instance({ id, clock, keys, layout, scripts, store, settings: own, options, ownTime, onChange })
  })

/** The first word with Redis, which may take a moment; answers why there was none. */
export const hello = (ask: Effect.Effect<StoreFailure | undefined>): Effect.Effect<StoreFailure | undefined> =>
  Effect.gen(function*() {
    let failure = yield* ask
    for (let waitedMs = 0; failure !== undefined && waitedMs < firstMs; waitedMs += firstEveryMs) {
      yield* pause(firstEveryMs)
      failure = yield* ask
    }
    return failure
  })

/** Heartbeats, and the way back. */
const keepInTouch = (fleet: Fleet, instance: Instance): Effect.Effect<never> => {
  const { heartbeat, retryEvery } = instance.with_.options
  const once = Effect.async<void>((resume) => {
    if (instance.phase !== "shared") return fleet.retry(() => resume(Effect.void))
    fleet.beat((failure) => {
      if (failure !== undefined) instance.onFailure(failure)
      resume(Effect.void)
    })
  })
  const wait = Effect.suspend(() => pause(instance.phase === "shared" ? heartbeat : retryEvery))
  return Effect.forever(Effect.zipRight(wait, once))
}
