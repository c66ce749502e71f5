/** An instance's share of a limit at the moment when Redis goes away. */
import { countEverything, type Demand, type ProviderSpec, RouterOptions } from "@route-llm/core"
import { Ledger } from "@route-llm/core/kernel"
import { Context } from "effect"
import { describe, expect, it } from "vitest"
import { Own } from "../src/internal/Own.ts"

const settings = Context.get(Context.empty(), RouterOptions)
const spec: ProviderSpec = { name: "a", model: "m", limits: { requests: 100 }, weight: 1, counting: countEverything }

const demand: Demand = {
  providers: [spec],
  lane: "normal",
  inputTokens: 10,
  tried: [],
  draw: 0.5,
  waitMs: 0,
  timeLeftMs: 30_000
}

/** What one of four may take within the first window; the shared picture knows of so many requests, of which so many are its own. */
const share = (
  counts: { readonly all: number; readonly own: number },
  unheardMs: number,
  isShared = true
): number | undefined => {
  const shared = new Ledger(settings, () => {})
  const own = new Own(settings, () => {})
  for (let request = 0; request < counts.all; request++) {
    const decision = shared.reserve(demand, 0)
    if (decision._tag === "Granted" && request < counts.own) own.record(decision.reservation, [spec], 0)
  }
  own.begin(
    { ledger: shared, unheardMs },
    { place: { instances: 4, index: 0 }, isShared, firstUntilMs: settings.window },
    0
  )
  return own.shares([spec], 0)[0]?.limits.requests
}

describe("a share", () => {
  it("is what the instance has in its window and its part of what is free, at most its part of the limit", () => {
    expect(share({ all: 60, own: 10 }, 0)).toBe(20)
    expect(share({ all: 100, own: 10 }, 0)).toBe(10)
    expect(share({ all: 0, own: 0 }, 0)).toBe(25)
  })

  it("is less where the others may have gone on since Redis was last heard of", () => {
    // They had 50 in the window of a minute: in 1.5 s up to 5 more, at four times that pace.
    expect(share({ all: 60, own: 10 }, 1_500)).toBe(10 + Math.floor(35 / 4))
    expect(share({ all: 60, own: 10 }, 60_000)).toBe(10)
  })

  it("does not vanish because this process was held up, where nobody else used anything", () => {
    expect(share({ all: 5, own: 5 }, 60_000)).toBe(25)
  })

  it("is all of it where limits are not shared, also of a provider that nobody has heard of", () => {
    expect(share({ all: 60, own: 10 }, 0, false)).toBe(100)
    expect(share({ all: 0, own: 0 }, 0, false)).toBe(100)
  })

  it("what was used of a provider that has left the list is told as well", () => {
    const own = new Own(settings, () => {})
    const decision = new Ledger(settings, () => {}).reserve(demand, 0)
    if (decision._tag !== "Granted") throw new Error("not granted")
    own.record(decision.reservation, [spec], 0)
    own.settle(decision.reservation, { _tag: "Success", latencyMs: 1, usage: { inputTokens: 10, outputTokens: 20 } }, 0)
    const before = own.counts(0).length
    expect(before).toBeGreaterThan(0)
    own.ledger.advance(1, [{ ...spec, name: "another" }])
    expect(own.counts(1)).toHaveLength(before)
  })
})
