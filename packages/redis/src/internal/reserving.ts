/**
 * A request's way to its reservation: to Redis, in line behind others who wait for it, or on this instance's share.
 */
import type { Demand, Reservation, Restore } from "@route-llm/core"
import { Effect } from "effect"
import { ask as askRedis, type Asked } from "./asking.ts"
import { unusedItem } from "./Batch.ts"
import { inLine } from "./inLine.ts"
import type { Instance } from "./Instance.ts"
import { waitForLimit } from "./largerThanShare.ts"
import type { LineRunner, Signal } from "./LineRunner.ts"
import type { Listener } from "./Listener.ts"
import { pause } from "./pause.ts"
import { StoreFailure } from "./Store.ts"

type Reserve = (demand: Demand, restore: Restore) => Effect.Effect<Signal>

const moved: Signal = { _tag: "Moved" }
const again: Asked = { _tag: "Away" }
const closed: Asked = { _tag: "Closed" }

export const makeReserving = (
  { alone, instance, listener, shared }: {
    readonly instance: Instance
    readonly listener: Listener
    readonly shared: LineRunner
    readonly alone: LineRunner
  }
): { readonly reserveAlone: Reserve; readonly reserveShared: Reserve } => {
  const { mirror, own } = instance
  const { options } = instance.with_

  /** Nobody is told that there is no room who was not asked for any more. */
  const ask = (demand: Demand, taken: Reservation | undefined): Effect.Effect<Asked> =>
    Effect.map(
      askRedis(instance, demand, taken),
      (asked) => asked._tag === "Refused" && instance.isClosed ? closed : asked
    )

  const granted = (demand: Demand, reservation: Reservation): void => {
    const spec = [...demand.providers, ...mirror.specs].find(({ name }) => name === reservation.provider)
    if (spec !== undefined) instance.leases.set(reservation, { id: instance.nextId(), spec, born: Number.NaN })
  }

  const giveBackAlone = (reservation: Reservation): void => {
    const lease = instance.leases.get(reservation)
    instance.leases.delete(reservation)
    // Redis may have been told of it meanwhile.
    if (lease !== undefined && !Number.isNaN(lease.born)) instance.enqueue(unusedItem(lease.id, lease.born))
    own.ledger.settle(reservation, { _tag: "Unused" }, instance.nowMs)
  }

  /** The share has room. While not everyone is back yet, Redis has to have room too. */
  const confirmAlone = (demand: Demand, reservation: Reservation): Effect.Effect<Asked> =>
    Effect.suspend((): Effect.Effect<Asked> => {
      if (instance.phase === "away") return Effect.succeed({ _tag: "Granted", reservation })
      const there = { ...demand, forceProvider: reservation.provider }
      return Effect.flatMap(ask(there, undefined), (asked): Effect.Effect<Asked> => {
        giveBackAlone(reservation)
        if (asked._tag !== "Refused" || demand.waitMs <= 0) return Effect.succeed(asked)
        return Effect.as(pause(options.retryEvery), again)
      })
    })

  const reserveShared: Reserve = (demand, restore) =>
    Effect.suspend(() => {
      if (shared.line.isClosed) return Effect.succeed<Signal>(closed)
      let { heard } = listener
      const asking = (taken: Reservation | undefined) =>
        Effect.suspend(() => {
          heard = listener.heard
          return ask(demand, taken)
        })
      const line = inLine(shared, demand, restore, {
        take: (reservation) => void mirror.hold(reservation),
        confirm: asking,
        giveBack: (reservation) => mirror.withdraw(reservation),
        joined: () => listener.joined(heard)
      })
      if (shared.line.length > 0) return line
      return Effect.flatMap(asking(undefined), (asked): Effect.Effect<Signal> => {
        if (asked._tag === "Away") return Effect.succeed(moved)
        return asked._tag === "Refused" && demand.waitMs > 0 ? line : Effect.succeed(asked)
      })
    })

  const reserveAlone: Reserve = (demand, restore) =>
    Effect.suspend(() => {
      if (options.onStateFailure === "closed") {
        // Nobody goes on by himself, so there is nothing to wait for.
        if (instance.phase === "settling") return reserveShared(demand, restore)
        return Effect.die(new StoreFailure({ reason: "unreachable", detail: "away, and nothing is sent without it" }))
      }
      mirror.follow(demand.providers, instance.nowMs)
      const decided = inLine(alone, own.demand(demand, instance.nowMs), restore, {
        take: (reservation) => granted(demand, reservation),
        confirm: (reservation) => confirmAlone(demand, reservation),
        giveBack: giveBackAlone,
        joined: () => {}
      })
      return Effect.flatMap(decided, (signal) => waitForLimit({ alone, instance, restore }, demand, signal))
    })

  return { reserveAlone, reserveShared }
}
