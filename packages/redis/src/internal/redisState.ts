import { type Decision, type Demand, RouterOptions, type RouterStateService, type StateChange } from "@route-llm/core"
import type { Reservation, Restore, RouterSettings } from "@route-llm/core"
import { Effect, PubSub, Runtime, type Scope, Stream } from "effect"
import { ask } from "./asking.ts"
import { forceItem, settleItem } from "./Batch.ts"
import { Fleet } from "./Fleet.ts"
import { Instance } from "./Instance.ts"
import type { Keys } from "./keys.ts"
import { type LineRunner, makeLineRunner, Seat, type Signal } from "./LineRunner.ts"
import type { Settings } from "./options.ts"
import { layoutOf, makeScripts, type TimeSource } from "./scripts.ts"
import { type Store, StoreFailure } from "./Store.ts"
import { decodeChange } from "./wire.ts"

/** Changes kept for a reader that lags; it then loses the oldest. */
const changesKept = 256

export interface StateParts {
  readonly id: string
  readonly store: Store
  readonly keys: Keys
  readonly options: Settings
  readonly time: TimeSource
  /** Calls back with whatever is published; answers once it has begun, or has failed to. */
  readonly subscribe: (heard: (message: string) => void) => Effect.Effect<void, never, Scope.Scope>
}

/** In real time: what is waited for is another process. */
const pause = (ms: number) =>
  Effect.async<void>((resume) => {
    const timer = setTimeout(() => resume(Effect.void), ms)
    return Effect.sync(() => clearTimeout(timer))
  })

/** How long the layer waits for Redis before it begins without. */
const firstMs = 1_000
const firstEveryMs = 50

export const makeRedisState = (parts: StateParts): Effect.Effect<RouterStateService, never, Scope.Scope> =>
  Effect.gen(function*() {
    const settings = yield* RouterOptions
    const scope = yield* Effect.scope
    const changes = yield* PubSub.sliding<StateChange>(changesKept)
    const instance = yield* makeInstance(parts, settings, (change) => changes.unsafeOffer(change))
    const clock = { now: () => instance.nowMs, local: () => instance.localMs }
    const shared = yield* makeLineRunner(instance.mirror.line, clock, scope)
    const alone = yield* makeLineRunner(instance.own.line, clock, scope)
    const run = Runtime.runFork(yield* Effect.runtime())

    const fleet = new Fleet(instance, () => {
      // Whose turn it is goes by the order in which they came, also elsewhere.
      const from = instance.awaySinceMs === undefined ? alone : shared
      for (const seat of from.seats) seat.move()
    })
    instance.onFailure = (failure) => fleet.leave(failure)
    const dispatch = Effect.asVoid(shared.step((nowMs) => shared.line.dispatch(nowMs)))
    instance.onPicture = () => {
      if (shared.line.length > 0) run(dispatch)
    }

    yield* hello(fleet, instance)
    yield* parts.subscribe(makeListener(parts.id, instance, fleet, (change) => changes.unsafeOffer(change)))
    yield* keepInTouch(fleet, instance).pipe(Effect.forkScoped)
    yield* Effect.addFinalizer(() =>
      Effect.gen(function*() {
        yield* shared.step((nowMs) => shared.line.close(nowMs))
        yield* alone.step((nowMs) => alone.line.close(nowMs))
        instance.flush()
        yield* Effect.async<void>((resume) => fleet.close(() => resume(Effect.void)))
      })
    )
    return makeService({ instance, fleet, shared, alone, changes: Stream.fromPubSub(changes) })
  })

const makeInstance = (parts: StateParts, settings: RouterSettings, onChange: (change: StateChange) => void) =>
  Effect.map(Effect.clock, (clock) => {
    const { id, keys, options, store, time } = parts
    const layout = layoutOf(options.buckets)
    const scripts = makeScripts(settings, layout, time)
    // The picture here has the buckets that the shared one has.
    const own = { ...settings, buckets: options.buckets }
    const ownTime = time === "caller"
    return new Instance({ id, clock, keys, layout, scripts, store, settings: own, options, ownTime, onChange })
  })

