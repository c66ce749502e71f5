/**
 * The most that one vendor saw of each of its limits, from the exact time of every call. It knows nothing of buckets,
 * reservations or routers: for every moment at which something was counted it adds up the window that ends there.
 */
import { Dimension } from "@route-llm/core"
import type { Arrival, GivenUp, VendorSpec } from "./protocol.ts"

export interface Peak {
  readonly vendor: string
  readonly dimension: Dimension
  readonly peak: number
  readonly limit: number
}

interface Amount {
  readonly atMs: number
  readonly amount: number
}

/**
 * The request and its input count when it comes, an answer when it is given. Of a call that was given up the answer
 * counts when it came, as its maximum does at vendors that charge that; who gave it up makes place for another then.
 */
const amountsOf = (dimension: Dimension, call: Arrival): ReadonlyArray<Amount> => {
  const came = (amount: number): Amount => ({ atMs: call.arrivedMs, amount })
  const left = (amount: number): ReadonlyArray<Amount> =>
    call.endedMs === undefined ? [] : [{ atMs: call.endedMs, amount }]
  const answered = (amount: number) => call.answered ? left(amount) : [came(amount)]
  switch (dimension) {
    case "requests":
    case "requestsPerDay":
      return [came(1)]
    case "inputTokens":
      return [came(call.inputTokens)]
    case "outputTokens":
      return answered(call.outputTokens)
    case "tokens":
    case "tokensPerDay":
      return [came(call.inputTokens), ...answered(call.outputTokens)]
    case "concurrent":
      return [came(1), ...left(-1)]
  }
}

/** At one moment what ends goes first: the caller was free to come again once it had the answer. */
const inOrder = (one: Amount, other: Amount): number => one.atMs - other.atMs || one.amount - other.amount

/** Of all spans of this length, ends included; with `Infinity` the highest running sum. */
const highest = (amounts: ReadonlyArray<Amount>, spanMs: number): number => {
  let sum = 0
  let first = 0
  let peak = 0
  for (const { amount, atMs } of amounts) {
    sum += amount
    while (amounts[first]!.atMs < atMs - spanMs) sum -= amounts[first++]!.amount
    peak = Math.max(peak, sum)
  }
  return peak
}

const dayMs = 86_400_000

const spanOf = (dimension: Dimension, windowMs: number): number =>
  dimension === "concurrent" ? Number.POSITIVE_INFINITY : dimension.endsWith("PerDay") ? dayMs : windowMs

export const peaksOf = (
  vendors: ReadonlyArray<VendorSpec>,
  arrivals: ReadonlyArray<Arrival>,
  windowMs: number
): ReadonlyArray<Peak> =>
  vendors.flatMap(({ limits, name }) => {
    const calls = arrivals.filter(({ vendor }) => vendor === name)
    return Dimension.literals.flatMap((dimension) => {
      const limit = limits[dimension]
      if (limit === undefined) return []
      const amounts = calls.flatMap((call) => amountsOf(dimension, call)).sort(inOrder)
      return [{ vendor: name, dimension, limit, peak: highest(amounts, spanOf(dimension, windowMs)) }]
    })
  })

export interface Circumstances {
  /** A call is on its way for no longer, as the router was told. */
  readonly transitMs: number
  readonly givenUp: ReadonlyArray<GivenUp>
}

/**
 * The calls as they would have been on a machine that is never busy: none comes later after its reservation than the
 * router was told, and a vendor hears at once that it was given up. `late`: how many came later.
 */
export const idealized = (arrivals: ReadonlyArray<Arrival>, { givenUp, transitMs }: Circumstances) => {
  const givenUpAt = new Map(givenUp.map(({ atMs, id, vendor }) => [`${vendor} ${id}`, atMs]))
  const calls = arrivals.map((call): Arrival => {
    const arrivedMs = Math.min(call.arrivedMs, call.reservedAtMs + transitMs)
    const endedMs = Math.min(call.endedMs ?? Infinity, givenUpAt.get(`${call.vendor} ${call.id}`) ?? Infinity)
    return { ...call, arrivedMs, endedMs: Math.max(arrivedMs, endedMs) }
  })
  return { calls, late: arrivals.filter((call, index) => call.arrivedMs > calls[index]!.arrivedMs).length }
}
