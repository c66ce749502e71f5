/**
 * May this provider take this request now? A refusal is a value. `admission` is the hot question; `refusal` answers
 * the same in full, with figures and the earliest time, for errors and `explain`.
 */
import type { Refusal, RefusalReason } from "../../RouterState.ts"
import type { Demand } from "../../RouterState.ts"
import { breakerRefusal } from "./Breaker.ts"
import { type ProviderLedger, REQUESTS, TOKENS } from "./ProviderLedger.ts"

/** The part of a limit that the request's lane may use: all of it for the high lane, less the reserve for others. */
const usable = (limit: number, provider: ProviderLedger, demand: Demand): number =>
  demand.lane === "high" ? limit : (limit * (100 - provider.settings.highPriorityReservePct)) / 100

/** Tokens of input and output this request is expected to take. */
export const cost = (provider: ProviderLedger, demand: Demand): number => {
  const input = provider.inputCost(demand)
  return input + provider.outputCost(demand, input, usable(provider.tokenLimit, provider, demand))
}

/** Why the provider must not be called; `undefined` where it may. The provider has been rolled to `nowMs`. */
export const admission = (
  provider: ProviderLedger,
  demand: Demand,
  estimatedTokens: number,
  nowMs: number
): RefusalReason | undefined => {
  if (demand.forceProvider !== undefined && demand.forceProvider !== provider.spec.name) return "not_forced"
  if (demand.tried.length > 0 && demand.tried.includes(provider.spec.name)) return "tried"
  const tokens = usable(provider.tokenLimit, provider, demand)
  if (estimatedTokens > tokens) return "too_large"
  if (nowMs < provider.benchedUntilMs) return "benched"
  const broken = breakerRefusal(provider.breaker, nowMs)
  if (broken !== undefined) return broken
  if (provider.requestsUsed + 1 > usable(provider.requestLimit, provider, demand)) return "requests_full"
  if (provider.tokensUsed + estimatedTokens > tokens) return "tokens_full"
  return undefined
}

/**
 * When the window has room for `amount` more. What is in flight cannot leave before it is settled and a window has
 * passed, so where that is needed too the answer is one window from now: a lower bound, as everything here.
 */
const roomInMs = (
  provider: ProviderLedger,
  dimension: number,
  used: number,
  amount: number,
  limit: number,
  nowMs: number
): number => {
  const at = provider.window.freedAtMs(dimension, used + amount - limit)
  return Number.isFinite(at) ? Math.max(0, at - nowMs) : provider.settings.window
}

const full = (
  provider: ProviderLedger,
  demand: Demand,
  dimension: number,
  needed: number,
  nowMs: number
): Pick<Refusal, "retryAfterMs" | "needed" | "limit"> => {
  const requests = dimension === REQUESTS
  const limit = usable(requests ? provider.requestLimit : provider.tokenLimit, provider, demand)
  const used = requests ? provider.requestsUsed : provider.tokensUsed
  const retryAfterMs = needed > limit
    ? Number.POSITIVE_INFINITY
    : roomInMs(provider, dimension, used, needed, limit, nowMs)
  return { retryAfterMs, needed, limit }
}

/** The refusal in full; `undefined` where the provider may be called. */
export const refusal = (provider: ProviderLedger, demand: Demand, nowMs: number): Refusal | undefined => {
  provider.roll(nowMs)
  const estimatedTokens = cost(provider, demand)
  const reason = admission(provider, demand, estimatedTokens, nowMs)
  if (reason === undefined) return undefined
  const base = { provider: provider.spec.name, reason }
  switch (reason) {
    case "requests_full":
      return { ...base, ...full(provider, demand, REQUESTS, 1, nowMs) }
    case "tokens_full":
      return { ...base, ...full(provider, demand, TOKENS, estimatedTokens, nowMs) }
    case "too_large":
      return {
        ...base,
        retryAfterMs: Number.POSITIVE_INFINITY,
        needed: estimatedTokens,
        limit: usable(provider.tokenLimit, provider, demand)
      }
    case "benched":
      return { ...base, retryAfterMs: provider.benchedUntilMs - nowMs }
    case "circuit_open":
      return { ...base, retryAfterMs: provider.breaker._tag === "open" ? provider.breaker.untilMs - nowMs : 0 }
    case "probing":
      // The probe ends when the vendor answers; its usual latency is the best guess there is.
      return { ...base, retryAfterMs: provider.latencyMs }
    case "tried":
    case "not_forced":
      return { ...base, retryAfterMs: Number.POSITIVE_INFINITY }
  }
}
