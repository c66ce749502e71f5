/**
 * Is a provider about to run dry? `Prediction.ts` answers it for one limit; here it is asked for each limit of the window
 * that is known. As of the provider's last `quote` or `measure`.
 */
import type { Meter } from "./Meter.ts"
import { dryInMs as predicted, runsDry } from "./Prediction.ts"
import type { ProviderLedger } from "./ProviderLedger.ts"

const total = (meter: Meter): number => meter.limit - meter.free

const recent = (meter: Meter): number => meter.recent + meter.reserved

/** Whether a limit of the window is reached within the look-ahead, at the present rate. */
export const isAtRisk = (provider: ProviderLedger): boolean => {
  const { bounded, minute } = provider
  const olderShare = minute.windowMs / minute.recentMs - 1
  for (const meter of bounded) {
    if (meter.window !== minute) continue
    const perRequest = meter.unit(provider.requestsUsed, total(meter))
    if (runsDry(recent(meter), perRequest, meter.limit, olderShare)) return dryInMs(provider) !== undefined
  }
  return false
}

/** Milliseconds until the first limit of the window is reached; `undefined` beyond the look-ahead. */
export const dryInMs = ({ bounded, minute, requestsUsed, settings }: ProviderLedger): number | undefined => {
  const span = { windowMs: minute.windowMs, recentMs: minute.recentMs, lookAheadMs: settings.lookAhead }
  let soonest: number | undefined
  for (const meter of bounded) {
    if (meter.window !== minute) continue
    const used = total(meter)
    const perRequest = meter.unit(requestsUsed, used)
    const ms = predicted({ total: used, recent: recent(meter), perRequest, limit: meter.limit }, span)
    if (ms !== undefined && (soonest === undefined || ms < soonest)) soonest = ms
  }
  return soonest
}
