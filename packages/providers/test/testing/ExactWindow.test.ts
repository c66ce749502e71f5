import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { ExactWindow } from "../../src/testing/internal/ExactWindow.ts"

/** The same by definition: look at everything, each time. */
class NaiveWindow {
  readonly #entries: Array<{ readonly atMs: number; readonly amount: number }> = []
  readonly #lengthMs: number

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs
  }

  add(atMs: number, amount: number): void {
    this.#entries.push({ atMs, amount })
  }

  used(nowMs: number): number {
    return this.#entries.filter(({ atMs }) => nowMs - atMs <= this.#lengthMs).reduce(
      (sum, { amount }) => sum + amount,
      0
    )
  }

  /** The most in any window that ends at an entry. */
  peak(): number {
    return Math.max(
      0,
      ...this.#entries.map((last, index) =>
        this.#entries.slice(0, index + 1).filter(({ atMs }) => last.atMs - atMs <= this.#lengthMs)
          .reduce((sum, { amount }) => sum + amount, 0)
      )
    )
  }
}

const lengthMs = 20

const steps = fc.array(
  fc.record({ afterMs: fc.integer({ min: 0, max: 25 }), amount: fc.integer({ min: 0, max: 9 }), add: fc.boolean() }),
  { maxLength: 200 }
)

describe("ExactWindow", () => {
  it("holds what a list of everything holds, after every step", () => {
    fc.assert(fc.property(steps, (run) => {
      const window = new ExactWindow(lengthMs)
      const naive = new NaiveWindow(lengthMs)
      let nowMs = 0
      for (const { add, afterMs, amount } of run) {
        nowMs += afterMs
        if (add) {
          window.add(nowMs, amount)
          naive.add(nowMs, amount)
        }
        expect(window.used(nowMs)).toBe(naive.used(nowMs))
      }
      expect(window.peak).toBe(naive.peak())
    }))
  })

  it("says exactly when an amount fits: not at that time, but right after it", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 30 }), (run, amount, limit) => {
        const window = new ExactWindow(lengthMs)
        const naive = new NaiveWindow(lengthMs)
        let nowMs = 0
        for (const step of run) {
          nowMs += step.afterMs
          window.add(nowMs, step.amount)
          naive.add(nowMs, step.amount)
        }
        const fits = (atMs: number) => naive.used(atMs) + amount <= limit
        const waitMs = window.waitMs(nowMs, { amount, limit })
        if (amount > limit) expect(waitMs).toBe(Infinity)
        else if (fits(nowMs)) expect(waitMs).toBe(0)
        else expect([fits(nowMs + waitMs), fits(nowMs + waitMs + 1)]).toEqual([false, true])
      })
    )
  })

  it("is empty right after `emptyInMs`, not before", () => {
    const window = new ExactWindow(lengthMs)
    expect(window.emptyInMs(0)).toBe(0)
    window.add(5, 3)
    window.add(9, 2)
    expect(window.emptyInMs(10)).toBe(19)
    expect(window.used(29)).toBe(2)
    expect(window.used(30)).toBe(0)
    expect(window.emptyInMs(30)).toBe(0)
  })

  it("stays exact when its expired entries are cut off", () => {
    const window = new ExactWindow(lengthMs)
    for (let nowMs = 0; nowMs < 10_000; nowMs++) window.add(nowMs, 2)
    expect(window.used(9_999)).toBe(2 * (lengthMs + 1))
    expect(window.waitMs(9_999, { amount: 3, limit: 2 * (lengthMs + 1) })).toBe(1)
    expect(window.peak).toBe(2 * (lengthMs + 1))
  })
})
