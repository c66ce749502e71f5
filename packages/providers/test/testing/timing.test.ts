import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { defaultLatency, latencyMs, noLatency } from "../../src/testing/index.ts"
import { makeDraws } from "../../src/testing/internal/draws.ts"
import { VendorClock } from "../../src/testing/internal/VendorClock.ts"

const sequence = (seed: string) => {
  const draw = makeDraws(seed)
  return Array.from({ length: 2000 }, () => {
    const { firstToken, tail } = draw()
    return latencyMs(defaultLatency.openai, { outputTokens: 100, normal: firstToken, uniform: tail })
  })
}

describe("latencyMs", () => {
  it("is the model's figures without spread or tail", () => {
    const model = { firstTokenMs: 450, perTokenMs: 12 }
    expect(latencyMs(model, { outputTokens: 100, normal: 3, uniform: 0 })).toBe(1650)
    expect(latencyMs(noLatency, { outputTokens: 100, normal: 3, uniform: 0 })).toBe(0)
  })

  it("spreads the first token only, and multiplies the tail", () => {
    const model = { firstTokenMs: 100, perTokenMs: 1, sigma: Math.LN2, tail: { share: 0.1, factor: 5 } }
    expect(latencyMs(model, { outputTokens: 50, normal: 1, uniform: 0.1 })).toBeCloseTo(250)
    expect(latencyMs(model, { outputTokens: 50, normal: -1, uniform: 0.1 })).toBeCloseTo(100)
    expect(latencyMs(model, { outputTokens: 50, normal: 1, uniform: 0.09 })).toBeCloseTo(1250)
  })

  it("repeats with the seed and differs without", () => {
    expect(sequence("a")).toEqual(sequence("a"))
    expect(sequence("a")).not.toEqual(sequence("b"))
  })

  it("has the median of its model and a tail of its share", () => {
    const latencies = sequence("a").sort((one, other) => one - other)
    expect(latencies[1000]).toBeGreaterThan(1600)
    expect(latencies[1000]).toBeLessThan(1700)
    const inTail = latencies.filter((latency) => latency > 4 * 1450).length / latencies.length
    expect(inTail).toBeGreaterThan(0.01)
    expect(inTail).toBeLessThan(0.03)
  })
})

describe("VendorClock", () => {
  const clock = new VendorClock(1)

  it.each([[0, "0s"], [122.4, "123ms"], [1000, "1s"], [7660, "7.66s"], [179_560, "2m59.56s"], [360_000, "6m0s"], [
    3_600_000,
    "1h0m0s"
  ]])("writes %d ms as Go does: %s", (ms, expected) => {
    expect(clock.goDuration(ms)).toBe(expected)
  })

  it("rounds seconds up, in its own time", () => {
    expect(clock.seconds(19_001)).toBe("20")
    expect(new VendorClock(60).seconds(19_001)).toBe("0.334")
    expect(clock.protoDuration(10_679.2)).toBe("10.68s")
    expect(new VendorClock(60).protoDuration(60_000)).toBe("1s")
  })

  it("never writes a date before the moment it stands for, nor a second after", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 100_000 }), (ms) => {
      const unixMs = () => performance.timeOrigin + performance.now()
      const before = unixMs()
      const written = clock.rfc3339(ms)
      const after = unixMs()
      expect(written).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      // A Date drops what is below the millisecond.
      expect(Date.parse(written) - (before + ms)).toBeGreaterThanOrEqual(-1)
      expect(Date.parse(written) - (after + ms)).toBeLessThan(1000)
    }))
  })

  it("runs `speed` times as fast", () => {
    const fast = new VendorClock(1000)
    const from = fast.now()
    const startMs = performance.now()
    while (performance.now() - startMs < 2);
    expect(fast.now() - from).toBeGreaterThanOrEqual(2000)
  })
})
