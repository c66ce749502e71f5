import {
  type ChatRequest,
  type ChatResponse,
  countEverything,
  type Provider,
  ProviderFailure,
  ProviderRegistry,
  type RouteEvent,
  RouteListener,
  Router,
  type RouterError,
  RouterLive,
  RouterState,
  TokenEstimator
} from "@route-llm/core"
import { Cause, Effect, Exit, Fiber, FiberRef, Layer } from "effect"
import { describe, expect, it } from "vitest"
import { simulated, timersLeft } from "./simulation/routers.ts"

/*
 * For every boundary that a request crosses, every kind of fault and every N: the fault at the Nth crossing, and then
 * the right result or the right error, and nothing left behind. What nobody handles fails the run by itself: the runner
 * takes an unhandled rejection for an error.
 */

const boundaries = ["estimate", "reserve", "call", "read", "settle", "event"] as const
type Boundary = typeof boundaries[number]

const kinds = ["error", "reset", "defect", "hang", "interrupts itself", "caller interrupts"] as const
type Kind = typeof kinds[number]

const callers = 4
const timeoutMs = 60_000

/** Which of the callers a fiber works for. */
const caller = FiberRef.unsafeMake(-1)

/** The fault, and whom it has met. */
class Fault {
  crossings = 0
  met: number | undefined
  readonly fibers = new Map<number, Fiber.RuntimeFiber<unknown, unknown>>()

  constructor(readonly boundary: Boundary, readonly kind: Kind, readonly nth: number) {}

