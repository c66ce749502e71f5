import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import type { ProviderSpec } from "../../src/Provider.ts"
import { countEverything, type Dimension, type LimitReading } from "../../src/RateLimit.ts"
import type { Demand, ProviderState, Settlement } from "../../src/RouterState.ts"
import type { StateChange } from "../../src/StateChange.ts"
import { demandOn, settings, spec } from "./support.ts"

/** A ledger over one provider, with what it told. */
const ledgerOf = (provider: ProviderSpec) => {
  const changes: Array<StateChange> = []
  const ledger = new Ledger(settings, (change) => changes.push(change))
  const providers = [provider]
  const reserve = (nowMs: number, demand: Partial<Demand> = {}) => ledger.reserve(demandOn(providers, demand), nowMs)
  /** One call from its reservation to its end at the same moment; whether it was granted. */
  const call = (nowMs: number, demand: Partial<Demand> = {}, settlement: Partial<Settlement> = {}): boolean => {
    const decision = reserve(nowMs, demand)
    if (decision._tag !== "Granted") return false
    const usage = { inputTokens: decision.reservation.inputTokens, outputTokens: 0 }
    ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 1, ...settlement } as Settlement, nowMs)
    return true
  }
  const state = (nowMs: number): ProviderState => ledger.snapshot(providers, nowMs)[0]!
  const used = (dimension: Dimension, nowMs: number) =>
    state(nowMs).limits.find((limit) => limit.dimension === dimension)?.used
  return { ledger, call, reserve, state, used, changes }
}

const granted = (attempts: ReadonlyArray<boolean>): number => attempts.filter((each) => each).length

const times = (count: number) => Array.from({ length: count }, (_, index) => index)

describe("each dimension binds", () => {
  it.each(
    [
      ["requests", { inputTokens: 1 }, 60_100],
      ["tokens", { inputTokens: 1, maxTokens: 0 }, 60_100],
      ["inputTokens", { inputTokens: 1 }, 60_100],
      ["requestsPerDay", { inputTokens: 1 }, 86_400_000 + 600_000],
      ["tokensPerDay", { inputTokens: 1, maxTokens: 0 }, 86_400_000 + 600_000]
    ] as const
  )("%s: 5 and no more, until the span has passed", (dimension, demand, afterMs) => {
    const { call, reserve, used } = ledgerOf(spec("a", { [dimension]: 5 }))
    expect(granted(times(8).map((index) => call(index, demand)))).toBe(5)
    expect(used(dimension, 10)).toBe(5)
    expect(reserve(10, demand)).toMatchObject({
      refusals: [{ reason: "full", dimension, needed: 1, limit: 5, retryAfterMs: expect.closeTo(afterMs - 10, -6) }]
    })
    expect(call(afterMs - 700_000 > 0 ? afterMs - 700_000 : 59_900, demand)).toBe(false)
    expect(call(afterMs, demand)).toBe(true)
  })

  it("outputTokens, by what the answers took", () => {
    const { call, used } = ledgerOf(spec("a", { outputTokens: 600 }))
    const usage = { inputTokens: 10, outputTokens: 150 }
    expect(granted(times(8).map((index) => call(index, { maxTokens: 150 }, { usage })))).toBe(4)
    expect(used("outputTokens", 10)).toBe(600)
  })

  it("concurrent, as many as are under way", () => {
    const { ledger, reserve } = ledgerOf(spec("a", { concurrent: 2 }))
    const [first] = times(2).map((index) => reserve(index))
    expect(reserve(2)).toMatchObject({
      _tag: "Refused",
      refusals: [{ reason: "full", dimension: "concurrent", retryAfterMs: 500 }]
    })
    if (first?._tag !== "Granted") throw new Error("refused")
    ledger.settle(first.reservation, { _tag: "Success", latencyMs: 1 }, 3)
    expect(reserve(4)._tag).toBe("Granted")
  })

  it("keeps the high lane's share of every one of them", () => {
    const ledger = new Ledger({ ...settings, highPriorityReservePct: 20 }, () => {})
    const providers = [spec("a", { concurrent: 5 })]
    const lanes = (["normal", "low", "normal", "low", "normal", "high", "high"] as const)
      .map((lane) => ledger.reserve(demandOn(providers, { lane }), 0)._tag)
    expect(lanes).toEqual(["Granted", "Granted", "Granted", "Granted", "Refused", "Granted", "Refused"])
  })

  it("never lets a guess of the answer make a request too large", () => {
    const { reserve } = ledgerOf(spec("a", { tokens: 300, outputTokens: 20 }))
    expect(reserve(0, { inputTokens: 290 })).toMatchObject({ reservation: { inputTokens: 290, outputTokens: 10 } })
    expect(reserve(0, { inputTokens: 301 })).toMatchObject({
      refusals: [{ reason: "too_large", dimension: "tokens", needed: 301, limit: 300 }]
    })
  })
})

