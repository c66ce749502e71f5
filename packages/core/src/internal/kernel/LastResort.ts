import type { Demand, Refusal } from "../../RouterState.ts"
import { hasRoom, isExcluded, type Kind, largestRoom } from "./Admission.ts"
import { breakerRefusal } from "./Breaker.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

/** A call may go there for want of anything better, from that moment on. */
export interface LastResort {
  readonly provider: ProviderLedger
  readonly atMs: number
}

const isInService = (provider: ProviderLedger): boolean =>
  provider.nowMs >= provider.benchedUntilMs
  && (provider.breaker._tag === "closed" || breakerRefusal(provider.breaker, provider.nowMs) === undefined)

/** Nobody has told when it is back, neither its vendor nor by hand: when it is set aside until is this router's guess. */
const isGuess = ({ bench, benchedUntilMs, breaker, nowMs }: ProviderLedger): boolean =>
  breaker._tag !== "half_open"
  && !(breaker._tag === "open" && breaker.forced)
  && (nowMs >= benchedUntilMs || bench.guessed)

const backAtMs = ({ benchedUntilMs, breaker }: ProviderLedger): number =>
  breaker._tag === "open" ? Math.max(benchedUntilMs, breaker.untilMs) : benchedUntilMs

/**
 * While no candidate is in service, one is not given up: a call in each `lastResort` goes to the one that should be back
 * first, within its limits. Without it a fault of a second would cost the whole cooldown, and a bench that is only
 * guessed all of its time. Envoy's panic threshold is the same idea without the pace.
 */
export const lastResort = (
  providers: ReadonlyArray<ProviderLedger>,
  demand: Demand,
  options: { readonly everyMs: number; readonly lastMs: number }
): LastResort | undefined => {
  if (demand.lastResort === false || options.everyMs === Number.POSITIVE_INFINITY) return undefined
  let chosen: ProviderLedger | undefined
  for (const provider of providers) {
    if (isExcluded(provider, demand)) continue
    if (isInService(provider)) return undefined
    if (!isGuess(provider) || !hasRoom(provider, demand)) continue
    if (chosen === undefined || backAtMs(provider) < backAtMs(chosen)) chosen = provider
  }
  if (chosen === undefined) return undefined
  return { provider: chosen, atMs: Math.max(options.lastMs, chosen.outSinceMs) + options.everyMs }
}

/**
 * The largest input estimate of this kind that a last resort would take, give or take rounding; negative where that is no
 * question, since a candidate is in service.
 */
export const largestLast = (providers: ReadonlyArray<ProviderLedger>, kind: Kind): number => {
  if (kind.lastResort === false) return -1
  let largest = -1
  for (const provider of providers) {
    if (isExcluded(provider, kind)) continue
    if (isInService(provider)) return -1
    if (isGuess(provider)) largest = Math.max(largest, largestRoom(provider, kind))
  }
  return largest
}

/** The refusals, with the provider that a last resort would go to back as soon as that may go out. */
export const soonerAsLast = (
  refusals: ReadonlyArray<Refusal>,
  providers: ReadonlyArray<ProviderLedger>,
  demand: Demand,
  inMs: number
): ReadonlyArray<Refusal> => {
  if (inMs === Number.POSITIVE_INFINITY) return refusals
  const chosen = lastResort(providers, demand, { everyMs: 0, lastMs: 0 })?.provider.name
  return refusals.map((each) =>
    each.provider === chosen ? { ...each, retryAfterMs: Math.min(each.retryAfterMs, Math.max(0, inMs)) } : each
  )
}
