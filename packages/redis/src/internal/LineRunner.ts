/**
 * A waiting line on this process's clock: who waits is woken by the step that frees room, by the moment at which time
 * frees it, or by being moved to another line.
 */
import type { Decision, Reservation } from "@route-llm/core"
import { type Line, makeDispatcher, type Waiter } from "@route-llm/core/kernel"
import { Deferred, Effect, FiberId, type Scope } from "effect"

/** `Moved`: this line does not serve any more; ask again. */
export type Signal = Decision | { readonly _tag: "Moved" }

const moved: Signal = { _tag: "Moved" }

/** One place in line. What comes before anybody looks is kept; the newest counts. */
export class Seat {
  waiter: Waiter | undefined
  #signal: Signal | undefined
  #looking: Deferred.Deferred<Signal> | undefined

  /** @param take is told of each grant in the very step in which it is made. */
  constructor(readonly take: (reservation: Reservation) => void = () => {}) {}

  readonly resume = (decision: Decision): void => {
    if (decision._tag === "Granted") this.take(decision.reservation)
    this.#send(decision)
  }

  move(): void {
    // A grant that nobody has looked at yet stands: whoever was granted it finds out for himself.
    if (this.#signal === undefined) this.#send(moved)
  }

  readonly next: Effect.Effect<Signal> = Effect.suspend(() => {
    const signal = this.#signal
    if (signal !== undefined) return Effect.succeed(this.#taken(signal))
    const looking = Deferred.unsafeMake<Signal>(FiberId.none)
    this.#looking = looking
    return Effect.map(Deferred.await(looking), (signal) => this.#taken(signal))
  })

  /** What came and was not looked at. */
  get unseen(): Signal | undefined {
    return this.#signal
  }

  #taken(signal: Signal): Signal {
    this.#signal = undefined
    return signal
  }

  #send(signal: Signal): void {
    this.#signal = signal
    if (this.#looking !== undefined) Deferred.unsafeDone(this.#looking, Effect.succeed(signal))
    this.#looking = undefined
  }
}

const never = Number.POSITIVE_INFINITY

export interface LineRunner {
  readonly line: Line
  /** One change of the line; then the dispatcher knows when to look next. */
  readonly step: <A>(f: (nowMs: number) => A) => Effect.Effect<A>
  /** Everyone in line. */
  readonly seats: Set<Seat>
}

export const makeLineRunner = (
  line: Line,
  clock: { readonly now: () => number; readonly local: () => number },
  scope: Scope.Scope
): Effect.Effect<LineRunner> =>
  Effect.gen(function*() {
    let wakeAtMs = never
    const dispatcher = yield* makeDispatcher(() => wakeAtMs)
    const step = <A>(f: (nowMs: number) => A): Effect.Effect<A> =>
      Effect.suspend(() => {
        const nowMs = clock.now()
        const waited = line.length > 0
        const answer = f(nowMs)
        wakeAtMs = clock.local() + line.wakeInMs + line.ledger.nowMs - nowMs
        return waited || line.length > 0 ? Effect.as(dispatcher.wake(dispatch, scope), answer) : Effect.succeed(answer)
      })
    const dispatch = Effect.suspend(() => step((nowMs) => line.dispatch(nowMs)))
    return { line, step, seats: new Set<Seat>() }
  })
