import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { ProviderLedger } from "../src/internal/kernel/ProviderLedger.ts"
import { type Candidate, fit, formula } from "../src/Policy.ts"
import { demandOn, settings, spec } from "./kernel/support.ts"

const lanes = {
  normal: { capacity: 0.5, latency: 0.3, static: 0.2 },
  high: { capacity: 0.5, latency: 0.4, static: 0.1 },
  low: { capacity: 0.3, latency: 0.1, static: 0.6 }
}

interface Figures {
  readonly requestsUsed: number
  readonly requestLimit: number
  readonly tokensUsed: number
  readonly tokenLimit: number
  readonly latencyMs: number
  readonly weight: number
}

/** A provider that stands as these figures say, and is asked for `inputTokens`. */
const candidateOf = (figures: Figures, inputTokens: number): Candidate => {
  const { latencyMs, requestLimit, requestsUsed, tokenLimit, tokensUsed, weight } = figures
  const limits = { requests: requestLimit, tokens: tokenLimit }
  const ledger = new ProviderLedger(spec("a", limits, { weight }), settings, 0)
  ledger.roll(0)
  ledger.inFlightNow.requests = requestsUsed - 1
  ledger.hold({ inputTokens: tokensUsed, outputTokens: 0 })
  ledger.latency = { emaMs: latencyMs, sampledAtMs: 0 }
  ledger.quote(demandOn([], { inputTokens, maxTokens: 0 }))
  return ledger
}

describe("formula", () => {
  // Worked by hand from the formula in the module's header.
  it.each(
    [
      // idle, 500 ms: capacity 1 − 0/500 against 1 − 1000/200000 = 0.995; latency 1 − 500/3000 = 0.8333
      ["idle", "normal", [0, 500, 0, 200_000, 500, 1], 1_000, 0.995 * 0.5 + (5 / 6) * 0.3 + 0.2],
      // half of the requests used: rpm 0.5 is the scarcer one
      ["half full", "normal", [250, 500, 20_000, 200_000, 500, 1], 0, 0.5 * 0.5 + (5 / 6) * 0.3 + 0.2],
      // tokens are the scarcer one: 1 − (150000 + 10000)/200000 = 0.2
      ["tokens scarce", "high", [10, 500, 150_000, 200_000, 1_500, 1], 10_000, 0.2 * 0.5 + 0.5 * 0.4 + 0.1],
      // slower than the ceiling: the term is 0, never below
      ["slow", "high", [0, 500, 0, 200_000, 9_000, 1], 0, 0.5 + 0 + 0.1],
      // low lane: the static weight leads
      ["low lane", "low", [0, 50, 0, 100_000, 3_000, 2], 0, 0.3 + 0 + 1.2],
      // limits that are not declared have all their headroom
      ["undeclared", "normal", [99, Infinity, 1e6, Infinity, 0, 0.5], 5_000, 0.5 + 0.3 + 0.1]
    ] as const
  )(
    "%s, lane %s",
    (_name, lane, [requestsUsed, requestLimit, tokensUsed, tokenLimit, latencyMs, weight], tokens, expected) => {
      const candidate = candidateOf({ requestsUsed, requestLimit, tokensUsed, tokenLimit, latencyMs, weight }, tokens)
      expect(formula(candidate, { lane, weights: lanes[lane], latencyCeilingMs: 3_000 })).toBeCloseTo(expected, 12)
    }
  )

  it("is the formula as it is written, for any figures", () => {
    const used = fc.nat(1_000_000)
    const limit = fc.integer({ min: 1, max: 1_000_000 })
    const weight = fc.double({ min: 0, max: 10, noNaN: true })
    fc.assert(
      fc.property(
        fc.record({
          requestsUsed: used,
          requestLimit: limit,
          tokensUsed: used,
          tokenLimit: limit,
          latencyMs: fc.nat(10_000),
          weight
        }),
        fc.nat(100_000),
        fc.record({ capacity: weight, latency: weight, static: weight }),
        (figures, estimated, weights) => {
          const capacity = Math.min(
            1 - figures.requestsUsed / figures.requestLimit,
            1 - (figures.tokensUsed + estimated) / figures.tokenLimit
          )
          const latency = Math.max(0, 1 - figures.latencyMs / 3000)
          const expected = capacity * weights.capacity + latency * weights.latency + figures.weight * weights.static
          const actual = formula(candidateOf(figures, estimated), { lane: "normal", weights, latencyCeilingMs: 3_000 })
          expect(actual).toBeCloseTo(expected, 6)
        }
      )
    )
  })
})

describe("fit", () => {
  const lane = { lane: "normal", weights: lanes.normal, latencyCeilingMs: 3_000 } as const
  const manyRequests = { requestsUsed: 0, requestLimit: 500, tokensUsed: 0, tokenLimit: 20_000 }
  const manyTokens = { requestsUsed: 0, requestLimit: 50, tokensUsed: 0, tokenLimit: 200_000 }
  const quick = { latencyMs: 500, weight: 1 }

  it("sends small requests where requests are plenty, and large ones where tokens are", () => {
    const better = (inputTokens: number) => {
      const [requests, tokens] = [manyRequests, manyTokens].map((figures) =>
        fit(candidateOf({ ...figures, ...quick }, inputTokens), lane)
      )
      return requests! > tokens! ? "requests" : "tokens"
    }
    expect([50, 5_000].map(better)).toEqual(["requests", "tokens"])
  })

  it("looks at what is left, not at what there is", () => {
    const half = fit(candidateOf({ ...manyTokens, ...quick, requestsUsed: 40 }, 10), lane)
    expect(half).toBeLessThan(fit(candidateOf({ ...manyTokens, ...quick, requestsUsed: 20 }, 10), lane))
  })

  it("decides between equal shares by the formula", () => {
    const slow = fit(candidateOf({ ...manyTokens, latencyMs: 2_000, weight: 1 }, 100), lane)
    expect(slow).toBeLessThan(fit(candidateOf({ ...manyTokens, ...quick }, 100), lane))
  })
})
