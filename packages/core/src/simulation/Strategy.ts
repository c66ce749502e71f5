/**
 * Ways of placing requests on providers, to be held against each other on the same traffic: the router in its variants,
 * and what is used in its place. One of your own is an object with a `start`:
 *
 * ```ts
 * import { simulate, type Strategy, synthetic } from "@route-llm/core/simulation"
 * import { Effect } from "effect"
 *
 * const onlyTheFirst: Strategy = {
 *   name: "only the first",
 *   start: ({ providers: [first] }) =>
 *     Effect.succeed({
 *       send: (request) =>
 *         Effect.match(first!.chat(request), {
 *           onSuccess: () => ({ _tag: "Served", callMs: 0 }),
 *           onFailure: ({ class: reason }) => ({ _tag: "Refused", reason })
 *         })
 *     })
 * }
 *
 * const report = Effect.runSync(simulate({
 *   workload: synthetic({ seed: 1, duration: "5 minutes" }),
 *   vendors: [{ name: "a", limits: { requests: 100 } }, { name: "b" }],
 *   strategy: onlyTheFirst,
 *   seed: 1
 * }))
 * console.log(report.served, report.refused)
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { Provider } from "../Provider.ts"
import { ProviderRegistry } from "../ProviderRegistry.ts"
import { Router, RouterLive } from "../Router.ts"
import type { DuplicateProvider, InvalidConfig } from "../RouterError.ts"
import { RouterOptions, type RouterOptionsInput } from "../RouterOptions.ts"
import { RouterState } from "../RouterState.ts"
import type { VendorModel, VendorModelInput } from "./VendorModel.ts"

/**
 * How one request ended. `callMs` is the latency of the call that answered; what came before it is waiting.
 *
 * @since 0.1.0
 */
export type Outcome =
  | { readonly _tag: "Served"; readonly callMs: number }
  | { readonly _tag: "Refused"; readonly reason: string }

/**
 * A strategy at work.
 *
 * @since 0.1.0
 */
export interface Running {
  readonly send: (request: ChatRequest) => Effect.Effect<Outcome>
  /** It ends each request within `timeoutMs` by itself: one that has to be interrupted is a violation. */
  readonly keepsTime?: boolean
  /** Asked when every request has ended: what is wrong then, such as capacity that was never given back. */
  readonly problems?: Effect.Effect<ReadonlyArray<string>>
}

/**
 * - `providers`: whom it may call, in the order in which they were given;
 * - `models`: what they are, which only a yardstick may look at;
 * - `maxWaitMs`: the longest a request may wait for room;
 * - `timeoutMs`: the budget of a request, waiting and all calls together. One that has not ended by then is interrupted,
 *   and counts as refused with `TimedOut`.
 *
 * @since 0.1.0
 */
export interface StrategyContext {
  readonly providers: ReadonlyArray<Provider>
  readonly models: ReadonlyArray<VendorModel>
  readonly maxWaitMs: number
  readonly timeoutMs: number
}

/**
 * @since 0.1.0
 */
export interface Strategy {
  readonly name: string
  /** Which vendors there are for it; unless told, those of the simulation. */
  readonly vendors?: (given: ReadonlyArray<VendorModelInput>) => ReadonlyArray<VendorModelInput>
  /** Lives until the scope closes. `TokenEstimator` is the simulation's. */
  readonly start: (context: StrategyContext) => Effect.Effect<Running, DuplicateProvider | InvalidConfig, Scope.Scope>
}

const stillOpen = (router: Router["Type"], state: RouterState["Type"]): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function*() {
    const status = yield* router.status
    const { high, low, normal } = yield* state.waiting
    const waiting = high + normal + low
    const reserved = Object.entries(status).flatMap(([name, { inFlight }]) =>
      inFlight === 0 ? [] : [`${name}: ${inFlight} reservations were never settled`]
    )
    return waiting === 0 ? reserved : [...reserved, `${waiting} requests are left in line`]
  })

/**
 * The router itself, with these options; over this state, in memory unless told. `timeout` and `waiting.maxWait` are the
 * simulation's unless told.
 *
 * @since 0.1.0
 */
export const routeLlm = (
  name: string,
  options: RouterOptionsInput = {},
  State: Layer.Layer<RouterState> = RouterState.layerMemory
): Strategy => ({
  name,
  start: ({ maxWaitMs, providers, timeoutMs }) =>
    Effect.gen(function*() {
      const Live = RouterLive.pipe(
        Layer.provideMerge(Layer.mergeAll(ProviderRegistry.layer, State)),
        Layer.provide(RouterOptions.layer({
          timeout: timeoutMs,
          ...options,
          waiting: { maxWait: maxWaitMs, ...options.waiting }
        }))
      )
      const context = yield* Layer.build(Live)
      const registry = Context.get(context, ProviderRegistry)
      for (const provider of providers) yield* registry.register(provider)
      const router = Context.get(context, Router)
      const send = (request: ChatRequest) =>
        Effect.match(router.chat(request), {
          onSuccess: ({ latencyMs }): Outcome => ({ _tag: "Served", callMs: latencyMs }),
          onFailure: ({ _tag }): Outcome => ({ _tag: "Refused", reason: _tag })
        })
      return { send, keepsTime: true, problems: stillOpen(router, Context.get(context, RouterState)) }
    })
})
