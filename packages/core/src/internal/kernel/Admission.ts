/**
 * May this provider take this request now? `admits` is the hot question. `refusal` answers it in full, with figures and
 * times, for those who wait and for errors. `largestInput` turns it round, for the waiting line: up to which size does
 * it take one? A refusal is a value. The provider has been rolled to now, and quoted where it says so.
 */
import type { Demand, Refusal } from "../../RouterState.ts"
import { type Breaker, breakerRefusal } from "./Breaker.ts"
import type { Meter } from "./Meter.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

const never = Number.POSITIVE_INFINITY

/** The lanes from the first served to the last. */
export const laneRank = { high: 0, normal: 1, low: 2 } as const

/** A kind of request: all of it but the size of its input. */
export type Kind = Pick<Demand, "lane" | "maxTokens" | "forceProvider" | "tried" | "lastResort">

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
  const sharedByBoth = isCharged ? never : provider.sharedByBoth(kind.lane)
  let reserved = never
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

/** The same by the limits alone, in service or not. */
export const largestRoom = (provider: ProviderLedger, kind: Kind): number => {
  if (isExcluded(provider, kind) || isKeptFromOthers(provider, kind)) return -1
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

/** In how many ms as much of a limit is free; `refundable`: see `Meter.roomAtMs`. `undefined` where calls in flight have to end first. */
const roomInMs = (
  { nowMs }: ProviderLedger,
  meter: Meter,
  { limit, needed, refundable }: { readonly needed: number; readonly limit: number; readonly refundable: number }
): number | undefined => {
  if (needed > limit) return never
  const atMs = meter.roomAtMs({ amount: needed, limit, refundable }, nowMs)
  return atMs === undefined ? undefined : atMs - nowMs
}

/** When the limits that have no room now will have some, the longest first. */
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
    // A call takes about as long as calls do, and what it takes stays a window.
    const ms = roomInMs(provider, meter, { needed, limit, refundable: refundable(meter) })
      ?? (meter.window === undefined ? provider.callMs : meter.spanMs)
    full.push({ meter, needed, limit, ms })
  }
  return full.sort((a, b) => b.ms - a.ms)
}

/** In how many ms the breaker lets a call through without anyone settling one. */
const passableInMs = (breaker: Breaker, nowMs: number): number => {
  if (breakerRefusal(breaker, nowMs) === undefined) return 0
  if (breaker._tag === "open") return breaker.untilMs - nowMs
  if (breaker._tag === "half_open") return breaker.probeUntilMs - nowMs
  return (breaker.ramp?.untilMs ?? nowMs) - nowMs
}

/**
 * In how many ms time alone lets the request in here, 0 where it may go now. `Infinity` also where a call has to end
 * first: those in line are woken by its settlement. Quotes the request.
 */
export const opensInMs = (provider: ProviderLedger, demand: Demand): number => {
  provider.quote(demand)
  const { benchedUntilMs, bounded, breaker, needsInput, needsOutput, nowMs } = provider
  if (isExcluded(provider, demand) || isKeptFromOthers(provider, demand)) return never
  let ms = Math.max(0, benchedUntilMs - nowMs, passableInMs(breaker, nowMs))
  for (const meter of bounded) {
    const needed = meter.need(needsInput, needsOutput)
    if (needed <= provider.freeFor(meter, demand.lane)) continue
    const limit = provider.usable(meter, demand.lane)
    // What others use may end with time as well, after all that is counted.
    const unknownMs = meter.foreign.isNone ? never : meter.spanMs
    ms = Math.max(ms, roomInMs(provider, meter, { needed, limit, refundable: 0 }) ?? unknownMs)
  }
  return ms
}

