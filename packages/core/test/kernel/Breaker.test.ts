import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import {
  type Breaker,
  breakerRefusal,
  type BreakerResult,
  forcedClosed,
  forcedOpen,
  initialBreaker,
  onGrant,
  onResult
} from "../../src/internal/kernel/Breaker.ts"
import { BreakerModel } from "./BreakerModel.ts"
import { settings } from "./support.ts"

const options = settings.breaker

/** Thresholds that no sum meets exactly: the model adds up in another order. */
const between = { ...options, errorRatio: 0.4637, minimumCalls: 14.37 }

type Act = "grant" | "last resort" | "forceOpen" | "forceClose" | BreakerResult

const step = fc.record({
  waitMs: fc.constantFrom(0, 0, 10, 1_000, 15_000, 29_999, 30_000, 60_000, 300_000),
  act: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom<Act>("grant", "success", "failure") },
    { weight: 2, arbitrary: fc.constantFrom<Act>("ignored", "last resort") },
    { weight: 1, arbitrary: fc.constantFrom<Act>("forceOpen", "forceClose") }
  ),
  /** Of the calls under way, which one ends: the oldest may belong to an epoch long past. */
  which: fc.nat()
})

/** As of the end of the first cooldown, unless told. */
const granted = (breaker: Breaker, nowMs = 30_000): Breaker => onGrant(breaker, options, nowMs)

/** A breaker that has been opened by failures at time 0. */
const broken = (): Breaker => {
  let breaker = initialBreaker
  for (let turn = 0; turn < options.failureThreshold; turn++) {
    breaker = onResult(breaker, options, breaker.epoch, "failure", 0)
  }
  return breaker
}

/** Its probe has succeeded at this time. */
const recovered = (nowMs = 30_000): Breaker => {
  const probing = granted(broken())
  return onResult(probing, options, probing.epoch, "success", nowMs)
}

const after = (breaker: Breaker, results: ReadonlyArray<BreakerResult>, nowMs: number): Breaker =>
  results.reduce((moved, result) => onResult(moved, options, moved.epoch, result, nowMs), breaker)