/** The first word with Redis; without an answer the instance begins by itself. */
const hello = (fleet: Fleet, instance: Instance): Effect.Effect<void> =>
  Effect.gen(function*() {
    const beat = Effect.async<StoreFailure | undefined>((resume) =>
      fleet.beat((failure) => resume(Effect.succeed(failure)))
    )
    let failure = yield* beat
    for (let waitedMs = 0; failure !== undefined && waitedMs < firstMs; waitedMs += firstEveryMs) {
      yield* pause(firstEveryMs)
      failure = yield* beat
    }
    if (failure !== undefined) fleet.leave(failure)
    else instance.flush()
  })

/** Heartbeats, and the way back. */
const keepInTouch = (fleet: Fleet, instance: Instance): Effect.Effect<never> => {
  const { heartbeat, retryEvery } = instance.with_.options
  const once = Effect.async<void>((resume) => {
    if (instance.awaySinceMs !== undefined) return fleet.retry(() => resume(Effect.void))
    fleet.beat((failure) => {
      if (failure !== undefined) instance.onFailure(failure)
      resume(Effect.void)
    })
  })
  const wait = Effect.suspend(() => pause(instance.awaySinceMs === undefined ? heartbeat : retryEvery))
  return Effect.forever(Effect.zipRight(wait, once))
}

/** What other instances publish: that something has been freed, and what has changed. */
const makeListener = (
  id: string,
  instance: Instance,
  fleet: Fleet,
  onChange: (change: StateChange) => void
) => {
  let isReading = false
  let isStale = false
  const refresh = () => {
    isStale = false
    isReading = true
    fleet.refresh((failure) => {
      isReading = false
      if (failure !== undefined) instance.onFailure(failure)
      else if (isStale) refresh()
    })
  }
  return (message: string): void => {
    const [sender, said] = parsed(message)
    if (sender === id || sender === undefined) return
    const change = decodeChange(said)
    if (change !== undefined) onChange(change)
    if (instance.mirror.line.length === 0 || instance.awaySinceMs !== undefined) return
    isStale = true
    if (!isReading) refresh()
  }
}

const parsed = (message: string): ReadonlyArray<unknown> => {
  try {
    const read: unknown = JSON.parse(message)
    return Array.isArray(read) ? read : []
  } catch {
    return []
  }
}

interface Parts {
  readonly instance: Instance
  readonly fleet: Fleet
  readonly shared: LineRunner
  readonly alone: LineRunner
  readonly changes: Stream.Stream<StateChange>
}

