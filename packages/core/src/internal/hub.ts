import { Effect, Exit, Mailbox, type Scope, Stream } from "effect"

/** What is told to whoever listens, without a wait: a reader that lags loses the oldest. */
export interface Hub<A> {
  readonly offer: (value: A) => void
  /** From now on, until the scope of the hub closes. */
  readonly values: Stream.Stream<A>
}

/**
 * A sliding mailbox for each reader, offered to from code that is no Effect. A sliding `PubSub` does not do: where a
 * reader has fallen behind by as many as are kept, its `unsafeOffer` drops the newest value instead of the oldest.
 */
export const makeHub = <A>(kept: number): Effect.Effect<Hub<A>, never, Scope.Scope> =>
  Effect.gen(function*() {
    const readers = new Set<Mailbox.Mailbox<A>>()
    let isClosed = false
    yield* Effect.addFinalizer(() => {
      isClosed = true
      return Effect.forEach(readers, (reader) => reader.end, { discard: true })
    })

    const enter = (reader: Mailbox.Mailbox<A>) =>
      Effect.sync(() => isClosed ? reader.unsafeDone(Exit.void) : readers.add(reader))
    const leave = (reader: Mailbox.Mailbox<A>) =>
      Effect.zipRight(Effect.sync(() => readers.delete(reader)), reader.shutdown)
    const subscribe = Effect.acquireRelease(
      Effect.tap(Mailbox.make<A>({ capacity: kept, strategy: "sliding" }), enter),
      leave
    )

    return {
      offer: (value) => {
        for (const reader of readers) reader.unsafeOffer(value)
      },
      values: Stream.unwrapScoped(Effect.map(subscribe, (reader) => Mailbox.toStream(reader)))
    }
  })
