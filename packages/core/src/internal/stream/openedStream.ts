import { Effect, ExecutionStrategy, Scope } from "effect"
import type { RouterError } from "../../RouterError.ts"
import type { AnswerStream, StreamOptions } from "../../StreamPart.ts"
import { monotonicMs } from "../clock.ts"
import type { Ending } from "../ending.ts"
import type { Route } from "../route.ts"
import type { Opened } from "./openAnswer.ts"
import { RoutedStream } from "./RoutedStream.ts"

type Open = (route: Route) => Effect.Effect<Opened, RouterError, Scope.Scope>

/** A streamed answer, which is given up when the scope closes. */
export const openedStream = (
  open: Open,
  ending: Ending,
  route: Route,
  options: StreamOptions
): Effect.Effect<AnswerStream, RouterError, Scope.Scope> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const clock = yield* Effect.clock
      // Closed after the stream has been left, and so settled, whichever answer it has come to by then.
      const answers = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      const opened = yield* restore(Scope.extend(open(route), answers))
      // What it runs later can be interrupted.
      const runtime = yield* Effect.interruptible(Effect.runtime<never>())
      // With time of its own: the route's was for the first content, which has long come.
      const reopen = Effect.suspend(() =>
        Scope.extend(open({ ...route, deadlineMs: monotonicMs(clock) + route.timeoutMs }), answers)
      )
      const stream = new RoutedStream(opened, { ending, route, options, clock, runtime, reopen })
      yield* Effect.addFinalizer(() => Effect.promise(() => stream.return()))
      return stream
    })
  )
