/** Limits that a vendor tells of, and a key that others may use too: what a call gives back, spent limits, named times. */
import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import type { LimitReading, Limits } from "../../src/RateLimit.ts"
import type { Demand, Reservation, Settlement } from "../../src/RouterState.ts"
import type { StateChange } from "../../src/StateChange.ts"
import { demandOn, settings, spec } from "./support.ts"

const hourMs = 3_600_000

const ledgerOver = (limits: Limits) => {
  const changes: Array<StateChange> = []
  const ledger = new Ledger(settings, (change) => changes.push(change))
  const providers = [spec("a", limits)]
  const ask = (nowMs: number, demand: Partial<Demand> = {}) => ledger.reserve(demandOn(providers, demand), nowMs)
  const reserve = (nowMs: number, demand: Partial<Demand> = {}): Reservation => {
    const decision = ask(nowMs, demand)
    if (decision._tag !== "Granted") throw new Error("refused")
    return decision.reservation
  }
  /** Answers with these readings. */
  const answer = (reservation: Reservation, nowMs: number, limits: ReadonlyArray<LimitReading> = []) => {
    const usage = { inputTokens: reservation.inputTokens, outputTokens: 0 }
    ledger.settle(reservation, { _tag: "Success", usage, latencyMs: 1, limits }, nowMs)
  }
  const isGranted = (nowMs: number, demand: Partial<Demand> = {}): boolean => {
    const decision = ask(nowMs, demand)
    if (decision._tag === "Granted") ledger.settle(decision.reservation, { _tag: "Unused" }, nowMs)
    return decision._tag === "Granted"
  }
  return {
    answer,
    ask,
    changes,
    isGranted,
    ledger,
    providers,
    reserve,
    state: (at: number) => ledger.snapshot(providers, at)[0]!
  }
}

const tokens = (remaining: number, resetMs = 60_000): ReadonlyArray<LimitReading> => [
  { dimension: "tokens", limit: 10_000, remaining, resetMs }
]

describe("what was reserved since the vendor's newest word", () => {
  const most = { inputTokens: 6_000, maxTokens: 0 }
  /** Others have used 900 of 10,000. */
  const told = () => {
    const ledger = ledgerOver({ tokens: 10_000 })
    ledger.answer(ledger.reserve(0, { inputTokens: 100, maxTokens: 0 }), 10, tokens(9_000))
    return ledger
  }

  it.each<[string, Settlement]>([
    ["never sent", { _tag: "Unused" }],
    ["refunded", { _tag: "Failure", class: "network", latencyMs: 1, usage: { inputTokens: 0, outputTokens: 0 } }],
    ["small", { _tag: "Success", latencyMs: 1, usage: { inputTokens: 5, outputTokens: 0 } }]
  ])("is free again at once where the call was %s", (_what, settlement) => {
    const { isGranted, ledger, reserve } = told()
    const reservation = reserve(20, most)
    expect(isGranted(25, most)).toBe(false)
    ledger.settle(reservation, settlement, 30)
    expect(isGranted(40, most)).toBe(true)
  })

  it.each([
    ["holds what a call took beyond its reservation", 3_000, 1_000],
    ["forgets with a word what was given back before it", 100, 6_500]
  ])("%s, where only the word still says so", (_what, takes, size) => {
    const { answer, isGranted, ledger, reserve } = ledgerOver({ tokens: 10_000 })
    for (let turn = 1; turn <= 50; turn++) {
      answer(reserve(0, { inputTokens: 100, maxTokens: 0 }), 10, turn < 50 ? [] : tokens(4_950))
    }
    ledger.settle(reserve(20, { inputTokens: 3_000, maxTokens: 0 }), { _tag: "Unused" }, 30)
    answer(reserve(50_000, { inputTokens: 100, maxTokens: 0 }), 50_010, tokens(4_850))
    const usage = { inputTokens: takes, outputTokens: 0 }
    const late = reserve(50_020, { inputTokens: 100, maxTokens: 0 })
    ledger.settle(late, { _tag: "Success", latencyMs: 1, usage }, 50_030)
    // The first 5,000 have left the window here; the vendor's bucket is refilled by a sixth of what was used.
    expect(isGranted(61_000, { inputTokens: size, maxTokens: 0 })).toBe(false)
    expect(isGranted(61_000, { inputTokens: 200, maxTokens: 0 })).toBe(true)
  })

  it("is not given back out of a word that came after it", () => {
    const { answer, isGranted, ledger, reserve } = told()
    const first = reserve(20, { inputTokens: 3_000, maxTokens: 0 })
    const second = reserve(30, { inputTokens: 100, maxTokens: 0 })
    // Nothing remains once the second has arrived: the first is in it, or somebody else has taken as much.
    answer(second, 40, tokens(100))
    ledger.settle(first, { _tag: "Unused" }, 50)
    expect(isGranted(60, { inputTokens: 1_500, maxTokens: 0 })).toBe(false)
  })

  it("stays given back when the next word is of a call before it", () => {
    const { answer, isGranted, ledger, reserve } = told()
    const [early, late] = [reserve(20, { inputTokens: 100, maxTokens: 0 }), reserve(30, most)]
    ledger.settle(late, { _tag: "Unused" }, 40)
    answer(early, 50, tokens(8_900))
    expect(isGranted(60, most)).toBe(true)
  })
})

