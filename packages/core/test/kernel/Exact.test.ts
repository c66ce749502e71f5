/**
 * The ledger against a model of the vendor that knows nothing of buckets: every amount is kept with its exact time. The
 * vendor's own time goes on steadily, whatever the process's clock shows.
 */
import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import type { Dimension, Limits } from "../../src/RateLimit.ts"
import type { Demand, Reservation } from "../../src/RouterState.ts"
import { demandOn, settings, spec } from "./support.ts"

const windowMs = settings.window
const bucketMs = windowMs / settings.buckets

interface Counted {
  readonly atMs: number
  readonly requests: number
  readonly input: number
  readonly output: number
}

const amountOf: { readonly [Name in Dimension]?: (each: Counted) => number } = {
  requests: ({ requests }) => requests,
  tokens: ({ input, output }) => input + output,
  inputTokens: ({ input }) => input,
  outputTokens: ({ output }) => output
}

/** Exact: what was counted in the span that ends now. */
const within = (
  counted: ReadonlyArray<Counted>,
  dimension: Dimension,
  span: { readonly endMs: number; readonly ms: number }
): number =>
  counted
    .filter(({ atMs }) => atMs > span.endMs - span.ms && atMs <= span.endMs)
    .reduce((sum, each) => sum + amountOf[dimension]!(each), 0)

/** Bursts, bucket edges, minutes that fill and empty, gaps of an hour; and the clock set back. */
const wait = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.constantFrom(99, 100, 101, 5_000, 15_000) },
  { weight: 2, arbitrary: fc.constantFrom(59_400, 59_900, 60_000, 60_001, 60_100, 60_600) },
  { weight: 1, arbitrary: fc.constantFrom(3_600_000, 30_000) }
)

const step = fc.record({
  waitMs: wait,
  setBackMs: fc.oneof({ weight: 20, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7_200_000) }),
  does: fc.constantFrom("reserve", "reserve", "reserve", "settle", "settle"),
  inputTokens: fc.integer({ min: 1, max: 400 }),
  maxTokens: fc.integer({ min: 0, max: 200 }),
  lane: fc.constantFrom<Demand["lane"]>("high", "normal", "low"),
  /** How late the vendor counts it, and how much of what was reserved it took. */
  late: fc.double({ min: 0, max: 1, noNaN: true }),
  taken: fc.double({ min: 0, max: 1, noNaN: true })
})

const limits: Limits = { requests: 7, tokens: 2_000, inputTokens: 1_500, outputTokens: 700, concurrent: 5 }

interface Call {
  readonly reservation: Reservation
  readonly arrivesMs: number
}

describe("the ledger beside an exact model", () => {
  for (const seed of [11, 12, 13]) {
    it(`is never over a limit in any window, and refuses only where it is nearly full (seed ${seed})`, () => {
      let granted = 0
      let refused = 0
      fc.assert(
        fc.property(fc.array(step, { minLength: 40, maxLength: 150 }), (steps) => {
          const providers = [spec("a", limits)]
          const ledger = new Ledger({ ...settings, highPriorityReservePct: 10 }, () => {})
          const counted: Array<Counted> = []
          const calls: Array<Call> = []
          let trueMs = 10_000
          let offsetMs = 0
          /** How far the ledger's time can lie behind: by what passed between two steps while the clock was set back. */
          let lagMs = 0
          let seenMs = trueMs
          let unseenSetBackMs = 0
          const clockMs = () => {
            lagMs += Math.min(trueMs - seenMs, unseenSetBackMs)
            seenMs = trueMs
            unseenSetBackMs = 0
            return trueMs + offsetMs
          }

          const checkPeaks = () => {
            for (const dimension of ["requests", "tokens", "inputTokens", "outputTokens"] as const) {
              expect(within(counted, dimension, { endMs: trueMs, ms: windowMs })).toBeLessThanOrEqual(
                limits[dimension]!
              )
            }
          }

          const settle = (taken: number) => {
            const call = calls.shift()
            if (call === undefined) return
            const { arrivesMs, reservation } = call
            const used = {
              inputTokens: Math.ceil(reservation.inputTokens * taken),
              outputTokens: Math.floor(reservation.outputTokens * taken)
            }
            // The vendor counts the request and its input when it arrives, and the output when it is done.
            const arrivedMs = Math.min(arrivesMs, trueMs)
            counted.push({ atMs: arrivedMs, requests: 1, input: used.inputTokens, output: 0 })
            counted.push({ atMs: trueMs, requests: 0, input: 0, output: used.outputTokens })
            ledger.settle(reservation, { _tag: "Success", usage: used, latencyMs: 1 }, clockMs())
            checkPeaks()
          }

          /** What could stand in the way at most, by the documented bound: one bucket and the transit, late clocks. */
          const isNearlyFull = (reasonDimension: Dimension, needed: number, lane: Demand["lane"]): boolean => {
            const usable = lane === "high" ? limits[reasonDimension]! : limits[reasonDimension]! * 0.9
            if (reasonDimension === "concurrent") return calls.length + 1 > usable
            const span = { endMs: trueMs, ms: windowMs + bucketMs + settings.transit + lagMs }
            const inFlight = calls.reduce((sum, { reservation }) =>
              sum + amountOf[reasonDimension]!({
                atMs: 0,
                requests: 1,
                input: reservation.inputTokens,
                output: reservation.outputTokens
              }), 0)
            return within(counted, reasonDimension, span) + inFlight + needed > usable
          }

          for (const { does, inputTokens, lane, late, maxTokens, setBackMs, taken, waitMs } of steps) {
            trueMs += waitMs
            offsetMs -= setBackMs
            unseenSetBackMs += setBackMs
            if (does === "settle") {
              settle(taken)
              continue
            }
            const demand = demandOn(providers, { inputTokens, maxTokens, lane })
            const decision = ledger.reserve(demand, clockMs())
            if (decision._tag === "Granted") {
              granted++
              calls.push({ reservation: decision.reservation, arrivesMs: trueMs + late * settings.transit })
            } else if (decision._tag === "Refused") {
              refused++
              const [refusal] = decision.refusals
              expect(refusal).toMatchObject({ reason: "full" })
              expect(isNearlyFull(refusal!.dimension!, refusal!.needed!, lane)).toBe(true)
            }
          }
          while (calls.length > 0) settle(1)
          expect(ledger.open).toBe(0)
        }),
        { numRuns: 150, seed }
      )
      // A property that never met a full provider would say nothing.
      expect(granted).toBeGreaterThan(2_000)
      expect(refused).toBeGreaterThan(1_000)
    })
  }
})
