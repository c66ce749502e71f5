/** How every `RouterState` lets requests wait; see `conformance.ts`. */
import { expect, it } from "@effect/vitest"
import { Effect, Fiber, Option, TestClock } from "effect"
import { describe } from "vitest"
import {
  ask,
  call,
  granted,
  inFlight,
  inLine,
  join,
  type MakeState,
  one,
  onOwn,
  realMoment,
  reserve,
  settle,
  single,
  snapshot,
  spec,
  success,
  untilInLine,
  waiting
} from "./stateSupport.ts"

/** `make`: a state of its own for each name. */
export const waitingConformance = (title: string, make: MakeState): void => {
  const on = onOwn(`${title} in line`, make)

  describe(`${title}, in line`, () => {
    it.effect("serves who waits when time frees room, not before", () =>
      on(Effect.gen(function*() {
        yield* settle(yield* call(ask(one)), success)
        const fiber = yield* join(ask(one, waiting), 1)
        yield* TestClock.adjust("59 seconds")
        yield* realMoment
        expect(yield* Fiber.poll(fiber)).toEqual(Option.none())
        yield* TestClock.adjust("3 seconds")
        const reservation = granted(yield* Fiber.join(fiber))
        expect(reservation.reservedAtMs % 1_000_000_000).toBeGreaterThanOrEqual(60_000)
        yield* untilInLine(0)
      })))

    it.effect("serves who waits when a call ends", () =>
      on(Effect.gen(function*() {
        const reservation = yield* call(ask(single))
        const fiber = yield* join(ask(single, waiting), 1)
        yield* settle(reservation, success)
        granted(yield* Fiber.join(fiber))
        expect(yield* inFlight(single)).toEqual([1])
      })))

    it.effect("serves by lane, then by arrival", () =>
      on(Effect.gen(function*() {
        let reservation = yield* call(ask(single))
        const fibers = [
          yield* join(ask(single, { ...waiting, lane: "low" }), 1),
          yield* join(ask(single, waiting), 2),
          yield* join(ask(single, waiting), 3),
          yield* join(ask(single, { ...waiting, lane: "high" }), 4)
        ]
        for (const next of [3, 1, 2, 0]) {
          yield* settle(reservation, success)
          reservation = granted(yield* Fiber.join(fibers[next]!))
          const others = yield* Effect.forEach(fibers, Fiber.poll)
          expect(others.filter(Option.isNone).length).toBe([3, 1, 2, 0].length - 1 - [3, 1, 2, 0].indexOf(next))
        }
      })))

    it.effect("lets a small one pass a large one that does not fit", () =>
      on(Effect.gen(function*() {
        const tokens = [spec("a", { tokens: 1_000 })]
        const reservation = yield* call(ask(tokens, { inputTokens: 500, maxTokens: 1 }))
        const large = yield* join(ask(tokens, { ...waiting, inputTokens: 900, maxTokens: 1 }), 1)
        const small = granted(yield* reserve(ask(tokens, { ...waiting, inputTokens: 300, maxTokens: 1 })))
        yield* settle(small, { _tag: "Unused" })
        expect(yield* Fiber.poll(large)).toEqual(Option.none())
        yield* settle(reservation, { _tag: "Unused" })
        granted(yield* Fiber.join(large))
      })))

    it.effect("bounds the line", () =>
      on(
        Effect.gen(function*() {
          yield* call(ask(single))
          yield* join(ask(single, waiting), 1)
          expect(yield* reserve(ask(single, waiting))).toEqual({ _tag: "QueueFull", waiting: 1 })
        }),
        { waiting: { maxWaiting: 1 } }
      ))

    it.effect("refuses at once what cannot be served in time", () =>
      on(Effect.gen(function*() {
        yield* settle(yield* call(ask(one)), success)
        const refused = yield* reserve(ask(one, { waitMs: 30_000 }))
        expect(refused).toMatchObject({ _tag: "Refused", refusals: [{ provider: "a", reason: "full" }] })
        expect(yield* inLine).toEqual({ high: 0, normal: 0, low: 0 })
      })))

    it.effect("leaves nothing behind of who gives up", () =>
      on(Effect.gen(function*() {
        const reservation = yield* call(ask(single))
        const fiber = yield* join(ask(single, waiting), 1)
        yield* Fiber.interrupt(fiber)
        expect(yield* inLine).toEqual({ high: 0, normal: 0, low: 0 })
        yield* settle(reservation, success)
        expect(yield* inFlight(single)).toEqual([0])
      })))

    it.effect("turns everyone in line away when it closes", () =>
      Effect.gen(function*() {
        const fiber = yield* on(Effect.gen(function*() {
          yield* call(ask(single))
          return yield* Effect.zipLeft(Effect.forkDaemon(reserve(ask(single, waiting))), untilInLine(1))
        }))
        expect(yield* Fiber.join(fiber)).toEqual({ _tag: "Closed" })
      }))

    it.effect("lets those in line choose among the newest list", () =>
      on(Effect.gen(function*() {
        yield* call(ask(single))
        const fiber = yield* join(ask(single, waiting), 1)
        yield* snapshot([...single, spec("b")])
        expect(granted(yield* Fiber.join(fiber)).provider).toBe("b")
      })))
  })
}