describe("where nothing remains", () => {
  const spent = (resetMs?: number): ReadonlyArray<LimitReading> => [{ dimension: "requests", remaining: 0, resetMs }]

  it("of a limit that nobody knows, the provider is set aside until the reset", () => {
    const { answer, ask, changes, isGranted, reserve } = ledgerOver({})
    answer(reserve(0), 10, spent(30_000))
    expect(ask(20)).toMatchObject({ refusals: [{ reason: "benched", retryAfterMs: 29_990 }] })
    expect([isGranted(30_009), isGranted(30_010)]).toEqual([false, true])
    expect(changes).toEqual([{ _tag: "Benched", provider: "a", because: "rate_limit", forMs: 30_000, atMs: 10 }])
  })

  it("and no reset is named, for a window", () => {
    const { answer, isGranted, reserve } = ledgerOver({})
    answer(reserve(0, { lastResort: false }), 10, spent())
    const notLast = { lastResort: false }
    expect([isGranted(60_009, notLast), isGranted(60_010, notLast)]).toEqual([false, true])
    // It is a guess.
    const guess = ledgerOver({})
    guess.answer(guess.reserve(0), 10, spent())
    expect([guess.isGranted(1_009), guess.isGranted(1_010)]).toEqual([false, true])
  })

  it("a day that others have spent is over until its reset", () => {
    const { answer, ask, isGranted, reserve } = ledgerOver({ requestsPerDay: 1_000 })
    answer(reserve(0), 1, [{ dimension: "requestsPerDay", limit: 1_000, remaining: 0, resetMs: 12 * hourMs }])
    expect([0.5, 1].map((hours) => isGranted(hours * hourMs))).toEqual([false, false])
    const decision = ask(6 * hourMs)
    const retryAfterMs = decision._tag === "Refused" ? decision.refusals[0]!.retryAfterMs : 0
    expect(retryAfterMs).toBeGreaterThanOrEqual(6 * hourMs)
    expect(retryAfterMs).toBeLessThanOrEqual(6 * hourMs + 600_000)
    expect(isGranted(11.99 * hourMs)).toBe(false)
    expect(isGranted(12 * hourMs + 2)).toBe(true)
  })

  it("a day that is refilled as it goes, whose reset is when it is full, is not", () => {
    const { answer, isGranted, reserve } = ledgerOver({ requestsPerDay: 1_000 })
    const day = { dimension: "requestsPerDay", limit: 1_000 } as const
    answer(reserve(0), 1, [{ ...day, remaining: 999, resetMs: 86_400 }])
    // In a burst: others do not go on like that.
    answer(reserve(1_000), 1_001, [{ ...day, remaining: 0, resetMs: 24 * hourMs - 500 }])
    expect([isGranted(60_000), isGranted(hourMs)]).toEqual([false, true])
  })

  it("a day is no reason to reserve more than one request of its mean size for others", () => {
    const { answer, reserve, state } = ledgerOver({ tokensPerDay: 1_000_000 })
    for (let minute = 0; minute < 100; minute++) {
      answer(reserve(minute * 60_000, { inputTokens: 1_000 }), minute * 60_000)
    }
    const atMs = 100 * 60_000
    const reading: LimitReading = {
      dimension: "tokensPerDay",
      limit: 1_000_000,
      remaining: 800_000,
      resetMs: 24 * hourMs
    }
    answer(reserve(atMs, { inputTokens: 1_000 }), atMs, [reading])
    expect(state(atMs + 1).limits[0]!.used).toBeLessThan(202_000)
  })

  it("no time that is named is longer than a day", () => {
    const { changes, ledger, reserve } = ledgerOver({})
    const failed: Settlement = { _tag: "Failure", class: "rate_limit", latencyMs: 1, retryAfterMs: 1.7e12 }
    ledger.settle(reserve(0), failed, 1)
    expect(changes).toMatchObject([{ _tag: "Benched", forMs: 24 * hourMs }])
    const other = ledgerOver({})
    other.answer(other.reserve(0), 1, spent(1.7e12))
    expect(other.changes).toMatchObject([{ _tag: "Benched", forMs: 24 * hourMs }])
  })
})

describe("the time a refusal names", () => {
  const use = fc.record({
    waitMs: fc.constantFrom(0, 10, 137.5, 1_000, 9_000, 30_000),
    inputTokens: fc.integer({ min: 1, max: 400 }),
    remaining: fc.option(fc.nat(3_000)),
    resetMs: fc.nat(60_000)
  })

  it("is one at which the request fits, also on a key that others use", () => {
    let named = 0
    fc.assert(
      fc.property(fc.array(use, { minLength: 5, maxLength: 30 }), fc.integer({ min: 1, max: 900 }), (uses, size) => {
        const { answer, ask, ledger, providers } = ledgerOver({ tokens: 3_000 })
        let nowMs = 1_000
        for (const { inputTokens, remaining, resetMs, waitMs } of uses) {
          nowMs += waitMs
          const decision = ask(nowMs, { inputTokens, maxTokens: 0 })
          if (decision._tag !== "Granted") continue
          const reading: LimitReading = { dimension: "tokens", limit: 3_000, remaining: remaining ?? 0, resetMs }
          answer(decision.reservation, nowMs, remaining === null ? [] : [reading])
        }
        const demand = demandOn(providers, { inputTokens: size, maxTokens: 0 })
        const refusedFor = (atMs: number) => {
          ledger.advance(atMs, providers)
          return ledger.refusals(demand)[0]?.retryAfterMs
        }
        const retryAfterMs = refusedFor(nowMs)
        if (retryAfterMs === undefined || retryAfterMs === Number.POSITIVE_INFINITY) return
        named++
        expect(refusedFor(nowMs + retryAfterMs)).toBeUndefined()
      }),
      { numRuns: 200, seed: 7 }
    )
    expect(named).toBeGreaterThan(50)
  }, 30_000)
})
