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
import { type InFlight, Meter, REQUESTS, rows } from "./Meter.ts"
import { type Counts, dayMs, type Held, nothing, Windows } from "./Windows.ts"

export type { Counts } from "./Windows.ts"

/** Whom room is kept for, and the highest lane that may not take it. */
export interface KeptFor {
  readonly demand: Demand
  rank: number
}

export class ProviderLedger implements Candidate {
  readonly windows: Windows
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
  /** How its newest call that failed did, and when. */
  lastError: { readonly class: FailureClass; readonly atMs: number } | undefined
  /** When it was last benched, or its circuit opened. */
  outSinceMs = Number.NEGATIVE_INFINITY
  /** Set while its room is kept for a request that was passed over for too long. */
  keptFor: KeptFor | undefined
  /** The share of a limit that other lanes than the high one may use. */
  readonly #commonShare: number
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
  /** Its end is not counted yet. */
  #released: Reservation | undefined

  constructor(spec: ProviderSpec, readonly settings: RouterSettings, nowMs: number) {
    const { day, inFlight, minute } = this.windows = new Windows(settings)
    const rings = { minute, day, now: undefined }
    this.#commonShare = (100 - settings.highPriorityReservePct) / 100
    this.meters = rows.map((row) =>
      new Meter(row, rings[row.span], inFlight, row.span === "day" ? dayMs : settings.window)
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
    this.windows.restored()
    for (const meter of this.meters) meter.grow(this.windows.minute.headMs)
    this.bound()
  }

  /** Brings everything that depends on time to `nowMs`. */
  roll(nowMs: number): void {
    this.#nowMs = nowMs
    if (!this.windows.roll(nowMs)) return
    // At the bucket's beginning: a limit depends on time, not on how often it is read.
    for (const meter of this.bounded) meter.grow(this.windows.minute.headMs)
    this.#stale = true
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
  get inFlightNow(): InFlight {
    return this.windows.inFlight
  }
  get inFlight(): number {
    return this.windows.inFlight.requests
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
    return this.windows.minute.sum(REQUESTS) + this.inFlight
  }

  used(meter: Meter): number {
    return meter.used(this.#nowMs)
  }

  /** The part of a limit that the lane may use: all of it for the high lane, less the reserve for others. */
  usable(meter: Meter, lane: Demand["lane"]): number {
    // One request at least: a share of one would be none for ever.
    return lane === "high" ? meter.limit : Math.max(meter.perRequest, meter.limit * this.#commonShare)
  }

  /** What of it is free for the lane, as of the last `quote` or `measure`. */
  freeFor(meter: Meter, lane: Demand["lane"]): number {
    return this.usable(meter, lane) - (meter.limit - meter.free)
  }

  /** Works out what is free of each limit, where that may have changed. */
  measure(): void {
    if (!this.#stale) return
    this.#stale = false
    for (const meter of this.bounded) {
      meter.free = meter.limit - meter.used(this.#nowMs)
      // What others use changes with each moment.
      if (!meter.foreign.isNone) this.#stale = true
    }
  }

  /** A reservation begins. */
  hold(held: Held, atMs = this.#nowMs): void {
    this.windows.begin(held, atMs)
    this.#take(held, 1)
  }

  /** It has never been. */
  withdraw(reservation: Reservation): void {
    this.windows.end(reservation)
    this.windows.correct(reservation, nothing)
    this.#take(reservation, -1)
  }

  #take({ inputTokens, outputTokens }: Held, sign: 1 | -1): void {
    this.#stale = true
    if (!this.isTold) return
    for (const meter of this.bounded) meter.word.state.taken += sign * meter.need(inputTokens, outputTokens)
  }

  /** It ends. What it has taken is counted next. */
  release(reservation: Reservation): void {
    this.windows.end(reservation)
    this.#released = reservation
    this.#stale = true
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
    const { countedAtMs, day, minute } = this.windows
    const { bucketMs, windowMs } = this.bounded.some(({ isDaily }) => isDaily) ? day : minute
    const lastMs = Math.max(this.leftAtMs ?? Number.POSITIVE_INFINITY, countedAtMs)
    return this.inFlight === 0 && nowMs - lastMs > windowMs + bucketMs
  }

  /** Counts what a call took: the one that was released last, if one was. */
  count(counts: Counts): void {
    this.#stale = true
    this.windows.count(counts)
    const released = this.#released
    if (released === undefined) return
    this.#released = undefined
    this.windows.correct(released, counts)
    if (released.countable === undefined) return
    for (const [row, { taken }] of released.countable.entries()) {
      const meter = this.meters[row]!
      meter.word.settled(taken, meter.need(released.inputTokens, released.outputTokens) - meter.takenBy(counts))
    }
  }
}
