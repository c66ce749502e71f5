import { FastCheck, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { Explanation } from "../../src/Explanation.ts"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import type { Demand, Reservation } from "../../src/RouterState.ts"
import { demandOn, settings, spec } from "./support.ts"

const providers = [
  spec("a", { requests: 6, tokens: 3_000 }, { weight: 2 }),
  spec("b", { requests: 12, tokens: 1_500 }),
  spec("c", { concurrent: 2 }, { weight: 0.5 }),
  spec("d", { tokens: 9_000, outputTokens: 500 }, { weight: 0 })
]

const names = providers.map(({ name }) => name)

const classes = ["transient", "rate_limit", "quota", "overloaded", "caller_fault"] as const

const Step = FastCheck.record({
  afterMs: FastCheck.nat(20_000),
  lane: FastCheck.constantFrom("high" as const, "normal" as const, "low" as const),
  inputTokens: FastCheck.integer({ min: 1, max: 2_000 }),
  sessionId: FastCheck.option(FastCheck.constantFrom("s", "t"), { nil: undefined }),
  forceProvider: FastCheck.option(FastCheck.constantFrom(...names), { nil: undefined, freq: 8 }),
  tried: FastCheck.subarray(names, { maxLength: 3 }),
  draw: FastCheck.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  ends: FastCheck.option(FastCheck.constantFrom("success" as const, ...classes), { nil: undefined }),
  latencyMs: FastCheck.nat(4_000)
})

const valid = Schema.is(Explanation)

const ledgerOf = (options: Partial<typeof settings> = {}) =>
  new Ledger(
    { ...settings, breaker: { ...settings.breaker, failureThreshold: 2, lastResort: 5_000 }, ...options },
    () => {}
  )

/** The ledger as it is, as far as anything outside can see it. */
const seen = (ledger: Ledger, nowMs: number) => [ledger.snapshot(providers, nowMs), ledger.open]

describe("an explanation", () => {
  it("is the very decision that follows, in any state, and takes nothing", () => {
    let granted = 0
    let refused = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.array(Step, { minLength: 20, maxLength: 60 }), (steps) => {
        const ledger = ledgerOf()
        const open: Array<Reservation> = []
        let nowMs = 0
        for (const { afterMs, ends, latencyMs, ...asked } of steps) {
          nowMs += afterMs
          const demand = demandOn(providers, asked)
          const before = seen(ledger, nowMs)
          const explanation = ledger.explain(demand, nowMs)
          expect(seen(ledger, nowMs)).toEqual(before)
          expect(valid(JSON.parse(JSON.stringify(explanation)))).toBe(true)
          const decision = ledger.reserve({ ...demand, explain: true }, nowMs)
          if (decision._tag === "Granted") {
            granted++
            const { reservation } = decision
            const { chosen, reason } = explanation
            expect({ chosen, reason }).toEqual({ chosen: reservation.provider, reason: reservation.reason })
            // Asked for in the very step, it is the same.
            expect(reservation.explanation).toEqual(explanation)
            const needs = explanation.candidates.find(({ provider }) => provider === chosen)?.needs
            expect(needs).toEqual({ inputTokens: reservation.inputTokens, outputTokens: reservation.outputTokens })
            open.push(reservation)
          } else if (decision._tag === "Refused") {
            refused++
            expect(explanation.chosen).toBeUndefined()
            const told = explanation.candidates.map(({ provider, refusal }) => ({ provider, reason: refusal?.reason }))
            expect(told).toEqual(decision.refusals.map(({ provider, reason }) => ({ provider, reason })))
          }
          const ending = ends === undefined ? undefined : open.shift()
          if (ending === undefined) continue
          ledger.settle(
            ending,
            ends === "success"
              ? { _tag: "Success", latencyMs }
              : { _tag: "Failure", class: ends ?? "transient", latencyMs },
            nowMs
          )
        }
      }),
      { numRuns: 60, seed: 7 }
    )
    // Both kinds of decision were met, many times.
    expect({ granted: granted > 500, refused: refused > 200 }).toEqual({ granted: true, refused: true })
  })

  it("adds up: the terms of the formula are the score, and the best that is not refused is chosen", () => {
    const ledger = ledgerOf()
    const { candidates, chosen, policy } = ledger.explain(demandOn(providers), 0)
    expect({ chosen, policy }).toEqual({ chosen: "a", policy: "formula" })
    for (const { score, terms } of candidates) {
      expect(score).toBeCloseTo(terms.capacity + terms.latency + terms.static, 12)
    }
    const [a] = candidates
    // 10 of input and 256 of output of 3,000; 500 ms of 3 s; a weight of 2.
    expect(a?.terms.capacity).toBeCloseTo(0.5 * (1 - 266 / 3_000), 12)
    expect(a?.terms.latency).toBeCloseTo(0.3 * (1 - 500 / 3_000), 12)
    expect(a?.terms.static).toBeCloseTo(0.2 * 2, 12)
  })

  it("says why, each way there is", () => {
    const reasonOf = (demand: Partial<Demand>, prepare: (ledger: Ledger) => void = () => {}) => {
      const ledger = ledgerOf()
      prepare(ledger)
      return ledger.explain(demandOn(providers, demand), 10_000).reason
    }
    const pin = (ledger: Ledger) => {
      const decision = ledger.reserve(demandOn(providers, { sessionId: "s", forceProvider: "b" }), 0)
      if (decision._tag === "Granted") ledger.settle(decision.reservation, { _tag: "Success", latencyMs: 1 }, 0)
    }
    const allOut = (ledger: Ledger) => {
      for (const { name } of providers) {
        for (let call = 0; call < 2; call++) {
          const decision = ledger.reserve(demandOn(providers, { forceProvider: name, lastResort: false }), 0)
          if (decision._tag !== "Granted") throw new Error(`${name} was refused`)
          ledger.settle(decision.reservation, { _tag: "Failure", class: "overloaded", latencyMs: 1 }, 0)
        }
      }
    }
    expect(reasonOf({})).toBe("ranked")
    expect(reasonOf({ tried: ["a", "b", "c"] })).toBe("only")
    expect(reasonOf({ forceProvider: "c" })).toBe("forced")
    expect(reasonOf({ sessionId: "s" }, pin)).toBe("session")
    expect(reasonOf({ sessionId: "s", tried: ["b"] }, pin)).toBe("ranked")
    expect(reasonOf({}, allOut)).toBe("last_resort")
    expect(reasonOf({ lastResort: false }, allOut)).toBeUndefined()
  })

  it("says how long until somebody may take it, and nothing where waiting does not help", () => {
    const ledger = ledgerOf()
    const only = [spec("a", { requests: 1, tokens: 1_000 })]
    ledger.reserve(demandOn(only), 0)
    expect(ledger.explain(demandOn(only), 1_000)).toMatchObject({
      chosen: undefined,
      waitMs: ledger.refusals(demandOn(only))[0]?.retryAfterMs,
      candidates: [{ refusal: { reason: "full", dimension: "requests", needed: 1, limit: 1 } }]
    })
    const large = ledger.explain(demandOn(only, { inputTokens: 5_000 }), 1_000)
    expect(large).toMatchObject({ waitMs: undefined, candidates: [{ refusal: { reason: "too_large" } }] })
    expect(large.candidates[0]?.refusal?.retryAfterMs).toBeUndefined()
  })

  it("names the policy, and leaves out a score that is no number", () => {
    const explained = (policy: typeof settings.policy) => ledgerOf({ policy }).explain(demandOn(providers), 0)
    expect(explained(settings.policy).policy).toBe("formula")
    const { candidates, policy } = explained(({ name }) => name === "a" ? Number.NaN : -1)
    expect(policy).toBe("custom")
    expect(candidates.map(({ score }) => score)).toEqual([undefined, -1, -1, -1])
  })
})
