/**
 * One limit of one provider: what counts against it, how much of it is used, and what it is, as declared or learned.
 * All seven dimensions are rows of one table; a request needs `requests + input·tokens + output·tokens` of each.
 */
import type { Dimension, LimitReading } from "../../RateLimit.ts"
import { ForeignUse } from "./ForeignUse.ts"
import { LastWord } from "./LastWord.ts"
import type { RollingWindow } from "./RollingWindow.ts"
import type { Counts } from "./Windows.ts"

/** Columns of the ring of a minute. */
export const REQUESTS = 0
export const INPUT = 1
export const OUTPUT = 2

/** Columns of the ring of a day. */
export const DAY_REQUESTS = 0
export const DAY_TOKENS = 1

interface Row {
  readonly dimension: Dimension
  readonly span: "minute" | "day" | "now"
  /** The columns of the ring that count; a missing one counts nothing. */
  readonly columns: readonly [first: number, second?: number]
  /** What one request, one token of input and one of output take. */
  readonly per: { readonly request: number; readonly input: number; readonly output: number }
}

const aRequest = { request: 1, input: 0, output: 0 }
const eachToken = { request: 0, input: 1, output: 1 }

/** The order is the order in which refusals are named. */
export const rows: ReadonlyArray<Row> = [
  { dimension: "requests", span: "minute", columns: [REQUESTS], per: aRequest },
  { dimension: "tokens", span: "minute", columns: [INPUT, OUTPUT], per: eachToken },
  { dimension: "inputTokens", span: "minute", columns: [INPUT], per: { request: 0, input: 1, output: 0 } },
  { dimension: "outputTokens", span: "minute", columns: [OUTPUT], per: { request: 0, input: 0, output: 1 } },
  { dimension: "requestsPerDay", span: "day", columns: [DAY_REQUESTS], per: aRequest },
  { dimension: "tokensPerDay", span: "day", columns: [DAY_TOKENS], per: eachToken },
  { dimension: "concurrent", span: "now", columns: [-1], per: aRequest }
]

export const rowOf = (dimension: Dimension): number => rows.findIndex((row) => row.dimension === dimension)

/** What is reserved and not settled yet. */
export interface InFlight {
  requests: number
  input: number
  output: number
}

/** A limit found by being refused gives way by this share a window, so that a raised one is found again. */
const growthPerWindow = 0.05

/** Buckets of a minute's ring between two looks ahead at what others use. */
const stride = 8

/** A bucket that is empty is full again after nearly all of the span; a day that ends sooner is one of the calendar. */
const refillShare = 0.95

export class Meter {
  readonly dimension: Dimension
  readonly isDaily: boolean
  readonly perRequest: number
  readonly perInput: number
  readonly perOutput: number
  readonly foreign: ForeignUse
  readonly word: LastWord
  /** What is in force: the smallest of what is declared, told and met; `Infinity` where nothing is known. */
  limit = Number.POSITIVE_INFINITY
  /** How much of it is free, as of the provider's last `quote`; what a lane may not use is still in it. */
  free = Number.POSITIVE_INFINITY
  /** The limits that were told and met, `Infinity` where none was; as a shared store keeps them too. */
  readonly state = { told: Number.POSITIVE_INFINITY, met: Number.POSITIVE_INFINITY, metAtMs: 0 }
  #declared = Number.POSITIVE_INFINITY
  #grownAtMs = 0
  readonly #first: number
  readonly #second: number

  constructor(
    row: Row,
    readonly window: RollingWindow | undefined,
    readonly inFlight: InFlight,
    readonly spanMs: number
  ) {
    this.dimension = row.dimension
    this.isDaily = row.span === "day"
    this.perRequest = row.per.request
    this.perInput = row.per.input
    this.perOutput = row.per.output
    this.#first = row.columns[0]
    this.#second = row.columns[1] ?? -1
    this.foreign = new ForeignUse(spanMs)
    this.word = new LastWord(spanMs)
  }

