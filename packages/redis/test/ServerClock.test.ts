import { describe, expect, it } from "vitest"
import { ServerClock } from "../src/internal/ServerClock.ts"

/** Redis is this far ahead of the process. */
const aheadMs = 5_000

const told = (clock: ServerClock, atMs: number, { readMs = atMs + 1, sentMs = atMs - 1 } = {}) =>
  clock.observe(atMs + aheadMs, sentMs, readMs)

describe("ServerClock", () => {
  it("goes by a guess until Redis has said", () => {
    expect(new ServerClock(123).at(1_000)).toBe(1_123)
  })

  it("is a little late, by what the quickest reply took, and never early", () => {
    const clock = new ServerClock(0)
    told(clock, 1_000, { readMs: 1_300 })
    expect(clock.at(1_300)).toBe(6_000)
    told(clock, 2_000, { readMs: 2_010 })
    expect(clock.at(2_010)).toBe(7_000)
    told(clock, 3_000, { readMs: 3_200 })
    expect(clock.at(3_200)).toBeGreaterThan(8_180)
    expect(clock.at(3_200)).toBeLessThanOrEqual(8_200)
  })

  it("takes a reply that was read seconds late for no other clock", () => {
    const clock = new ServerClock(0)
    told(clock, 1_000)
    told(clock, 2_000, { readMs: 9_000 })
    expect(clock.at(9_000)).toBeGreaterThan(13_990)
    expect(clock.at(9_000)).toBeLessThanOrEqual(14_000)
  })

  it("follows Redis' clock where that is set back, and ahead", () => {
    const clock = new ServerClock(0)
    told(clock, 1_000)
    expect(clock.at(1_001)).toBe(6_000)
    clock.observe(2_000 - 60_000, 1_999, 2_001)
    expect(clock.at(2_001)).toBe(-58_000)
    clock.observe(3_000 + 60_000, 2_999, 3_001)
    expect(clock.at(3_001)).toBe(63_000)
  })
})
