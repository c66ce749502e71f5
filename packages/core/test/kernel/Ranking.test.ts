import { FastCheck as fc } from "effect"
import { expect, it } from "vitest"
import { admits } from "../../src/internal/kernel/Admission.ts"
import { ProviderLedger } from "../../src/internal/kernel/ProviderLedger.ts"
import { best, laneViews } from "../../src/internal/kernel/Ranking.ts"
import { dryInMs } from "../../src/internal/kernel/Risk.ts"
import { fit, formula } from "../../src/Policy.ts"
import type { Demand } from "../../src/RouterState.ts"
import { demandOn, settings, spec } from "./support.ts"

const views = laneViews(settings)
const nowMs = 100_000

const provider = fc.record({
  requestLimit: fc.integer({ min: 1, max: 100 }),
  tokenLimit: fc.integer({ min: 1_000, max: 100_000 }),
  weight: fc.constantFrom(0, 0.5, 1, 1, 1, 2),
  requests: fc.nat(60),
  tokens: fc.nat(50_000),
  ageMs: fc.nat(59_000),
  benched: fc.boolean(),
  latencyMs: fc.constantFrom(100, 500, 500, 5_000)
})

const lane = fc.constantFrom<Demand["lane"]>("high", "normal", "low")

it("is the first of all that may be called, by safety and then by the policy, ties by the draw", () => {
  const draw = fc.double({ min: 0, max: 0.999_999, noNaN: true })
  fc.assert(
    fc.property(fc.array(provider, { maxLength: 12 }), lane, draw, fc.boolean(), (given, lane, draw, byFit) => {
      const ledgers = given.map(
        ({ ageMs, benched, latencyMs, requestLimit, requests, tokenLimit, tokens, weight }, index) => {
          const limits = { requests: requestLimit, tokens: tokenLimit }
          const ledger = new ProviderLedger(spec(`p${index}`, limits, { weight }), settings, nowMs)
          ledger.roll(nowMs)
          for (let count = 0; count < requests; count++) {
            const atMs = nowMs - ageMs
            ledger.count({
              requests: 1,
              dayRequests: 1,
              inputAtMs: atMs,
              input: Math.floor(tokens / requests),
              outputAtMs: atMs,
              output: 0
            })
          }
          ledger.latency = { emaMs: latencyMs, sampledAtMs: nowMs }
          if (benched) ledger.benchedUntilMs = nowMs + 1
          return ledger
        }
      )
      const demand = demandOn([], { lane, inputTokens: 100, draw })
      const policy = byFit ? fit : formula
      for (const ledger of ledgers) ledger.quote(demand)
      const ranked = ledgers
        .map((ledger) => ({
          ledger,
          open: admits(ledger, demand),
          safe: lane === "high" || dryInMs(ledger) === undefined,
          points: policy(ledger, views[lane])
        }))
        .filter(({ open }) => open)
        .sort((a, b) => Number(b.safe) - Number(a.safe) || b.points - a.points)
      const [first] = ranked
      const ties = ranked.filter(({ points, safe }) => safe === first?.safe && points === first.points)
      expect(best(ledgers, demand, { ...settings, policy }, views, nowMs)).toBe(
        ties[Math.floor(draw * ties.length)]?.ledger
      )
    }),
    { numRuns: 500 }
  )
})
