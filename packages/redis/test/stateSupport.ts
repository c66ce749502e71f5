/** What tests of a `RouterState` have in common. */
import {
  countEverything,
  type Decision,
  type Demand,
  type ProviderSpec,
  RouterOptions,
  type RouterOptionsInput,
  RouterState,
  type RouterStateService
} from "@route-llm/core"
import { Effect, Layer } from "effect"

export const spec = (
  name: string,
  limits: ProviderSpec["limits"] = {},
  more: Partial<ProviderSpec> = {}
): ProviderSpec => ({
  name,
  model: "m",
  limits,
  weight: 1,
  counting: countEverything,
  ...more
})

export const ask = (providers: Demand["providers"], demand: Partial<Demand> = {}): Demand => ({
  providers,
  lane: "normal",
  inputTokens: 10,
  tried: [],
  draw: 0.5,
  waitMs: 0,
  timeLeftMs: 300_000,
  ...demand
})

/** As the router does it: only in line can it be interrupted. */
export const reserveOn = (state: RouterStateService, demand: Demand) =>
  Effect.uninterruptibleMask((restore) => state.reserve(demand, restore))

export const reserve = (demand: Demand) => Effect.flatMap(RouterState, (state) => reserveOn(state, demand))

export const granted = (decision: Decision) => {
  if (decision._tag !== "Granted") throw new Error(`not granted: ${JSON.stringify(decision)}`)
  return decision.reservation
}

export const callOn = (state: RouterStateService, demand: Demand) => Effect.map(reserveOn(state, demand), granted)

export const call = (demand: Demand) => Effect.map(reserve(demand), granted)

export const settle: RouterStateService["settle"] extends (...args: infer Args) => unknown
  ? (...args: Args) => Effect.Effect<void, never, RouterState>
  : never = (reservation, settlement) =>
    Effect.flatMap(RouterState, (state) => Effect.asVoid(state.settle(reservation, settlement)))

export const success = { _tag: "Success", latencyMs: 100, usage: { inputTokens: 10, outputTokens: 20 } } as const
export const failed = { _tag: "Failure", class: "transient", latencyMs: 100 } as const

export const snapshot = (providers: Demand["providers"]) =>
  Effect.flatMap(RouterState, (state) => state.snapshot(providers))
export const inFlight = (providers: Demand["providers"]) =>
  Effect.map(snapshot(providers), (states) => states.map(({ inFlight }) => inFlight))

export const inLine = Effect.flatMap(RouterState, (state) => state.waiting)

/** Until so many wait: what a store is asked first takes a moment of real time. */
export const untilInLineOn = (state: RouterStateService, wanted: number): Effect.Effect<void> =>
  Effect.flatMap(
    state.waiting,
    ({ high, low, normal }) =>
      high + normal + low === wanted ? Effect.void : Effect.zipRight(realMoment, untilInLineOn(state, wanted))
  )

export const untilInLine = (wanted: number) => Effect.flatMap(RouterState, (state) => untilInLineOn(state, wanted))

/** The event loop once around; no clock is looked at. */
export const realMoment = Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))

export const waiting = { waitMs: 200_000 }

/** Joins the line behind whoever is there. */
export const join = (demand: Demand, place: number) => Effect.zipLeft(Effect.fork(reserve(demand)), untilInLine(place))

export type MakeState = (name: string, options: RouterOptionsInput) => Layer.Layer<RouterState>

export const withOptions = (layer: Layer.Layer<RouterState>, options: RouterOptionsInput): Layer.Layer<RouterState> =>
  Layer.provide(layer, Layer.orDie(RouterOptions.layer(options)))

/** Each body on a state of its own. */
export const onOwn = (title: string, make: MakeState) => {
  let tests = 0
  return <A, E>(body: Effect.Effect<A, E, RouterState>, options: RouterOptionsInput = {}): Effect.Effect<A, E> =>
    Effect.provide(body, make(`${title}-${tests++}`, options))
}

export const two = [spec("a", { requests: 2 }), spec("b", { requests: 1 })]
export const one = [spec("a", { requests: 1 })]
export const single = [spec("a", { concurrent: 1 })]
