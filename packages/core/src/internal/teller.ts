import { Cause, Effect, Predicate, Runtime, Schema, type Scope, Stream } from "effect"
import { type RouteEvent, RouteListener, type RouterEvent, type StateFailed, StateFailure } from "../RouterEvent.ts"
import type { RouterStateService } from "../RouterState.ts"
import type { StateChange } from "../StateChange.ts"
import type { StatusReport, Tally } from "../Status.ts"
import { describeCause } from "./errorText.ts"
import { makeHub } from "./hub.ts"
import { type AttemptFacts, makeMeters } from "./metrics.ts"
import { Totals } from "./Totals.ts"

/** Events kept for a reader that lags. */
const eventsKept = 256

/** Characters of what a store says of its fault. */
const longestMessage = 300

/** Where everything is told that the router has to tell. Telling never fails, never waits, and costs no request. */
export interface Teller {
  readonly tell: (event: Exclude<RouterEvent, RouteEvent>) => void
  readonly attemptEnded: (event: RouteEvent, facts: AttemptFacts) => void
  /** A route begins; it ends with a `RouteEnded`. */
  readonly began: () => void
  readonly stateFailed: (operation: NonNullable<StateFailed["operation"]>, cause: Cause.Cause<unknown>) => void
  readonly tally: () => Tally
  readonly reported: (report: StatusReport) => void
  readonly events: Stream.Stream<RouterEvent>
}

const messageOf = (fault: unknown): string => describeCause(fault).slice(0, longestMessage)

const isReason = Schema.is(StateFailure)

/** By the store's own word, where it has one. */
const reasonOf = (fault: unknown): StateFailure =>
  Predicate.hasProperty(fault, "reason") && isReason(fault.reason) ? fault.reason : "fault"

/** As it is told: when it was heard of, and without infinities. */
const toEvent = (change: StateChange, timestamp: number) => {
  const { atMs: _atMs, ...told } = change
  if (told._tag === "Benched") {
    return { ...told, forMs: Number.isFinite(told.forMs) ? told.forMs : undefined, timestamp }
  }
  if (told._tag === "StateFailed") return { ...told, message: messageOf(told.message), timestamp }
  return { ...told, timestamp }
}

export const makeTeller = (state: RouterStateService): Effect.Effect<Teller, never, Scope.Scope> =>
  Effect.gen(function*() {
    const listener = yield* RouteListener
    const clock = yield* Effect.clock
    const hub = yield* makeHub<RouterEvent>(eventsKept)
    const meters = makeMeters(yield* Effect.metricLabels)
    const totals = new Totals()

    const tell: Teller["tell"] = (event) => {
      totals.add(event)
      meters.event(event)
      hub.offer(event)
    }

    const attemptEnded: Teller["attemptEnded"] = (event, facts) => {
      totals.add(event)
      meters.attempt(event, facts)
      hub.offer(event)
      // The listener is the user's code, and may be async: its fault must not cost the user an answer that has arrived.
      try {
        const returned: unknown = listener(event)
        if (Predicate.isPromiseLike(returned)) returned.then(undefined, () => {})
      } catch {
        return
      }
    }

    const next = yield* Stream.toPull(state.changes)
    const heard = (changes: Iterable<StateChange>) => {
      const timestamp = clock.unsafeCurrentTimeMillis()
      for (const change of changes) tell(toEvent(change, timestamp))
    }
    // Pulled, and forked by the runtime, it listens from this very moment on: a child or a `runForEach` would start
    // later, and miss the first changes.
    const listens = Effect.ignore(Effect.forever(Effect.map(next, heard)))
    Runtime.runFork(yield* Effect.runtime())(listens, { scope: yield* Effect.scope })

    return {
      tell,
      attemptEnded,
      began: () => totals.began(),
      stateFailed: (operation, cause) => {
        const fault = Cause.squash(cause)
        const timestamp = clock.unsafeCurrentTimeMillis()
        tell({ _tag: "StateFailed", operation, reason: reasonOf(fault), message: messageOf(fault), timestamp })
      },
      tally: () => totals.tally,
      reported: meters.report,
      events: hub.values
    }
  })
