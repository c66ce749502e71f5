import type { LimitReading, ProviderFailure } from "@route-llm/core"
import { TokenEstimator } from "@route-llm/core"
import {
  layerEstimator,
  SimulatedVendor,
  sizeOf,
  toRequest,
  type VendorModelInput,
  VirtualClock
} from "@route-llm/core/simulation"
import { Clock, Effect, Either, Exit, Fiber } from "effect"
import { describe, expect, it } from "vitest"

const run = <A, E>(program: Effect.Effect<A, E>): A => {
  const exit = VirtualClock.run(program, { seed: 5 })
  if (Exit.isFailure(exit)) throw new Error(exit.cause.toString())
  return exit.value
}

/** No draws: an answer takes 1 s and 10 ms a token, the way there and back 50 ms each. */
const exact = {
  transit: { min: 50, max: 50 },
  latency: { firstTokenMs: 1000, perTokenMs: 10 }
} satisfies Partial<VendorModelInput>

const make = (model: Partial<VendorModelInput>) => SimulatedVendor.make({ name: "v", ...exact, ...model })

const ask = (inputTokens: number, outputTokens = 10) => toRequest({ inputTokens, outputTokens })

const failed = (result: Either.Either<unknown, ProviderFailure>) =>
  Either.match(result, {
    onRight: () => "served" as const,
    onLeft: ({ class: failure, limits, retryAfterMs, status }) => ({ failure, limits, retryAfterMs, status })
  })

const readingOf = (limits: ReadonlyArray<LimitReading> | undefined, dimension: string) =>
  limits?.find((reading) => reading.dimension === dimension)

