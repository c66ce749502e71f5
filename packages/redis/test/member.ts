/**
 * One instance without its timers: each heartbeat is the test's, and so is the time. All that is the layer's otherwise is
 * the real thing.
 */
import {
  type Demand,
  type Reservation,
  RouterOptions,
  type RouterStateService,
  type StateChange
} from "@route-llm/core"
import { Effect, type Scope, Stream } from "effect"
import type { Redis } from "ioredis"
import { Fleet } from "../src/internal/Fleet.ts"
import type { Instance } from "../src/internal/Instance.ts"
import { makeKeys } from "../src/internal/keys.ts"
import { makeLineRunner } from "../src/internal/LineRunner.ts"
import { Listener } from "../src/internal/Listener.ts"
import { makeService } from "../src/internal/makeService.ts"
import { decodeOptions, type OptionsInput } from "../src/internal/options.ts"
import { makeInstance } from "../src/internal/redisState.ts"
import { makeStore, type StoreFailure } from "../src/internal/Store.ts"
import { handClock } from "./differential.ts"
import { ask, callOn } from "./stateSupport.ts"

export interface Member {
  readonly instance: Instance
  readonly state: RouterStateService
  readonly told: ReadonlyArray<StateChange>
  /** One heartbeat, and why it failed. */
  readonly beat: Effect.Effect<StoreFailure | undefined>
  /** What is done now and then while Redis is away. */
  readonly retry: Effect.Effect<void>
  /** As often as it takes to be there: what is told is answered meanwhile. */
  readonly back: (phase: "settling" | "shared") => Effect.Effect<void>
  readonly call: (providers: Demand["providers"]) => Effect.Effect<Reservation>
}

const namespace = "members"

export const memberKeys = makeKeys({ namespace, windowMs: 60_000, buckets: 60 })

/** Members of one fleet, on one clock that stands still until it is moved. */
export const makeMembers = (client: () => Redis) => {
  const { clock, move } = handClock(1_000_000_000)
  const member = (id: string, input: OptionsInput = {}): Effect.Effect<Member, never, Scope.Scope> =>
    Effect.gen(function*() {
      const settings = yield* RouterOptions
      const scope = yield* Effect.scope
      const options = yield* Effect.orDie(decodeOptions({ namespace, commandTimeout: 20_000, settleIn: 0, ...input }))
      const told: Array<StateChange> = []
      const store = makeStore(client(), options.commandTimeout)
      const parts = { id, store, keys: memberKeys, options, time: "caller" as const, subscribe: () => Effect.void }
      const instance = yield* makeInstance(parts, settings, (change) => told.push(change))
      const fleet = new Fleet(instance, () => {})
      instance.onFailure = (failure) => fleet.leave(failure)
      const now = { now: () => instance.nowMs, local: () => instance.localMs }
      const shared = yield* makeLineRunner(instance.mirror.line, now, scope)
      const alone = yield* makeLineRunner(instance.own.line, now, scope)
      const listener = new Listener({ id, instance, fleet, onChange: () => {} })
      const state = makeService({ instance, fleet, listener, shared, alone, changes: Stream.never })
      const retry = Effect.async<void>((resume) => fleet.retry(() => setImmediate(() => resume(Effect.void))))
      const back = (phase: "settling" | "shared"): Effect.Effect<void> =>
        Effect.suspend(() =>
          instance.phase === "shared" || instance.phase === phase ? Effect.void : Effect.zipRight(retry, back(phase))
        )
      return {
        instance,
        state,
        back,
        retry,
        told,
        beat: Effect.async<StoreFailure | undefined>((resume) =>
          fleet.beat((failure) => resume(Effect.succeed(failure)))
        ),
        call: (providers: Demand["providers"]) => callOn(state, ask(providers))
      }
    }).pipe(Effect.withClock(clock))
  return { member, move }
}
