import { Effect, FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import { countEverything } from "../../src/RateLimit.ts"
import { RouterOptions } from "../../src/RouterOptions.ts"
import type { Demand, Reservation, Settlement } from "../../src/RouterState.ts"
import { demandOn, settings, spec } from "./support.ts"

/** Something a vendor counted. */
interface Counted {
  readonly atMs: number
  readonly requests: number
  readonly tokens: number
}

const step = fc.record({
  waitMs: fc.oneof(fc.nat(200), fc.constantFrom(0, 100, 1_000, 59_600, 60_000, 60_100, 600_000)),
  settles: fc.boolean(),
  inputTokens: fc.integer({ min: 1, max: 600 }),
  late: fc.double({ min: 0, max: 1, noNaN: true })
})

/** The most that any window ending at one of these moments holds. */
const peak = (counted: ReadonlyArray<Counted>, of: (each: Counted) => number): number =>
  Math.max(
    0,
    ...counted.map(({ atMs: end }) =>
      counted.filter(({ atMs }) => atMs > end - settings.window && atMs <= end).reduce((sum, each) => sum + of(each), 0)
    )
  )

describe("Ledger", () => {
  it("never lets a vendor see more than its limits in any window, whenever it counts", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
        const providers = [spec("a", { requests: 8, tokens: 3_000 })]
        const ledger = new Ledger(settings, () => {})
        const inFlight: Array<{ readonly reservation: Reservation; readonly arrivesMs: number }> = []
        const counted: Array<Counted> = []
        let now = 1_000
        for (const { inputTokens, late, settles, waitMs } of steps) {
          now += waitMs
          const ended = settles ? inFlight.shift() : undefined
          if (ended !== undefined) {
            const { arrivesMs, reservation } = ended
            // The vendor counts the request and its input when it arrives, and the output when it is done.
            counted.push({ atMs: Math.min(arrivesMs, now), requests: 1, tokens: reservation.inputTokens })
            counted.push({ atMs: now, requests: 0, tokens: reservation.outputTokens })
            ledger.settle(reservation, { _tag: "Success", usage: reservation, latencyMs: 1 }, now)
          } else {
            const decision = ledger.reserve(demandOn(providers, { inputTokens }), now)
            if (decision._tag !== "Granted") continue
            inFlight.push({ reservation: decision.reservation, arrivesMs: now + late * settings.transit })
          }
        }
        expect(peak(counted, ({ requests }) => requests)).toBeLessThanOrEqual(8)
        expect(peak(counted, ({ tokens }) => tokens)).toBeLessThanOrEqual(3_000)
      }),
      { numRuns: 300 }
    )
  }, 30_000)

  it.each([["requests", spec("a", { requests: 1 })], ["tokens", spec("a", { requests: 100, tokens: 300 })]] as const)(
    "holds %s for the time a request may be on its way, or until it is done if that is sooner",
    (_dimension, provider) => {
      // Reserved at 0, counted by the vendor up to 500 ms later: a request at 60.3 s could still meet it.
      for (const [doneMs, refusedMs, grantedMs] of [[2_000, 60_500, 60_700], [200, 60_250, 60_300]] as const) {
        const ledger = new Ledger(settings, () => {})
        const decision = ledger.reserve(demandOn([provider], { inputTokens: 300 }), 0)
        if (decision._tag !== "Granted") throw new Error("refused")
        const usage = { inputTokens: 300, outputTokens: 0 }
        ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 1 }, doneMs)
        expect(ledger.reserve(demandOn([provider], { inputTokens: 300 }), refusedMs)._tag).toBe("Refused")
        expect(ledger.reserve(demandOn([provider], { inputTokens: 300 }), grantedMs)._tag).toBe("Granted")
      }
    }
  )

  it("takes nothing for a count that is none, and more than was reserved for what it is", () => {
    const providers = [spec("a", { requests: 100, tokens: 1_000 })]
    for (
      const [inputTokens, expected] of [[Number.NaN, 266], [-500, 266], [Infinity, 266], [10.5, 11], [
        900,
        900
      ]] as const
    ) {
      const ledger = new Ledger(settings, () => {})
      const decision = ledger.reserve(demandOn(providers, { inputTokens: 266 }), 0)
      if (decision._tag !== "Granted") throw new Error("refused")
      const usage = { inputTokens, outputTokens: 0 }
      ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 1 }, 0)
      expect(ledger.snapshot(providers, 0)[0]).toMatchObject({ tokensUsed: expected })
    }
  })

  it("remembers a provider that left as long as its vendor does", () => {
    const [a, b] = [spec("a", { requests: 10 }), spec("b", { requests: 1 })]
    const ledger = new Ledger(settings, () => {})
    const use = (providers: Demand["providers"], nowMs: number) => {
      const decision = ledger.reserve({ ...demandOn(providers), forceProvider: "b" }, nowMs)
      if (decision._tag === "Granted") {
        ledger.settle(decision.reservation, { _tag: "Failure", class: "caller_fault", latencyMs: 1 }, nowMs)
      }
      return decision._tag
    }
    expect(use([a, b], 0)).toBe("Granted")
    ledger.snapshot([a], 10)
    expect(use([a, b], 20)).toBe("Refused")
    ledger.snapshot([a], 30)
    ledger.snapshot([a, spec("c", { requests: 1 })], 70_000)
    expect(use([a, b], 70_001)).toBe("Granted")
  })

  it("remembers one that left until what it counted last has rolled out, and each model apart", () => {
    const [a, other] = [spec("a", { tokens: 1_000 }), spec("z")]
    const most = { inputTokens: 10, maxTokens: 900 }
    for (const there of [[other], [{ ...a, model: "m2" }]]) {
      const ledger = new Ledger(settings, () => {})
      const decision = ledger.reserve(demandOn([a], most), 0)
      if (decision._tag !== "Granted") throw new Error("refused")
      ledger.snapshot(there, 1_000)
      const usage = { inputTokens: 10, outputTokens: 900 }
      // In the middle of a bucket, which counts to its end.
      ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 50_000 }, 50_010)
      ledger.snapshot([...there, spec("y")], 110_090)
      expect(ledger.reserve(demandOn([a], most), 110_095)._tag).toBe("Refused")
      ledger.snapshot(there, 110_096)
      ledger.snapshot([...there, spec("y")], 110_112)
      expect(ledger.reserve(demandOn([a], most), 110_112)._tag).toBe("Granted")
    }
  })

  it("leaves a session's provider when that has left the list", () => {
    const [a, b] = [spec("a", { requests: 10 }), spec("b", { requests: 10 })]
    const ledger = new Ledger(settings, () => {})
    const place = (providers: Demand["providers"], forceProvider?: string) => {
      const decision = ledger.reserve({ ...demandOn(providers), sessionId: "s", forceProvider }, 0)
      if (decision._tag !== "Granted") throw new Error("refused")
      ledger.settle(decision.reservation, { _tag: "Success", latencyMs: 1 }, 0)
      return decision.reservation.provider
    }
    expect(place([a, b], "b")).toBe("b")
    expect(place([a, b])).toBe("b")
    expect(place([a])).toBe("a")
  })

  it("holds a timeout against the provider only where the call had several times its usual latency", () => {
    const providers = [spec("a", { requests: 100 })]
    for (const [latencyMs, circuit] of [[1_999, "closed"], [12_000, "open"]] as const) {
      const ledger = new Ledger(settings, () => {})
      for (let turn = 0; turn < 5; turn++) {
        const decision = ledger.reserve(demandOn(providers), turn)
        if (decision._tag !== "Granted") throw new Error("refused")
        ledger.settle(decision.reservation, { _tag: "Failure", class: "timeout", latencyMs }, turn)
      }
      expect(ledger.snapshot(providers, 10)[0]).toMatchObject({ circuit })
    }
  })

  it("keeps what a vendor charged on arrival, however short the answer was", () => {
    const providers = [
      spec("a", { requests: 1_000, tokens: 10_000 }, { counting: { ...countEverything, chargesMaxTokens: true } })
    ]
    const ledger = new Ledger(settings, () => {})
    let granted = 0
    for (let turn = 0; turn < 20; turn++) {
      const decision = ledger.reserve({ ...demandOn(providers), maxTokens: 4_000 }, turn)
      if (decision._tag !== "Granted") continue
      granted++
      const usage = { inputTokens: 10, outputTokens: 5 }
      ledger.settle(decision.reservation, { _tag: "Success", usage, latencyMs: 1 }, turn)
    }
    expect(granted).toBe(2)
    expect(ledger.snapshot(providers, 100)[0]).toMatchObject({ tokensUsed: 8_020 })
  })

  it("sends little to a provider that hangs, also where its callers are in a hurry", () => {
    const providers = [spec("healthy", { requests: 1e6 }), spec("hung", { requests: 1e6 })]
    const ledger = new Ledger(settings, () => {})
    let hung = 0
    for (let now = 0; now < 300_000; now += 1_500) {
      const decision = ledger.reserve(demandOn(providers), now)
      if (decision._tag !== "Granted") throw new Error("refused")
      const { reservation } = decision
      if (reservation.provider === "hung") {
        hung++
        ledger.settle(reservation, { _tag: "Failure", class: "timeout", latencyMs: 1_500 }, now + 1_500)
      } else {
        ledger.settle(reservation, { _tag: "Success", latencyMs: 600 }, now + 600)
      }
    }
    expect(hung).toBeLessThan(20)
  })

  it("settles once: the second time changes nothing", () => {
    const providers = [spec("a", { requests: 10 })]
    const ledger = new Ledger(settings, () => {})
    const decision = ledger.reserve(demandOn(providers), 0)
    if (decision._tag !== "Granted") throw new Error("refused")
    const success: Settlement = { _tag: "Success", usage: { inputTokens: 7, outputTokens: 3 }, latencyMs: 100 }
    expect(ledger.settle(decision.reservation, success, 100)).toMatchObject({ headroom: 0.9, circuit: "closed" })
    expect(ledger.settle(decision.reservation, success, 100)).toBeUndefined()
    expect(ledger.snapshot(providers, 100)[0]).toMatchObject({ requestsUsed: 1, tokensUsed: 10, inFlight: 0 })
    expect(ledger.open).toBe(0)
  })

  it("holds what is in flight, however long the call takes", () => {
    const providers = [spec("a", { requests: 1 })]
    const ledger = new Ledger(settings, () => {})
    expect(ledger.reserve(demandOn(providers), 0)._tag).toBe("Granted")
    expect(ledger.reserve(demandOn(providers), 600_000)._tag).toBe("Refused")
  })

  it("goes on when the clock jumps back, and forgets nothing", () => {
    const providers = [spec("a", { requests: 1 })]
    const ledger = new Ledger(settings, () => {})
    const decision = ledger.reserve(demandOn(providers), 3_600_000)
    if (decision._tag !== "Granted") throw new Error("refused")
    ledger.settle(decision.reservation, { _tag: "Failure", class: "caller_fault", latencyMs: 1 }, 3_600_000)
    expect(ledger.reserve(demandOn(providers), 0)._tag).toBe("Refused")
    expect(ledger.reserve(demandOn(providers), 59_000)._tag).toBe("Refused")
    expect(ledger.reserve(demandOn(providers), 60_200)._tag).toBe("Granted")
  })

  it("breaks ties by the draw, evenly", () => {
    const providers = ["a", "b", "c"].map((name) => spec(name, { requests: 1_000 }))
    const chosen = [0, 0.34, 0.67, 0.999].map((draw) => {
      const decision = new Ledger(settings, () => {}).reserve({ ...demandOn(providers), draw }, 0)
      return decision._tag === "Granted" ? decision.reservation.provider : ""
    })
    expect(chosen).toEqual(["a", "b", "c", "c"])
  })

  it("keeps the ledger of a provider that stays when the list changes", () => {
    const a = spec("a", { requests: 10 })
    const ledger = new Ledger(settings, () => {})
    ledger.reserve(demandOn([a]), 0)
    expect(ledger.snapshot([a, spec("b", { requests: 5 })], 0).map(({ requestsUsed }) => requestsUsed)).toEqual([1, 0])
    expect(ledger.snapshot([{ ...a, model: "other" }], 0)[0]).toMatchObject({ requestsUsed: 0 })
  })

  it("settles what a provider left behind against that provider, not against the one that took its name", () => {
    const a = spec("a", { requests: 10 })
    const ledger = new Ledger(settings, () => {})
    const decision = ledger.reserve(demandOn([a]), 0)
    if (decision._tag !== "Granted") throw new Error("refused")
    const again = [{ ...a, model: "other" }]
    ledger.snapshot(again, 0)
    ledger.settle(decision.reservation, { _tag: "Failure", class: "cancelled", latencyMs: 1 }, 0)
    expect(ledger.snapshot(again, 0)[0]).toMatchObject({ requestsUsed: 0, tokensUsed: 0, inFlight: 0 })
    expect(ledger.open).toBe(0)
  })

  it("learns a provider's tokens: what it reserves follows what was used", () => {
    const providers = [spec("a", { requests: 10_000, tokens: 1e9 })]
    const ledger = new Ledger(settings, () => {})
    let last: Reservation | undefined
    for (let turn = 0; turn < 100; turn++) {
      const decision = ledger.reserve(demandOn(providers, { inputTokens: 100 }), turn)
      if (decision._tag !== "Granted") throw new Error("refused")
      last = decision.reservation
      ledger.settle(last, { _tag: "Success", usage: { inputTokens: 150, outputTokens: 40 }, latencyMs: 1 }, turn)
    }
    expect(last).toMatchObject({ inputTokens: 151, outputTokens: 41 })
  })
})

it("decodes options with every field that does not hold", () => {
  const error = Effect.runSync(Effect.flip(RouterOptions.make({ window: -1, breaker: { failureThreshold: 0 } })))
  expect(error.issues.map(({ path }) => path)).toEqual(expect.arrayContaining(["window", "breaker.failureThreshold"]))
})
