/**
 * May this provider take this request now? `admits` is the hot question. `refusal` answers it in full, with figures and
 * times, for those who wait and for errors. `largestInput` turns it round, for the waiting line: up to which size does
 * it take one? A refusal is a value. The provider has been rolled to now, and quoted where it says so.
 */
import type { Demand, Refusal } from "../../RouterState.ts"
import { breakerRefusal } from "./Breaker.ts"
import type { Meter } from "./Meter.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

/** The lanes from the first served to the last. */
export const laneRank = { high: 0, normal: 1, low: 2 } as const

/** A kind of request: all of it but the size of its input. */
export type Kind = Pick<Demand, "lane" | "maxTokens" | "forceProvider" | "tried">

/** Room that is kept for one request is closed to others of its lane, of those below, and in time of those above. */
const isKeptFromOthers = ({ keptFor }: ProviderLedger, demand: Pick<Demand, "lane">): boolean =>
  keptFor !== undefined && keptFor.demand !== demand && laneRank[demand.lane] >= keptFor.rank

/** Whether the request may not go there at all, however long it waits. */
export const isExcluded = (
  { name }: ProviderLedger,
  { forceProvider, tried }: Pick<Kind, "forceProvider" | "tried">
): boolean => (forceProvider !== undefined && forceProvider !== name) || (tried.length > 0 && tried.includes(name))

/** Whether it is no candidate whatever the provider's own state is: excluded, or its room is kept for another request. */
export const isRuledOut = (provider: ProviderLedger, demand: Demand): boolean =>
  isExcluded(provider, demand) || isKeptFromOthers(provider, demand)

/** Whether the provider is out of the question whatever the request's size. */
const isClosed = (provider: ProviderLedger, demand: Pick<Kind, "lane" | "forceProvider" | "tried">): boolean =>
  isExcluded(provider, demand)
  || provider.nowMs < provider.benchedUntilMs
  || breakerRefusal(provider.breaker, provider.nowMs) !== undefined
  || isKeptFromOthers(provider, demand)

/** Whether the quoted request may be sent here now. */
export const admits = (provider: ProviderLedger, demand: Demand): boolean =>
  !isClosed(provider, demand) && fits(provider, demand)

/** Whether the limits alone have room for it. Quotes the request. */
export const hasRoom = (provider: ProviderLedger, demand: Demand): boolean => {
  provider.quote(demand)
  return !isKeptFromOthers(provider, demand) && fits(provider, demand)
}

const fits = (provider: ProviderLedger, demand: Demand): boolean => {
  for (const meter of provider.bounded) {
    if (meter.need(provider.needsInput, provider.needsOutput) > provider.freeFor(meter, demand.lane)) return false
  }
  return true
}

/** The largest input estimate of this kind that fits where so much of each limit is free; negative where none does. */
const largestWithin = (provider: ProviderLedger, kind: Kind, free: (meter: Meter) => number): number => {
  const { counting } = provider.spec
  const isCharged = kind.maxTokens !== undefined && counting.chargesMaxTokens
  const output = provider.expectedOutput(kind, 0)
  // From here on an answer that is only guessed gives way to the input.
  const sharedByBoth = isCharged ? Number.POSITIVE_INFINITY : provider.sharedByBoth(kind.lane)
  let reserved = Number.POSITIVE_INFINITY
  for (const meter of provider.bounded) {
    const room = free(meter)
    if (room < meter.perRequest || room < 0) return -1
    if (meter.perInput === 0) {
      if (room < meter.perOutput * output) return -1
    } else {
      reserved = Math.min(reserved, room >= sharedByBoth ? room : room - meter.perOutput * output)
    }
  }
  // And so does what is added to be safe.
  const { inputFactor, inputRatio } = provider.learned
  const input = reserved / (reserved >= provider.largestReserved(kind) ? inputRatio : inputFactor)
  return input < 0 ? -1 : input
}

/**
 * The largest input estimate of this kind that would be admitted now, give or take rounding; negative where none would.
 */
export const largestInput = (provider: ProviderLedger, kind: Kind): number => {
  if (isClosed(provider, kind)) return -1
  provider.measure()
  return largestWithin(provider, kind, (meter) => provider.freeFor(meter, kind.lane))
}

