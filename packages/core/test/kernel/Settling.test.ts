import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import type { Reservation, Settlement } from "../../src/RouterState.ts"
import { demandOn, settings, spec } from "./support.ts"

const a = spec("a", {})

const bench = () => {
  const ledger = new Ledger(settings, () => {})
  const reserve = (atMs: number): Reservation => {
    const decision = ledger.reserve(demandOn([a]), atMs)
    if (decision._tag !== "Granted") throw new Error(`expected a grant, found ${decision._tag}`)
    return decision.reservation
  }
  const call = (settlement: Settlement, atMs: number, forMs = 0) =>
    ledger.settle(reserve(atMs), settlement, atMs + forMs)
  return { ledger, reserve, call, state: (atMs: number) => ledger.snapshot([a], atMs)[0]! }
}

const answered = (latencyMs: number): Settlement => ({ _tag: "Success", latencyMs })
const refused: Settlement = { _tag: "Failure", class: "rate_limit", status: 429, latencyMs: 50, retryAfterMs: 1 }
const hung = (latencyMs: number): Settlement => ({ _tag: "Failure", class: "timeout", latencyMs })

describe("a refusal without a word of the limit", () => {
  it("teaches the requests that were taken, not those that were refused", () => {
    const { call, state } = bench()
    for (let turn = 0; turn < 20; turn++) call(answered(10), turn * 100, 10)
    call(refused, 3_000, 50)
    expect(state(4_000)).toMatchObject({ requestsUsed: 20, requestLimit: 20 })
  })

  it("teaches nothing in a storm that has taken none, and locks nobody out", () => {
    const { ledger, reserve, state } = bench()
    const burst = Array.from({ length: 12 }, () => reserve(0))
    for (const reservation of burst) ledger.settle(reservation, refused, 50)
    expect(state(100)).toMatchObject({ requestsUsed: 0, requestLimit: Infinity, inFlight: 0 })
  })
})

describe("a call without an answer", () => {
  it("counts from twice the usual latency and half a minute on, and from four times it", () => {
    for (
      const [usualMs, hangsMs, circuit] of [
        [10_000, 29_999, "closed"],
        [10_000, 30_000, "open"],
        [20_000, 39_000, "closed"],
        [20_000, 41_000, "open"],
        [1_000, 3_900, "closed"],
        // What is cut off counts as latency too, up to 3 s.
        [1_000, 12_001, "open"]
      ] as const
    ) {
      const { call, state } = bench()
      for (let turn = 0; turn < 40; turn++) call(answered(usualMs), turn, usualMs)
      for (let turn = 0; turn < 5; turn++) call(hung(hangsMs), 50_000 + turn, 1)
      expect([usualMs, hangsMs, state(50_100).circuit]).toEqual([usualMs, hangsMs, circuit])
    }
  })
})