  set declared(limit: number) {
    this.#declared = limit
    this.grow(this.#grownAtMs)
  }

  /** Brings the limit to `nowMs`: one that was met grows. Answers whether it is one that does. */
  grow(nowMs: number): boolean {
    this.#grownAtMs = nowMs
    const { metAtMs, told } = this.state
    const known = Math.min(this.#declared, told)
    const windows = Math.max(0, nowMs - metAtMs) / this.foreign.windowMs
    const met = this.state.met === Number.POSITIVE_INFINITY
      ? this.state.met
      : this.state.met * (1 + growthPerWindow * windows)
    this.limit = met < known ? Math.floor(met) : known
    return met < known
  }

  /** Somebody has said what it is: the configuration, or the vendor. */
  get isKnown(): boolean {
    return Number.isFinite(Math.min(this.#declared, this.state.told))
  }

  get isLearned(): boolean {
    return this.limit < this.#declared
  }

  /** What counts of this limit in the window, calls in flight apart. */
  get counted(): number {
    return this.window === undefined ? 0 : this.sumIn(this.window)
  }

  /** What counts of this limit in such a ring. */
  sumIn(window: RollingWindow): number {
    const first = window.sum(this.#first)
    return this.#second < 0 ? first : first + window.sum(this.#second)
  }

  get reserved(): number {
    const { input, output, requests } = this.inFlight
    return this.perRequest * requests + this.perInput * input + this.perOutput * output
  }

  /** Requests in the window and in flight: both rings count them in their first column. */
  get #requests(): number {
    return this.inFlight.requests + (this.window === undefined ? 0 : this.window.sum(REQUESTS))
  }

  /** The mean share of one request in so much; what others' requests are taken for. */
  unit(own: number, requests = this.#requests): number {
    return this.perRequest > 0 || requests === 0 ? 1 : own / requests
  }

  /** Counted, in flight, and what others use of the same key. */
  used(nowMs: number): number {
    const own = this.counted + this.reserved
    return this.foreign.isNone ? own : this.#shared(own, this.unit(own), nowMs)
  }

  /**
   * The use of a key that others use too: the ledger's with theirs on top, and never less than the vendor's last word
   * with what was taken since. A bucket can be empty where the window has room.
   */
  #shared(own: number, unit: number, nowMs: number, refundable = 0): number {
    const told = this.word.at(nowMs)
    const byWindow = own + this.foreign.at(nowMs, unit)
    return told === 0 ? byWindow : Math.max(byWindow, told - refundable + this.foreign.since(nowMs, unit))
  }

  need(input: number, output: number): number {
    return this.perRequest + this.perInput * input + this.perOutput * output
  }

  /** How much of it a call took in the end. */
  takenBy({ dayRequests, input, output, requests }: Counts): number {
    return this.perRequest * (this.isDaily ? dayRequests : requests) + this.perInput * input + this.perOutput * output
  }

  /**
   * When there is room for `amount` under `limit`; at once is `nowMs`. `refundable` is what a settlement may give back
   * at any moment. `undefined` where no time can be told: what is in flight has to end first.
   */
  roomAtMs(
    ask: { readonly amount: number; readonly limit: number; readonly refundable: number },
    nowMs: number
  ): number | undefined {
    const { window } = this
    if (!this.foreign.isNone) return this.#roomBesideOthersAtMs(ask, nowMs)
    const excess = this.counted + this.reserved - ask.refundable + ask.amount - ask.limit
    if (excess <= 0) return nowMs
    const age = window === undefined ? -1 : window.ageThatFrees(excess, this.#first, this.#second)
    return window === undefined || age < 0 ? undefined : window.leavesAtMs(age)
  }

  #roomBesideOthersAtMs(
    { amount, limit, refundable }: Parameters<Meter["roomAtMs"]>[0],
    nowMs: number
  ): number | undefined {
    const { window } = this
    let own = this.counted + this.reserved
    let requests = this.#requests
    const fits = (atMs: number) =>
      this.#shared(own - refundable, this.unit(own, requests), atMs, refundable) + amount <= limit
    if (fits(nowMs)) return nowMs
    if (window === undefined) return undefined
    for (let age = window.size - 1; age >= 0; age--) {
      const cell = window.cell(age, this.#first) + (this.#second < 0 ? 0 : window.cell(age, this.#second))
      own -= cell
      requests -= window.cell(age, REQUESTS)
      // What others use ends evenly: between buckets that free something a look now and then will do.
      if (cell === 0 && !this.isDaily && age % stride !== 0) continue
      const atMs = window.leavesAtMs(age)
      if (atMs > nowMs && fits(atMs)) return atMs
    }
    return undefined
  }

  /**
   * What a vendor that knows of nobody else has counted: of what is in flight, an answer only where it is charged on
   * arrival.
   */
  countable(chargesOutput: boolean): number {
    const { input, output, requests } = this.inFlight
    return this.counted + this.perRequest * requests + this.perInput * input +
      (chargesOutput ? this.perOutput * output : 0)
  }

  /**
   * Whether nothing is to be had until the reset. A day may be a bucket that is refilled as it goes, and whose reset is
   * when it is full: an empty one names a whole day.
   */
  isSpent({ remaining, resetMs }: LimitReading): boolean {
    if (remaining === undefined || remaining > 0) return false
    return !this.isDaily || (resetMs !== undefined && resetMs < this.spanMs * refillShare)
  }

  /**
   * Corrects the limit and the use by what the vendor says; answers whether the limit changed. The vendor counted when
   * the call arrived there: `own` is what it should have found then.
   */
  read(
    reading: LimitReading,
    at: { readonly own: number; readonly taken: number; readonly atMs: number; readonly nowMs: number }
  ): boolean {
    const before = this.limit
    if (reading.limit !== undefined) {
      this.state.told = reading.limit
      this.state.met = Number.POSITIVE_INFINITY
      this.grow(at.nowMs)
    }
    const limit = reading.limit ?? before
    if (reading.remaining !== undefined && Number.isFinite(limit)) {
      const amount = limit - reading.remaining - at.own
      const { resetMs } = reading
      this.word.read({ used: limit - reading.remaining, taken: at.taken, resetMs }, at.atMs)
      this.foreign.observe({ amount, isOver: this.isSpent(reading), resetMs }, at.atMs)
    }
    return this.limit !== before
  }

  /** The vendor refused, and told no limit: this much was too much. Answers whether the limit changed. */
  met(amount: number, nowMs: number): boolean {
    if (amount >= this.limit) return false
    this.state.met = amount
    this.state.metAtMs = nowMs
    return this.grow(nowMs)
  }
}
