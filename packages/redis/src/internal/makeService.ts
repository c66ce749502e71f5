import type { Decision, Demand, Restore, RouterStateService, StateChange } from "@route-llm/core"
import { Effect, type Stream } from "effect"
import { forceItem, settleItem } from "./Batch.ts"
import type { Fleet } from "./Fleet.ts"
import type { Instance } from "./Instance.ts"
import type { LineRunner } from "./LineRunner.ts"
import type { Listener } from "./Listener.ts"
import { makeReserving } from "./reserving.ts"
import { StoreFailure } from "./Store.ts"

interface Parts {
  readonly instance: Instance
  readonly fleet: Fleet
  readonly listener: Listener
  readonly shared: LineRunner
  readonly alone: LineRunner
  readonly changes: Stream.Stream<StateChange>
}

export const makeService = ({ alone, changes, fleet, instance, listener, shared }: Parts): RouterStateService => {
  const { mirror, own } = instance
  const { settings } = instance.with_
  const policy = instance.with_.options.onStateFailure
  const isAway = () => instance.phase !== "shared"

  const { reserveAlone, reserveShared } = makeReserving({ alone, instance, listener, shared })

  const reserve = (demand: Demand, restore: Restore): Effect.Effect<Decision> =>
    Effect.suspend(() => {
      const sinceMs = instance.localMs
      return Effect.flatMap(
        isAway() ? reserveAlone(demand, restore) : reserveShared(demand, restore),
        (signal): Effect.Effect<Decision> => {
          if (signal._tag !== "Moved") return Effect.succeed(signal)
          const waitedMs = instance.localMs - sinceMs
          const waitMs = Math.max(0, demand.waitMs - waitedMs)
          return reserve({ ...demand, waitMs, timeLeftMs: Math.max(0, demand.timeLeftMs - waitedMs) }, restore)
        }
      )
    })

  const settle: RouterStateService["settle"] = (reservation, settlement) =>
    Effect.suspend(() => {
      const lease = instance.leases.get(reservation)
      if (lease === undefined) return Effect.succeed(undefined)
      instance.leases.delete(reservation)
      instance.enqueue(settleItem(lease, reservation, settlement, settings))
      const settledAlone = alone.step((nowMs) => {
        const after = own.settle(reservation, settlement, nowMs)
        alone.line.dispatch(nowMs)
        return after
      })
      if (isAway()) return settledAlone
      return Effect.zipRight(
        settledAlone,
        shared.step((nowMs) => {
          const after = mirror.settle(reservation, settlement, nowMs)
          shared.line.dispatch(nowMs)
          return after
        })
      )
    })

  /** Every provider is known as Redis has it, or Redis is away. */
  const refreshed = Effect.async<void>((resume) =>
    fleet.refresh((failure) => {
      if (failure !== undefined) instance.onFailure(failure)
      resume(Effect.void)
    })
  )

  /** Where requests fail while Redis is away, whoever only looks meets what they do; once it is back, it is asked. */
  const isAlone = () => policy === "closed" ? instance.phase === "away" : isAway()
  const unavailable = Effect.suspend(() =>
    Effect.die(new StoreFailure({ reason: "unreachable", detail: "away, and nothing is known without it" }))
  )

  const looking = <A>(
    providers: Demand["providers"],
    look: { readonly shared: (nowMs: number) => A; readonly alone: (nowMs: number) => A }
  ): Effect.Effect<A> => {
    const here = policy === "closed" ? unavailable : Effect.suspend(() => alone.step(look.alone))
    return Effect.suspend(() => {
      if (isAlone()) return here
      mirror.follow(providers, instance.nowMs)
      return Effect.flatMap(refreshed, () => isAlone() ? here : shared.step(look.shared))
    })
  }

  const snapshot: RouterStateService["snapshot"] = (providers) =>
    looking(providers, {
      shared: (nowMs) => {
        const snapshot = mirror.ledger.snapshot(providers, nowMs)
        shared.line.dispatch(nowMs)
        return snapshot
      },
      alone: (nowMs) => {
        const snapshot = own.ledger.snapshot(own.shares(providers, nowMs), nowMs)
        alone.line.dispatch(nowMs)
        return snapshot
      }
    })

  const explain: RouterStateService["explain"] = (demand) =>
    looking(demand.providers, {
      shared: (nowMs) => mirror.ledger.explain(demand, nowMs),
      alone: (nowMs) => own.ledger.explain(own.demand(demand, nowMs), nowMs)
    })

  const force: RouterStateService["force"] = (providers, name, circuit) =>
    Effect.suspend(() => {
      const spec = providers.find((each) => each.name === name)
      if (spec === undefined) return Effect.succeed(false)
      const item = forceItem(spec, circuit._tag === "Open" ? circuit.forMs : undefined)
      const here = alone.step((nowMs) => {
        own.ledger.force(own.shares(providers, nowMs), name, circuit, nowMs)
        alone.line.dispatch(nowMs)
        return true
      })
      if (isAway()) {
        instance.enqueue(item)
        return here
      }
      mirror.follow(providers, instance.nowMs)
      return Effect.flatMap(
        Effect.async<boolean>((resume) => instance.sendNow(item, (taken) => resume(Effect.succeed(taken)))),
        (taken) => taken ? Effect.succeed(true) : here
      )
    })

  return {
    isLocal: false,
    reserve,
    settle,
    snapshot,
    explain,
    force,
    away: Effect.sync(() =>
      isAway() && policy !== "closed"
        ? { away: true, policy, sinceMs: instance.localMs - instance.awaySinceMs }
        : undefined
    ),
    waiting: Effect.sync(() => {
      const [one, other] = [shared.line.waiting, alone.line.waiting]
      return { high: one.high + other.high, normal: one.normal + other.normal, low: one.low + other.low }
    }),
    changes
  }
}
