/**
 * What every `RouterState` does, whatever lies behind it: one suite, run on each layer. On `TestClock`; a layer over a
 * store takes its time from it too.
 */
import { expect, it } from "@effect/vitest"
import {
  countEverything,
  type Decision,
  type Demand,
  type ProviderSpec,
  RouterOptions,
  type RouterOptionsInput,
  RouterState,
  type RouterStateService,
  type StateChange
} from "@route-llm/core"
import { Effect, Fiber, Layer, Option, Queue, Stream, TestClock } from "effect"
import { describe } from "vitest"

const spec = (name: string, limits: ProviderSpec["limits"] = {}, more: Partial<ProviderSpec> = {}): ProviderSpec => ({
  name,
  model: "m",
  limits,
  weight: 1,
  counting: countEverything,
  ...more
})

const ask = (providers: Demand["providers"], demand: Partial<Demand> = {}): Demand => ({
  providers,
  lane: "normal",
  inputTokens: 10,
  tried: [],
  draw: 0.5,
  waitMs: 0,
  timeLeftMs: 300_000,
  ...demand
})

const reserve = (demand: Demand) =>
  Effect.flatMap(RouterState, (state) => Effect.uninterruptibleMask((restore) => state.reserve(demand, restore)))

const granted = (decision: Decision) => {
  if (decision._tag !== "Granted") throw new Error(`not granted: ${JSON.stringify(decision)}`)
  return decision.reservation
}

const call = (demand: Demand) => Effect.map(reserve(demand), granted)

const settle: RouterStateService["settle"] extends (...args: infer Args) => unknown
  ? (...args: Args) => Effect.Effect<void, never, RouterState>
  : never = (reservation, settlement) =>
    Effect.flatMap(RouterState, (state) => Effect.asVoid(state.settle(reservation, settlement)))

const success = { _tag: "Success", latencyMs: 100, usage: { inputTokens: 10, outputTokens: 20 } } as const
const failed = { _tag: "Failure", class: "transient", latencyMs: 100 } as const

const snapshot = (providers: Demand["providers"]) => Effect.flatMap(RouterState, (state) => state.snapshot(providers))
const inFlight = (providers: Demand["providers"]) =>
  Effect.map(snapshot(providers), (states) => states.map(({ inFlight }) => inFlight))

const inLine = Effect.flatMap(RouterState, (state) => state.waiting)

/** Until so many wait: what a store is asked first takes a moment of real time. */
const untilInLine = (wanted: number): Effect.Effect<void, never, RouterState> =>
  Effect.flatMap(
    inLine,
    ({ high, low, normal }) =>
      high + normal + low === wanted ? Effect.void : Effect.zipRight(realMoment, untilInLine(wanted))
  )

/** The event loop once around; no clock is looked at. */
const realMoment = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

const waiting = { waitMs: 200_000 }

/** Joins the line behind whoever is there. */
const join = (demand: Demand, place: number) => Effect.zipLeft(Effect.fork(reserve(demand)), untilInLine(place))

export type MakeState = (name: string, options: RouterOptionsInput) => Layer.Layer<RouterState>