const makeService = ({ alone, changes, fleet, instance, shared }: Parts): RouterStateService => {
  const { mirror, own } = instance
  const { options, settings } = instance.with_
  const isAway = () => instance.awaySinceMs !== undefined

  const granted = (demand: Demand, reservation: Reservation): void => {
    const spec = [...demand.providers, ...mirror.specs].find(({ name }) => name === reservation.provider)
    if (spec !== undefined) instance.leases.set(reservation, { id: instance.nextId(), spec, born: Number.NaN })
  }

  const reserveAlone = (demand: Demand, restore: Restore): Effect.Effect<Signal> =>
    Effect.suspend(() => {
      const { awaySinceMs } = instance
      if (options.onStateFailure === "closed") {
        return Effect.die(new StoreFailure({ kind: "unreachable", detail: `away since ${awaySinceMs} ms` }))
      }
      return inLine(alone, own.demand(demand, instance.nowMs), restore, {
        take: (reservation) => granted(demand, reservation),
        confirm: (reservation) => Effect.succeed({ _tag: "Granted", reservation }),
        giveBack: (reservation) => {
          instance.leases.delete(reservation)
          own.ledger.settle(reservation, { _tag: "Unused" }, instance.nowMs)
        }
      })
    })

  const reserveShared = (demand: Demand, restore: Restore): Effect.Effect<Signal> =>
    Effect.suspend(() => {
      const line = inLine(shared, demand, restore, {
        take: (reservation) => void mirror.hold(reservation),
        confirm: (reservation) => ask(instance, demand, reservation),
        giveBack: (reservation) => mirror.withdraw(reservation)
      })
      if (shared.line.length > 0) return line
      return Effect.flatMap(ask(instance, demand, undefined), (asked): Effect.Effect<Signal> => {
        if (asked._tag === "Away") return Effect.succeed({ _tag: "Moved" })
        return asked._tag === "Refused" && demand.waitMs > 0 ? line : Effect.succeed(asked)
      })
    })

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

  const snapshotAlone = (providers: Demand["providers"]) =>
    alone.step((nowMs) => {
      const snapshot = own.ledger.snapshot(own.shares(providers, nowMs), nowMs)
      alone.line.dispatch(nowMs)
      return snapshot
    })

  const snapshot: RouterStateService["snapshot"] = (providers) =>
    Effect.suspend(() => {
      if (isAway()) return snapshotAlone(providers)
      mirror.follow(providers, instance.nowMs)
      return Effect.flatMap(
        Effect.async<StoreFailure | undefined>((resume) =>
          fleet.refresh((failure) => {
            if (failure !== undefined) instance.onFailure(failure)
            resume(Effect.succeed(failure))
          })
        ),
        () =>
          isAway() ? snapshotAlone(providers) : shared.step((nowMs) => {
            const snapshot = mirror.ledger.snapshot(providers, nowMs)
            shared.line.dispatch(nowMs)
            return snapshot
          })
      )
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
    force,
    waiting: Effect.sync(() => {
      const [one, other] = [shared.line.waiting, alone.line.waiting]
      return { high: one.high + other.high, normal: one.normal + other.normal, low: one.low + other.low }
    }),
    changes
  }
}

interface Grants {
  /** The line has granted it, in this very step. */
  readonly take: (reservation: Reservation) => void
  /** Whether the grant stands. */
  readonly confirm: (reservation: Reservation) => Effect.Effect<Decision | { readonly _tag: "Away" }>
  /** It is not wanted any more. */
  readonly giveBack: (reservation: Reservation) => void
}

/** In line until it is served, refused, or the line serves no more. */
const inLine = (
  { line, seats, step }: LineRunner,
  demand: Demand,
  restore: Restore,
  { confirm, giveBack, take }: Grants
): Effect.Effect<Signal> =>
  Effect.suspend(() => {
    const seat = new Seat(take)
    const leave = step((nowMs) => {
      seats.delete(seat)
      const { unseen, waiter } = seat
      if (unseen?._tag === "Granted") giveBack(unseen.reservation)
      if (waiter !== undefined) line.leave(waiter, nowMs)
      line.dispatch(nowMs)
    })

    const answered = (asked: Decision | { readonly _tag: "Away" }): Effect.Effect<Signal> => {
      if (asked._tag === "Away") return Effect.as(leave, { _tag: "Moved" })
      const { waiter } = seat
      if (asked._tag !== "Refused" || waiter === undefined || waiter.decision !== undefined) {
        return step((nowMs) => {
          seats.delete(seat)
          if (waiter !== undefined) line.served(waiter, asked)
          line.dispatch(nowMs)
          return asked
        })
      }
      // Somebody else was quicker: back to its place.
      return Effect.flatMap(
        step((nowMs) => {
          line.again(waiter)
          line.dispatch(nowMs)
        }),
        () => look
      )
    }

    const look: Effect.Effect<Signal> = Effect.suspend(() =>
      Effect.flatMap(
        Effect.onInterrupt(restore(seat.next), () => leave),
        (signal): Effect.Effect<Signal> => {
          if (signal._tag === "Moved") return Effect.as(leave, signal)
          if (signal._tag === "Granted") return Effect.flatMap(confirm(signal.reservation), answered)
          seats.delete(seat)
          return Effect.succeed(signal)
        }
      )
    )

    return Effect.flatMap(
      step((nowMs) => {
        seats.add(seat)
        const asked = line.ask(demand, nowMs, seat.resume)
        if ("_tag" in asked) {
          if (asked._tag === "Granted") take(asked.reservation)
          return asked
        }
        seat.waiter = asked
        return undefined
      }),
      (asked) => {
        if (asked === undefined) return look
        if (asked._tag !== "Granted") {
          seats.delete(seat)
          return Effect.succeed(asked)
        }
        return Effect.flatMap(confirm(asked.reservation), (confirmed): Effect.Effect<Signal> => {
          seats.delete(seat)
          if (confirmed._tag === "Away") return Effect.succeed({ _tag: "Moved" })
          // What was thought free is not: now that this is known, in line.
          return confirmed._tag === "Refused" && demand.waitMs > 0
            ? inLine({ line, seats, step }, demand, restore, { confirm, giveBack, take })
            : Effect.succeed(confirmed)
        })
      }
    )
  })
