/** Plays an hour of chaos through the real router, on virtual time, and writes down what anybody outside could see. */
import type { ChatRequest, ChatResponse, FailureClass, RouterError } from "@route-llm/core"
import { Router, RouterState } from "@route-llm/core"
import { SimulatedVendor, type VendorModel } from "@route-llm/core/simulation"
import { Cause, Clock, Effect, Exit, FiberSet } from "effect"
import type { Chaos, ChaosRequest } from "./chaosScript.ts"
import { routerOver, simulated, timersLeft } from "./routers.ts"

/** One call to one vendor, as the vendor saw it. `cut`: the router left before the answer. */
export interface Call {
  readonly vendor: string
  readonly of: ChaosRequest
  readonly sentMs: number
  endedMs: number
  result: "under way" | "answered" | "cut" | FailureClass
}

/** One request of the user, its calls in order. */
export interface Played {
  readonly of: ChaosRequest
  readonly arrivedMs: number
  readonly endedMs: number
  readonly exit: Exit.Exit<ChatResponse, RouterError>
  readonly calls: ReadonlyArray<Call>
}

const nowMs = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** The vendor, and a record of each call to it. */
const watched = (
  { provider }: SimulatedVendor,
  callOf: (request: ChatRequest, vendor: string, sentMs: number) => Call
) => ({
  provider: {
    ...provider,
    chat: (request: ChatRequest) =>
      Effect.flatMap(nowMs, (sentMs) => {
        const call = callOf(request, provider.name, sentMs)
        return Effect.onExit(provider.chat(request), (exit) =>
          Effect.map(nowMs, (endedMs) => {
            call.endedMs = endedMs
            const failure = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : undefined
            call.result = failure === undefined ? "answered" : failure._tag === "Some" ? failure.value.class : "cut"
          }))
      })
  }
})

/** Sends each request when it is due, whether or not earlier ones have ended. */
const send = (requests: ReadonlyArray<ChaosRequest>, callsOf: ReadonlyMap<ChatRequest, ReadonlyArray<Call>>) =>
  Effect.scoped(Effect.gen(function*() {
    const router = yield* Router
    const fibers = yield* FiberSet.make()
    const fork = yield* FiberSet.runtime(fibers)()
    const played: Array<Played> = []
    for (const of of requests) {
      const dueInMs = of.atMs - (yield* nowMs)
      if (dueInMs > 0) yield* Effect.sleep(dueInMs)
      const arrivedMs = yield* nowMs
      const calls = callsOf.get(of.request)!
      fork(
        Effect.flatMap(
          Effect.exit(router.chat(of.request)),
          (exit) => Effect.map(nowMs, (endedMs) => void played.push({ of, arrivedMs, endedMs, exit, calls }))
        )
      )
    }
    yield* FiberSet.awaitEmpty(fibers)
    return played
  }))

/** What is there once every request has ended. */
const left = Effect.gen(function*() {
  const router = yield* Router
  const state = yield* RouterState
  yield* Effect.sleep(1)
  const status = yield* router.status
  return {
    reserved: Object.values(status).map(({ inFlight }) => inFlight),
    waiting: yield* state.waiting,
    timers: yield* timersLeft
  }
})

export interface Aftermath {
  readonly played: ReadonlyArray<Played>
  /** By vendor, in order of their sending. */
  readonly calls: ReadonlyMap<string, ReadonlyArray<Call>>
  readonly models: ReadonlyArray<VendorModel>
  readonly counts: ReadonlyArray<Effect.Effect.Success<SimulatedVendor["counts"]>>
  readonly left: Effect.Effect.Success<typeof left>
}

export const play = ({ requests, seed, vendors }: Chaos): Aftermath =>
  simulated(
    Effect.gen(function*() {
      const known = new Map(requests.map((of) => [of.request, { of, calls: new Array<Call>() }]))
      const calls = new Map(vendors.map(({ name }) => [name, new Array<Call>()]))
      const callOf = (request: ChatRequest, vendor: string, sentMs: number): Call => {
        const { calls: own, of } = known.get(request)!
        const call: Call = { vendor, of, sentMs, endedMs: Number.POSITIVE_INFINITY, result: "under way" }
        own.push(call)
        calls.get(vendor)!.push(call)
        return call
      }
      const made = yield* Effect.forEach(vendors, SimulatedVendor.make)
      const callsOf = new Map(Array.from(known, ([request, { calls }]) => [request, calls]))
      return yield* Effect.gen(function*() {
        const played = yield* send(requests, callsOf)
        return {
          played,
          calls,
          models: made.map(({ model }) => model),
          counts: yield* Effect.forEach(made, ({ counts }) => counts),
          left: yield* left
        }
      }).pipe(Effect.provide(routerOver(made.map((vendor) => watched(vendor, callOf)))))
    }),
    seed
  )
