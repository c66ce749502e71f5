import { Context, FastCheck as fc } from "effect"
import { expect, it } from "vitest"
import { admission, cost } from "../../src/internal/kernel/Admission.ts"
import { ProviderLedger, REQUESTS, TOKENS } from "../../src/internal/kernel/ProviderLedger.ts"
import { best } from "../../src/internal/kernel/Ranking.ts"
import { score } from "../../src/internal/kernel/Score.ts"
import { RouterOptions } from "../../src/RouterOptions.ts"
import type { Demand } from "../../src/RouterState.ts"

const settings = Context.get(Context.empty(), RouterOptions)
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

it("is the first of all that may be called, by safety and then by score, ties by the draw", () => {
  const draw = fc.double({ min: 0, max: 0.999_999, noNaN: true })
  fc.assert(
    fc.property(fc.array(provider, { maxLength: 12 }), lane, draw, (given, lane, draw) => {
      const ledgers = given.map(
        ({ ageMs, benched, latencyMs, requestLimit, requests, tokenLimit, tokens, weight }, index) => {
          const spec = { name: `p${index}`, model: "m", requestLimit, tokenLimit, weight, chargesMaxTokens: false }
          const ledger = new ProviderLedger(spec, settings, nowMs)
          ledger.roll(nowMs)
          ledger.window.add(nowMs - ageMs, REQUESTS, requests)
          ledger.window.add(nowMs - ageMs, TOKENS, tokens)
          ledger.latency = { emaMs: latencyMs, sampledAtMs: nowMs }
          if (benched) ledger.benchedUntilMs = nowMs + 1
          return ledger
        }
      )
      const demand: Demand = { providers: [], lane, inputTokens: 100, tried: [], draw }
      const ranked = ledgers
        .map((ledger) => ({
          ledger,
          open: admission(ledger, demand, cost(ledger, demand), nowMs) === undefined,
          safe: lane === "high" || ledger.dryInMs() === undefined,
          points: score(ledger, cost(ledger, demand), settings.weights[lane], settings.latency.ceiling)
        }))
        .filter(({ open }) => open)
        .sort((a, b) => Number(b.safe) - Number(a.safe) || b.points - a.points)
      const [first] = ranked
      const ties = ranked.filter(({ points, safe }) => safe === first?.safe && points === first.points)
      expect(best(ledgers, demand, settings, nowMs)).toBe(ties[Math.floor(draw * ties.length)]?.ledger)
    }),
    { numRuns: 500 }
  )
})
