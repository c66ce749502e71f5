import { countEverything, type Limits, type Provider, ProviderFailure, type ProviderResponse } from "@route-llm/core"
import { type Outcome, strategies, type Strategy, toRequest, VirtualClock } from "@route-llm/core/simulation"
import { Clock, Effect, Exit } from "effect"
import { describe, expect, it } from "vitest"
import {
  leastUsedInMinute,
  lowestLatency,
  roundRobin,
  scoredAfterSuccess,
  weightedRandom
} from "../../src/simulation/internal/choosers.ts"

const provider = (
  name: string,
  options: { readonly limits?: Limits; readonly chat?: Provider["chat"] } = {}
): Provider => ({
  name,
  model: name,
  limits: options.limits ?? {},
  weight: 1,
  counting: countEverything,
  chat: options.chat ?? (() => Effect.succeed(response(0)))
})

const response = (tokens: number): ProviderResponse => ({
  content: "",
  finishReason: "stop",
  model: "m",
  usage: { inputTokens: tokens, outputTokens: 0 },
  raw: {}
})

const learned = (
  of: Provider,
  at: { readonly nowMs: number; readonly tokens?: number; readonly latencyMs?: number }
) => ({
  provider: of,
  response: response(at.tokens ?? 0),
  nowMs: at.nowMs,
  latencyMs: at.latencyMs ?? 500
})

const never = () => 0
const names = (providers: ReadonlyArray<Provider>) => providers.map(({ name }) => name).join("")
const [a, b, c] = [provider("a"), provider("b"), provider("c")]
const asked = (nowMs: number, inputTokens = 0) => ({ nowMs, inputTokens })

describe("the orders in which strategies try providers", () => {
  it("round robin starts one further on each time", () => {
    const { order } = roundRobin([a, b, c], never)
    expect([1, 2, 3, 4].map(() => names(order(asked(0))))).toEqual(["abc", "bca", "cab", "abc"])
  })

  it("weighted random draws by requests a minute, without repeating", () => {
    const providers = [provider("a", { limits: { requests: 300 } }), provider("b", { limits: { requests: 100 } })]
    let at = 0
    const { order } = weightedRandom(providers, () => (at++ % 100) / 100)
    const drawn = Array.from({ length: 100 }, () => names(order(asked(0))))
    expect(new Set(drawn)).toEqual(new Set(["ab", "ba"]))
    // Two draws for each order, of which the first decides: every other one of 100 evenly spread draws.
    expect(drawn.filter((each) => each === "ab")).toHaveLength(76)
  })

  it("least used goes by the tokens of this minute of the clock, and leaves out who is full by them", () => {
    const limited = provider("a", { limits: { requests: 2, tokens: 1_000 } })
    const { learn, order } = leastUsedInMinute([limited, b], never)
    learn?.(learned(b, { nowMs: 10_000, tokens: 500 }))
    learn?.(learned(limited, { nowMs: 59_000, tokens: 400 }))
    expect(names(order(asked(59_500, 100)))).toBe("ab")
    expect(names(order(asked(59_500, 601)))).toBe("b")
    learn?.(learned(limited, { nowMs: 59_600, tokens: 10 }))
    expect(names(order(asked(59_700)))).toBe("b")
    expect(names(order(asked(60_000, 900)))).toBe("ab")
  })

  it("lowest latency goes by a moving average, the unknown first", () => {
    const { learn, order } = lowestLatency([a, b, c], never)
    learn?.(learned(a, { nowMs: 0, latencyMs: 900 }))
    learn?.(learned(b, { nowMs: 0, latencyMs: 300 }))
    expect(names(order(asked(0)))).toBe("cba")
    learn?.(learned(c, { nowMs: 0, latencyMs: 400 }))
    for (let turn = 0; turn < 3; turn++) learn?.(learned(b, { nowMs: 0, latencyMs: 2_000 }))
    expect(names(order(asked(0)))).toBe("cab")
  })

  it("scored after success rolls its windows, and leaves out who has no room by them", () => {
    const limited = provider("a", { limits: { requests: 10, tokens: 1_000 } })
    const { learn, order } = scoredAfterSuccess([limited, b], never)
    learn?.(learned(limited, { nowMs: 30_000, tokens: 300 }))
    expect(names(order(asked(31_000, 100)))).toBe("ba")
    expect(names(order(asked(31_000, 701)))).toBe("b")
    expect(names(order(asked(89_999, 701)))).toBe("b")
    expect(names(order(asked(90_000, 701)))).toBe("ba")
  })
})

