import { describe, expect, it } from "vitest"
import { dryInMs } from "../../src/internal/kernel/Prediction.ts"
import { RollingWindow } from "../../src/internal/kernel/RollingWindow.ts"

const span = { windowMs: 60_000, recentMs: 15_000, lookAheadMs: 120_000 }

const after = (arrivals: ReadonlyArray<number>, nowMs: number, limit: number) => {
  const window = new RollingWindow(60_000, 600, 1)
  for (const at of arrivals) window.add(at, 0, 1)
  window.roll(nowMs)
  return dryInMs({ total: window.sum(0), recent: window.recent(0), perRequest: 1, limit }, span)
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
