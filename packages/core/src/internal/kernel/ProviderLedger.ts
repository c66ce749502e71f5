/**
 * One provider's part of the ledger: its windows and limits, what is in flight, latency, breaker, bench, and what was
 * learned of its tokens. Calls in flight are counted apart from the windows, so that they never roll out while they run.
 */
import type { FailureClass } from "../../FailureClass.ts"
import type { Candidate } from "../../Policy.ts"
import type { ProviderSpec } from "../../Provider.ts"
import type { RouterSettings } from "../../RouterOptions.ts"
import type { Demand, Reservation } from "../../RouterState.ts"
import { type Breaker, initialBreaker } from "./Breaker.ts"
import { currentLatency, initialLatency, type Latency } from "./Latency.ts"
import { LearnedTokens } from "./LearnedTokens.ts"
import { DAY_REQUESTS, DAY_TOKENS, type InFlight, INPUT, Meter, OUTPUT, REQUESTS, rows } from "./Meter.ts"
import { RollingWindow } from "./RollingWindow.ts"

const dayMs = 86_400_000

/** Ten minutes each: a day over-counts by at most one of them. */
const dayBuckets = 144

/** What a settled call counts, and when. */
export interface Counts {
  readonly requests: number
  readonly dayRequests: number
  readonly inputAtMs: number
  readonly input: number
  readonly outputAtMs: number
  readonly output: number
}

/** Whom room is kept for, and the highest lane that may not take it. */
export interface KeptFor {
  readonly demand: Demand
  rank: number
}

export class ProviderLedger implements Candidate {
  readonly inFlightNow: InFlight = { requests: 0, input: 0, output: 0 }
  readonly meters: ReadonlyArray<Meter>
  /** Those whose limit is known: all that decisions look at. */
  bounded: ReadonlyArray<Meter> = []
  /** Of those, the ones that count an answer. */
  #answers: ReadonlyArray<Meter> = []
  readonly learned: LearnedTokens
  latency: Latency
  firstToken: Latency
  breaker: Breaker = initialBreaker
  /** When the provider was taken out of the list; absent while it is in it. */
  leftAtMs: number | undefined
  benchedUntilMs = Number.NEGATIVE_INFINITY
  /** Of the newest bench. `guessed`: its vendor did not say for how long. */
  bench: { readonly because: FailureClass; readonly guessed: boolean } = { because: "rate_limit", guessed: false }
  /** When it was last benched, or its circuit opened. */
  outSinceMs = Number.NEGATIVE_INFINITY
  /** Set while its room is kept for a request that was passed over for too long. */
  keptFor: KeptFor | undefined
  readonly minute: RollingWindow
  readonly day: RollingWindow
  /** The share of a limit that other lanes than the high one may use. */
  readonly #commonShare: number
  /** Until then time changes nothing but the clock. */
  #nextMs = Number.NEGATIVE_INFINITY
  /** What is free has to be worked out anew: something was counted, reserved, given back, or rolled out. */
  #stale = true
  /** The vendor has said something of its limits. */
  isTold = false
  #spec: ProviderSpec
  #nowMs: number
  /** What the request in question would take here, as of the last `quote`. */
  needsInput = 0
  needsOutput = 0
  #isStreamed = false

  constructor(spec: ProviderSpec, readonly settings: RouterSettings, nowMs: number) {
    const minute = new RollingWindow(settings.window, settings.buckets, 3)
    const day = new RollingWindow(dayMs, dayBuckets, 2)
    const rings = { minute, day, now: undefined }
    this.minute = minute
    this.day = day
    this.#commonShare = (100 - settings.highPriorityReservePct) / 100
    this.meters = rows.map((row) =>
      new Meter(row, rings[row.span], this.inFlightNow, row.span === "day" ? dayMs : settings.window)
    )
    this.learned = new LearnedTokens(settings.outputPriorTokens)
    this.latency = initialLatency(settings.latency, nowMs)
    this.firstToken = this.latency
    this.#nowMs = nowMs
    this.#spec = spec
    this.spec = spec
  }

