import { Context, Effect, FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import { RouterOptions } from "../../src/RouterOptions.ts"
import type { Demand, Reservation, Settlement } from "../../src/RouterState.ts"

const settings = Context.get(Context.empty(), RouterOptions)
const spec = (name: string, requestLimit: number, tokenLimit = Infinity) => ({
  name,
  model: "m",
  requestLimit,
  tokenLimit,
  weight: 1,
  chargesMaxTokens: false
})
const demandOn = (providers: Demand["providers"], inputTokens = 10): Demand => ({
  providers,
  lane: "normal",
  inputTokens,
  tried: [],
  draw: 0.5
})

/** What a vendor may have counted: each request at one moment between its reservation and `until`. */
interface Seen {
  readonly atMs: number
  readonly tokens: number
}

const step = fc.record({
  waitMs: fc.oneof(fc.nat(50), fc.constantFrom(0, 100, 1_000, 30_000, 60_000, 60_100, 600_000)),
  settle: fc.boolean(),
  inputTokens: fc.integer({ min: 1, max: 400 }),
  outputTokens: fc.nat(400),
  countedLate: fc.double({ min: 0, max: 1, noNaN: true })
})

describe("Ledger", () => {
  it("never lets a vendor see more than its limits in any window, whenever it counts", () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const providers = [spec("a", 8, 3_000)]
      const ledger = new Ledger(settings, () => {})
      const inFlight: Array<{ readonly reservation: Reservation; readonly seen: Seen; readonly late: number }> = []
      const requests: Array<Seen> = []
      let now = 1_000
      const within = (seen: ReadonlyArray<Seen>, at: number) =>
        seen.filter(({ atMs }) => atMs > at - settings.window && atMs <= at)
      for (const { countedLate, inputTokens, settle, waitMs } of steps) {
        now += waitMs
        if (settle && inFlight.length > 0) {
          const { reservation } = inFlight.shift()!
          const usage = { inputTokens: reservation.inputTokens, outputTokens: reservation.outputTokens }
          ledger.settle(reservation, { _tag: "Success", usage, latencyMs: 1 }, now)
          requests.push({ atMs: now, tokens: usage.outputTokens })
          continue
        }
        const decision = ledger.reserve(demandOn(providers, inputTokens), now)
        if (decision._tag === "Refused") continue
        // The vendor counts the request when it arrives: somewhere within the transit time.
        const arrives = now + countedLate * settings.transit
        const seen = { atMs: arrives, tokens: decision.reservation.inputTokens }
        inFlight.push({ reservation: decision.reservation, seen, late: countedLate })
        const counted = within([...requests, ...inFlight.map((each) => each.seen)], arrives)
        expect(counted.filter((each) => inFlight.some(({ seen: mine }) => mine === each)).length).toBeLessThanOrEqual(8)
        expect(counted.reduce((sum, { tokens }) => sum + tokens, 0)).toBeLessThanOrEqual(3_000)
      }
    }))
  })

  it("settles once: the second time changes nothing", () => {
    const providers = [spec("a", 10)]
    const ledger = new Ledger(settings, () => {})
    const decision = ledger.reserve(demandOn(providers), 0)
    if (decision._tag === "Refused") throw new Error("refused")
    const success: Settlement = { _tag: "Success", usage: { inputTokens: 7, outputTokens: 3 }, latencyMs: 100 }
    expect(ledger.settle(decision.reservation, success, 100)).toMatchObject({ requestsUsed: 1, tokensUsed: 10 })
    expect(ledger.settle(decision.reservation, success, 100)).toBeUndefined()
    expect(ledger.snapshot(providers, 100)[0]).toMatchObject({ requestsUsed: 1, tokensUsed: 10, inFlight: 0 })
    expect(ledger.open).toBe(0)
  })

  it("holds what is in flight, however long the call takes", () => {
    const providers = [spec("a", 1)]
    const ledger = new Ledger(settings, () => {})
    expect(ledger.reserve(demandOn(providers), 0)._tag).toBe("Granted")
    expect(ledger.reserve(demandOn(providers), 600_000)._tag).toBe("Refused")
  })

  it("goes on when the clock jumps back, and forgets nothing", () => {
    const providers = [spec("a", 1)]
    const ledger = new Ledger(settings, () => {})
    const decision = ledger.reserve(demandOn(providers), 3_600_000)
    if (decision._tag === "Refused") throw new Error("refused")
    ledger.settle(decision.reservation, { _tag: "Failure", class: "caller_fault" }, 3_600_000)
    expect(ledger.reserve(demandOn(providers), 0)._tag).toBe("Refused")
    expect(ledger.reserve(demandOn(providers), 59_000)._tag).toBe("Refused")
    expect(ledger.reserve(demandOn(providers), 60_200)._tag).toBe("Granted")
  })

  it("breaks ties by the draw, evenly", () => {
    const providers = ["a", "b", "c"].map((name) => spec(name, 1_000))
    const chosen = [0, 0.34, 0.67, 0.999].map((draw) => {
      const decision = new Ledger(settings, () => {}).reserve({ ...demandOn(providers), draw }, 0)
      return decision._tag === "Granted" ? decision.reservation.provider : ""
    })
    expect(chosen).toEqual(["a", "b", "c", "c"])
  })

  it("keeps the ledger of a provider that stays when the list changes", () => {
    const a = spec("a", 10)
    const ledger = new Ledger(settings, () => {})
    ledger.reserve(demandOn([a]), 0)
    expect(ledger.snapshot([a, spec("b", 5)], 0).map(({ requestsUsed }) => requestsUsed)).toEqual([1, 0])
    expect(ledger.snapshot([{ ...a, model: "other" }], 0)[0]).toMatchObject({ requestsUsed: 0 })
  })

  it("settles what a provider left behind against that provider, not against the one that took its name", () => {
    const a = spec("a", 10)
    const ledger = new Ledger(settings, () => {})
    const decision = ledger.reserve(demandOn([a]), 0)
    if (decision._tag === "Refused") throw new Error("refused")
    const again = [{ ...a, model: "other" }]
    ledger.snapshot(again, 0)
    ledger.settle(decision.reservation, { _tag: "Failure", class: "cancelled" }, 0)
    expect(ledger.snapshot(again, 0)[0]).toMatchObject({ requestsUsed: 0, tokensUsed: 0, inFlight: 0 })
    expect(ledger.open).toBe(0)
  })

  it("learns a provider's tokens: what it reserves follows what was used", () => {
    const providers = [spec("a", 10_000, 1e9)]
    const ledger = new Ledger(settings, () => {})
    let last: Reservation | undefined
    for (let turn = 0; turn < 100; turn++) {
      const decision = ledger.reserve(demandOn(providers, 100), turn)
      if (decision._tag === "Refused") throw new Error("refused")
      last = decision.reservation
      ledger.settle(last, { _tag: "Success", usage: { inputTokens: 150, outputTokens: 40 }, latencyMs: 1 }, turn)
    }
    expect(last).toMatchObject({ inputTokens: 150, outputTokens: 41 })
  })
})

it("decodes options with every field that does not hold", () => {
  const error = Effect.runSync(Effect.flip(RouterOptions.make({ window: -1, breaker: { failureThreshold: 0 } })))
  expect(error.issues.map(({ path }) => path)).toEqual(expect.arrayContaining(["window", "breaker.failureThreshold"]))
})
