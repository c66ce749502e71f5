import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, TestClock } from "effect"
import { describe } from "vitest"
import { within } from "../src/internal/within.ts"

const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length

const late = () => Exit.fail("late" as const)

const resolvable = () => {
  let resolve: (value: number) => void = () => {}
  const promise = new Promise<number>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

/** Never ends; tells when it is interrupted. */
const hanging = Effect.map(Deferred.make<void>(), (interrupted) => ({
  interrupted: Deferred.await(interrupted),
  effect: Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
}))

describe("within, on the real clock", () => {
  it.live("sets no timer for what ends at once, and calls it off for what ends in time", () =>
    Effect.gen(function*() {
      const before = timers()
      expect(yield* within(Effect.succeed(1), 60_000, late)).toBe(1)
      expect(yield* Effect.flip(within(Effect.fail("own"), 60_000, late))).toBe("own")
      expect(timers()).toBe(before)
      const { promise, resolve } = resolvable()
      const fiber = yield* Effect.fork(within(Effect.promise(() => promise), 60_000, late))
      yield* Effect.yieldNow()
      expect(timers()).toBe(before + 1)
      resolve(2)
      expect(yield* Fiber.join(fiber)).toBe(2)
      expect(timers()).toBe(before)
    }))

  it.live("interrupts what is late, without waiting for what cannot be interrupted", () =>
    Effect.gen(function*() {
      const { effect, interrupted } = yield* hanging
      expect(yield* Effect.flip(within(effect, 0.5, late))).toBe("late")
      yield* interrupted
      expect(yield* Effect.flip(within(Effect.uninterruptible(Effect.never), 1, late))).toBe("late")
    }))

  it.live("interrupts it with its caller, and leaves no timer", () =>
    Effect.gen(function*() {
      const before = timers()
      const { effect, interrupted } = yield* hanging
      const fiber = yield* Effect.fork(within(effect, 60_000, late))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(fiber)
      yield* interrupted
      expect(timers()).toBe(before)
    }))

  it.live("takes a time that no timer can for ever", () =>
    Effect.gen(function*() {
      const { promise, resolve } = resolvable()
      const fiber = yield* Effect.fork(within(Effect.promise(() => promise), Infinity, late))
      yield* Effect.yieldNow()
      resolve(3)
      expect(yield* Fiber.join(fiber)).toBe(3)
    }))
})

describe("within, on the test's clock", () => {
  it.effect("ends at its time, not before", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.either(within(Effect.never, 1_500.2, late)))
      yield* TestClock.adjust("1500 millis")
      expect(yield* Fiber.poll(fiber)).toMatchObject({ _tag: "None" })
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Left", left: "late" })
    }))
})
