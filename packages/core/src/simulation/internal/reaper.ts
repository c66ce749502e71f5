import { Effect, Fiber, type Scope } from "effect"
import { monotonicMs } from "../../internal/clock.ts"

/** Those who keep their time themselves end before they are interrupted. */
const graceMs = 2

/**
 * Interrupts what has not ended by its timeout. Everybody has the same time, so one timer does for all: `Effect.timeout`
 * on each would cost as much as the rest of a simulated call.
 */
export const makeReaper = (
  timeoutMs: number
): Effect.Effect<(fiber: Fiber.RuntimeFiber<unknown, unknown>, sinceMs: number) => void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    /** In order of time. */
    const running: Array<{ readonly fiber: Fiber.RuntimeFiber<unknown, unknown>; readonly dueMs: number }> = []
    const reap = Effect.gen(function*() {
      for (;;) {
        while (running[0] !== undefined && running[0].fiber.unsafePoll() !== null) running.shift()
        const nowMs = monotonicMs(clock)
        const dueMs = running[0]?.dueMs ?? nowMs + timeoutMs + graceMs
        if (dueMs > nowMs) yield* Effect.sleep(Math.ceil(dueMs - nowMs))
        else yield* Fiber.interruptFork(running.shift()!.fiber)
      }
    })
    yield* Effect.forkScoped(reap)
    return (fiber, sinceMs) => void running.push({ fiber, dueMs: sinceMs + timeoutMs + graceMs })
  })
