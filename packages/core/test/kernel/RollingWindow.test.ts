import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { RollingWindow } from "../../src/internal/kernel/RollingWindow.ts"

const windowMs = 60_000

/** Gaps between events: bursts, bucket edges, steady traffic, and idle gaps longer than the window. */
const gap = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 0, max: 200 }),
  fc.constantFrom(99, 100, 101, 59_900, 60_000, 60_100, 600_000)
)

describe("RollingWindow", () => {
  it("counts each amount for at least the window and at most one bucket longer", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 1e12 }), fc.array(fc.tuple(gap, fc.nat(1000))), (start, events) => {
      const window = new RollingWindow(windowMs, 600, 1)
      const added: Array<{ readonly at: number; readonly amount: number }> = []
      let now = start
      for (const [wait, amount] of events) {
        now += wait
        window.roll(now)
        window.add(now, 0, amount)
        added.push({ at: now, amount })
        const since = (span: number) =>
          added.filter(({ at }) => at > now - span).reduce((sum, each) => sum + each.amount, 0)
        expect(window.sum(0)).toBeGreaterThanOrEqual(since(windowMs))
        expect(window.sum(0)).toBeLessThanOrEqual(since(windowMs + window.bucketMs))
      }
    }))
  })

  it("adds to the past: the amount leaves with the bucket it belongs to, and not at all if that has left", () => {
    const window = new RollingWindow(windowMs, 600, 1)
    window.roll(100_000)
    window.add(70_000, 0, 5)
    window.add(39_000, 0, 7)
    expect(window.sum(0)).toBe(5)
    window.roll(130_050)
    expect(window.sum(0)).toBe(5)
    window.roll(130_100)
    expect(window.sum(0)).toBe(0)
  })

  it("depends on time, not on how often it is read", () => {
    fc.assert(fc.property(fc.array(fc.tuple(gap, fc.nat(100)), { minLength: 1 }), (events) => {
      const read = new RollingWindow(windowMs, 600, 1)
      const unread = new RollingWindow(windowMs, 600, 1)
      let now = 0
      for (const [wait, amount] of events) {
        for (let step = 1; step <= 5; step++) read.roll(now + (wait * step) / 5)
        now += wait
        read.add(now, 0, amount)
        unread.add(now, 0, amount)
      }
      expect(read.sum(0)).toBe(unread.sum(0))
    }))
  })

  it("knows when each bucket leaves", () => {
    const window = new RollingWindow(windowMs, 600, 1)
    window.add(1_000, 0, 3)
    window.add(5_000, 0, 4)
    expect([window.cell(40, 0), window.leavesAtMs(40)]).toEqual([3, 61_100])
    expect([window.cell(0, 0), window.leavesAtMs(0)]).toEqual([4, 65_100])
    window.roll(61_099)
    expect(window.sum(0)).toBe(7)
    window.roll(61_100)
    expect(window.sum(0)).toBe(4)
  })

  it("takes off what was added, never more than is there, and nothing once it has left", () => {
    const window = new RollingWindow(windowMs, 600, 1)
    window.add(1_000, 0, 5)
    window.add(2_000, 0, 7)
    window.add(1_000, 0, -3)
    expect([window.sum(0), window.cell(10, 0)]).toEqual([9, 2])
    window.add(1_050, 0, -100)
    expect([window.sum(0), window.cell(10, 0)]).toEqual([7, 0])
    window.roll(62_100)
    window.add(2_000, 0, -7)
    expect(window.sum(0)).toBe(0)
  })

  it("counts no more than a cell holds, and stays exact", () => {
    const window = new RollingWindow(windowMs, 600, 1)
    for (let turn = 0; turn < 3; turn++) window.add(0, 0, 2 ** 31)
    expect(window.sum(0)).toBe(2 ** 32 - 1)
    window.roll(60_100)
    expect(window.sum(0)).toBe(0)
  })

  it("keeps its size at any rate: 4.8 kB for two columns", () => {
    const window = new RollingWindow(windowMs, 600, 2)
    for (let at = 0; at < 100_000; at++) window.add(at, at % 2, 1)
    expect(window.sum(0) + window.sum(1)).toBe(60_100 - 100 + 100)
  })
})
