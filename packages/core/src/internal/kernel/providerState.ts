import type { LimitState, ProviderState } from "../../RouterState.ts"
import { isPrior } from "./Latency.ts"
import { rowOf } from "./Meter.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"
import { dryInMs } from "./Risk.ts"

const requestsRow = rowOf("requests")
const tokensRow = rowOf("tokens")

/** A provider as seen from outside, as of its last `roll`. */
export const providerState = (provider: ProviderLedger): ProviderState => {
  provider.measure()
  const { bench, benchedUntilMs, breaker, lastError, nowMs, spec } = provider
  const limitState = (row: number): LimitState => {
    const meter = provider.meters[row]!
    return {
      dimension: meter.dimension,
      used: provider.used(meter),
      limit: meter.limit,
      learned: meter.isLearned
    }
  }
  const requests = limitState(requestsRow)
  const tokens = limitState(tokensRow)
  const limits = provider.bounded.map((meter) => limitState(rowOf(meter.dimension)))
  return {
    name: spec.name,
    model: spec.model,
    requestsUsed: requests.used,
    requestLimit: requests.limit,
    tokensUsed: tokens.used,
    tokenLimit: tokens.limit,
    limits,
    headroom: Math.max(0, Math.min(1, ...limits.map(({ limit, used }) => 1 - used / limit))),
    inFlight: provider.inFlight,
    latencyMs: provider.callMs,
    firstTokenMs: provider.firstTokenMs,
    latencyIsPrior: isPrior(provider.latency, provider.settings.latency),
    firstTokenIsPrior: isPrior(provider.firstToken, provider.settings.latency),
    circuit: breaker._tag,
    circuitRetryAfterMs: breaker._tag === "open" && Number.isFinite(breaker.untilMs)
      ? Math.max(0, breaker.untilMs - nowMs)
      : undefined,
    benched: benchedUntilMs > nowMs ? { forMs: benchedUntilMs - nowMs, because: bench.because } : undefined,
    dryInMs: dryInMs(provider),
    lastError: lastError && { class: lastError.class, agoMs: nowMs - lastError.atMs }
  }
}
