import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { BucketMeter, RollingMeter } from "../../src/simulation/internal/Meter.ts"

const step = fc.record({
  waitMs: fc.oneof(fc.nat(50), fc.constantFrom(0, 999, 1_000, 1_001)),
  amount: fc.integer({ min: 1, max: 40 })
})

describe("meters, against naive ones", () => {
  it("RollingMeter: the sum of the last window, and the first moment that has room", () => {
    fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), (steps) => {
      const meter = new RollingMeter(100, 1_000)
      const counted: Array<{ readonly atMs: number; readonly amount: number }> = []
      const used = (nowMs: number) =>
        counted.filter(({ atMs }) => nowMs - atMs < 1_000).reduce((sum, { amount }) => sum + amount, 0)
      let nowMs = 0
      let peak = 0
      for (const { amount, waitMs } of steps) {
        nowMs += waitMs
        expect(meter.used(nowMs)).toBe(used(nowMs))
        const wait = meter.waitMs(nowMs, amount)
        expect(used(nowMs + wait) + amount).toBeLessThanOrEqual(100)
        if (wait > 0) expect(used(nowMs + wait - 1) + amount).toBeGreaterThan(100)
        const emptyInMs = meter.emptyInMs(nowMs)
        expect(used(nowMs + emptyInMs)).toBe(0)
        if (emptyInMs > 0) expect(used(nowMs + emptyInMs - 1)).toBeGreaterThan(0)
        meter.add(nowMs, amount)
        counted.push({ atMs: nowMs, amount })
        peak = Math.max(peak, used(nowMs))
        expect(meter.peak).toBe(peak)
      }
      expect(meter.waitMs(nowMs, 101)).toBe(Number.POSITIVE_INFINITY)
    }))
  })

  it("BucketMeter: drains evenly, and nothing more than the limit and one refill fits in a window", () => {
    fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), (steps) => {
      const meter = new BucketMeter(100, 1_000)
      let nowMs = 0
      let missing = 0
      for (const { amount, waitMs } of steps) {
        nowMs += waitMs
        missing = Math.max(0, missing - waitMs / 10)
        expect(meter.used(nowMs)).toBeCloseTo(missing, 6)
        expect(meter.emptyInMs(nowMs)).toBeCloseTo(missing * 10, 6)
        expect(meter.waitMs(nowMs, amount)).toBeCloseTo(Math.max(0, missing + amount - 100) * 10, 6)
        meter.add(nowMs, amount)
        missing += amount
      }
      expect(meter.waitMs(nowMs, 101)).toBe(Number.POSITIVE_INFINITY)
    }))
  })
})