  get spec(): ProviderSpec {
    return this.#spec
  }
  set spec(spec: ProviderSpec) {
    this.#spec = spec
    for (const meter of this.meters) meter.declared = spec.limits[meter.dimension] ?? Number.POSITIVE_INFINITY
    this.bound()
  }

  /** A limit is another one now. */
  bound(): void {
    this.bounded = this.meters.filter(({ limit }) => Number.isFinite(limit))
    this.#answers = this.bounded.filter(({ perOutput }) => perOutput > 0)
    this.#stale = true
  }

  /** Its parts were taken over from a shared store. */
  restored(): void {
    for (const meter of this.meters) meter.grow(this.minute.headMs)
    this.#nextMs = Math.min(this.minute.nextMs, this.day.nextMs)
    this.bound()
  }

  /** Brings everything that depends on time to `nowMs`. */
  roll(nowMs: number): void {
    this.#nowMs = nowMs
    if (nowMs < this.#nextMs) return
    this.minute.roll(nowMs)
    this.day.roll(nowMs)
    // At the bucket's beginning: a limit depends on time, not on how often it is read.
    for (const meter of this.bounded) meter.grow(this.minute.headMs)
    this.#stale = true
    this.#nextMs = Math.min(this.minute.nextMs, this.day.nextMs)
  }

  get nowMs(): number {
    return this.#nowMs
  }
  get name(): string {
    return this.#spec.name
  }
  get weight(): number {
    return this.#spec.weight
  }
  get inFlight(): number {
    return this.inFlightNow.requests
  }
  /** Of a whole call. */
  get callMs(): number {
    return currentLatency(this.latency, this.settings.latency, this.#nowMs)
  }
  /** Until the first part of an answer that is streamed. */
  get firstTokenMs(): number {
    return currentLatency(this.firstToken, this.settings.latency, this.#nowMs)
  }
  /** What whoever is quoted waits for. */
  get latencyMs(): number {
    return this.#isStreamed ? this.firstTokenMs : this.callMs
  }
  /** Requests in the window and in flight. */
  get requestsUsed(): number {
    return this.minute.sum(REQUESTS) + this.inFlightNow.requests
  }

  used(meter: Meter): number {
    return meter.used(this.#nowMs, this.requestsUsed)
  }

  /** The part of a limit that the lane may use: all of it for the high lane, less the reserve for others. */
  usable(meter: Meter, lane: Demand["lane"]): number {
    return lane === "high" ? meter.limit : meter.limit * this.#commonShare
  }

  /** What of it is free for the lane, as of the last `quote` or `measure`. */
  freeFor(meter: Meter, lane: Demand["lane"]): number {
    return this.usable(meter, lane) - (meter.limit - meter.free)
  }

  /** Works out what is free of each limit, where that may have changed. */
  measure(): void {
    if (!this.#stale) return
    const requests = this.requestsUsed
    this.#stale = false
    for (const meter of this.bounded) {
      meter.free = meter.limit - meter.used(this.#nowMs, requests)
      // What others use changes with each moment.
      if (!meter.foreign.isNone) this.#stale = true
    }
  }

  /** A reservation begins (1) or ends (−1). */
  hold(reservation: Pick<Reservation, "inputTokens" | "outputTokens">, sign: 1 | -1): void {
    this.inFlightNow.requests += sign
    this.inFlightNow.input += sign * reservation.inputTokens
    this.inFlightNow.output += sign * reservation.outputTokens
    this.#stale = true
    if (sign < 0 || !this.isTold) return
    for (const meter of this.bounded) meter.word.taken += meter.need(reservation.inputTokens, reservation.outputTokens)
  }

  /** Works out what is free, and what the request would take here: `needsInput` and `needsOutput`. */
  quote(demand: Demand): void {
    this.measure()
    this.#isStreamed = demand.streams === true
    this.needsInput = this.expectedInput(demand)
    this.needsOutput = this.expectedOutput(demand, this.needsInput)
  }

  /**
   * Input tokens to reserve: on the safe side, up to the largest there may be, since what is added to be safe is never
   * what makes a request too large for a limit.
   */
  expectedInput(demand: Demand): number {
    const { inputFactor, inputRatio } = this.learned
    const expected = Math.ceil(demand.inputTokens * inputFactor)
    if (inputFactor === inputRatio) return expected
    const most = this.largestReserved(demand)
    return expected > most ? Math.max(Math.ceil(demand.inputTokens * inputRatio), most) : expected
  }

  /** The most input that a request of this kind may reserve under any limit, beside the answer it is charged for. */
  largestReserved({ lane, maxTokens }: Pick<Demand, "lane" | "maxTokens">): number {
    const charged = this.#spec.counting.chargesMaxTokens ? maxTokens ?? 0 : 0
    let most = Number.POSITIVE_INFINITY
    for (const meter of this.bounded) {
      if (meter.perInput === 0) continue
      const usable = Math.floor(this.usable(meter, lane) - meter.perOutput * charged)
      if (usable < most) most = usable
    }
    return most
  }

  /** What the lane may use of the smallest limit that counts input and output together. */
  sharedByBoth(lane: Demand["lane"]): number {
    let smallest = Number.POSITIVE_INFINITY
    for (const meter of this.#answers) {
      if (meter.perInput > 0) smallest = Math.min(smallest, Math.floor(this.usable(meter, lane)))
    }
    return smallest
  }

  /**
   * Output tokens to reserve: `maxTokens` where the vendor charges that on arrival; else what its answers take, which
   * is a guess and so never what makes a request too large for a limit.
   */
  expectedOutput(demand: Pick<Demand, "lane" | "maxTokens">, inputTokens: number): number {
    const { maxTokens } = demand
    if (maxTokens !== undefined && this.#spec.counting.chargesMaxTokens) return maxTokens
    const usual = this.learned.usualOutput
    const expected = maxTokens !== undefined && maxTokens < usual ? maxTokens : usual
    let most = expected
    for (const meter of this.#answers) {
      const rest = Math.floor(this.usable(meter, demand.lane)) - meter.perInput * inputTokens
      if (rest < most) most = rest
    }
    return most > 0 ? most : 0
  }

  /** The free share of the scarcest limit, the quoted tokens taken off. */
  get headroom(): number {
    let headroom = 1
    for (let index = 0; index < this.bounded.length; index++) {
      const meter = this.bounded[index]!
      const tokens = meter.perInput * this.needsInput + meter.perOutput * this.needsOutput
      const left = (meter.free - tokens) / meter.limit
      if (left < headroom) headroom = left
    }
    return headroom
  }

  /** The largest share of what is left of any limit that the quoted request would take. */
  get share(): number {
    let share = 0
    for (const meter of this.bounded) {
      const taken = meter.need(this.needsInput, this.needsOutput) / Math.max(0, meter.free)
      if (taken > share) share = taken
    }
    return share
  }

  /** Whether the provider left so long ago that nothing of it counts any more. */
  isForgotten(nowMs: number): boolean {
    const rememberedMs = this.bounded.some(({ isDaily }) => isDaily) ? dayMs : this.settings.window
    return this.leftAtMs !== undefined && this.inFlight === 0 && nowMs - this.leftAtMs > rememberedMs
  }

  /** Adds what a settled call counts to the windows. */
  count({ dayRequests, input, inputAtMs, output, outputAtMs, requests }: Counts): void {
    this.#stale = true
    this.minute.add(inputAtMs, REQUESTS, requests)
    this.minute.add(inputAtMs, INPUT, input)
    this.minute.add(outputAtMs, OUTPUT, output)
    this.day.add(inputAtMs, DAY_REQUESTS, dayRequests)
    this.day.add(inputAtMs, DAY_TOKENS, input)
    this.day.add(outputAtMs, DAY_TOKENS, output)
  }
}