interface Played {
  readonly outcome: Outcome
  readonly calls: string
  readonly tookMs: number
}

/** Sends one request; each provider fails with these in turn, then answers. */
const play = (strategy: Strategy, failures: Readonly<Record<string, ReadonlyArray<ProviderFailure>>>): Played => {
  let calls = ""
  const providers = Object.entries(failures).map(([name, scripted]) => {
    const left = [...scripted]
    return provider(name, {
      chat: () =>
        Effect.suspend(() => {
          calls += name
          return Effect.delay(left.shift() ?? Effect.succeed(response(1)), "1 second")
        })
    })
  })
  const program = Effect.scoped(Effect.gen(function*() {
    const { send } = yield* strategy.start({ providers, models: [], maxWaitMs: 30_000, timeoutMs: 300_000 })
    const outcome = yield* send(toRequest({ inputTokens: 10, outputTokens: 10 }))
    return { outcome, calls, tookMs: yield* Clock.currentTimeMillis }
  }))
  return Exit.getOrElse(VirtualClock.run(program, { seed: 1 }), (cause) => {
    throw new Error(String(cause))
  })
}

const failure = (failureClass: ProviderFailure["class"], retryAfterMs?: number) =>
  new ProviderFailure({ class: failureClass, message: "scripted", retryAfterMs })

describe("a chain", () => {
  it("tries each provider once, and says when none is left", () => {
    expect(play(strategies.chain, { a: [failure("overloaded")], b: [] })).toEqual({
      outcome: { _tag: "Served", callMs: 1_000 },
      calls: "ab",
      tookMs: 2_000
    })
    expect(play(strategies.chain, { a: [failure("overloaded")], b: [failure("rate_limit", 5_000)] })).toEqual({
      outcome: { _tag: "Refused", reason: "AllProvidersFailed" },
      calls: "ab",
      tookMs: 2_000
    })
  })

  it("ends at what every provider would say", () => {
    expect(play(strategies.chain, { a: [failure("caller_fault")], b: [] }).calls).toBe("a")
    expect(play(strategies.chainRetried, { a: [failure("caller_fault")], b: [] }).calls).toBe("a")
  })

  it("retried: goes round again after the pause that was asked for, as long as a request may wait", () => {
    const busy = failure("rate_limit", 4_000)
    expect(play(strategies.chainRetried, { a: [busy, busy], b: [failure("rate_limit", 9_000)] })).toEqual({
      outcome: { _tag: "Served", callMs: 1_000 },
      calls: "abab",
      tookMs: 2_000 + 4_000 + 2_000
    })
    // Half a second, doubled each time up to eight: the seventh call starts at 29.5 s, and an eighth would start too late.
    const down = Array.from({ length: 9 }, () => failure("overloaded"))
    expect(play(strategies.chainRetried, { a: down })).toEqual({
      outcome: { _tag: "Refused", reason: "AllProvidersFailed" },
      calls: "aaaaaaa",
      tookMs: 7_000 + 500 + 1_000 + 2_000 + 4_000 + 8_000 + 8_000
    })
    const long = failure("rate_limit", 40_000)
    expect(play(strategies.chainRetried, { a: [long] })).toMatchObject({ calls: "a", tookMs: 1_000 })
  })
})
