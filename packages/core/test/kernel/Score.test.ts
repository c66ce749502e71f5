import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { score } from "../../src/internal/kernel/Score.ts"

const lanes = {
  normal: { capacity: 0.5, latency: 0.3, static: 0.2 },
  high: { capacity: 0.5, latency: 0.4, static: 0.1 },
  low: { capacity: 0.3, latency: 0.1, static: 0.6 }
}

describe("score", () => {
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
      const candidate = { requestsUsed, requestLimit, tokensUsed, tokenLimit, latencyMs, weight }
      expect(score(candidate, tokens, lanes[lane], 3_000)).toBeCloseTo(expected, 12)
    }
  )

  it("is the formula as it is written, for any figures", () => {
    const used = fc.nat(1_000_000)
    const limit = fc.integer({ min: 1, max: 1_000_000 })
    const weight = fc.double({ min: 0, max: 10, noNaN: true })
    fc.assert(
      fc.property(
        used,
        limit,
        used,
        limit,
        fc.nat(10_000),
        weight,
        fc.nat(100_000),
        weight,
        weight,
        weight,
        (rpmUsed, rpmLimit, tpmUsed, tpmLimit, latencyEmaMs, staticWeight, estimated, wc, wl, ws) => {
          const capacity = Math.min(1 - rpmUsed / rpmLimit, 1 - (tpmUsed + estimated) / tpmLimit)
          const latency = Math.max(0, 1 - latencyEmaMs / 3000)
          const candidate = {
            requestsUsed: rpmUsed,
            requestLimit: rpmLimit,
            tokensUsed: tpmUsed,
            tokenLimit: tpmLimit,
            latencyMs: latencyEmaMs,
            weight: staticWeight
          }
          const actual = score(candidate, estimated, { capacity: wc, latency: wl, static: ws }, 3_000)
          expect(actual).toBeCloseTo(capacity * wc + latency * wl + staticWeight * ws, 6)
        }
      )
    )
  })
})