/** The same with nothing else in the window: what is larger is never admitted. */
export const largestEver = (provider: ProviderLedger, kind: Kind): number =>
  isExcluded(provider, kind) ? -1 : largestWithin(provider, kind, (meter) => provider.usable(meter, kind.lane))

interface FullMeter {
  readonly meter: Meter
  readonly needed: number
  readonly limit: number
  /** Until it has room; `Infinity` where the request is larger than the limit. */
  readonly ms: number
}

/** When the limits that have no room now will have some, the longest first. `refundable`: see `Meter.roomAtMs`. */
const fullMeters = (
  provider: ProviderLedger,
  demand: Demand,
  refundable: (meter: Meter) => number
): ReadonlyArray<FullMeter> => {
  const full: Array<FullMeter> = []
  for (const meter of provider.bounded) {
    const needed = meter.need(provider.needsInput, provider.needsOutput)
    const limit = provider.usable(meter, demand.lane)
    if (needed <= provider.freeFor(meter, demand.lane)) continue
    const ask = { amount: needed, limit, requests: provider.requestsUsed, refundable: refundable(meter) }
    const atMs = needed > limit ? Number.POSITIVE_INFINITY : meter.roomAtMs(ask, provider.nowMs)
    // What is in flight has to end first: a call takes about as long as calls do, and what it takes stays a window.
    const ms = atMs === undefined
      ? (meter.window === undefined ? provider.callMs : meter.spanMs)
      : atMs - provider.nowMs
    full.push({ meter, needed, limit, ms })
  }
  return full.sort((a, b) => b.ms - a.ms)
}

/**
 * In how many ms the request may fit here at the soonest. Less than a refusal says where calls under way may give back
 * some of the tokens that were reserved for them, or one may end.
 */
export const soonestMs = (provider: ProviderLedger, demand: Demand): number => {
  provider.quote(demand)
  const { benchedUntilMs, breaker, inFlightNow, nowMs } = provider
  if (isExcluded(provider, demand)) return Number.POSITIVE_INFINITY
  const full = fullMeters(
    provider,
    demand,
    (meter) => meter.perInput * inFlightNow.input + meter.perOutput * inFlightNow.output
  )
  const roomMs = full.find(({ meter, ms }) => meter.window !== undefined || ms === Number.POSITIVE_INFINITY)?.ms ?? 0
  const openMs = breaker._tag === "open" ? breaker.untilMs - nowMs : 0
  return Math.max(0, roomMs, benchedUntilMs - nowMs, openMs)
}

/** The refusal in full; `undefined` where the provider may be called. Quotes the request. */
export const refusal = (provider: ProviderLedger, demand: Demand): Refusal | undefined => {
  provider.quote(demand)
  const { breaker, name, nowMs } = provider
  const never = { provider: name, retryAfterMs: Number.POSITIVE_INFINITY }
  if (demand.forceProvider !== undefined && demand.forceProvider !== name) return { ...never, reason: "not_forced" }
  if (demand.tried.includes(name)) return { ...never, reason: "tried" }
  // The one that takes longest says when.
  const [last] = fullMeters(provider, demand, () => 0)
  const figures = last === undefined
    ? undefined
    : { dimension: last.meter.dimension, needed: last.needed, limit: last.limit }
  if (last !== undefined && last.needed > last.limit) return { ...never, reason: "too_large", ...figures }
  const until = (ms: number) => ({ provider: name, retryAfterMs: Math.max(ms, last?.ms ?? 0) })
  if (nowMs < provider.benchedUntilMs) return { ...until(provider.benchedUntilMs - nowMs), reason: "benched" }
  const broken = breakerRefusal(breaker, nowMs)
  if (broken === "circuit_open" && breaker._tag === "open") {
    return { ...until(breaker.untilMs - nowMs), reason: "circuit_open" }
  }
  // A probe, or a call on the ramp, ends when the vendor answers; its usual latency is the best guess there is.
  const rampMs = breaker._tag === "closed" && breaker.ramp !== undefined
    ? breaker.ramp.untilMs - nowMs
    : Number.POSITIVE_INFINITY
  if (broken !== undefined) return { ...until(Math.min(provider.callMs, rampMs)), reason: broken }
  if (last !== undefined) return { ...until(0), reason: "full", ...figures }
  return isKeptFromOthers(provider, demand) ? { ...until(provider.callMs), reason: "kept" } : undefined
}
