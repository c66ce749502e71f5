/** With the vendors' SDKs as their users configure them: a call is one call, and what is given up ends on the wire. */
import { describe, expect, it } from "@effect/vitest"
import { Router, type RouterError } from "@route-llm/core"
import { Clock, Effect, Fiber, Schedule } from "effect"
import { connect, hello, serve, vendors } from "./helpers.ts"
import { routing, second, status } from "./routing.ts"

/** A real vendor takes real time. */
const liveClock = Clock.make()

const patient = { failureThreshold: 1_000, minimumCalls: 1_000 }

const chat = Effect.flatMap(Router, (router) => router.chat(hello))

const attemptsOf = (error: RouterError) => error._tag === "AllProvidersFailed" ? error.attempts.length : 0

describe.each(vendors)("%s, its SDK's retries left on", (vendor) => {
  it.scoped.each(
    [{ status: 503, body: { error: { message: "m" } } }, { status: 429, body: { error: { message: "m" } } }, {
      fault: "reset"
    }] as const
  )(
    "a provider that fails (%o) is called as often as there are attempts, over all rounds",
    (canned) =>
      Effect.gen(function*() {
        const server = yield* serve({ headers: { "retry-after": "0" }, ...canned })
        const { events, layer } = routing([connect(vendor, server.url)], {
          rounds: Schedule.recurs(4),
          breaker: patient,
          failures: { rate_limit: { bench: "1 millis" } }
        })
        const error = yield* Effect.provide(Effect.flip(chat), layer)
        expect(attemptsOf(error)).toBe("status" in canned && canned.status === 429 ? 3 : 5)
        expect(server.requests).toHaveLength(attemptsOf(error))
        expect(events).toHaveLength(attemptsOf(error))
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
      expect(yield* Effect.provide(chat, layer)).toMatchObject({ provider: "second", attempts: 2 })
      yield* server.abandoned
      expect(events.map(({ outcome }) => outcome)).toEqual(["timeout", "success"])
      expect(server.requests).toHaveLength(1)
    }).pipe(Effect.withClock(liveClock)))
})
