import { type Clock, Duration, Effect, type Exit, Fiber, FiberId, Runtime } from "effect"
import { liveClock } from "./clock.ts"

/** What a platform's timer takes; more fires at once. */
const longestMs = 2 ** 31 - 1

export type Run = (effect: Effect.Effect<void>) => Fiber.RuntimeFiber<void>

/** Calls `f` once, after so long on this clock; answers what calls it off. */
export const after = (
  ms: number,
  { clock, run }: { readonly clock: Clock.Clock; readonly run: Run },
  f: () => void
) => {
  if (ms > longestMs) return () => {}
  // Timers drop the fraction of a millisecond.
  const wholeMs = Math.ceil(ms)
  if (clock === liveClock) {
    const timer = setTimeout(f, wholeMs)
    return () => clearTimeout(timer)
  }
  const fiber = run(Effect.zipRight(clock.sleep(Duration.millis(wholeMs)), Effect.sync(f)))
  return () => fiber.unsafeInterruptAsFork(FiberId.none)
}

/**
 * The effect for at most so long, else what `late` says; what is then interrupted is not waited for, so that the time
 * holds for whatever cannot be interrupted too.
 *
 * By hand, since `Effect.timeout` is three fibers and a race: here it is one fiber and one timer, and no timer where the
 * effect ends at once.
 */
export const within = <A, E, R, A2, E2>(
  effect: Effect.Effect<A, E, R>,
  ms: number,
  late: () => Exit.Exit<A2, E2>
): Effect.Effect<A | A2, E | E2, R> =>
  Effect.clockWith((clock) =>
    Effect.flatMap(Effect.runtime<R>(), (runtime) => {
      const run = Runtime.runFork(runtime)
      let fiber: Fiber.RuntimeFiber<A, E> | undefined
      let callOff = () => {}
      const ended = Effect.async<A | A2, E | E2>((resume) => {
        const started = run(effect)
        fiber = started
        const exit = started.unsafePoll()
        if (exit !== null) return resume(exit)
        const end = (exit: Exit.Exit<A, E>) => {
          callOff()
          resume(exit)
        }
        started.addObserver(end)
        callOff = after(ms, { clock, run }, () => {
          started.removeObserver(end)
          started.unsafeInterruptAsFork(FiberId.none)
          resume(late())
        })
      })
      // Here, since a canceller of the async itself costs as much as everything else.
      return Effect.onInterrupt(ended, () => {
        callOff()
        return fiber === undefined ? Effect.void : Fiber.interrupt(fiber)
      })
    })
  )
