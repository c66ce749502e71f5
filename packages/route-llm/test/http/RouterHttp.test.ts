import { HttpApp, HttpRouter, HttpServerRequest, type HttpServerResponse } from "@effect/platform"
import { it } from "@effect/vitest"
import { Router, RouterState } from "@route-llm/core"
import { RouterTest } from "@route-llm/core/testing"
import { Chunk, Effect, Layer, Queue, Stream, TestClock } from "effect"
import { RouterHttp } from "route-llm"
import { expect } from "vitest"

const Live = RouterTest.layer({ a: { rpm: 10 } })

const answer = (path: string) =>
  Effect.provideService(
    RouterHttp.routes,
    HttpServerRequest.HttpServerRequest,
    HttpServerRequest.fromWeb(new Request(`http://app.test${path}`))
  ).pipe(Effect.scoped)

const textOf = ({ body }: HttpServerResponse.HttpServerResponse): string =>
  body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : `a body of ${body._tag}`

/** What the stream has sent by now, piece by piece. */
const following = ({ body }: HttpServerResponse.HttpServerResponse) =>
  Effect.gen(function*() {
    if (body._tag !== "Stream") return yield* Effect.dieMessage(`a body of ${body._tag}`)
    const pieces = yield* Queue.unbounded<string>()
    yield* Effect.forkScoped(Stream.runForEach(Stream.decodeText(body.stream), (piece) => pieces.offer(piece)))
    return {
      next: Queue.take(pieces),
      soFar: Effect.map(Queue.takeAll(pieces), (taken) => Chunk.toReadonlyArray(taken).join(""))
    }
  })

const statusesIn = (text: string): number => text.split("event: status\n").length - 1

it.scoped("sends a status at once and each second, and a sign of life where nothing else comes", () =>
  Effect.gen(function*() {
    const sent = yield* following(yield* answer("/events"))
    expect(yield* sent.next).toBe("retry: 2000\n\n")
    expect(statusesIn(yield* sent.next)).toBe(1)
    yield* TestClock.adjust("999 millis")
    expect(yield* sent.soFar).toBe("")
    yield* TestClock.adjust("1 millis")
    expect(statusesIn(yield* sent.next)).toBe(1)
    yield* TestClock.adjust("14 seconds")
    const later = yield* sent.soFar
    expect([statusesIn(later), later.split(": here\n\n").length - 1]).toEqual([14, 1])
  }).pipe(Effect.provide(Live)))

it.scoped("sends what happens between two statuses as it happens", () =>
  Effect.gen(function*() {
    const router = yield* Router
    const sent = yield* following(yield* answer("/events"))
    yield* sent.next
    yield* sent.next
    yield* router.forceOpen("a")
    expect(yield* sent.next).toMatch(/^event: CircuitMoved\ndata: \{.*"provider":"a".*"to":"open".*\}\n\n$/)
  }).pipe(Effect.provide(Live)))

const fault = "connect redis://:secret@redis.internal:6379"

/** In memory, but what is only looked at fails as a store behind it might. */
const Broken = Layer.effect(
  RouterState,
  Effect.map(RouterState, (state) => ({
    ...state,
    snapshot: () => Effect.die(new Error(fault)),
    explain: () => Effect.die(new Error(fault))
  }))
).pipe(Layer.provide(RouterState.layerMemory))

it.scoped("says that the state is not available, and keeps to itself why", () =>
  Effect.gen(function*() {
    for (const path of ["/status", "/explain", "/metrics"]) {
      const response = yield* answer(path)
      expect([path, response.status, textOf(response)]).toEqual([
        path,
        503,
        JSON.stringify({ error: { _tag: "StateUnavailable", message: "The router's state is not available." } })
      ])
    }
    const sent = yield* following(yield* answer("/events"))
    const told = Effect.iterate("", {
      while: (text) => !text.includes(": the router's state is not available\n\n"),
      body: (text) => Effect.map(sent.next, (piece) => text + piece)
    })
    const first = yield* told
    yield* TestClock.adjust("1 second")
    const second = yield* told
    for (const text of [first, second]) {
      expect(statusesIn(text)).toBe(0)
      expect(text).not.toContain("secret")
    }
  }).pipe(Effect.provide(RouterTest.layer({ a: {} }, {}, Broken))))

/** In memory; whether it can be looked at is in the test's hand. */
const restless = (isAway: () => boolean) =>
  Layer.effect(
    RouterState,
    Effect.map(RouterState, (state) => ({
      ...state,
      snapshot: (providers: Parameters<typeof state.snapshot>[0]) =>
        isAway()
          ? Effect.die(Object.assign(new Error("no answer"), { reason: "timeout" }))
          : state.snapshot(providers)
    }))
  ).pipe(Layer.provide(RouterState.layerMemory))

it.scoped("tells once that the state is away and once that it is back, however many look", () => {
  let isAway = false
  return Effect.gen(function*() {
    const readers = yield* Effect.replicateEffect(Effect.flatMap(answer("/events"), following), 3)
    yield* TestClock.adjust("1 second")
    isAway = true
    yield* TestClock.adjust("5 seconds")
    isAway = false
    yield* TestClock.adjust("2 seconds")
    for (const { soFar } of readers) {
      const told = (yield* soFar).split("\n").flatMap((line) =>
        line.startsWith("data: ") ? [JSON.parse(line.slice(6))] : []
      )
      expect(told.filter(({ _tag }) => _tag !== undefined)).toEqual([
        { _tag: "StateFailed", operation: "snapshot", reason: "timeout", message: "no answer", timestamp: 2_000 },
        { _tag: "StateRecovered", afterMs: 5_000, timestamp: 7_000 }
      ])
    }
  }).pipe(Effect.provide(RouterTest.layer({ a: {} }, {}, restless(() => isAway))))
})

it.effect("mounts under a path of an application's own router", () =>
  Effect.gen(function*() {
    const { dispose, handler } = HttpApp.toWebHandlerLayer(
      HttpRouter.empty.pipe(HttpRouter.mount("/internal/llm", RouterHttp.routes)),
      Live
    )
    const response = yield* Effect.promise(() => handler(new Request("http://app.test/internal/llm/status")))
    expect([response.status, yield* Effect.promise(() => response.json())]).toMatchObject([
      200,
      { providers: [{ name: "a", rpmLimit: 10 }] }
    ])
    yield* Effect.promise(dispose)
  }))
