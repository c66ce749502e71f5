/** What a simulated vendor admits: each of its limits, counted exactly. */
import { Struct } from "effect"
import type { Dimension, LimitReading } from "../../RateLimit.ts"
import type { VendorModel } from "../VendorModel.ts"
import { BucketMeter, type Meter, RollingMeter } from "./Meter.ts"

/** What a request takes of everything at one moment. */
export interface Amounts {
  readonly requests: number
  readonly input: number
  readonly output: number
}

type Metered = Exclude<Dimension, "concurrent">

export interface Gate {
  readonly dimension: Metered
  readonly meter: Meter
  /** Vendors tell of their limits, not of the sub-windows in which they enforce them. */
  readonly told: boolean
}

/** Why a request is not admitted: for how long, as far as the vendor can tell. */
export interface Excess {
  readonly dimension: Dimension
  /** `Infinity`: it is larger than the limit. `undefined`: until an answer under way ends. */
  readonly waitMs: number | undefined
}

/** One limit, and the most that was ever counted against it at one time. @since 0.1.0 */
export interface LimitPeak {
  readonly dimension: Dimension
  readonly limit: number
  readonly peak: number
}

const dayMs = 24 * 60 * 60 * 1000

export const takes: { readonly [Name in Metered]: (amounts: Amounts) => number } = {
  requests: ({ requests }) => requests,
  tokens: ({ input, output }) => input + output,
  inputTokens: ({ input }) => input,
  outputTokens: ({ output }) => output,
  requestsPerDay: ({ requests }) => requests,
  tokensPerDay: ({ input, output }) => input + output
}

export const gatesOf = ({ enforcement, limits, requestsEvery, window }: VendorModel): ReadonlyArray<Gate> => {
  const meter = (limit: number, windowMs: number): Meter =>
    enforcement === "bucket" ? new BucketMeter(limit, windowMs) : new RollingMeter(limit, windowMs)
  const gates = Struct.keys(takes).flatMap((dimension): ReadonlyArray<Gate> => {
    const limit = limits[dimension]
    const windowMs = dimension.endsWith("PerDay") ? dayMs : window
    return limit === undefined ? [] : [{ dimension, meter: meter(limit, windowMs), told: true }]
  })
  if (limits.requests === undefined || requestsEvery === undefined) return gates
  const share = Math.max(1, Math.floor(limits.requests * requestsEvery / window))
  return [...gates, { dimension: "requests", meter: new RollingMeter(share, requestsEvery), told: false }]
}

export class VendorLimits {
  readonly #gates: ReadonlyArray<Gate>
  readonly #concurrent: number
  readonly #chargesMaxTokens: boolean
  #underWay = 0
  #mostUnderWay = 0

  constructor(model: VendorModel) {
    this.#gates = gatesOf(model)
    this.#concurrent = model.limits.concurrent ?? Number.POSITIVE_INFINITY
    this.#chargesMaxTokens = model.counting.chargesMaxTokens
  }

  /**
   * Counts the request, or says why not, and then counts nothing. An answer has a token at least, so one that counts
   * none on arrival needs room for one all the same.
   */
  arrive(
    nowMs: number,
    call: { readonly inputTokens: number; readonly maxTokens: number | undefined }
  ): Excess | undefined {
    const output = this.#chargesMaxTokens ? call.maxTokens ?? 0 : 0
    const amounts = { requests: 1, input: call.inputTokens, output }
    let excess: Excess | undefined
    if (this.#underWay >= this.#concurrent) excess = { dimension: "concurrent", waitMs: undefined }
    for (const { dimension, meter } of this.#gates) {
      const waitMs = meter.waitMs(nowMs, Math.max(1, takes[dimension](amounts)))
      if (waitMs > (excess?.waitMs ?? 0)) excess = { dimension, waitMs }
    }
    if (excess !== undefined) return excess
    this.#underWay++
    this.#mostUnderWay = Math.max(this.#mostUnderWay, this.#underWay)
    this.#add(nowMs, amounts)
    return undefined
  }

  /** The answer of an admitted request has ended, after so many tokens: they count now, unless charged on arrival. */
  end(nowMs: number, call: { readonly outputTokens: number; readonly maxTokens: number | undefined }): void {
    this.#underWay--
    if (this.#chargesMaxTokens && call.maxTokens !== undefined) return
    this.#add(nowMs, { requests: 0, input: 0, output: call.outputTokens })
  }

  readings(nowMs: number): ReadonlyArray<LimitReading> {
    return this.#gates.filter(({ told }) => told).map(({ dimension, meter }) => ({
      dimension,
      limit: meter.limit,
      remaining: Math.max(0, Math.floor(meter.limit - meter.used(nowMs))),
      resetMs: Math.ceil(meter.emptyInMs(nowMs))
    }))
  }

  get peaks(): ReadonlyArray<LimitPeak> {
    const metered = this.#gates.map(({ dimension, meter }) => ({ dimension, limit: meter.limit, peak: meter.peak }))
    if (!Number.isFinite(this.#concurrent)) return metered
    return [...metered, { dimension: "concurrent", limit: this.#concurrent, peak: this.#mostUnderWay }]
  }

  #add(nowMs: number, amounts: Amounts): void {
    for (const { dimension, meter } of this.#gates) {
      const amount = takes[dimension](amounts)
      if (amount > 0) meter.add(nowMs, amount)
    }
  }
}