describe("Breaker", () => {
  it("does what a model says that works everything out anew from all that has happened", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let breaker: Breaker = initialBreaker
        let nowMs = 0
        const model = new BreakerModel(between)
        const underWay: Array<number> = []
        for (const { act, waitMs, which } of steps) {
          nowMs += waitMs
          expect(breakerRefusal(breaker, nowMs)).toBe(model.refusal(nowMs))
          const before = breaker
          if (act === "grant" || act === "last resort") {
            const allowed = act === "grant"
              ? breakerRefusal(breaker, nowMs) === undefined
              : before._tag === "open" && !before.forced
            if (!allowed) continue
            breaker = onGrant(breaker, between, nowMs)
            model.grant(nowMs)
            underWay.push(breaker.epoch)
          } else if (act === "forceOpen") {
            breaker = forcedOpen(breaker, between, nowMs + 10_000)
            model.open(nowMs + 10_000, between.cooldown)
          } else if (act === "forceClose") {
            breaker = forcedClosed(breaker, nowMs)
            model.close(undefined)
          } else {
            const [epoch] = underWay.splice(which % Math.max(1, underWay.length), 1)
            if (epoch === undefined) continue
            breaker = onResult(breaker, between, epoch, act, nowMs)
            model.result(epoch, act, nowMs)
            // A late result never moves it.
            if (epoch !== before.epoch) expect(breaker).toBe(before)
          }
          expect([breaker._tag, breaker.epoch]).toEqual([model.state, model.epoch])
        }
      }),
      { numRuns: 2_000 }
    )
  })

  it("doubles the cooldown while the probe fails, up to the maximum", () => {
    let breaker = broken()
    const cooldowns: Array<number> = []
    for (let turn = 0; turn < 5; turn++) {
      if (breaker._tag !== "open") throw new Error(`expected an open breaker, found ${breaker._tag}`)
      cooldowns.push(breaker.cooldownMs)
      expect(breakerRefusal(breaker, breaker.untilMs - 1)).toBe("circuit_open")
      breaker = after(granted(breaker, breaker.untilMs), ["failure"], breaker.untilMs)
    }
    expect(cooldowns).toEqual([30_000, 60_000, 120_000, 240_000, 300_000])
  })

  it("opens for twice as long if it fails again on its ramp, and for the usual time after it", () => {
    const failures = Array<BreakerResult>(5).fill("failure")
    expect(after(recovered(), failures, 40_000)).toMatchObject({ _tag: "open", cooldownMs: 60_000 })
    expect(after(recovered(), failures, 60_000)).toMatchObject({ _tag: "open", cooldownMs: 30_000 })
  })

  it("opens at half of twenty calls, whatever their order", () => {
    const turns = (count: number) =>
      Array.from({ length: count }, (_, turn): BreakerResult => turn % 2 === 0 ? "success" : "failure")
    expect(after(initialBreaker, turns(19), 0)._tag).toBe("closed")
    expect(after(initialBreaker, turns(20), 0)._tag).toBe("open")
    const half = after(initialBreaker, turns(18), 0)
    expect(after(half, ["success", "failure"], 0)._tag).toBe("open")
    // Half a minute later they are nine.
    expect(after(half, turns(10), 30_000)._tag).toBe("closed")
    expect(after(half, turns(12), 30_000)._tag).toBe("open")
    const fewer = Array.from({ length: 200 }, (_, turn): BreakerResult => turn % 3 === 0 ? "failure" : "success")
    expect(after(initialBreaker, fewer, 0)._tag).toBe("closed")
  })

  it("a probe of last resort that fails leaves the circuit open as long as it would have been", () => {
    const early = granted(broken(), 5_000)
    expect(breakerRefusal(early, 5_000)).toBe("probing")
    expect(after(early, ["failure"], 5_000)).toMatchObject({ _tag: "open", untilMs: 30_000, cooldownMs: 30_000 })
    expect(after(early, ["success"], 5_000)).toMatchObject({ _tag: "closed" })
  })

  it("a probe of last resort that says nothing leaves it open too, so that a cancellation is no way past the pace", () => {
    const early = granted(broken(), 5_000)
    expect(after(early, ["ignored"], 5_001)).toMatchObject({ _tag: "open", untilMs: 30_000, cooldownMs: 30_000 })
    // After the cooldown it is a probe like any other.
    expect(breakerRefusal(after(early, ["ignored"], 30_000), 30_000)).toBeUndefined()
  })

  it("keeps others away from its probe for a cooldown, then lets one more through, and takes the first word", () => {
    const first = granted(broken())
    expect(breakerRefusal(first, 59_999)).toBe("probing")
    expect(breakerRefusal(first, 60_000)).toBeUndefined()
    const second = granted(first, 60_000)
    expect(breakerRefusal(second, 89_999)).toBe("probing")
    const closed = onResult(second, options, first.epoch, "success", 61_000)
    expect(closed._tag).toBe("closed")
    expect(onResult(closed, options, second.epoch, "failure", 62_000)).toBe(closed)
  })

  it("lets twice as many through in each round of answers after it has closed", () => {
    let breaker = recovered()
    const rounds: Array<number> = []
    for (let round = 0; round < 6; round++) {
      let count = 0
      for (; breakerRefusal(breaker, 40_000) === undefined; count++) breaker = granted(breaker)
      expect(breakerRefusal(breaker, 40_000)).toBe("ramping")
      rounds.push(count)
      breaker = after(breaker, Array(count).fill("success"), 40_000)
    }
    expect(rounds).toEqual([1, 2, 4, 8, 16, 32])
    breaker = granted(granted(breaker))
    breaker = after(breaker, ["failure"], 40_000)
    let halved = 1
    for (; breakerRefusal(breaker, 40_000) === undefined; halved++) breaker = granted(breaker)
    expect(halved).toBe(32)
    expect(breakerRefusal(breaker, 60_000)).toBeUndefined()
  })

  it("ends the ramp by time alone, and has none where there is to be none", () => {
    const busy = granted(recovered())
    expect(breakerRefusal(busy, 59_999)).toBe("ramping")
    expect(breakerRefusal(busy, 60_000)).toBeUndefined()
    const probing = granted(broken())
    const none = onResult(probing, { ...options, ramp: 0 }, probing.epoch, "success", 30_000)
    expect(breakerRefusal(granted(granted(none)), 30_000)).toBeUndefined()
  })
})
