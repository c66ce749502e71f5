/**
 * What instances share, only looked at: no heartbeat, no reservation, and no word of its own where Redis does not answer.
 */
import { RouterOptions, type RouterStateService, type StateChange } from "@route-llm/core"
import { makeHub } from "@route-llm/core/kernel"
import { Effect, type Scope } from "effect"
import { Fleet } from "./Fleet.ts"
import { Listener } from "./Listener.ts"
import { changesKept, hello, makeInstance, type StateParts } from "./redisState.ts"
import type { StoreFailure } from "./Store.ts"

/** Who waits is known to each instance only. */
const nobody = { high: 0, normal: 0, low: 0 }

const isLookedAt = Effect.dieMessage("This state is only looked at: nothing is sent, and nothing is moved.")

export const makeObserver = (parts: StateParts): Effect.Effect<RouterStateService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* RouterOptions
    const changes = yield* makeHub<StateChange>(changesKept)
    const instance = yield* makeInstance(parts, settings, changes.offer)
    const fleet = new Fleet(instance, () => {})
    const { mirror } = instance

    const refresh = Effect.async<StoreFailure | undefined>((resume) =>
      fleet.refresh((failure) => resume(Effect.succeed(failure)))
    )
    const refreshed = Effect.flatMap(refresh, (failure) => failure === undefined ? Effect.void : Effect.die(failure))
    const looking = <A>(providers: Parameters<RouterStateService["snapshot"]>[0], look: () => A): Effect.Effect<A> =>
      Effect.suspend(() => {
        mirror.follow(providers, instance.nowMs)
        return Effect.map(refreshed, look)
      })

    yield* hello(refresh)
    yield* parts.subscribe(new Listener({ id: parts.id, instance, fleet, onChange: changes.offer }).hear)
    return {
      isLocal: false,
      reserve: () => isLookedAt,
      settle: () => Effect.succeed(undefined),
      snapshot: (providers) => looking(providers, () => mirror.ledger.snapshot(providers, instance.nowMs)),
      explain: (demand) => looking(demand.providers, () => mirror.ledger.explain(demand, instance.nowMs)),
      force: () => isLookedAt,
      waiting: Effect.succeed(nobody),
      changes: changes.values
    }
  })