describe("SimulatedVendor", () => {
  it("counts input on arrival and output when the answer ends, and says what is left", () => {
    const seen = run(Effect.gen(function*() {
      const vendor = yield* make({ limits: { requests: 10, tokens: 1_000, inputTokens: 900, outputTokens: 500 } })
      const fiber = yield* Effect.fork(vendor.provider.chat(ask(300, 100)))
      yield* Effect.sleep("1 second")
      const working = (yield* vendor.counts).limits.map(({ dimension, peak }) => [dimension, peak])
      const { limits, usage } = yield* Fiber.join(fiber)
      const counts = yield* vendor.counts
      return { working, limits, usage, counts, nowMs: yield* Clock.currentTimeMillis }
    }))
    expect(seen.working).toEqual([["requests", 1], ["tokens", 300], ["inputTokens", 300], ["outputTokens", 0]])
    expect(seen.usage).toEqual({ inputTokens: 300, outputTokens: 100 })
    expect(readingOf(seen.limits, "tokens")).toEqual({
      dimension: "tokens",
      limit: 1_000,
      remaining: 600,
      resetMs: 60_000
    })
    expect(readingOf(seen.limits, "requests")).toMatchObject({ remaining: 9, resetMs: 58_000 })
    expect(seen.counts).toMatchObject({ received: 1, served: 1, inFlight: 0, inputTokens: 300, outputTokens: 100 })
    expect(seen.nowMs).toBe(2_100)
  })

  it("refuses what does not fit, and names the very moment at which it does", () => {
    const seen = run(Effect.gen(function*() {
      const { counts, provider } = yield* make({ limits: { requests: 5, tokens: 1_000 } })
      yield* provider.chat(ask(600, 100))
      const refused = failed(yield* Effect.either(provider.chat(ask(400))))
      if (refused === "served") return "served"
      // A request leaves so much earlier than it counts, and the refusal came so much later than it was decided.
      yield* Effect.sleep((refused.retryAfterMs ?? 0) - 101)
      const tooEarly = failed(yield* Effect.either(provider.chat(ask(400))))
      const again = yield* Effect.either(provider.chat(ask(400)))
      const large = failed(yield* Effect.either(provider.chat(ask(1_001))))
      return { refused, tooEarly, again: again._tag, large, counts: yield* counts }
    }))
    expect(seen).toMatchObject({
      // The first 600 tokens counted at 50 ms, the second request arrived at 2.15 s.
      refused: { failure: "rate_limit", status: 429, retryAfterMs: 50 + 60_000 - 2_150 },
      tooEarly: { failure: "rate_limit", retryAfterMs: 1 },
      again: "Right",
      large: { failure: "request_too_large", status: 413 },
      counts: { received: 5, served: 2, rateLimited: 2, failed: 1, inFlight: 0 }
    })
  })

  it("charges maxTokens on arrival where it does, shows limits on arrival, and truncates answers to it", () => {
    const seen = run(Effect.gen(function*() {
      const vendor = yield* make({
        limits: { tokens: 1_000 },
        counting: { chargesMaxTokens: true },
        readings: "arrival"
      })
      const answer = yield* vendor.provider.chat({ ...ask(100, 300), maxTokens: 250 })
      const refused = failed(yield* Effect.either(vendor.provider.chat({ ...ask(100, 1), maxTokens: 700 })))
      return { answer, refused, counts: yield* vendor.counts }
    }))
    expect(seen.answer).toMatchObject({
      finishReason: "length",
      usage: { inputTokens: 100, outputTokens: 250 },
      limits: [{ dimension: "tokens", remaining: 650, resetMs: 60_000 }]
    })
    expect(seen.refused).toMatchObject({ failure: "rate_limit" })
    expect(seen.counts.limits).toEqual([{ dimension: "tokens", limit: 1_000, peak: 350 }])
  })

  it("keeps requests pro rata in a sub-window, and a bound on what is under way", () => {
    const seen = run(Effect.gen(function*() {
      const paced = yield* make({ limits: { requests: 120 }, requestsEvery: "1 second" })
      const narrow = yield* make({ limits: { concurrent: 2 }, readings: "none" })
      const three = (vendor: SimulatedVendor) =>
        Effect.map(
          Effect.all([1, 2, 3].map(() => Effect.either(vendor.provider.chat(ask(10)))), { concurrency: "unbounded" }),
          (answers) => answers.map(failed)
        )
      const atOnce = yield* three(paced)
      return { atOnce, later: yield* three(paced), narrow: yield* three(narrow), counts: yield* paced.counts }
    }))
    expect(seen.atOnce).toMatchObject(["served", "served", { failure: "rate_limit", retryAfterMs: 1_000 }])
    expect(seen.later.filter((each) => each === "served")).toHaveLength(2)
    expect(seen.narrow).toEqual(["served", "served", {
      failure: "rate_limit",
      limits: undefined,
      retryAfterMs: undefined,
      status: 429
    }])
    expect(seen.counts.limits).toContainEqual({ dimension: "requests", limit: 2, peak: 2 })
  })

  it("has the bad hours it was given, and only then", () => {
    const seen = run(Effect.gen(function*() {
      const vendor = yield* make({
        limits: { tokens: 10_000 },
        conditions: [
          { does: "fail", class: "overloaded", from: "1 minute", until: "2 minutes" },
          { does: "fail", class: "rate_limit", retryAfter: "7 seconds", from: "2 minutes", until: "3 minutes" },
          { does: "slow", factor: 5, from: "3 minutes", until: "4 minutes" },
          { does: "fail", class: "truncated", from: "4 minutes", until: "5 minutes" },
          { does: "hang", from: "5 minutes", until: "6 minutes" },
          { does: "fail", class: "network", share: 0.5, from: "6 minutes", until: "7 minutes" }
        ]
      })
      const minutes: Array<unknown> = []
      for (let minute = 0; minute < 6; minute++) {
        const startedMs = yield* Clock.currentTimeMillis
        const ended = yield* Effect.timeout(Effect.either(vendor.provider.chat(ask(100, 100))), "30 seconds").pipe(
          Effect.map(failed),
          Effect.catchAll(() => Effect.succeed("hung" as const))
        )
        const tookMs = (yield* Clock.currentTimeMillis) - startedMs
        minutes.push([tookMs, typeof ended === "string" ? ended : ended.failure])
        yield* Effect.sleep(60_000 - tookMs)
      }
      const half = yield* Effect.all(
        Array.from({ length: 200 }, () => Effect.either(vendor.provider.chat(ask(1, 1)))),
        {
          concurrency: "unbounded"
        }
      )
      const lost = half.filter(Either.isLeft).length
      return { minutes, lost, counts: yield* vendor.counts }
    }))
    expect(seen.minutes).toEqual([
      [2_100, "served"],
      [100, "overloaded"],
      [100, "rate_limit"],
      [10_100, "served"],
      [1_100, "truncated"],
      [30_000, "hung"]
    ])
    expect(seen.lost).toBeGreaterThan(60)
    expect(seen.lost).toBeLessThan(140)
    expect(seen.counts).toMatchObject({ received: 206, rateLimited: 1, failed: 2 + seen.lost, aborted: 1, inFlight: 0 })
  })

  it("counts of an answer whose caller leaves what was written until then", () => {
    const counts = run(Effect.gen(function*() {
      const vendor = yield* make({ limits: { outputTokens: 1_000, concurrent: 1 } })
      yield* Effect.timeoutOption(vendor.provider.chat(ask(10, 100)), 1_050)
      yield* vendor.provider.chat(ask(10, 7))
      return yield* vendor.counts
    }))
    // Half of the 2 s that the answer takes: 50 tokens; then 7 more.
    expect(counts).toMatchObject({ received: 2, served: 1, aborted: 1, inFlight: 0 })
    expect(counts.limits).toContainEqual({ dimension: "outputTokens", limit: 1_000, peak: 57 })
    expect(counts.limits).toContainEqual({ dimension: "concurrent", limit: 1, peak: 1 })
  })

  it("counts of an answer that it cuts off the half that it has written", () => {
    const counts = run(Effect.gen(function*() {
      const truncated = { does: "fail", class: "truncated", from: 0, until: "1 hour" } as const
      const vendor = yield* make({ limits: { inputTokens: 1_000, outputTokens: 1_000 }, conditions: [truncated] })
      yield* Effect.flip(vendor.provider.chat(ask(30, 100)))
      return yield* vendor.counts
    }))
    expect(counts).toMatchObject({ received: 1, failed: 1, outputTokens: 0, inFlight: 0 })
    expect(counts.limits.map(({ dimension, peak }) => [dimension, peak])).toEqual([
      ["inputTokens", 30],
      ["outputTokens", 50]
    ])
  })

  it("draws latencies from the seed, around the model's", () => {
    const latencies = (seed: number) =>
      VirtualClock.run(
        Effect.gen(function*() {
          const { provider } = yield* SimulatedVendor.make({ name: "v" })
          return yield* Effect.all(
            Array.from({ length: 400 }, () => Effect.zipRight(provider.chat(ask(10, 100)), Clock.currentTimeMillis)),
            { concurrency: "unbounded" }
          )
        }),
        { seed }
      )
    const drawn = Exit.getOrElse(latencies(1), () => [])
    const sorted = [...drawn].sort((a, b) => a - b)
    expect(latencies(1)).toEqual(latencies(1))
    expect(latencies(2)).not.toEqual(latencies(1))
    expect(sorted[200]! / (450 + 1_000 + 100)).toBeCloseTo(1, 1)
    expect(sorted.filter((ms) => ms > 4_000).length).toBeGreaterThan(1)
    expect(sorted.filter((ms) => ms > 4_000).length).toBeLessThan(25)
  })

  it("rejects a model that does not hold, with every path", () => {
    const wrong = { name: "v", limits: { requests: 0 }, latency: { firstTokenMs: -1, perTokenMs: 1 }, speed: 2 }
    const error = run(Effect.flip(SimulatedVendor.make(wrong as VendorModelInput)))
    const paths = error.issues.map(({ path }) => path)
    expect(paths).toEqual(expect.arrayContaining(["latency.firstTokenMs", "limits.requests", "speed"]))
  })
})

