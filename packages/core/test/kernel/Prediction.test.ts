import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import { dryInMs } from "../../src/internal/kernel/Prediction.ts"
import { type Counts, Windows } from "../../src/internal/kernel/Windows.ts"
import type { Reservation } from "../../src/RouterState.ts"
import { demandOn, settings, spec } from "./support.ts"

const span = { windowMs: 60_000, recentMs: 15_000, lookAheadMs: 120_000 }

/** Calls that end at once. */
const after = (arrivals: ReadonlyArray<number>, nowMs: number, limit: number) => {
  const windows = new Windows(settings)
  const held = { inputTokens: 0, outputTokens: 0 }
  for (const at of arrivals) {
    const counts: Counts = { requests: 1, dayRequests: 1, input: 0, inputAtMs: at, output: 0, outputAtMs: at }
    windows.roll(at)
    windows.begin(held, at)
    windows.end(held)
    windows.count(counts)
  }
  windows.roll(nowMs)
  return dryInMs({ total: windows.minute.sum(0), recent: windows.lately.sum(0), perRequest: 1, limit }, span)
}

const every = (gapMs: number, untilMs: number) =>
  Array.from({ length: Math.floor(untilMs / gapMs) + 1 }, (_, index) => index * gapMs)

describe("dryInMs", () => {
  it("never calls steady traffic below the limit at risk, at any rate and at any moment", () => {
    for (const limit of [2, 5, 10, 60, 600]) {
      for (let rate = 1; rate < limit; rate += Math.max(1, Math.floor(limit / 10))) {
        const gapMs = 60_000 / rate
        const arrivals = every(gapMs, 300_000)
        for (let at = 120_000; at < 180_000; at += 1_700) {
          expect(after(arrivals.filter((arrival) => arrival <= at), at, limit)).toBeUndefined()
        }
      }
    }
  })

  it("does not call two requests in a burst at risk", () => {
    expect(after([1_000, 1_001], 1_100, 60)).toBeUndefined()
  })

  it("sees a ramp run dry before it does", () => {
    // 120 a minute against a limit of 60, from an idle start: dry at 30 s.
    const arrivals = every(500, 16_000)
    const dry = after(arrivals, 16_000, 60)!
    expect(16_000 + dry).toBeGreaterThan(28_000)
    expect(16_000 + dry).toBeLessThan(33_000)
  })

  it("looks no further than it is told to", () => {
    const usage = { total: 33, recent: 31, perRequest: 1, limit: 60 }
    const dry = dryInMs(usage, span)!
    expect(dryInMs(usage, { ...span, lookAheadMs: dry - 1 })).toBeUndefined()
    expect(dryInMs({ ...usage, limit: Infinity }, span)).toBeUndefined()
  })
})

describe("a ledger whose calls take long", () => {
  interface Traffic {
    readonly callMs: number
    readonly perMinute: number
    /** What an answer took, of the 200 tokens that were reserved for it. */
    readonly outputTokens: number
  }

  /** In how many of the moments after the beginning the provider looks at risk. */
  const atRisk = ({ callMs, outputTokens, perMinute }: Traffic, limits: Parameters<typeof spec>[1]) => {
    const providers = [spec("a", limits)]
    const ledger = new Ledger(settings, () => {})
    const underWay: Array<{ readonly reservation: Reservation; readonly endsMs: number }> = []
    let risky = 0
    for (let at = 0; at < 400_000; at += 60_000 / perMinute) {
      while (underWay.length > 0 && underWay[0]!.endsMs <= at) {
        const { endsMs, reservation } = underWay.shift()!
        const usage = { inputTokens: reservation.inputTokens, outputTokens }
        ledger.settle(reservation, { _tag: "Success", usage, latencyMs: callMs }, endsMs)
      }
      const decision = ledger.reserve(demandOn(providers, { inputTokens: 100, maxTokens: 200 }), at)
      if (decision._tag !== "Granted") throw new Error("refused")
      underWay.push({ reservation: decision.reservation, endsMs: at + callMs })
      if (at > 200_000 && ledger.snapshot(providers, at)[0]!.dryInMs !== undefined) risky++
    }
    return risky
  }

  it.each([[1_000, 90], [20_000, 60], [30_000, 60], [45_000, 90], [59_000, 90], [90_000, 60]])(
    "is not at risk with calls of %i ms, at %i requests a minute of 100",
    (callMs, perMinute) => {
      expect(atRisk({ callMs, perMinute, outputTokens: 200 }, { requests: 100 })).toBe(0)
    }
  )

  it("is not at risk of tokens either, whether answers take what was reserved or far less", () => {
    // Input for a minute, and the answer for the half minute of its call more: 60 × 100 + 90 × 200.
    for (const [outputTokens, tokens] of [[200, 25_000], [20, 14_000]] as const) {
      expect(atRisk({ callMs: 30_000, perMinute: 60, outputTokens }, { tokens })).toBe(0)
    }
  })

  it("is, where the rate is above the limit, while nothing has ended yet", () => {
    const providers = [spec("a", { requests: 60 })]
    const ledger = new Ledger(settings, () => {})
    for (let at = 0; at <= 16_000; at += 500) ledger.reserve(demandOn(providers), at)
    const dry = ledger.snapshot(providers, 16_000)[0]!.dryInMs!
    expect(16_000 + dry).toBeGreaterThan(28_000)
    expect(16_000 + dry).toBeLessThan(33_000)
  })

  it("leaves out of the rate what was given back", () => {
    const providers = [spec("a", { requests: 60 })]
    const ledger = new Ledger(settings, () => {})
    for (let at = 0; at <= 16_000; at += 500) {
      const decision = ledger.reserve(demandOn(providers), at)
      if (decision._tag === "Granted" && at % 1_000 === 0) ledger.settle(decision.reservation, { _tag: "Unused" }, at)
    }
    expect(ledger.snapshot(providers, 16_000)[0]!.dryInMs).toBeUndefined()
  })
})
