/**
 * One limit of one provider: what counts against it, how much of it is used, and what it is, as declared or learned.
 * All seven dimensions are rows of one table; a request needs `requests + input·tokens + output·tokens` of each.
 */
import type { Dimension, LimitReading } from "../../RateLimit.ts"
import { ForeignUse } from "./ForeignUse.ts"
import type { RollingWindow } from "./RollingWindow.ts"

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

/** What a meter knows from its vendor, as a shared store keeps it too. */
interface Word {
  /** The limits that were told and met; `Infinity` where none was. */
  told: number
  met: number
  metAtMs: number
  /** All that was ever reserved; the difference of two moments is what was reserved between them. */
  taken: number
  /** The newest word on the use: at which moment of `taken`, and when. */
  toldUsed: number
  toldTaken: number
  /** How quickly that use ends, per ms: all of it by the reset that the vendor named, or in a window. */
  refill: number
  toldAtMs: number
}

/** A limit found by being refused gives way by this share a window, so that a raised one is found again. */
const growthPerWindow = 0.05

/** Buckets between two looks ahead at what others use. */
const stride = 8

export class Meter {
  readonly dimension: Dimension
  readonly isDaily: boolean
  readonly perRequest: number
  readonly perInput: number
  readonly perOutput: number
  readonly foreign: ForeignUse
  /** What is in force: the smallest of what is declared, told and met; `Infinity` where nothing is known. */
  limit = Number.POSITIVE_INFINITY
  /** How much of it is free, as of the provider's last `quote`; what a lane may not use is still in it. */
  free = Number.POSITIVE_INFINITY
  readonly word: Word = {
    told: Number.POSITIVE_INFINITY,
    met: Number.POSITIVE_INFINITY,
    metAtMs: 0,
    taken: 0,
    toldUsed: 0,
    toldTaken: 0,
    refill: 0,
    toldAtMs: Number.NEGATIVE_INFINITY
  }
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
  }

  set declared(limit: number) {
    this.#declared = limit
    this.grow(this.#grownAtMs)
  }

  /** Brings the limit to `nowMs`: one that was met grows. Answers whether it is one that does. */
  grow(nowMs: number): boolean {
    this.#grownAtMs = nowMs
    const { metAtMs, told } = this.word
    const known = Math.min(this.#declared, told)
    const windows = Math.max(0, nowMs - metAtMs) / this.foreign.windowMs
    const met = this.word.met === Number.POSITIVE_INFINITY
      ? this.word.met
      : this.word.met * (1 + growthPerWindow * windows)
    this.limit = met < known ? Math.floor(met) : known
    return met < known
  }

  get isLearned(): boolean {
    return this.limit < this.#declared
  }

  /** What counts of this limit in the window, calls in flight apart. */
  get counted(): number {
    if (this.window === undefined) return 0
    const first = this.window.sum(this.#first)
    return this.#second < 0 ? first : first + this.window.sum(this.#second)
  }

  /** The same in the window's newest quarter. */
  get recent(): number {
    if (this.window === undefined) return 0
    const first = this.window.recent(this.#first)
    return this.#second < 0 ? first : first + this.window.recent(this.#second)
  }

  get reserved(): number {
    const { input, output, requests } = this.inFlight
    return this.perRequest * requests + this.perInput * input + this.perOutput * output
  }

  /** The mean share of one request; what others' requests are taken for. */
  unit(requests: number, own: number): number {
    return this.perRequest > 0 ? 1 : requests === 0 ? 1 : own / requests
  }

  /** Counted, in flight, and what others use of the same key. `requests` is the number behind it, for the mean. */
  used(nowMs: number, requests: number): number {
    const own = this.counted + this.reserved
    return this.foreign.isNone ? own : this.#shared(own, this.unit(requests, own), nowMs)
  }

  /**
   * The use of a key that others use too: the ledger's with theirs on top, and never less than the vendor's last word
   * with what was taken since, refilled as a token bucket is. A bucket can be empty where the window has room.
   */
  #shared(own: number, unit: number, nowMs: number): number {
    const others = this.foreign.at(nowMs, unit)
    const ageMs = nowMs - this.word.toldAtMs
    if (ageMs >= this.foreign.windowMs) return own + others
    const left = Math.max(0, this.word.toldUsed - ageMs * this.word.refill)
    return Math.max(own + others, left + this.word.taken - this.word.toldTaken + this.foreign.since(nowMs, unit))
  }

  need(input: number, output: number): number {
    return this.perRequest + this.perInput * input + this.perOutput * output
  }

  /**
   * When there is room for `amount` under `limit`; at once is `nowMs`. `refundable` is what a settlement may give back
   * at any moment. `undefined` where no time can be told: what is in flight has to end first.
   */
  roomAtMs(
    ask: { readonly amount: number; readonly limit: number; readonly refundable: number; readonly requests: number },
    nowMs: number
  ): number | undefined {
    const own = this.counted + this.reserved - ask.refundable
    const { window } = this
    if (this.foreign.isNone) {
      const excess = own + ask.amount - ask.limit
      if (excess <= 0) return nowMs
      const age = window === undefined ? -1 : window.ageThatFrees(excess, this.#first, this.#second)
      return window === undefined || age < 0 ? undefined : window.leavesAtMs(age)
    }
    const unit = this.unit(ask.requests, own)
    const fits = (freed: number, atMs: number) => this.#shared(own - freed, unit, atMs) + ask.amount <= ask.limit
    if (fits(0, nowMs)) return nowMs
    if (window === undefined) return undefined
    let freed = 0
    for (let age = window.size - 1; age >= 0; age--) {
      const cell = window.cell(age, this.#first) + (this.#second < 0 ? 0 : window.cell(age, this.#second))
      freed += cell
      // What others use ends evenly: between buckets that free something a look now and then will do.
      if (cell === 0 && age % stride !== 0) continue
      const atMs = window.leavesAtMs(age)
      if (atMs > nowMs && fits(freed, atMs)) return atMs
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
   * Corrects the limit and the use by what the vendor says; answers whether the limit changed. The vendor counted when
   * the call arrived there: `own` is what it should have found then.
   */
  read(
    reading: LimitReading,
    at: { readonly own: number; readonly taken: number; readonly atMs: number; readonly nowMs: number }
  ): boolean {
    const before = this.limit
    if (reading.limit !== undefined) {
      this.word.told = reading.limit
      this.word.met = Number.POSITIVE_INFINITY
      this.grow(at.nowMs)
    }
    const limit = reading.limit ?? before
    if (reading.remaining !== undefined && Number.isFinite(limit)) {
      const amount = limit - reading.remaining - at.own
      if (at.atMs >= this.word.toldAtMs) {
        this.word.toldUsed = limit - reading.remaining
        this.word.refill = this.word.toldUsed /
          Math.max(1, Math.min(reading.resetMs ?? Infinity, this.foreign.windowMs))
        this.word.toldTaken = at.taken
        this.word.toldAtMs = at.atMs
      }
      // A day is refilled as it goes at those who name a reset of it, and whose reset may be a day away.
      const isOver = reading.remaining <= 0 && !this.isDaily
      this.foreign.observe({ amount, isOver, resetMs: reading.resetMs }, at.atMs)
    }
    return this.limit !== before
  }

  /** The vendor refused, and told no limit: this much was too much. Answers whether the limit changed. */
  met(amount: number, nowMs: number): boolean {
    if (amount >= this.limit) return false
    this.word.met = amount
    this.word.metAtMs = nowMs
    return this.grow(nowMs)
  }
}