/** In how many ms the limits have room for the request beside another, which goes ahead now. */
export const roomBesideInMs = (provider: ProviderLedger, demand: Demand, other: Demand): number => {
  provider.quote(other)
  const { needsInput: otherInput, needsOutput: otherOutput } = provider
  provider.quote(demand)
  let ms = 0
  for (const meter of provider.bounded) {
    if (meter.window === undefined) continue
    const needed = meter.need(provider.needsInput, provider.needsOutput) + meter.need(otherInput, otherOutput)
    const limit = provider.usable(meter, demand.lane)
    ms = Math.max(ms, roomInMs(provider, meter, { needed, limit, refundable: 0 }) ?? meter.spanMs)
  }
  return ms
}

/**
 * In how many ms the request may fit here at the soonest. Less than a refusal says where calls under way may give back
 * some of the tokens that were reserved for them, or one may end.
 */
export const soonestMs = (provider: ProviderLedger, demand: Demand): number => {
  provider.quote(demand)
  const { benchedUntilMs, breaker, inFlightNow, nowMs } = provider
  if (isExcluded(provider, demand)) return never
  const full = fullMeters(
    provider,
    demand,
    (meter) => meter.perInput * inFlightNow.input + meter.perOutput * inFlightNow.output
  )
  const roomMs = full.find(({ meter, ms }) => meter.window !== undefined || ms === never)?.ms ?? 0
  const openMs = breaker._tag === "open" ? breaker.untilMs - nowMs : 0
  return Math.max(0, roomMs, benchedUntilMs - nowMs, openMs)
}

/**
 * Whether it may take the request within so long, if its window has room then: in service by that time, and not too
 * small for it. Without a look at the ring, since it is asked on the hot path.
 */
export const mayTake = (provider: ProviderLedger, demand: Demand, withinMs: number): boolean => {
  const { benchedUntilMs, bounded, breaker, nowMs } = provider
  const byMs = nowMs + withinMs
  if (isExcluded(provider, demand) || benchedUntilMs > byMs) return false
  if (breaker._tag === "open" && breaker.untilMs > byMs) return false
  provider.quote(demand)
  const { needsInput, needsOutput } = provider
  return bounded.every((meter) => meter.need(needsInput, needsOutput) <= provider.usable(meter, demand.lane))
}

/** The refusal in full; `undefined` where the provider may be called. Quotes the request. */
export const refusal = (provider: ProviderLedger, demand: Demand): Refusal | undefined => {
  provider.quote(demand)
  const { breaker, name, nowMs } = provider
  const out = { provider: name, retryAfterMs: never }
  if (demand.forceProvider !== undefined && demand.forceProvider !== name) return { ...out, reason: "not_forced" }
  if (demand.tried.includes(name)) return { ...out, reason: "tried" }
  // The one that takes longest says when.
  const [last] = fullMeters(provider, demand, () => 0)
  const figures = last === undefined
    ? undefined
    : { dimension: last.meter.dimension, needed: last.needed, limit: last.limit }
  if (last !== undefined && last.needed > last.limit) return { ...out, reason: "too_large", ...figures }
  const until = (ms: number) => ({ provider: name, retryAfterMs: Math.max(ms, last?.ms ?? 0) })
  if (nowMs < provider.benchedUntilMs) return { ...until(provider.benchedUntilMs - nowMs), reason: "benched" }
  const broken = breakerRefusal(breaker, nowMs)
  if (broken === "circuit_open" && breaker._tag === "open") {
    return { ...until(breaker.untilMs - nowMs), reason: "circuit_open" }
  }
  // A probe, or a call on the ramp, ends when the vendor answers; its usual latency is the best guess there is.
  const rampMs = breaker._tag === "closed" && breaker.ramp !== undefined
    ? breaker.ramp.untilMs - nowMs
    : never
  if (broken !== undefined) return { ...until(Math.min(provider.callMs, rampMs)), reason: broken }
  if (last !== undefined) return { ...until(0), reason: "full", ...figures }
  return isKeptFromOthers(provider, demand) ? { ...until(provider.callMs), reason: "kept" } : undefined
}