/** `make`: a state of its own for each name. */
export const conformance = (title: string, make: MakeState): void => {
  let tests = 0
  const on = <A, E>(
    body: Effect.Effect<A, E, RouterState>,
    options: RouterOptionsInput = {}
  ): Effect.Effect<A, E> => Effect.provide(body, make(`${title}-${tests++}`, options))

  const two = [spec("a", { requests: 2 }), spec("b", { requests: 1 })]
  const one = [spec("a", { requests: 1 })]
  const single = [spec("a", { concurrent: 1 })]

  describe(title, () => {
    it.effect("grants what the limits allow, to the best first, and says when there is room again", () =>
      on(Effect.gen(function*() {
        const names = [yield* call(ask(two)), yield* call(ask(two)), yield* call(ask(two))].map(({ provider }) =>
          provider
        )
        expect(names.sort()).toEqual(["a", "a", "b"])
        const refused = yield* reserve(ask(two))
        expect(refused).toMatchObject({
          _tag: "Refused",
          refusals: [{ provider: "a", reason: "full" }, { provider: "b" }]
        })
      })))

    it.effect("settles a reservation once", () =>
      on(Effect.gen(function*() {
        const reservation = yield* call(ask(one))
        yield* settle(reservation, success)
        const [before] = yield* snapshot(one)
        yield* settle(reservation, success)
        const [after] = yield* snapshot(one)
        expect(before).toMatchObject({ requestsUsed: 1, tokensUsed: 30, inFlight: 0 })
        expect(after).toEqual(before)
      })))

    it.effect("gives back what was not used", () =>
      on(Effect.gen(function*() {
        yield* settle(yield* call(ask(one)), { _tag: "Unused" })
        const [state] = yield* snapshot(one)
        expect(state).toMatchObject({ requestsUsed: 0, tokensUsed: 0, inFlight: 0, headroom: 1 })
        yield* call(ask(one))
      })))

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

    it.effect("refuses everyone in line when it closes", () =>
      Effect.gen(function*() {
        const fiber = yield* on(Effect.gen(function*() {
          yield* call(ask(single))
          return yield* Effect.zipLeft(Effect.forkDaemon(reserve(ask(single, waiting))), untilInLine(1))
        }))
        expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "Refused" })
      }))

    it.effect("lets one probe through among a hundred, and a ramp after it", () =>
      on(
        Effect.gen(function*() {
          const open = [spec("a")]
          for (let n = 0; n < 3; n++) yield* settle(yield* call(ask(open)), failed)
          expect(yield* reserve(ask(open, { lastResort: false }))).toMatchObject({
            refusals: [{ reason: "circuit_open" }]
          })
          yield* TestClock.adjust("30 seconds")
          const asked = yield* Effect.all(
            Array.from({ length: 100 }, () => reserve(ask(open, { lastResort: false }))),
            {
              concurrency: "unbounded"
            }
          )
          const probes = asked.filter(({ _tag }) => _tag === "Granted")
          expect(probes.length).toBe(1)
          yield* settle(granted(probes[0]!), success)
          yield* call(ask(open))
          expect(yield* reserve(ask(open))).toMatchObject({ refusals: [{ reason: "ramping" }] })
        }),
        { breaker: { failureThreshold: 3 } }
      ))

    it.effect("sets aside whom a vendor's Retry-After names, until then", () =>
      on(Effect.gen(function*() {
        const reservation = yield* call(ask(two, { forceProvider: "a" }))
        yield* settle(reservation, { _tag: "Failure", class: "rate_limit", latencyMs: 10, retryAfterMs: 7_000 })
        const refused = yield* reserve(ask(two, { forceProvider: "a" }))
        expect(refused).toMatchObject({ refusals: [{ provider: "a", reason: "benched", retryAfterMs: 7_000 }, {}] })
        yield* TestClock.adjust("7 seconds")
        yield* call(ask(two, { forceProvider: "a" }))
      })))

    it.effect("moves circuits by hand", () =>
      on(Effect.gen(function*() {
        const state = yield* RouterState
        expect(yield* state.force(two, "a", { _tag: "Open", forMs: Infinity })).toBe(true)
        expect(yield* state.force(two, "nobody", { _tag: "Closed" })).toBe(false)
        expect((yield* call(ask(two))).provider).toBe("b")
        expect(yield* reserve(ask(two, { forceProvider: "a" }))).toMatchObject({
          refusals: [{ reason: "circuit_open" }, {}]
        })
        yield* state.force(two, "a", { _tag: "Closed" })
        expect((yield* call(ask(two, { forceProvider: "a" }))).provider).toBe("a")
      })))

    it.effect("keeps a session with its provider, over one answer from elsewhere", () =>
      on(Effect.gen(function*() {
        const equal = [spec("a"), spec("b", {}, { weight: 2 })]
        const session = { sessionId: "s" }
        yield* settle(yield* call(ask(equal, { ...session, forceProvider: "a" })), success)
        const pinned = yield* call(ask(equal, session))
        expect(pinned.provider).toBe("a")
        yield* settle(pinned, success)
        const elsewhere = { ...session, tried: ["a"] }
        yield* settle(yield* call(ask(equal, elsewhere)), success)
        expect((yield* call(ask(equal, session))).provider).toBe("a")
        yield* settle(yield* call(ask(equal, elsewhere)), success)
        expect((yield* call(ask(equal, session))).provider).toBe("b")
        expect((yield* call(ask(equal))).provider).toBe("b")
      })))

    it.effect("tells what changes", () =>
      on(
        Effect.gen(function*() {
          const { changes } = yield* RouterState
          const heard = yield* Queue.unbounded<StateChange>()
          yield* changes.pipe(Stream.runForEach((change) => Queue.offer(heard, change)), Effect.forkScoped)
          yield* realMoment
          const open = [spec("a")]
          yield* settle(yield* call(ask(open)), {
            _tag: "Failure",
            class: "overloaded",
            latencyMs: 10,
            retryAfterMs: 1_000,
            limits: [{ dimension: "requests", limit: 50 }]
          })
          expect(yield* Queue.take(heard)).toMatchObject({ _tag: "LimitLearned", dimension: "requests", limit: 50 })
          expect(yield* Queue.take(heard)).toMatchObject({ _tag: "CircuitMoved", from: "closed", to: "open" })
          expect(yield* Queue.take(heard)).toMatchObject({ _tag: "Benched", because: "overloaded", forMs: 1_000 })
        }).pipe(Effect.scoped),
        { breaker: { failureThreshold: 1 } }
      ))

    it.effect("lets those in line choose among the newest list", () =>
      on(Effect.gen(function*() {
        yield* call(ask(single))
        const fiber = yield* join(ask(single, waiting), 1)
        yield* snapshot([...single, spec("b")])
        expect(granted(yield* Fiber.join(fiber)).provider).toBe("b")
      })))

    it.effect("never takes more than the limits with 200 callers at once, and loses none of them", () =>
      on(Effect.gen(function*() {
        const limited = [
          spec("a", { requests: 40, tokens: 20_000 }),
          spec("b", { requests: 30 }),
          spec("c", { tokens: 9_000, concurrent: 7 })
        ]
        const asked = yield* Effect.all(
          Array.from(
            { length: 200 },
            (_, n) => reserve(ask(limited, { inputTokens: 1 + (n * 37) % 900, draw: n / 200 }))
          ),
          { concurrency: "unbounded" }
        )
        const reservations = asked.flatMap((each) => each._tag === "Granted" ? [each.reservation] : [])
        const of = (name: string) => reservations.filter(({ provider }) => provider === name)
        const tokens = (name: string) => of(name).reduce((sum, each) => sum + each.inputTokens + each.outputTokens, 0)
        expect(of("a").length).toBeLessThanOrEqual(40)
        expect(of("b").length).toBe(30)
        expect(of("c").length).toBeLessThanOrEqual(7)
        expect(tokens("a")).toBeLessThanOrEqual(20_000)
        expect(tokens("c")).toBeLessThanOrEqual(9_000)
        expect(yield* inFlight(limited)).toEqual(["a", "b", "c"].map((name) => of(name).length))
        yield* Effect.forEach(reservations, (each) => settle(each, success), { concurrency: "unbounded" })
        expect(yield* inFlight(limited)).toEqual([0, 0, 0])
      })))
  })
}

export const withOptions = (layer: Layer.Layer<RouterState>, options: RouterOptionsInput): Layer.Layer<RouterState> =>
  Layer.provide(layer, Layer.orDie(RouterOptions.layer(options)))