describe("counting profiles", () => {
  const usage = { inputTokens: 1_000, outputTokens: 0, cachedInputTokens: 800, cacheWriteTokens: 100 }

  it.each([
    [1, 1, 1_000],
    [0, 1, 200],
    [0, 0, 100],
    [0.5, 1, 600]
  ])(
    "cache reads at %s and writes at %s of a token: 1,000 tokens of input count as %s",
    (cacheRead, cacheWrite, counts) => {
      const counting = { ...countEverything, cacheRead, cacheWrite }
      const { call, used } = ledgerOf(spec("a", { inputTokens: 5_000 }, { counting }))
      call(0, { inputTokens: 1_000 }, { usage })
      expect(used("inputTokens", 0)).toBe(counts)
    }
  )

  it("learns the tokenizer from the whole input, whatever counts of it", () => {
    const { call, reserve } = ledgerOf(spec("a", {}, { counting: { ...countEverything, cacheRead: 0 } }))
    for (const turn of times(50)) call(turn, { inputTokens: 500 }, { usage })
    expect(reserve(60, { inputTokens: 500 })).toMatchObject({ reservation: { inputTokens: 1_027 } })
  })

  it("reserves more where estimates scatter, but never so much that a request is too large for that", () => {
    const { call, ledger, reserve } = ledgerOf(spec("a", { inputTokens: 100_000 }))
    for (const turn of times(100)) {
      call(turn, { inputTokens: 100 }, { usage: { inputTokens: turn % 2 === 0 ? 80 : 120, outputTokens: 0 } })
    }
    const decision = reserve(200, { inputTokens: 100 })
    if (decision._tag !== "Granted") throw new Error("refused")
    expect(decision.reservation.inputTokens).toBeGreaterThan(120)
    ledger.settle(decision.reservation, { _tag: "Unused" }, 200)
    expect(reserve(200_000, { inputTokens: 90_000 })).toMatchObject({ reservation: { inputTokens: 100_000 } })
  })

  it("gives everything back of a reservation that was never used", () => {
    const { ledger, reserve, state } = ledgerOf(spec("a", { requests: 1 }))
    const decision = reserve(0)
    if (decision._tag !== "Granted") throw new Error("refused")
    ledger.settle(decision.reservation, { _tag: "Unused" }, 1)
    expect(state(1)).toMatchObject({ requestsUsed: 0, tokensUsed: 0, inFlight: 0 })
    expect(reserve(1)._tag).toBe("Granted")
  })
})

const reading = (remaining: number, more: Partial<LimitReading> = {}): ReadonlyArray<LimitReading> => [
  { dimension: "requests", limit: 100, remaining, resetMs: 60_000, ...more }
]

