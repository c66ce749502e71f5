import { Chunk, Effect, Option, type Scope, Stream } from "effect"
import type { RouterError, StreamInterrupted } from "../../RouterError.ts"
import type { AnswerStream, StreamPart } from "../../StreamPart.ts"

/** The pieces of text of a batch, which mostly is just one. */
export const textOf = (batch: ReadonlyArray<StreamPart>): ReadonlyArray<string> => {
  const [first] = batch
  if (batch.length === 1) return first?._tag === "Text" ? [first.text] : []
  return batch.flatMap((part) => part._tag === "Text" ? part.text : [])
}

const end = Effect.fail(Option.none())

/** Asks for the next batch. What it is rejected with is a `StreamInterrupted`: nothing else comes out of an answer. */
const pull = <A>(answer: AnswerStream, pick: (batch: ReadonlyArray<StreamPart>) => ReadonlyArray<A>) =>
  Effect.async<Chunk.Chunk<A>, Option.Option<StreamInterrupted>>((resume) => {
    answer.next().then(
      ({ done, value }) => resume(done === true ? end : Effect.succeed(Chunk.unsafeFromArray(pick(value)))),
      (interrupted: StreamInterrupted) => resume(Effect.fail(Option.some(interrupted)))
    )
  })

/** A batch of the answer is a chunk of the stream: a step for each event of the vendor's, not for each part. */
export const toStream = <A>(
  open: Effect.Effect<AnswerStream, RouterError, Scope.Scope>,
  pick: (batch: ReadonlyArray<StreamPart>) => ReadonlyArray<A>
): Stream.Stream<A, RouterError | StreamInterrupted> =>
  Stream.unwrapScoped(Effect.map(open, (answer) => Stream.repeatEffectChunkOption(pull(answer, pick))))
