/**
 * The ledger against exact models of its vendors, which count a request at any moment of its way, and an answer when it
 * is done. Their own time goes on steadily, whatever the process's clock shows.
 */
import { FastCheck as fc } from "effect"
import { describe, expect, it } from "vitest"
import { Ledger } from "../../src/internal/kernel/Ledger.ts"
import type { Limits } from "../../src/RateLimit.ts"
import type { Demand, Refusal, Reservation, Settlement } from "../../src/RouterState.ts"
import { type Counting, ExactVendor, rules } from "./ExactVendor.ts"
import { demandOn, settings, spec } from "./support.ts"

const reservePct = 10

/** Bursts shorter than the transit, bucket edges, minutes that fill and empty, gaps of hours and days. */
const wait = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 2, arbitrary: fc.constantFrom(99, 100, 101, 5_000, 15_000) },
  { weight: 4, arbitrary: fc.constantFrom(59_400, 59_900, 59_950, 60_000, 60_001, 60_100, 60_600) },
  { weight: 1, arbitrary: fc.constantFrom(30_000, 3_600_000, 85_800_000, 86_400_000) }
)

const share = fc.double({ min: 0, max: 1, noNaN: true })

type End = "answered" | "refunded" | "cancelled" | "unused"

const step = fc.record({
  waitMs: wait,
  setBackMs: fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7_200_000) }),
  does: fc.constantFrom("reserve", "settle"),
  /** So many at once. */
  times: fc.constantFrom(1, 1, 2, 8),
  inputTokens: fc.integer({ min: 1, max: 400 }),
  maxTokens: fc.integer({ min: 0, max: 200 }),
  lane: fc.constantFrom<Demand["lane"]>("high", "high", "normal", "low"),
  /** How late the vendor counts it, as a share of the transit. */
  late: fc.oneof(fc.constantFrom(0, 1), share),
  /** Which of the calls under way ends, how, and how much it took of what was reserved. */
  which: fc.nat(),
  ends: fc.oneof(
    { weight: 6, arbitrary: fc.constant<End>("answered") },
    { weight: 1, arbitrary: fc.constantFrom<End>("refunded", "cancelled", "unused") }
  ),
  taken: fc.oneof({ weight: 5, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: share })
})

type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

const limitsOfTwo: ReadonlyArray<readonly [Limits, Limits]> = [
  [{ requests: 7 }, { requests: 3 }],
  [{ outputTokens: 700 }, { inputTokens: 900 }],
  [{ tokens: 2_000 }, { requests: 9, tokens: 900 }],
  [{ requestsPerDay: 12 }, { tokensPerDay: 5_000, requests: 8 }],
  [{ requests: 7, tokens: 2_000, inputTokens: 1_500, outputTokens: 700, concurrent: 5 }, { concurrent: 2, requests: 5 }]
]

interface Call {
  readonly reservation: Reservation
  readonly arrivesMs: number
}

class Play {
  granted = 0
  refused = 0
  readonly #vendors: ReadonlyMap<string, ExactVendor>
  readonly #providers: Demand["providers"]
  readonly #ledger = new Ledger({ ...settings, highPriorityReservePct: reservePct }, () => {})
  readonly #calls: Array<Call> = []
  #trueMs = 10_000
  #offsetMs = 0
  /** How far the ledger's time can lie behind: by what passed between two steps while the clock was set back. */
  #lagMs = 0
  #seenMs = this.#trueMs
  #unseenSetBackMs = 0

  constructor([a, b]: readonly [Limits, Limits]) {
    this.#providers = [spec("a", a), spec("b", b)]
    this.#vendors = new Map(this.#providers.map(({ limits, name }) => [name, new ExactVendor(limits)]))
  }

  step({ setBackMs, times, waitMs, ...more }: Step): void {
    this.#trueMs += waitMs
    this.#offsetMs -= setBackMs
    this.#unseenSetBackMs += setBackMs
    for (let turn = 0; turn < times; turn++) {
      if (more.does === "settle") this.#settle(more)
      else this.#reserve(more)
    }
  }