describe("the vendor's own word", () => {
  it("teaches a limit that was not declared, and tells so once", () => {
    const { call, changes, state } = ledgerOf(spec("a"))
    for (const turn of times(3)) call(turn, {}, { limits: reading(99 - turn) })
    expect(state(3).limits).toEqual([{ dimension: "requests", used: 3, limit: 100, learned: true }])
    expect(changes).toEqual([{ _tag: "LimitLearned", provider: "a", dimension: "requests", limit: 100, atMs: 0 }])
    expect(granted(times(200).map((turn) => call(10 + turn, {})))).toBe(97)
  })

  it("outranks a declared limit that is larger, not one that is smaller", () => {
    for (const [declared, inForce, learned] of [[500, 100, true], [20, 20, false]] as const) {
      const { call, state } = ledgerOf(spec("a", { requests: declared }))
      call(0, {}, { limits: reading(99) })
      expect(state(0).limits).toMatchObject([{ limit: inForce, learned }])
    }
  })

  it("counts what others use with the same key, and forgets it as it drains", () => {
    const { call, used } = ledgerOf(spec("a", { requests: 100 }))
    call(0, {}, { limits: reading(39) })
    // What the vendor counted, and one request that somebody may have sent meanwhile.
    expect(used("requests", 0)).toBe(62)
    const later = used("requests", 20_000)!
    expect(later).toBeGreaterThan(41)
    expect(later).toBeLessThan(100)
    expect(used("requests", 60_000)).toBe(1)
  })

  it("never counts less than it knows itself", () => {
    const { call, used } = ledgerOf(spec("a", { requests: 100 }))
    for (const turn of times(10)) call(turn, {}, { limits: reading(100) })
    expect(used("requests", 10)).toBe(10)
  })

  it("sets the dimension aside until the reset where nothing remains, whoever has used it", () => {
    const { call, reserve } = ledgerOf(spec("a", { requests: 100, tokens: 1e6 }))
    call(0, {}, { limits: reading(0, { resetMs: 7_660 }) })
    expect(reserve(0)).toMatchObject({ refusals: [{ reason: "full", dimension: "requests" }] })
    expect(reserve(7_600)._tag).toBe("Refused")
    expect(reserve(7_700)._tag).toBe("Granted")
  })

  it("reads a failure's word as well", () => {
    const { ledger, reserve, state } = ledgerOf(spec("a"))
    const decision = reserve(0)
    if (decision._tag !== "Granted") throw new Error("refused")
    const limits = reading(0, { resetMs: 30_000 })
    ledger.settle(decision.reservation, { _tag: "Failure", class: "transient", latencyMs: 1, limits }, 1)
    expect(state(1).limits).toMatchObject([{ limit: 100, learned: true }])
    expect(state(1).limits[0]!.used).toBeGreaterThanOrEqual(100)
  })

  it("takes the requests that went through for the limit where the vendor refuses and says nothing", () => {
    const { call, changes, state } = ledgerOf(spec("a"))
    for (const turn of times(30)) call(turn)
    call(40, {}, { _tag: "Failure", class: "rate_limit", latencyMs: 1, retryAfterMs: 1_000 })
    expect(state(41).limits).toMatchObject([{ dimension: "requests", limit: 30, learned: true }])
    expect(changes.map(({ _tag }) => _tag)).toEqual(["LimitLearned", "Benched"])
    // A limit that was raised is found again: a twentieth more a window.
    expect(state(300_041).limits).toMatchObject([{ limit: 37 }])
  })

  it("learns nothing from a refusal that comes too early to say anything, or where a limit is declared", () => {
    const { call: early, state: earlyState } = ledgerOf(spec("a"))
    early(0, {}, { _tag: "Failure", class: "rate_limit", latencyMs: 1 })
    expect(earlyState(1).limits).toEqual([])
    const { call, state } = ledgerOf(spec("a", { tokens: 1e6 }))
    for (const turn of times(30)) call(turn)
    call(40, {}, { _tag: "Failure", class: "rate_limit", latencyMs: 1 })
    expect(state(41).limits.map(({ dimension }) => dimension)).toEqual(["tokens"])
  })

  it("counts a refused request where the vendor tells of other limits only", () => {
    const limits: ReadonlyArray<LimitReading> = [{ dimension: "tokens", limit: 10_000, remaining: 9_000 }]
    const refused: Partial<Settlement> = { _tag: "Failure", class: "rate_limit", latencyMs: 1, retryAfterMs: 1, limits }
    const { call, used } = ledgerOf(spec("a", { requests: 2, requestsPerDay: 5 }))
    expect(granted(times(6).map((turn) => call(turn * 10, {}, refused)))).toBe(2)
    expect([used("requests", 60), used("requestsPerDay", 60)]).toEqual([2, 2])
    // Where it tells how many requests it has counted, that is the count.
    const { call: callTold, used: usedTold } = ledgerOf(spec("a", { requests: 100, requestsPerDay: 500 }))
    callTold(0, {}, { ...refused, limits: reading(100) })
    expect([usedTold("requests", 1), usedTold("requestsPerDay", 1)]).toEqual([0, 1])
  })

  it("takes no figure for one that is none", () => {
    for (const wrong of [NaN, Infinity, -1, 0.5]) {
      const { call, used } = ledgerOf(spec("a", { requests: 100 }))
      const limits: ReadonlyArray<LimitReading> = [
        { dimension: "requests", limit: wrong, remaining: 0, resetMs: wrong === 0.5 ? NaN : wrong },
        { dimension: "tokens", limit: wrong },
        { dimension: "requests", remaining: wrong === 0.5 ? NaN : wrong }
      ]
      call(0, {}, { limits })
      expect(used("tokens", 0)).toBeUndefined()
      // It said that nothing is left, and not until when: that is a window.
      expect(call(59_000)).toBe(false)
      expect(call(60_200)).toBe(true)
    }
  })

  it("names a day as the time where calls under way fill the limit of a day", () => {
    const { reserve } = ledgerOf(spec("a", { requestsPerDay: 1 }))
    reserve(0)
    expect(reserve(1)).toMatchObject({ refusals: [{ reason: "full", retryAfterMs: 86_400_000 }] })
  })
})
