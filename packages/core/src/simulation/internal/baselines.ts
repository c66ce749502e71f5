/**
 * What is used in a router's place: each chooses an order, calls in that order until one answers, and learns from the
 * answers alone. None reserves: what is under way is not counted.
 */
import { Effect, Random, Utils } from "effect"
import type { ChatRequest } from "../../ChatRequest.ts"
import type { ProviderResponse } from "../../ChatResponse.ts"
import { consequences } from "../../FailureClass.ts"
import { monotonicMs } from "../../internal/clock.ts"
import type { Provider, ProviderFailure } from "../../Provider.ts"
import { TokenEstimator } from "../../TokenEstimator.ts"
import type { Outcome, Strategy } from "../Strategy.ts"

/** What is known of a request when its order is chosen. */
export interface Asked {
  readonly nowMs: number
  /** As estimated. */
  readonly inputTokens: number
}

/** What an answer teaches. */
export interface Learned {
  readonly provider: Provider
  readonly response: ProviderResponse
  readonly nowMs: number
  readonly latencyMs: number
}

export interface Chooser {
  /** Whom to try, in this order; those who are left out are not tried. */
  readonly order: (asked: Asked) => ReadonlyArray<Provider>
  readonly learn?: (learned: Learned) => void
}

interface Tried {
  readonly served: Outcome | undefined
  readonly failed: ReadonlyArray<ProviderFailure>
}

/** Calls each of them once, in order, until one answers or says that every other would say the same. */
const tryEach = (chooser: Chooser, order: ReadonlyArray<Provider>, request: ChatRequest): Effect.Effect<Tried> =>
  Effect.clockWith((clock) =>
    Effect.gen(function*() {
      const failed: Array<ProviderFailure> = []
      for (const provider of order) {
        const startedMs = monotonicMs(clock)
        const answer = yield* Effect.either(provider.chat(request))
        const nowMs = monotonicMs(clock)
        if (answer._tag === "Right") {
          const latencyMs = nowMs - startedMs
          chooser.learn?.({ provider, response: answer.right, nowMs, latencyMs })
          return { served: { _tag: "Served", callMs: latencyMs }, failed }
        }
        failed.push(answer.left)
        if (consequences[answer.left.class].request === "fail") break
      }
      return { served: undefined, failed }
    })
  )

/**
 * How long to wait before the next round: what the first of the vendors asked for, else what the vendors' SDKs do by
 * themselves, half a second doubled each time up to eight.
 */
const pauseMs = (failed: ReadonlyArray<ProviderFailure>, round: number): number => {
  const asked = failed.flatMap(({ retryAfterMs }) => retryAfterMs === undefined ? [] : [retryAfterMs])
  return asked.length > 0 ? Math.min(...asked) : Math.min(8_000, 500 * 2 ** round)
}

/** A chooser for these providers; `draw` is uniform in [0, 1). */
export type MakeChooser = (providers: ReadonlyArray<Provider>, draw: () => number) => Chooser

/** `rounds`: once through the order, or again and again, a pause between, for as long as a request may wait. */
export const baseline = (name: string, makeChooser: MakeChooser, rounds: "one" | "many" = "one"): Strategy => ({
  name,
  start: ({ maxWaitMs, providers }) =>
    Effect.gen(function*() {
      const random = new Utils.PCGRandom(yield* Random.nextInt)
      const chooser = makeChooser(providers, () => random.number())
      const { estimate } = yield* TokenEstimator
      const clock = yield* Effect.clock
      const send = (request: ChatRequest): Effect.Effect<Outcome> =>
        Effect.gen(function*() {
          const inputTokens = yield* estimate(request)
          const startedMs = monotonicMs(clock)
          for (let round = 0;; round++) {
            const order = chooser.order({ nowMs: monotonicMs(clock), inputTokens })
            const { failed, served } = yield* tryEach(chooser, order, request)
            if (served !== undefined) return served
            const pause = pauseMs(failed, round)
            const again = rounds === "many" && failed.every(({ class: each }) => consequences[each].request !== "fail")
            if (!again || monotonicMs(clock) + pause > startedMs + maxWaitMs) {
              return { _tag: "Refused", reason: failed.length === 0 ? "NoCapacity" : "AllProvidersFailed" } as const
            }
            yield* Effect.sleep(pause)
          }
        })
      return { send }
    })
})