  /** Ends what is under way, and looks at every span there was. */
  end(): void {
    while (this.#calls.length > 0) this.#settle({ which: 0, ends: "answered", taken: 1 })
    expect(this.#ledger.open).toBe(0)
    for (const vendor of this.#vendors.values()) {
      for (const dimension of vendor.limited) {
        const [peak, limit] = [vendor.peak(rules[dimension]), vendor.limits[dimension]!]
        if (peak > limit) throw new Error(`${peak} of ${limit} ${dimension}`)
      }
    }
  }

  #clockMs(): number {
    this.#lagMs += Math.min(this.#trueMs - this.#seenMs, this.#unseenSetBackMs)
    this.#seenMs = this.#trueMs
    this.#unseenSetBackMs = 0
    return this.#trueMs + this.#offsetMs
  }

  #reserve({ inputTokens, lane, late, maxTokens }: Pick<Step, "inputTokens" | "lane" | "late" | "maxTokens">): void {
    const demand = demandOn(this.#providers, { inputTokens, maxTokens, lane })
    const decision = this.#ledger.reserve(demand, this.#clockMs())
    if (decision._tag === "Granted") {
      this.granted++
      const { reservation } = decision
      this.#calls.push({ reservation, arrivesMs: this.#trueMs + late * settings.transit })
      this.#checkGrant(reservation.provider, lane)
    } else if (decision._tag === "Refused") {
      this.refused++
      for (const refusal of decision.refusals) this.#checkRefusal(refusal, lane)
    }
  }

  #settle({ ends, taken, which }: Pick<Step, "ends" | "taken" | "which">): void {
    const [call] = this.#calls.splice(which % Math.max(1, this.#calls.length), 1)
    if (call === undefined) return
    const { reservation } = call
    const arrivedMs = Math.min(call.arrivesMs, this.#trueMs)
    const usage = {
      // Not more than was estimated, or the learned ratio would follow its own safety.
      inputTokens: Math.ceil(Math.min(reservation.inputTokens, reservation.estimatedInputTokens) * taken),
      outputTokens: Math.floor(reservation.outputTokens * taken)
    }
    const { counts, settlement } = endings(reservation, usage)[ends]
    if (counts !== undefined) {
      const vendor = this.#vendors.get(reservation.provider)!
      vendor.count({ atMs: arrivedMs, requests: 1, input: counts.inputTokens, output: 0 })
      vendor.count({ atMs: this.#trueMs, requests: 0, input: 0, output: counts.outputTokens })
    }
    this.#ledger.settle(reservation, settlement, this.#clockMs())
  }

  /** Of a limit: what the vendor counted in its span and so much more, what is under way, and what the lane may use. */
  #figures(
    name: string,
    dimension: Counting,
    at: { readonly slackMs: number; readonly lane: Demand["lane"] }
  ) {
    const vendor = this.#vendors.get(name)!
    const rule = rules[dimension]
    const underWay = this.#calls
      .filter(({ reservation }) => reservation.provider === name)
      .map(({ reservation }) =>
        rule.of({ requests: 1, input: reservation.inputTokens, output: reservation.outputTokens })
      )
    const used = vendor.within(rule, this.#trueMs, rule.spanMs + at.slackMs)
    return {
      used: underWay.reduce((sum, each) => sum + each, used),
      usable: usable(vendor.limits[dimension]!, at.lane)
    }
  }

  #checkGrant(name: string, lane: Demand["lane"]): void {
    for (const dimension of this.#vendors.get(name)!.limited) {
      const { usable, used } = this.#figures(name, dimension, { slackMs: 0, lane })
      if (used > usable) throw new Error(`granted at ${used} of ${usable} ${dimension}`)
    }
    expect(this.#underWayAt(name)).toBeLessThanOrEqual(
      usable(this.#vendors.get(name)!.limits.concurrent ?? Number.POSITIVE_INFINITY, lane)
    )
  }

  /** By the documented bound: one bucket and the transit, and late clocks. */
  #checkRefusal({ dimension, needed, provider, reason }: Refusal, lane: Demand["lane"]): void {
    if (dimension === "concurrent") {
      expect(this.#underWayAt(provider) + 1).toBeGreaterThan(
        usable(this.#vendors.get(provider)!.limits.concurrent!, lane)
      )
      return
    }
    expect(reason).toBe("full")
    const slackMs = rules[dimension!].bucketMs + settings.transit + this.#lagMs
    const figures = this.#figures(provider, dimension!, { slackMs, lane })
    expect(figures.used + needed!).toBeGreaterThan(figures.usable)
  }

  #underWayAt(name: string): number {
    return this.#calls.filter(({ reservation }) => reservation.provider === name).length
  }
}

const usable = (limit: number, lane: Demand["lane"]): number => lane === "high" ? limit : limit * (1 - reservePct / 100)

interface Ending {
  readonly settlement: Settlement
  /** What the vendor counts; absent: the call never came. */
  readonly counts?: { readonly inputTokens: number; readonly outputTokens: number }
}

const endings = (
  reservation: Reservation,
  usage: NonNullable<Ending["counts"]>
): { readonly [Name in End]: Ending } => ({
  answered: { settlement: { _tag: "Success", usage, latencyMs: 1 }, counts: usage },
  refunded: {
    settlement: { _tag: "Failure", class: "caller_fault", latencyMs: 1 },
    counts: { inputTokens: 0, outputTokens: 0 }
  },
  cancelled: { settlement: { _tag: "Failure", class: "cancelled", latencyMs: 1 }, counts: reservation },
  unused: { settlement: { _tag: "Unused" } }
})

describe("the ledger beside exact models of two vendors", () => {
  for (const limits of limitsOfTwo) {
    const names = limits.map((each) => Object.keys(each).join(", ")).join(" | ")
    it(`is never over a limit in any window, and refuses only where it is nearly full: ${names}`, () => {
      const seen = { granted: 0, refused: 0 }
      fc.assert(
        fc.property(fc.array(step, { minLength: 30, maxLength: 120 }), (steps) => {
          const play = new Play(limits)
          for (const each of steps) play.step(each)
          play.end()
          seen.granted += play.granted
          seen.refused += play.refused
        }),
        { numRuns: 120, seed: 11 }
      )
      // A property that never met a full provider would say nothing.
      expect(seen.granted).toBeGreaterThan(1_000)
      expect(seen.refused).toBeGreaterThan(1_000)
    }, 60_000)
  }
})
