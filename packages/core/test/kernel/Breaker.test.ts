import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import {
  type Breaker,
  breakerRefusal,
  type BreakerResult,
  initialBreaker,
  onGrant,
  onResult
} from "../../src/internal/kernel/Breaker.ts"
import { settings } from "./support.ts"

const options = settings.breaker

const legal = new Set(["closed>open", "open>half_open", "half_open>closed", "half_open>open"])

const step = fc.record({
  waitMs: fc.constantFrom(0, 10, 29_999, 30_000, 300_000),
  act: fc.constantFrom<"grant" | BreakerResult>("grant", "success", "failure", "ignored"),
  late: fc.boolean()
})

describe("Breaker", () => {
  it("moves only along its table, one probe at a time, and never by a late result", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let breaker: Breaker = initialBreaker
      let now = 0
      const granted: Array<number> = []
      for (const { act, late, waitMs } of steps) {
        now += waitMs
        const before = breaker
        if (act === "grant") {
          if (breakerRefusal(breaker, now) !== undefined) continue
          expect(before._tag === "half_open" && before.probing).toBe(false)
          breaker = onGrant(breaker)
          granted.push(breaker.epoch)
        } else {
          const epoch = late ? granted.shift() : granted.pop()
          if (epoch === undefined) continue
          breaker = onResult(breaker, options, epoch, act, now)
          if (epoch !== before.epoch) expect(breaker).toBe(before)
        }
        if (before._tag !== breaker._tag) {
          expect(legal).toContain(`${before._tag}>${breaker._tag}`)
          expect(breaker.epoch).toBe(before.epoch + 1)
        }
      }
    }))
  })

  it("doubles the cooldown while the probe fails, up to the maximum, and starts anew after a success", () => {
    let breaker: Breaker = initialBreaker
    let now = 0
    const cooldowns: Array<number> = []
    for (let turn = 0; turn < 5; turn++) breaker = onResult(breaker, options, breaker.epoch, "failure", now)
    for (let turn = 0; turn < 5; turn++) {
      if (breaker._tag !== "open") throw new Error(`expected an open breaker, found ${breaker._tag}`)
      cooldowns.push(breaker.cooldownMs)
      expect(breakerRefusal(breaker, breaker.untilMs - 1)).toBe("circuit_open")
      now = breaker.untilMs
      breaker = onGrant(breaker)
      breaker = onResult(breaker, options, breaker.epoch, "failure", now)
    }
    expect(cooldowns).toEqual([30_000, 60_000, 120_000, 240_000, 300_000])
    breaker = onGrant(breaker)
    breaker = onResult(breaker, options, breaker.epoch, "success", now)
    expect(breaker).toMatchObject({ _tag: "closed", failures: 0 })
  })
})
