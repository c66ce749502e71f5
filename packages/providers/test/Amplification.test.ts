/** With the vendors' SDKs as their users configure them: a call is one call, and what is given up ends on the wire. */
import { describe, expect, it } from "@effect/vitest"
import { Router, type RouterError, type StreamInterrupted } from "@route-llm/core"
import { Clock, Effect, Fiber, Schedule, Stream, TestClock } from "effect"
import { type Canned, connect, hello, serve, vendors } from "./helpers.ts"
import { routing, second, status } from "./routing.ts"

/** A real vendor takes real time. */
const liveClock = Clock.make()

const patient = { failureThreshold: 1_000, minimumCalls: 1_000 }

const chat = Effect.flatMap(Router, (router) => router.chat(hello))

const stream = Effect.flatMap(Router, (router) => Stream.runDrain(router.stream(hello)))

const body = { error: { message: "m" } }

const attemptsOf = (error: RouterError | StreamInterrupted) =>
  error._tag === "AllProvidersFailed" ? error.attempts.length : 0

describe.each(vendors)("%s, its SDK's retries left on", (vendor) => {
  it.scoped.each<readonly [Canned, calls: number]>([
    [{ status: 503, body }, 5],
    [{ fault: "reset" }, 5],
    // Three times at most, and not before its bench has ended.
    [{ status: 429, body }, 3],
    [{ status: 401, body }, 1]
  ])(
    "a provider that fails (%o) is called as often as there are attempts, over all rounds: %i",
    ([canned, calls]) =>
      Effect.gen(function*() {
        for (const ask of [chat, stream]) {
          const server = yield* serve({ headers: { "retry-after": "0" }, ...canned })
          const { events, layer } = routing([connect(vendor, server.url)], {
            rounds: Schedule.recurs(4),
            breaker: patient,
            failures: { rate_limit: { bench: "1 millis" }, credential: { bench: "1 millis" } }
          })
          const error = yield* Effect.provide(Effect.flip(ask), layer)
          expect([attemptsOf(error), server.requests.length, events.length]).toEqual([calls, calls, calls])
        }
      }).pipe(Effect.withClock(liveClock))
  )

  it.scoped("an interrupted request ends on the wire, frees what it had reserved, and blames nobody", () =>
    Effect.gen(function*() {
      const server = yield* serve({ fault: "hang" })
      const { events, layer } = routing([connect(vendor, server.url), second])
      const program = Effect.gen(function*() {
        const fiber = yield* Effect.fork(chat)
        yield* server.arrived
        expect((yield* status)[vendor]).toMatchObject({ inFlight: 1 })
        yield* Fiber.interrupt(fiber)
        yield* server.abandoned
        expect((yield* status)[vendor]).toMatchObject({ inFlight: 0, circuit: "closed" })
        expect(events.map(({ outcome }) => outcome)).toEqual(["cancelled"])
      })
      yield* Effect.provide(program, layer)
    }))

  it.scoped("an attempt whose time is up ends on the wire, and the request goes on", () =>
    Effect.gen(function*() {
      const server = yield* serve({ fault: "hang" })
      const { events, layer } = routing([connect(vendor, server.url), second], { attemptTimeout: "50 millis" })
      const program = Effect.gen(function*() {
        const fiber = yield* Effect.fork(chat)
        yield* server.arrived
        yield* TestClock.adjust("50 millis")
        expect(yield* Fiber.join(fiber)).toMatchObject({ provider: "second", attempts: 2 })
        yield* server.abandoned
        expect((yield* status)[vendor]).toMatchObject({ inFlight: 0 })
      })
      yield* Effect.provide(program, layer)
      expect(events.map(({ outcome }) => outcome)).toEqual(["timeout", "success"])
      expect(server.requests).toHaveLength(1)
    }))
})