  #isNow(boundary: Boundary): boolean {
    return boundary === this.boundary && ++this.crossings === this.nth
  }

  readonly #interrupt = Effect.suspend(() => Fiber.interruptFork(this.fibers.get(this.met!)!))

  cross(boundary: Boundary): Effect.Effect<void, ProviderFailure> {
    return Effect.flatMap(FiberRef.get(caller), (id) => {
      if (!this.#isNow(boundary)) return Effect.void
      this.met = id
      switch (this.kind) {
        case "error":
          if (boundary === "call" || boundary === "read") {
            return new ProviderFailure({ class: "transient", message: "injected" })
          }
          throw new Error("injected")
        case "reset":
          return new ProviderFailure({ class: "network", message: "injected" })
        case "defect":
          return Effect.die(new Error("injected"))
        case "hang":
          return Effect.never
        case "interrupts itself":
          return Effect.interrupt
        case "caller interrupts":
          return Effect.zipRight(this.#interrupt, Effect.yieldNow())
      }
    })
  }

  /** The listener's boundary is a plain function, which may be async. */
  tell(event: RouteEvent): unknown {
    if (!this.#isNow("event")) return undefined
    this.met = Number(event.sessionId)
    switch (this.kind) {
      case "hang":
        return new Promise(() => {})
      case "interrupts itself":
      case "reset":
        return Promise.reject(new Error("injected"))
      case "caller interrupts":
        this.fibers.get(this.met)!.unsafeInterruptAsFork(this.fibers.get(this.met)!.id())
        return undefined
      default:
        throw new Error("injected")
    }
  }
}

const provider = (name: string, fault: Fault): Provider => ({
  name,
  model: "m",
  // One at a time, so that half of the callers wait in line.
  limits: { concurrent: 1 },
  weight: 1,
  counting: countEverything,
  chat: ({ sessionId }) =>
    fault.cross("call").pipe(
      Effect.zipRight(Effect.sleep("1 second")),
      Effect.zipRight(fault.cross("read")),
      Effect.as({ content: `${name} to ${sessionId}`, finishReason: "stop", model: "m", raw: {} })
    )
})

const layer = (fault: Fault): Layer.Layer<Router | RouterState> => {
  const State = Layer.effect(
    RouterState,
    Effect.map(RouterState, (state) => ({
      ...state,
      // As a store that is not in this process: only such a one can hang.
      isLocal: false,
      reserve: (demand: Parameters<typeof state.reserve>[0], restore: Parameters<typeof state.reserve>[1]) =>
        Effect.zipRight(Effect.orDie(restore(fault.cross("reserve"))), state.reserve(demand, restore)),
      settle: (...settled: Parameters<typeof state.settle>) =>
        Effect.zipRight(Effect.orDie(fault.cross("settle")), state.settle(...settled))
    }))
  ).pipe(Layer.provide(RouterState.layerMemory))
  const Providers = Layer.scopedDiscard(Effect.gen(function*() {
    const registry = yield* ProviderRegistry
    for (const name of ["a", "b"]) yield* registry.register(provider(name, fault))
  }))
  const estimate = () => Effect.as(Effect.orDie(fault.cross("estimate")), 10)
  return RouterLive.pipe(
    Layer.provide(Providers),
    Layer.provideMerge(State),
    Layer.provide(ProviderRegistry.layer),
    Layer.provide(Layer.succeed(TokenEstimator, { estimate })),
    Layer.provide(Layer.succeed(RouteListener, (event) => fault.tell(event) as void)),
    Layer.orDie
  )
}

interface Ended {
  readonly exit: Exit.Exit<ChatResponse, RouterError>
  readonly atMs: number
}

const run = (fault: Fault) =>
  simulated(
    Effect.gen(function*() {
      const router = yield* Router
      const clock = yield* Effect.clock
      const ended: Array<Ended> = []
      for (let id = 0; id < callers; id++) {
        const request: ChatRequest = {
          messages: [{ role: "user", content: "Hello" }],
          sessionId: String(id),
          timeout: timeoutMs
        }
        const chat = Effect.onExit(router.chat(request), (exit) =>
          Effect.sync(() => ended[id] = { exit, atMs: clock.unsafeCurrentTimeMillis() }))
        fault.fibers.set(id, yield* Effect.fork(Effect.locally(chat, caller, id)))
      }
      yield* Effect.forEach(fault.fibers.values(), Fiber.await)
      // What goes on in the background has ended by then too.
      yield* Effect.sleep("5 seconds")
      return {
        ended,
        status: yield* router.status,
        waiting: yield* Effect.flatMap(RouterState, (state) =>
          state.waiting),
        left: yield* timersLeft
      }
    }).pipe(Effect.provide(layer(fault))),
    1
  )

/** How the request that the fault has met ends. */
const expected = ({ boundary, kind }: Fault): ReadonlyArray<string> => {
  if (kind === "caller interrupts") {
    // An answer that has arrived before the interruption is not taken back.
    return boundary === "settle" || boundary === "event" ? ["answered", "interrupted"] : ["interrupted"]
  }
  if (boundary !== "reserve") return ["answered"]
  return [kind === "hang" ? "DeadlineExceeded" : "StateUnavailable"]
}

const howItEnded = (exit: Exit.Exit<ChatResponse, RouterError>): string =>
  Exit.match(exit, {
    onSuccess: () => "answered",
    onFailure: (cause) =>
      Cause.isInterruptedOnly(cause)
        ? "interrupted"
        : cause._tag === "Fail"
        ? cause.error._tag
        : Cause.pretty(cause)
  })

describe("a fault at the Nth crossing", () => {
  for (const boundary of boundaries) {
    for (const kind of kinds) {
      it(`${boundary}: ${kind}`, () => {
        for (let nth = 1;; nth++) {
          const fault = new Fault(boundary, kind, nth)
          const { ended, left, status, waiting } = run(fault)
          expect(ended).toHaveLength(callers)
          for (const [id, { atMs, exit }] of ended.entries()) {
            expect(id === fault.met ? expected(fault) : ["answered"]).toContain(howItEnded(exit))
            expect(atMs).toBeLessThanOrEqual(timeoutMs + 1)
            if (Exit.isSuccess(exit)) expect(exit.value.content).toBe(`${exit.value.provider} to ${id}`)
          }
          for (const name of ["a", "b"]) expect(status[name]).toMatchObject({ inFlight: 0, circuit: "closed" })
          expect({ left, waiting }).toEqual({ left: 0, waiting: { high: 0, normal: 0, low: 0 } })
          if (fault.met === undefined) {
            // Each of the callers has crossed it at least once.
            expect(nth).toBeGreaterThan(callers)
            break
          }
        }
      })
    }
  }
})
