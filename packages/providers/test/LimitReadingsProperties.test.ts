/** What a vendor may say of its limits is anything at all: readings are bounded, and nothing throws. */
import { describe, expect, it } from "@effect/vitest"
import type { LimitReading } from "@route-llm/core"
import { FastCheck as fc } from "effect"
import { adapterNames, classify } from "../src/index.ts"
import { limitsOfAnswer } from "../src/internal/limitReadings.ts"
import { VendorClock } from "../src/testing/internal/VendorClock.ts"
import { headerRows, nowMs } from "./headerRows.ts"

const heard = { adapter: "openai", nowMs } as const

describe("whatever comes", () => {
  const isBounded = ({ limit = Number.MAX_SAFE_INTEGER, remaining = 0, resetMs = 0 }: LimitReading): boolean =>
    [limit, remaining, resetMs].every(Number.isSafeInteger)
    && limit >= 1 && remaining >= 0 && remaining <= limit && resetMs >= 0 && resetMs <= 86_400_000

  const areBounded = (limits: ReadonlyArray<LimitReading> = []): boolean =>
    new Set(limits.map(({ dimension }) => dimension)).size === limits.length && limits.every(isBounded)

  const names = [...new Set(headerRows.flatMap(([, , headers]) => Object.keys(headers)))]
  const value = fc.oneof(
    fc.string(),
    fc.double().map(String),
    fc.integer().map(String),
    fc.bigInt().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.stringMatching(/^(\d{1,4}(\.\d{1,3})?(ms|s|m|h)){1,4}$/)
  )
  const fields = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 40 })

  it("headers never throw, and their readings are bounded", () => {
    fc.assert(
      fc.property(fc.constantFrom(...adapterNames), fields, fc.integer(), (adapter, pairs, now) => {
        expect(limitsOfAnswer(pairs, { adapter, nowMs: now })).toSatisfy(areBounded)
      }),
      { numRuns: 500 }
    )
  })

  it("bodies never throw, and their readings are bounded", () => {
    const word = fc.constantFrom(
      "on ",
      "requests",
      "input tokens",
      " per min",
      " per day",
      ": Limit ",
      ", Used ",
      "5",
      "-1",
      "9".repeat(20)
    )
    const violation = fc.record({ quotaId: fc.string(), quotaValue: fc.jsonValue() }, { requiredKeys: [] })
    const body = fc.record({
      message: fc.oneof(fc.string(), fc.array(word).map((words) => words.join(""))),
      details: fc.array(
        fc.record({ violations: fc.array(fc.oneof(violation, fc.jsonValue())), retryDelay: fc.string() })
      ),
      metadata: fc.oneof(fc.record({ headers: fields.map(Object.fromEntries) }), fc.jsonValue())
    }, { requiredKeys: [] })
    fc.assert(
      fc.property(fc.constantFrom(429, 413, 500), fc.oneof(body, fc.jsonValue()), (status, error) => {
        expect(classify({ status, error }, { nowMs, adapter: "openai" }).limits).toSatisfy(areBounded)
      }),
      { numRuns: 500 }
    )
  })

  it("headers that are no headers say nothing", () => {
    const hostile = new Proxy({}, {
      get: () => {
        throw new Error("hostile")
      }
    })
    const endless = {
      *[Symbol.iterator]() {
        for (;;) yield ["x-ratelimit-limit-tokens", "5"]
      }
    }
    for (const headers of [undefined, null, 1, "x-ratelimit", [], {}, () => 1, hostile, endless, [null, [1, 2]]]) {
      expect(limitsOfAnswer(headers, heard)).toBeUndefined()
      expect(classify({ status: 429, headers }, { nowMs }).class).toBe("rate_limit")
    }
  })

  it("what a vendor of ours writes is read as it was meant", () => {
    const clock = new VendorClock(1)
    const state = fc.record({
      limit: fc.integer({ min: 1, max: 1e9 }),
      resetMs: fc.integer({ min: 0, max: 86_400_000 })
    })
    fc.assert(fc.property(state, fc.double({ min: 0, max: 1, noNaN: true }), ({ limit, resetMs }, share) => {
      const remaining = Math.floor(limit * share)
      const headers = {
        "x-ratelimit-limit-tokens": String(limit),
        "x-ratelimit-remaining-tokens": String(remaining),
        "x-ratelimit-reset-tokens": clock.goDuration(resetMs)
      }
      const [reading] = limitsOfAnswer(headers, heard) ?? []
      expect(reading).toMatchObject({ dimension: "tokens", limit, remaining })
      // Hours, minutes and seconds are added as floating numbers and rounded up.
      expect(Math.abs((reading?.resetMs ?? NaN) - resetMs)).toBeLessThanOrEqual(1)
    }))
  })
})