describe("sizes", () => {
  it("are the request's own words, and an estimate where it has none", () => {
    expect(sizeOf(toRequest({ inputTokens: 374, outputTokens: 44 }))).toEqual({ inputTokens: 374, outputTokens: 44 })
    expect(sizeOf({ ...toRequest({ inputTokens: 374, outputTokens: 44 }), maxTokens: 10 }).outputTokens).toBe(10)
    const other = sizeOf({ messages: [{ role: "user", content: "How many tokens are these?" }] })
    expect(other.outputTokens).toBe(200)
    expect(other.inputTokens).toBeGreaterThan(5)
    expect(other.inputTokens).toBeLessThan(25)
  })

  it("are estimated with the error asked for, the same for the same seed", () => {
    const estimates = (error: Parameters<typeof layerEstimator>[0]) =>
      run(
        Effect.flatMap(TokenEstimator, ({ estimate }) => Effect.replicateEffect(estimate(ask(1_000)), 500)).pipe(
          Effect.provide(layerEstimator(error))
        )
      )
    expect(new Set(estimates({}))).toEqual(new Set([1_000]))
    expect(new Set(estimates({ factor: 1.2 }))).toEqual(new Set([1_200]))
    const noisy = estimates({ sigma: 0.1, seed: 3 })
    const logs = noisy.map((estimate) => Math.log(estimate / 1_000))
    const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
    expect(Math.abs(mean)).toBeLessThan(0.02)
    expect(Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / logs.length)).toBeCloseTo(0.1, 1)
    expect(estimates({ sigma: 0.1, seed: 3 })).toEqual(noisy)
  })
})
